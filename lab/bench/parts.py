"""The real processes that are measured: dispatch and gateways at a broker, started and ended by the bench."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gateway.status_client import Unreachable, ask
from hw.errors import HardwareError
from hw.virtual_client import VirtualPins

ROOT = Path(__file__).resolve().parents[2]
POLL_S = 0.02
START_S = 15.0
END_S = 5.0
REGION = "bench"


class BenchFailed(RuntimeError):
    """A benchmark could not be carried out; says what did not happen."""


class Process:
    """One process of ours in a session of its own, ended on leaving with all it started."""

    def __init__(
        self, name: str, argv: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None
    ) -> None:
        """Start it; `folder` takes its log."""
        self.name = name
        self.log_path = folder / f"{name}.log"
        self.began_at = time.monotonic()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [str(part) for part in argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=_environment(env),
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What it wrote."""
        return self.log_path.read_text(errors="replace")

    def require_running(self) -> None:
        """Raise BenchFailed with the end of its log where it has ended."""
        if self._process.poll() is not None:
            raise BenchFailed(f"{self.name} ended with {self._process.returncode}:\n{self.log[-2000:]}")

    def end(self) -> None:
        """SIGTERM, then SIGKILL to its whole session."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def python(name: str, folder: Path, *argv: str | Path, env: Mapping[str, str] | None = None) -> Process:
    """Start this interpreter with `argv`, e.g. `-m`, `gateway`."""
    return Process(name, [sys.executable, *argv], folder, env)


def dispatch(folder: Path, port: int, offices: Mapping[str, str]) -> Process:
    """Start `ptt-dispatch serve` with its store in `folder` and these offices (id: further lines), and wait for it."""
    text = f'log_level = "warning"\n[broker]\nhost = "127.0.0.1"\nport = {port}\n[store]\npath = "{folder}/office.db"\n'
    for office, lines in offices.items():
        text += f'[[office]]\nregion = "{REGION}"\noffice = "{office}"\n{lines}\n'
    config = folder / "dispatch.toml"
    config.write_text(text)
    with listen(folder / "dispatch.notify") as heard:
        process = python(
            "dispatch",
            folder,
            "-m",
            "dispatch",
            "serve",
            "--config",
            config,
            env={"NOTIFY_SOCKET": heard.getsockname()},
        )
        try:
            await_ready(heard, process)
        except BenchFailed:
            process.end()
            raise
    return process


class Unit:
    """One `ptt-gateway run` on virtual pins, whoever it is.

    `who` are the tables of its configuration that say so, `audio` is the [audio] table.
    """

    def __init__(
        self,
        folder: Path,
        user: str,
        who: str,
        audio: str,
        *,
        env: Mapping[str, str] | None = None,
        level: str = "info",
        state: str = "",
    ) -> None:
        """`state`: further lines of the [state] table."""
        self.user = user
        self.folder = folder / user
        self.folder.mkdir(exist_ok=True)
        self.socket = self.folder / "pins.sock"
        self.status_socket = self.folder / "status.sock"
        self.config = self.folder / "gateway.toml"
        self._env = dict(env or {})
        self._pins: VirtualPins | None = None
        self.config.write_text(
            f'{who}[pins]\nfactory = "virtual"\npins_socket = "{self.socket}"\n[audio]\n{audio}\n'
            f'[state]\ndir = "{self.folder}"\nstatus_socket = "{self.status_socket}"\n{state}[log]\nlevel = "{level}"\n'
        )
        self.process: Process

    def start(self) -> float:
        """Start it; gives the seconds from the start of the process to its READY=1."""
        with listen(self.folder / "notify") as heard:
            self.process = python(
                "gateway",
                self.folder,
                *("-m", "gateway", "run", "--config", self.config),
                env=self._env | {"NOTIFY_SOCKET": heard.getsockname()},
            )
            return await_ready(heard, self.process) - self.process.began_at

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Stop it in order."""
        if self._pins is not None:
            self._pins.close()
            self._pins = None
        self.process.end()

    @property
    def pins(self) -> VirtualPins:
        """The pin server's client."""
        if self._pins is None:
            self._pins = VirtualPins(self.socket)
        return self._pins

    def status(self, presses: int = 1) -> dict[str, Any]:
        """Ask the daemon for its status with the newest `presses`."""
        return ask([self.status_socket], presses).status

    def await_talkable(self) -> None:
        """Wait until link, voice link and both sound devices are there; raises BenchFailed."""
        self.await_status("can talk", lambda status: str(status["says"]).startswith("link up; voice ok;"))

    def await_status(self, what: str, test: Any, timeout_s: float = START_S) -> dict[str, Any]:
        """Wait until `test(status)` holds and give that status; raises BenchFailed."""
        deadline = time.monotonic() + timeout_s
        status: dict[str, Any] = {}
        while time.monotonic() < deadline:
            with contextlib.suppress(Unreachable, HardwareError):
                status = self.status()
                if test(status):
                    return status
            self.process.require_running()
            time.sleep(POLL_S)
        raise BenchFailed(f"{self.user}: not within {timeout_s:g} s: {what}; it says: {status.get('says')}")


class Vehicle(Unit):
    """A unit that its configuration says everything of, at a broker that lets in whoever comes."""

    def __init__(
        self,
        folder: Path,
        user: str,
        office: str,
        port: int,
        audio: str,
        *,
        env: Mapping[str, str] | None = None,
        level: str = "info",
    ) -> None:
        who = (
            f'[vehicle]\nuser = "{user}"\nname = "{user}"\nregion = "{REGION}"\noffice = "{office}"\nlang = "en"\n'
            f'[broker]\nhost = "127.0.0.1"\nport = {port}\n'
        )
        super().__init__(folder, user, who, audio, env=env, level=level)


def listen(path: Path) -> socket.socket:
    """Open a notification socket as systemd has one."""
    path.unlink(missing_ok=True)
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(path))
    return heard


def await_ready(heard: socket.socket, process: Process) -> float:
    """Wait for READY=1; gives the monotonic time at which it was read. Raises BenchFailed."""
    deadline = process.began_at + START_S
    heard.settimeout(0.2)
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            if b"READY=1" in heard.recv(4096).split(b"\n"):
                return time.monotonic()
        process.require_running()
    raise BenchFailed(f"{process.name} is not ready after {START_S:g} s:\n{process.log[-2000:]}")


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    """The bench's own, but with byte code kept as an installation has it, and nothing of a systemd above us."""
    env = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
    return env | {"PYTHONPATH": str(ROOT)} | dict(more or {})


_NOT_OURS = frozenset({"PYTHONDONTWRITEBYTECODE", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
