"""An office with a console: a broker that lets browsers in, `serve`, `web`, the call manager `desk`, vehicles.

What a test of the console needs and nothing else: no REST service (vehicles come with secrets of their own).
"""

from __future__ import annotations

import html
import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests
from msgspec import Struct
from msgspec.structs import replace

from dispatch.broker.admin import BrokerAdmin
from dispatch.broker.files import CERT, KEY
from dispatch.registry.secrets import hash_secret, new_secret
from dispatch.registry.sql import SqlRegistry
from dispatch.registry.words import User
from lab.broker import free_port
from lab.secure_broker import SecureBroker
from protocol.ids import OfficeId
from protocol.login import SERVER_LOGIN, Login
from protocol.messages import VoicePath
from protocol.rest import Role
from service.mqtt import BrokerSettings
from service.settings import Secret
from tests.support.procs import Daemon, Daemons

HOST = "127.0.0.1"
OFFICE, OTHER = OfficeId("seoul", "1"), OfficeId("seoul", "10")
DESK, CARS = "desk", ("car-1", "car-2")
READY_S = 30.0
CSRF = re.compile(r'name="csrf" value="([^"]+)"')


class Person(Struct, frozen=True):
    """A user with the secret in the clear, as only the user has it."""

    user: User
    secret: Secret


class ConsoleOffice:
    """Everything on the loopback; `stack` ends what was started. Nothing runs but the broker until `start`."""

    def __init__(
        self, folder: Path, stack: ExitStack, *, voice: VoicePath = VoicePath.MQTT, floor: str = "", more: str = ""
    ) -> None:
        """`floor`: lines of the office's own [[office]] table; `more`: tables of dispatch.toml ([agora], ...)."""
        self.folder, self._stack = folder, stack
        self.websocket_port, self.web_port = free_port(), free_port()
        self.origin = f"https://{HOST}:{self.web_port}"
        """Of the dashboard; the console is `/console` of it."""
        self.broker = SecureBroker(folder=folder / "broker", websocket_port=self.websocket_port)
        stack.enter_context(self.broker)
        self.registry = SqlRegistry(f"sqlite:///{folder}/office.db")
        stack.callback(self.registry.close)
        self.registry.add_region(OFFICE.region, "서울")
        for office, name in ((OFFICE, "본사"), (OTHER, "열째")):
            self.registry.add_office(office, name, voice)
        self.people: dict[str, Person] = {}
        """Those of OFFICE, by their ids."""
        self.add(DESK, Role.CALL_MANAGER)
        for car in CARS:
            self.add(car, Role.VEHICLE_GATEWAY)
        self.config = folder / "dispatch.toml"
        self.config.write_text(self._text(floor, more), "utf-8")
        self._daemons = stack.enter_context(Daemons(folder))
        self.serving: Daemon | None = None
        """The floor control server, once `start` was called."""

    @property
    def ca(self) -> Path:
        """The authority of broker and dashboard."""
        return self.broker.ca

    @property
    def desk(self) -> Person:
        """The call manager."""
        return self.people[DESK]

    def start(self) -> None:
        """Start `serve` and `web`; returns once both serve."""
        self.serve()
        self.web()

    def serve(self) -> Daemon:
        """Start the floor control server."""
        self.serving = self._daemons.python("serve", "-m", "dispatch", "serve", "--config", self.config)
        self.serving.says("serving", READY_S)
        return self.serving

    def web(self) -> Daemon:
        """Start the dashboard."""
        daemon = self._daemons.python("web", "-m", "dispatch", "web", "--config", self.config)
        daemon.says("serving", READY_S)
        return daemon

    def add(self, user: str, role: Role, office: OfficeId = OFFICE) -> Person:
        """Add a user with a secret, to the registry and to the broker."""
        made, secret = self.registry.add_user(office, user, role, f"{user}호"), new_secret()
        kept = hash_secret(secret)
        with BrokerAdmin(self.broker.server_settings()) as admin:
            admin.put_user(replace(made, secret=kept), secret)
        person = Person(self.registry.set_secret(office, user, kept), secret)
        if office == OFFICE:
            self.people[user] = person
        return person

    def access(self, user: str, *, voice: bool = False) -> BrokerSettings:
        """Give how a vehicle's connection reaches the broker; its client id must be the user name there."""
        return self.broker.settings(str(Login(OFFICE, user, voice)), self.people[user].secret)

    def visitor(self, person: Person | None = None) -> Visitor:
        """Give somebody at the dashboard, signed in where a person is given."""
        visitor = Visitor(self.origin, self.ca)
        self._stack.callback(visitor.session.close)
        if person is not None:
            answer = visitor.sign_in(person)
            assert answer.status_code == 303, answer.text
        return visitor

    def _text(self, floor: str, more: str) -> str:
        doors = self.broker.doors
        secrets = self.folder / "secrets"
        secrets.mkdir(mode=0o700)
        kept = secrets / "ptt.mqtt-password"
        kept.touch(0o600)
        kept.write_text(self.broker.server_secret.reveal())
        places = {"certificate": doors / CERT, "key": doors / KEY, "ca": self.ca}
        rest = "".join(f"{name} = {json.dumps(str(path))}\n" for name, path in places.items())
        rules = f'[[office]]\nregion = "{OFFICE.region}"\noffice = "{OFFICE.office}"\n{floor}\n' if floor else ""
        return (
            f'admission = "registry"\nsecrets = "{secrets}"\n'
            f'[store]\npath = "{self.folder}/office.db"\n'
            f'[broker]\nhost = "{HOST}"\nport = {self.broker.port}\nusername = "{SERVER_LOGIN}"\n'
            f'tls = true\ntls_ca = "{self.ca}"\n'
            f'[rest]\nurl = "https://{HOST}:8443"\nhost = "{HOST}"\n{rest}'
            f'[web]\nhost = "{HOST}"\nport = {self.web_port}\nwebsocket_port = {self.websocket_port}\n'
            f"{rules}{more}"
        )


class Visitor:
    """Requests as a browser sends them: with cookies and the origin of our own pages."""

    def __init__(self, origin: str, ca: Path) -> None:
        self.origin = origin
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(ca)
        self.session.headers["Accept-Language"] = "en"

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.origin + path, timeout=15, allow_redirects=False)

    def post(self, path: str, fields: dict[str, str], origin: str | None = None) -> requests.Response:
        headers = {"Origin": origin or self.origin}
        return self.session.post(self.origin + path, data=fields, headers=headers, timeout=15, allow_redirects=False)

    def sign_in(self, person: Person) -> requests.Response:
        return self.post("/signin", {"login": person.user.login, "secret": person.secret.reveal()})

    def csrf(self) -> str:
        """Give the token of this session's forms."""
        found = CSRF.search(self.get("/kpi").text)
        assert found is not None
        return html.unescape(found[1])

    def send(self, path: str, **fields: str) -> requests.Response:
        """Send a form of ours."""
        return self.post(path, {"csrf": self.csrf(), **fields})

    def console(self) -> dict[str, Any]:
        """`POST /console/login`: give the credentials."""
        answer = self.send("/console/login")
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made
