"""The real processes of the demo: an office with its doors, and vehicles enrolled there; nothing is left behind."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from gateway.status_client import Answer, Unreachable, ask
from lab.broker import free_port
from lab.demo.agora import AgoraStandIn
from lab.demo.desk import Desk
from lab.demo.script import DESK, VOICES
from lab.demo.tape import Microphone
from lab.office import HOST, OFFICE, Office, run_command
from lab.process import LabFailed, Process
from protocol.login import Login
from protocol.messages import VoicePath
from service.settings import read_secret

__all__ = ["OFFICE", "Car", "LabFailed", "World"]

READY_S = 60.0


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

    def configure(self, *, loop: bool, cues_percent: int, lang: str, sdk_dir: Path | None) -> None:
        """Write its configuration, as a technician would: who it is comes with the enrolment."""
        agora = "" if sdk_dir is None else f'[agora]\nsdk_dir = "{sdk_dir}"\n\n'
        hardware = self.folder / "hardware-id"
        hardware.write_text(f"virtual {self.user}\n")
        self.config.write_text(
            f'[vehicle]\nlang = "{lang}"\n\n'
            f'[pins]\nfactory = "virtual"\npins_socket = "{self.pins}"\n\n'
            f'[audio]\nbackend = "wav"\ncue_volume_percent = {cues_percent}\n\n'
            f'[audio.wav]\ncapture_wav = "{self.tape}"\ncapture_loop = {str(loop).lower()}\n'
            f'playback_wav = "{self.played}"\n\n'
            f"{agora}"
            f'[state]\ndir = "{self.folder / "state"}"\nhardware_id_file = "{hardware}"\n',
            encoding="utf-8",
        )

    def enrol(self, url: str, code: str) -> None:
        """`ptt-gateway enrol`, the code on stdin."""
        run_command("gateway", ["enrol", url, "-", "--config", str(self.config)], stdin=f"{code}\n")

    def start(self, environ: Mapping[str, str]) -> None:
        """Start `ptt-gateway run`; `environ` is added to its environment."""
        self.process = Process(self.user, "gateway", ["run", "--config", str(self.config)], self.log, environ)

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

    `logs`: where the logs go; `voice`: what the office's voice goes over. Raises BrokerFailed and LabFailed.
    """

    def __init__(
        self,
        logs: Path,
        names: dict[str, str],
        *,
        loop: bool,
        cues_percent: int,
        lang: str,
        voice: VoicePath = VoicePath.MQTT,
        pages: bool = False,
        desk: bool = False,
    ) -> None:
        """`pages`: the dashboard too, with a call manager; `desk`: and its console, in a browser of ours."""
        self.logs = logs
        self.voice = voice
        self._stack = ExitStack()
        self._names = names
        self._loop, self._cues_percent, self._lang = loop, cues_percent, lang
        self.folder: Path
        self.office: Office
        self.agora: AgoraStandIn | None = None
        self._with_pages, self._with_desk = pages or desk, desk
        self.desk: Desk | None = None
        self.web: Process | None = None
        self.origin = ""
        """Of the pages, where there are some."""
        self.desk_login = str(Login(OFFICE, DESK))
        self.desk_secret: Path
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
        self.office = Office(self.folder, self.logs, self._stack)
        for user, name in self._names.items():
            self.cars[user] = Car(self.folder, self.logs / f"{user}.log", user, name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._stack.close()

    def start(self) -> None:
        """Set everything up and start it, as operator and technician would; `await_ready` waits for it."""
        if self.voice is VoicePath.AGORA:
            self.agora = self._stack.enter_context(AgoraStandIn(self.folder / "agora"))
        web_port = free_port()
        certificate = None if self.agora is None else self.agora.certificate
        self.office.make(self.voice, certificate, web_port=web_port)
        self.office.start()
        if self._with_pages:
            self.origin = f"https://{HOST}:{web_port}"
            self._open_pages()
        if self._with_desk:
            secret = read_secret(self.desk_secret)
            desk = Desk(self.origin, self.desk_login, secret, self.folder / DESK, self._lang)
            self.desk = self._stack.enter_context(desk)
        with ThreadPoolExecutor(len(self.cars)) as pool:
            list(pool.map(self._enrol, self.cars.values()))
        for car in self.cars.values():
            car.start({} if self.agora is None else self.agora.environ)
            assert car.process is not None
            self._stack.callback(car.process.end)

    def _open_pages(self) -> None:
        """The dashboard's process, and a call manager who may sign in there."""
        config = ["web", "--config", str(self.office.config)]
        self.web = Process("web", "dispatch", config, self.logs / "web.log")
        self._stack.callback(self.web.end)
        self.desk_secret = self.folder / f"{DESK}.secret"
        words = ("--role", "call_manager", "--name", VOICES[DESK], "--secret-file", str(self.desk_secret))
        self.office.command("user", "add", DESK, *words, office=True)
        deadline = time.monotonic() + READY_S
        while True:
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"{self.origin}/healthz", verify=str(self.office.folder / "ca.pem"), timeout=2).ok:
                    return
            self.check_running()
            if time.monotonic() > deadline:
                raise LabFailed(f"ptt-dispatch web does not answer at {self.origin}; see {self.logs / 'web.log'}")
            time.sleep(0.05)

    def _enrol(self, car: Car) -> None:
        sdk_dir = None if self.agora is None else self.agora.sdk_dir
        car.configure(loop=self._loop, cues_percent=self._cues_percent, lang=self._lang, sdk_dir=sdk_dir)
        car.enrol(*self.office.code(car.user, car.name))

    def await_ready(self) -> None:
        """Wait until every vehicle could talk. Raises LabFailed."""
        deadline = time.monotonic() + READY_S
        waiting = dict(self.cars)
        while waiting:
            for user, car in list(waiting.items()):
                if car.ready():
                    del waiting[user]
            self.check_running()
            if time.monotonic() > deadline:
                raise LabFailed(f"{', '.join(waiting)} did not come up within {READY_S:.0f} s; see {self.logs}")
            time.sleep(0.02)

    def check_running(self, but: Sequence[str] = ()) -> None:
        """Raise LabFailed where a process of ours ended by itself."""
        processes = [
            self.office.dispatch,
            self.office.rest,
            *(car.process for car in self.cars.values() if car.process is not None),
            *(() if self.web is None else (self.web,)),
        ]
        for process in processes:
            if process.name not in but and not process.running:
                last = process.log.read_text(errors="replace").strip().splitlines()[-5:]
                raise LabFailed(f"{process.name} ended by itself: " + " | ".join(last))
        if self.desk is not None:
            self.desk.check()

    def stop(self) -> None:
        """End the vehicles and the office in an orderly way; their files stay until the world is left."""
        processes = [car.process for car in self.cars.values() if car.process is not None]
        for process in processes:
            process.terminate()
        for process in processes:
            process.end()
