"""The real processes of the demo: broker, office, vehicles; started in a temporary folder, never left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from gateway.status_client import Answer, Unreachable, ask
from lab.broker import Broker
from lab.demo.tape import Microphone
from protocol.ids import OfficeId

OFFICE = OfficeId("seoul", "demo")
READY_S = 25.0
STOP_S = 4.0


class DemoFailed(RuntimeError):
    """Something of the story did not happen; the text says what."""


class Process:
    """One of ours, in a session of its own; its output goes to `log`."""

    def __init__(self, name: str, module: str, arguments: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        command = [sys.executable, "-m", module, *arguments]
        if (setpriv := shutil.which("setpriv")) is not None:  # it shall not outlive us, however we die
            command = [setpriv, "--pdeathsig", "KILL", *command]
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
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


class Car:
    """One vehicle: the real daemon with its files."""

    def __init__(self, folder: Path, log: Path, user: str, name: str) -> None:
        self.user = user
        self.name = name
        self.folder = folder / user
        self.folder.mkdir()
        self.config = self.folder / "gateway.toml"
        self.pins = self.folder / "pins.sock"
        self.status_socket = self.folder / "state" / "status.sock"
        self.tape = self.folder / "mouth.wav"
        self.played = self.folder / "ear.wav"
        self.log = log
        self.microphone: Microphone | None = None
        self.process: Process | None = None

    def configure(self, port: int, *, loop: bool, cues_percent: int, lang: str) -> None:
        """Write its configuration, as a technician would."""
        self.config.write_text(
            f'[vehicle]\nuser = "{self.user}"\nname = "{self.name}"\nregion = "{OFFICE.region}"\n'
            f'office = "{OFFICE.office}"\nlang = "{lang}"\n\n'
            f'[pins]\nfactory = "virtual"\npins_socket = "{self.pins}"\n\n'
            f'[broker]\nhost = "127.0.0.1"\nport = {port}\n\n'
            f'[audio]\nbackend = "wav"\ncue_volume_percent = {cues_percent}\n\n'
            f'[audio.wav]\ncapture_wav = "{self.tape}"\ncapture_loop = {str(loop).lower()}\n'
            f'playback_wav = "{self.played}"\n\n'
            f'[state]\ndir = "{self.folder / "state"}"\n',
            encoding="utf-8",
        )

    def start(self) -> None:
        """Start `ptt-gateway run`."""
        self.process = Process(self.user, "gateway", ["run", "--config", str(self.config)], self.log)

    def status(self) -> dict[str, Any]:
        """Ask as `ptt-gateway status` does; raises gateway.status_client.Unreachable."""
        answer: Answer = ask([self.status_socket], 50)
        return answer.status

    def ready(self) -> bool:
        """Whether a press would be answered with all it takes: link, voice, microphone."""
        with contextlib.suppress(Unreachable, OSError):
            return str(self.status()["says"]).startswith("link up; voice ok;")
        return False


class World:
    """Broker, office and vehicles. On leaving, all of them are ended and the temporary folder is removed.

    `logs`: where the logs go. Raises BrokerFailed and DemoFailed.
    """

    def __init__(self, logs: Path, names: dict[str, str], *, loop: bool, cues_percent: int, lang: str) -> None:
        self.logs = logs
        self._stack = ExitStack()
        self._names = names
        self._loop, self._cues_percent, self._lang = loop, cues_percent, lang
        self.folder: Path
        self.broker: Broker
        self.office: Process
        self.cars: dict[str, Car] = {}

    def __enter__(self) -> World:
        try:
            self._enter()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _enter(self) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="ptt-demo-"))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        for user, name in self._names.items():
            self.cars[user] = Car(self.folder, self.logs / f"{user}.log", user, name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._stack.close()

    def start(self) -> None:
        """Start everything; `await_ready` waits for it."""
        self.broker = self._stack.enter_context(Broker(folder=self.folder / "broker"))
        self._stack.callback(self._keep_broker_log)
        config = self.folder / "dispatch.toml"
        config.write_text(
            f'[broker]\nhost = "127.0.0.1"\nport = {self.broker.port}\n\n'
            f'[store]\npath = "{self.folder / "office.db"}"\n\n'
            f'[[office]]\nregion = "{OFFICE.region}"\noffice = "{OFFICE.office}"\n',
            encoding="utf-8",
        )
        self.office = Process("dispatch", "dispatch", ["serve", "--config", str(config)], self.logs / "dispatch.log")
        self._stack.callback(self.office.end)
        for car in self.cars.values():
            car.configure(self.broker.port, loop=self._loop, cues_percent=self._cues_percent, lang=self._lang)
            car.start()
            assert car.process is not None
            self._stack.callback(car.process.end)

    def await_ready(self) -> None:
        """Wait until every vehicle could talk. Raises DemoFailed."""
        deadline = time.monotonic() + READY_S
        waiting = dict(self.cars)
        while waiting:
            for user, car in list(waiting.items()):
                if car.ready():
                    del waiting[user]
            self.check_running()
            if time.monotonic() > deadline:
                raise DemoFailed(f"{', '.join(waiting)} did not come up within {READY_S:.0f} s; see {self.logs}")
            time.sleep(0.02)

    def check_running(self, but: Sequence[str] = ()) -> None:
        """Raise DemoFailed where a process of ours ended by itself."""
        processes = [self.office, *(car.process for car in self.cars.values() if car.process is not None)]
        for process in processes:
            if process.name not in but and not process.running:
                last = process.log.read_text(errors="replace").strip().splitlines()[-5:]
                raise DemoFailed(f"{process.name} ended by itself: " + " | ".join(last))

    def stop(self) -> None:
        """End the vehicles and the office in an orderly way; their files stay until the world is left."""
        processes = [car.process for car in self.cars.values() if car.process is not None]
        for process in processes:
            process.terminate()
        for process in processes:
            process.end()

    def _keep_broker_log(self) -> None:
        with contextlib.suppress(OSError):
            shutil.copy(self.broker.folder / "mosquitto.log", self.logs / "mosquitto.log")
