"""Real daemons under test: started with their output captured, watched with a deadline, never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent.parent
POLL_S = 0.01
END_S = 5.0


def eventually(fn: Callable[[], T], timeout_s: float = 5.0, what: str | Callable[[], str] = "") -> T:
    """Call `fn` until it gives something true, and return that. AssertionError after `timeout_s`, saying `what`."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = fn()
        if value:
            return value
        if time.monotonic() > deadline:
            text = what() if callable(what) else what
            raise AssertionError(f"not within {timeout_s} s: {text or fn} (last: {value!r})")
        time.sleep(POLL_S)


class Daemon:
    """One process under test, in a session of its own; `log` is all it has written to stdout and stderr."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], path: Path) -> None:
        self.name = name
        self.process = process
        self.path = path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def log(self) -> str:
        return self.path.read_text(errors="replace")

    def says(self, text: str, timeout_s: float = 5.0) -> str:
        """Wait until `text` is in the log; AssertionError with the log otherwise, at once if the process ended."""

        def found() -> bool:
            if text in self.log:
                return True
            assert self.running, f"{self.name} ended with {self.process.returncode} before {text!r}:\n{self.log}"
            return False

        eventually(found, timeout_s, lambda: f"{self.name} says {text!r}; its log:\n{self.log}")
        return self.log

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, timeout_s: float = END_S) -> int:
        """Wait for its end and give its exit status."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {timeout_s} s; its log:\n{self.log}") from None

    def stop(self, timeout_s: float = END_S) -> int:
        """SIGTERM, and its exit status."""
        if self.running:
            self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def kill(self) -> None:
        """SIGKILL to it alone: its children are left to find out by themselves."""
        if self.running:
            self.process.kill()
        self.process.wait(END_S)

    def kill_tree(self) -> None:
        """SIGKILL to it and to everything it started in its session."""
        for pid in session_members(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(END_S)


def session_members(session: int) -> list[int]:
    """Process ids of a session, its leader included, as /proc has them now."""
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] != "Z" and int(fields[3]) == session:
            members.append(int(entry.name))
    return members


class Daemons:
    """Starts daemons with their logs in `folder`; on leaving, kills all of them with all they started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._all: list[Daemon] = []

    def __enter__(self) -> Daemons:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for daemon in reversed(self._all):
            daemon.kill_tree()

    def start(self, name: str, argv: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Daemon:
        """Start `argv` with the checkout on its import path; `env` is added to this process's environment."""
        path = self.folder / f"{name}-{len(self._all)}.log"
        with path.open("wb") as log:
            process = subprocess.Popen(
                [str(part) for part in argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **(env or {})},
            )
        daemon = Daemon(name, process, path)
        self._all.append(daemon)
        return daemon

    def python(self, name: str, *argv: str | Path, env: Mapping[str, str] | None = None) -> Daemon:
        """Start this interpreter with `argv`, e.g. `-m`, `gateway`, `run`."""
        return self.start(name, [sys.executable, *argv], env)
