"""No secret leaves its file: a whole office with vehicles, and then a search of everything that others could read."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch.credentials import with_credentials
from dispatch.registry.sql import SqlRegistry
from dispatch.settings import DispatchSettings
from gateway.settings import read_enrolled
from hw.virtual_client import VirtualPins
from lab.demo.tape import Microphone
from lab.demo.world import World
from lab.office import OFFICE, Office
from protocol.messages import VoicePath
from service.settings import load

CARS = {"car-1": "1호차", "car-2": "2호차"}
TALK_S = 2.5


class Run:
    """One office over the Agora stand-in, watched while it works: its secrets, and all that was to be seen of it."""

    def __init__(self, folder: Path) -> None:
        self.logs = folder / "logs"
        self.secrets: dict[str, str] = {}
        self.seen: dict[str, bytes] = {}
        self.world = World(self.logs, CARS, loop=False, cues_percent=0, lang="ko", voice=VoicePath.AGORA)

    def play(self) -> None:
        with self.world as world:
            for car in world.cars.values():
                Microphone(car.tape, 60.0)
            remember_codes(world.office, self.secrets)
            world.start()
            world.office.add_watcher()
            world.await_ready()
            self._talk()
            self._collect_secrets()
            self._look_at_processes()
            self._look_at_commands()
            self._look_at_reprs()
            self._look_at_files()
        for path in self.logs.rglob("*"):
            if path.is_file():
                self.seen[f"log {path.name}"] = path.read_bytes()

    def _talk(self) -> None:
        with VirtualPins(self.world.cars["car-1"].pins) as pins:
            pins.press()
            time.sleep(TALK_S)
            pins.release()

    def _collect_secrets(self) -> None:
        office, agora = self.world.office, self.world.agora
        assert agora is not None
        self.secrets["app certificate"] = agora.certificate.reveal()
        for path in (*(office.folder / "secrets").iterdir(), *office.folder.glob("*.secret")):
            self.secrets[f"secret of {path.name}"] = path.read_text().strip()
        self.secrets["CA key"] = (office.folder / "ca" / "ca.key").read_text().splitlines()[1]
        for user, car in self.world.cars.items():
            self.secrets[f"secret of {user}"] = json.loads(enrolment(car.folder).read_text())["secret"]
        for join in agora.hub.joins:
            self.secrets[f"token of {join.uid}"] = join.token

    def _look_at_processes(self) -> None:
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            for what in ("cmdline", "environ"):
                try:
                    self.seen[f"{what} of {entry.name}"] = (entry / what).read_bytes()
                except OSError:
                    continue

    def _look_at_commands(self) -> None:
        office = self.world.office
        for words in (
            ("status",),
            ("show-config",),
            ("user", "list"),
            ("user", "list", "--json"),
            ("device", "list", "--json"),
            ("events",),
        ):
            try:
                self.seen[f"ptt-dispatch {' '.join(words)}"] = office.command(*words).encode()
            except Exception as error:  # noqa: BLE001 - its words count, whatever they are
                self.seen[f"ptt-dispatch {' '.join(words)}"] = str(error).encode()
        for user, car in self.world.cars.items():
            self.seen[f"ptt-gateway status of {user}"] = json.dumps(car.status()).encode()

    def _look_at_reprs(self) -> None:
        """What a traceback or a careless log line would show of the objects that hold them."""
        config = self.world.office.config
        settings = with_credentials(load(config, DispatchSettings), None)
        registry = SqlRegistry(settings.store.sqlalchemy_url)
        held: dict[str, object] = {"settings": settings, "users": registry.users(), "codes": registry.codes()}
        registry.close()
        for user, car in self.world.cars.items():
            held[f"settings and enrolment of {user}"] = enrolled = read_enrolled(car.config, {})
            held[f"worker's settings of {user}"] = enrolled[0].worker(enrolled=True, agora=True)
        assert settings.broker.password is not None  # it is in there, and hidden
        for name, each in held.items():
            self.seen[f"repr of {name}"] = f"{each!r} {each!s}".encode()

    def _look_at_files(self) -> None:
        """Of files, those that anybody on the machine may read; and those of ours, for their own kind of secret."""
        for path in self.world.folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                mode = stat.S_IMODE(path.stat().st_mode)
                if mode & 0o004 and path.suffix != ".wav":
                    self.seen[f"file {path.relative_to(self.world.folder)}, mode {mode:o}"] = path.read_bytes()


def enrolment(car: Path) -> Path:
    return car / "state" / "enrolment.json"


def remember_codes(office: Office, secrets: dict[str, str]) -> None:
    """Keep every one-time code that the office gives out."""
    give = office.code

    def code(user: str, name: str) -> tuple[str, str]:
        url, text = give(user, name)
        secrets[f"code of {user}"] = text
        secrets[f"code of {user} without hyphens"] = text.replace("-", "")[:16]
        return url, text

    office.code = code  # type: ignore[method-assign]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    folder = Path(tempfile.mkdtemp(prefix="t-"))
    made = Run(folder)
    made.play()
    yield made
    shutil.rmtree(folder, ignore_errors=True)


def test_the_run_issued_every_kind_of_secret(run: Run) -> None:
    kinds = ("app certificate", "CA key", "code of car-1", "secret of car-1", "secret of watcher.secret", "token of ")
    missing = [kind for kind in kinds if not any(name.startswith(kind) for name in run.secrets)]

    assert missing == []
    assert all(len(secret) >= 16 for secret in run.secrets.values())


def test_the_run_left_something_to_search(run: Run) -> None:
    kinds = (
        "log dispatch.log",
        "log rest.log",
        "log car-1.log",
        "log mosquitto.log",
        "cmdline",
        "environ",
        "repr of ",
        "file ",
    )

    missing = [kind for kind in kinds if not any(name.startswith(kind) and run.seen[name] for name in run.seen)]

    assert missing == []
    assert any(OFFICE.office.encode() in text for text in run.seen.values())


def test_no_secret_is_to_be_seen_anywhere(run: Run) -> None:
    found = [
        f"{name} in {where}"
        for name, secret in run.secrets.items()
        for where, text in run.seen.items()
        if secret.encode() in text
    ]

    assert found == []


def test_a_secret_that_is_there_would_be_found(run: Run) -> None:
    name, secret = next(iter(run.secrets.items()))
    planted = {**run.seen, "planted": f"x{secret}y".encode()}

    found = [f"{name} in {where}" for where, text in planted.items() if secret.encode() in text]

    assert found == [f"{name} in planted"]
