"""Watches from a tiny process of its own, on every core, whether the machine runs at all.

A thread bound to a core sleeps TICK_S again and again. One that wakes late by STALL_S_MIN or more was not let run:
that core, or the whole machine, stood still. What keeps the machine busy in an ordinary way does not show: one that
sleeps most of the time is let run soon.

This file is also the process's program and is run without any package: it imports the standard library alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.demo.stalls import Stall

TICK_S = 0.02
LINES_MAX = 2000
"""More stalls than this are not written: what comes to that is no machine to play a story on."""
END_S = 3.0


class StallWatch:
    """Watches while it is entered. `stalls` are those so far; `least_s` is the shortest that counts.

    Raises OSError where its process cannot be started.
    """

    def __init__(self, file: Path, least_s: float) -> None:
        self._file = file
        self._least_s = least_s
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> StallWatch:
        """Begin; `file` is made anew."""
        command = [sys.executable, "-I", "-S", __file__, str(self._least_s)]
        if (setpriv := shutil.which("setpriv")) is not None:  # it shall not outlive us, however we die
            command = [setpriv, "--pdeathsig", "KILL", *command]
        with self._file.open("wb") as out:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, start_new_session=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End its process."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """Of its process; where there is setpriv, that becomes it."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it still watches."""
        return self._process.poll() is None

    @property
    def stalls(self) -> tuple[Stall, ...]:
        """Every stall so far, in the order of their ends."""
        from lab.demo.stalls import Stall

        lines = self._file.read_text().split("\n")[:-1]
        fields = [line.split() for line in lines]
        return tuple(Stall(core=int(core), start_s=float(start), end_s=float(end)) for core, start, end in fields)


def _watch(core: int, least_s: float) -> None:
    os.sched_setaffinity(0, {core})  # of this thread alone
    before_s = time.monotonic()
    for _ in range(LINES_MAX):
        while True:
            time.sleep(TICK_S)
            now = time.monotonic()
            late, start_s, before_s = now - before_s - TICK_S >= least_s, before_s + TICK_S, now
            if late:
                break
        os.write(1, f"{core} {start_s:.6f} {now:.6f}\n".encode())


def _main(least_s: float) -> None:
    for core in sorted(os.sched_getaffinity(0)):
        threading.Thread(target=_watch, args=(core, least_s), name=f"core-{core}", daemon=True).start()
    sys.stdin.buffer.read()  # until whoever started us closes it, or is gone


if __name__ == "__main__":
    _main(float(sys.argv[1]))
