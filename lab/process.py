"""A process of ours in the lab, and what is raised where something does not follow."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

STOP_S = 4.0


class LabFailed(RuntimeError):
    """Something that had to happen did not; the text says what."""


def outlived_by_none(command: Sequence[str]) -> list[str]:
    """Give the command of a process that does not outlive the thread that starts it, however that ends."""
    setpriv = shutil.which("setpriv")
    return list(command) if setpriv is None else [setpriv, "--pdeathsig", "KILL", *command]


class Process:
    """One of ours, in a session of its own; its output goes to `log`; `environ` is added to the environment."""

    def __init__(
        self, name: str, module: str, arguments: Sequence[str], log: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        command = outlived_by_none([sys.executable, "-m", module, *arguments])
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                env={**os.environ, **(environ or {})},
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, to it alone."""
        self._process.kill()

    def terminate(self) -> None:
        """Ask it to end; `wait` for it."""
        if self.running:
            self._process.terminate()

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; False when it does not come."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self) -> None:
        """End it and all of its session, kindly first."""
        self.terminate()
        self.wait(STOP_S)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
