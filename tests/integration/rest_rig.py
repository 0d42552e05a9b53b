"""A real `ptt-dispatch rest` over TLS, its registry on a file, and a real broker with the product's own doors."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from dispatch.broker.files import CERT, KEY
from dispatch.registry.secrets import code_digest, hash_secret, new_code_entropy, new_secret
from dispatch.registry.sql import SqlRegistry
from dispatch.registry.words import User
from dispatch.store.reader import StoreReader
from lab.broker import free_port
from lab.secure_broker import SecureBroker
from protocol.enrol_code import new_code
from protocol.ids import OfficeId
from protocol.login import SERVER_LOGIN
from protocol.messages import Event, EventType, VoicePath
from protocol.rest import Role
from service.settings import Secret
from tests.support.procs import Daemon, Daemons, eventually

APP_ID = "970CA35de60c44645bbae8a215061b33"
CERTIFICATE = Secret("5CFd2fd1755d40ecb72977518be15d3b")
ONE, TEN, BUSAN = OfficeId("seoul", "1"), OfficeId("seoul", "10"), OfficeId("busan", "1")
UNIT, OTHER_UNIT = "a1" * 8, "b2" * 8
AGORA = f'[agora]\napp_id = "{APP_ID}"\ntoken_ttl_s = 600\n'


class RestOffice:
    """Regions seoul and busan with offices 1, 10 and 1, and their REST service."""

    def __init__(self, folder: Path, stack: ExitStack, *, agora: str = AGORA) -> None:
        self.folder = folder
        self.broker = stack.enter_context(SecureBroker(folder=folder / "broker"))
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.store_url = f"sqlite:///{folder}/office.db"
        self.registry = SqlRegistry(self.store_url)
        stack.callback(self.registry.close)
        for region in ("seoul", "busan"):
            self.registry.add_region(region, region)
        for office in (ONE, TEN, BUSAN):
            self.registry.add_office(office, str(office), VoicePath.AGORA)
        self.secrets = folder / "secrets"
        self.secrets.mkdir(mode=0o700)
        self.keep_secret("mqtt-password", self.broker.server_secret)
        self.keep_secret("agora-certificate", CERTIFICATE)
        self.config = folder / "dispatch.toml"
        self.write_config(agora)
        self._daemons = stack.enter_context(Daemons(folder))
        self._stack = stack

    def keep_secret(self, name: str, secret: Secret) -> None:
        path = self.secrets / f"ptt.{name}"
        path.touch(0o600)
        path.write_text(secret.reveal())

    def write_config(self, agora: str = AGORA, admission: str = "registry", **rest: Any) -> None:
        doors = self.broker.doors
        table = {"certificate": str(doors / CERT), "key": str(doors / KEY), "ca": str(self.broker.ca), "url": self.url}
        table |= {"host": "127.0.0.1", "port": self.port, "broker_port": self.broker.port} | rest
        lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items() if value is not None)
        self.config.write_text(
            f'admission = "{admission}"\nsecrets = "{self.secrets}"\n'
            f'[store]\npath = "{self.folder}/office.db"\n'
            f'[broker]\nhost = "127.0.0.1"\nport = {self.broker.port}\nusername = "{SERVER_LOGIN}"\n'
            f'tls = true\ntls_ca = "{self.broker.ca}"\n[rest]\n{lines}{agora}'
        )

    def launch(self) -> Daemon:
        """Start the service and do not wait."""
        return self._daemons.python("rest", "-m", "dispatch", "rest", "--config", self.config)

    def start(self) -> Daemon:
        """Start the service and wait until it answers."""
        daemon = self.launch()
        daemon.says("serving", 15.0)
        return daemon

    def add(
        self, user: str, role: Role = Role.VEHICLE_GATEWAY, office: OfficeId = ONE, *, listen_only: bool = False
    ) -> User:
        """Add a user without a secret."""
        return self.registry.add_user(office, user, role, f"{user}호", listen_only=listen_only)

    def member(self, user: str, role: Role = Role.VEHICLE_GATEWAY, office: OfficeId = ONE, **more: bool) -> Caller:
        """Add a user with a secret, and give its side of the wire."""
        made = self.add(user, role, office, **more)
        secret = new_secret()
        self.registry.set_secret(office, user, hash_secret(secret))
        return self.caller(made.login, secret)

    def caller(self, login: str = "", secret: Secret | None = None, address: str = "127.0.0.1") -> Caller:
        """Somebody who calls, from an address of the loopback."""
        return self._stack.enter_context(Caller(self, login, secret, address))

    def code(self, user: str, office: OfficeId = ONE, valid_s: int = 86_400) -> str:
        """Make an enrolment code; gives its secret part."""
        secret = new_code(new_code_entropy(), b"ca").secret
        self.registry.add_code(office, user, code_digest(secret), valid_s)
        return secret

    def events(self, office: OfficeId, kind: EventType) -> tuple[Event, ...]:
        """Give the events of a kind in an office's log."""
        reader = StoreReader(self.store_url)
        try:
            return reader.events(office, types=[kind])
        finally:
            reader.close()

    def await_events(self, office: OfficeId, kind: EventType, count: int) -> tuple[Event, ...]:
        """Wait until there are so many, and give them."""
        eventually(lambda: len(self.events(office, kind)) >= count, what=f"{count} {kind} in {office}")
        return self.events(office, kind)


class _From(HTTPAdapter):
    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        super().init_poolmanager(*args, source_address=(self._address, 0), **named)


class Caller:
    """One that calls over TLS, trusting the office's CA alone."""

    def __init__(self, office: RestOffice, login: str, secret: Secret | None, address: str) -> None:
        self.login, self.secret = login, secret
        self._url = office.url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(office.broker.ca)
        self._session.mount("https://", _From(address))
        if secret is not None:
            self._session.auth = (login, secret.reveal())

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        return self._session.request(method, self._url + path, timeout=15, **more)

    def post(self, path: str, body: Any) -> requests.Response:
        return self.call("POST", path, json=body)

    def token(self, **asked: Any) -> requests.Response:
        return self.post("/v1/token", asked)


def problem(answer: requests.Response) -> tuple[int, str]:
    """Give status and code of a problem; AssertionError where the answer is none."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["title"]
    assert body["type"].startswith("urn:ptt:problem:")
    return answer.status_code, body["type"].rpartition(":")[2]
