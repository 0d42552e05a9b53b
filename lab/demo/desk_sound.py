"""What the call manager's browser hears and plays: a private PulseAudio with a microphone and a loudspeaker.

Speech is played onto the microphone when the story wants it. Both are recorded all the time, on our clock.
"""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np

from lab.measure.sound import RATE_HZ, Recording, Sound, as_int16, from_int16
from lab.process import LabFailed, outlived_by_none
from lab.pulse import PulseRig, RigFailed

PROGRAMS = ("pulseaudio", "pactl", "parec", "pacat")
BEFORE_S = 0.12
"""Silence before what is said: the key is pressed meanwhile."""
START_S = 5.0
END_S = 3.0
_RAW = ("--raw", "--format=s16le", f"--rate={RATE_HZ}", "--channels=1")


class DeskSound:
    """Entered, it records; `folder` is for its files. Raises LabFailed where there is no such sound system."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._pulse: PulseRig
        self._speaking: subprocess.Popen[bytes] | None = None
        self._epochs: dict[str, float] = {}

    def __enter__(self) -> DeskSound:
        """Start everything."""
        with ExitStack() as stack:
            try:
                self._pulse = stack.enter_context(PulseRig(["ear", "mouth"]))
            except RigFailed as error:
                raise LabFailed(f"the console's sound system does not start: {error}") from error
            # a browser offers no monitor of a loudspeaker as a microphone
            self._control("load-module", "module-remap-source", "master=mouth.monitor", "source_name=microphone")
            self._control("set-default-source", "microphone")
            self._control("set-default-sink", "ear")
            for place in ("ear", "mouth"):
                self._record(place, stack)
            stack.callback(self._hush)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        self._stack.close()

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a program that is to use it."""
        return self._pulse.whole_env

    def say(self, sound: Sound) -> None:
        """Begin to speak; returns at once, BEFORE_S or a little more before the first syllable."""
        self._hush()
        path = self._folder / "desk-says.raw"
        path.write_bytes(as_int16(np.concatenate([np.zeros(round(BEFORE_S * RATE_HZ), np.float32), sound])))
        command = ["pacat", "--playback", "-d", "mouth", *_RAW, "--latency-msec=60", str(path)]
        self._speaking = subprocess.Popen(outlived_by_none(command), env=self.environ)

    def spoken(self, within_s: float) -> None:
        """Wait for the end of what is said. Raises LabFailed where it does not come, or was not said at all."""
        assert self._speaking is not None
        try:
            status = self._speaking.wait(within_s)
        except subprocess.TimeoutExpired:
            raise LabFailed(f"the console's microphone was not done within {within_s:.0f} s") from None
        if status:
            raise LabFailed(f"pacat ended with {status}: nothing was said at the console")

    def recordings(self) -> tuple[Recording, Recording]:
        """What was at the console's microphone, and what its loudspeaker played."""
        return self._recording("mouth"), self._recording("ear")

    def _recording(self, place: str) -> Recording:
        data = self._file(place).read_bytes()
        return Recording(from_int16(data[: len(data) // 2 * 2]), self._epochs[place])

    def _file(self, place: str) -> Path:
        return self._folder / f"desk-{place}.raw"

    def _control(self, *words: str) -> None:
        done = self._pulse.pactl(*words)
        if done.returncode:
            raise LabFailed(f"pactl {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")

    def _record(self, place: str, stack: ExitStack) -> None:
        path = self._file(place)
        command = ["parec", "-d", f"{place}.monitor", *_RAW, "--latency-msec=10"]
        with path.open("wb") as file:
            process = subprocess.Popen(outlived_by_none(command), stdout=file, env=self.environ)
        stack.callback(_end, process)
        deadline = time.monotonic() + START_S
        while not (size := path.stat().st_size):
            if process.poll() is not None or time.monotonic() > deadline:
                raise LabFailed(f"parec does not record the console's {place}")
            time.sleep(0.002)
        self._epochs[place] = time.monotonic() - size / 2 / RATE_HZ

    def _hush(self) -> None:
        if self._speaking is not None:
            _end(self._speaking)
            self._speaking = None


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
