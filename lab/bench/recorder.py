"""Recording a monitor of the rig with the time at which each sample was heard, on the machine's monotonic clock."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from lab.pulse import RATE_HZ, PulseRig

LATENCY_MS = 5
AROUND_S = 2.0
"""Arrival times this far around a sample tell its time: their lower envelope, as a chunk can be late, never early."""
END_S = 2.0


class Recorder:
    """Records `<sink>.monitor` from entering to leaving."""

    def __init__(self, rig: PulseRig, sink: str) -> None:
        self._data = bytearray()
        self._arrivals: list[tuple[int, float]] = []  # samples so far, and when they were
        raw = ("--raw", "--format=s16le", f"--rate={RATE_HZ}", "--channels=1")
        self._process = subprocess.Popen(
            ["parec", "-d", f"{sink}.monitor", *raw, f"--latency-msec={LATENCY_MS}", "--process-time-msec=2"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=rig.whole_env,
            bufsize=0,
        )
        self._thread = threading.Thread(target=self._read, name=f"record-{sink}", daemon=True)

    def __enter__(self) -> Recorder:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        self._process.kill()
        self._process.wait()
        self._thread.join(END_S)

    @property
    def samples(self) -> NDArray[np.float64]:
        """All that was recorded, ±1; call it after leaving."""
        return np.frombuffer(bytes(self._data), "<i2").astype(np.float64) / 32768

    def times_s(self, numbers: list[int]) -> list[float]:
        """Give the monotonic time of each sample number; call it after leaving."""
        arrivals = np.array(self._arrivals)
        offsets = arrivals[:, 1] - arrivals[:, 0] / RATE_HZ  # the true offset plus the delay of that chunk
        times = []
        for number in numbers:
            near = np.abs(arrivals[:, 0] - number) < AROUND_S * RATE_HZ
            times.append(float(number / RATE_HZ + offsets[near].min()))
        return times

    def _read(self) -> None:
        assert self._process.stdout is not None
        handle = self._process.stdout.fileno()
        while True:
            came = os.read(handle, 65536)
            now = time.monotonic()
            if not came:
                return
            self._data += came
            self._arrivals.append((len(self._data) // 2, now))
