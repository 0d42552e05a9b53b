"""An office made by `ptt-dispatch init`, its commands in this process, and guests at its broker."""

from __future__ import annotations

import json
import ssl
import threading
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from dispatch.cli import main
from dispatch.registry.sql import SqlRegistry
from lab.broker import free_port
from protocol.ids import OfficeId
from service.settings import Secret
from tests.support.procs import eventually

HQ = OfficeId("seoul", "hq")


class Office:
    """An office as `init` makes it, its registry, and the commands on it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder / "ptt"
        self.port = free_port()
        self._capsys = capsys

    @property
    def config(self) -> Path:
        return self.folder / "dispatch.toml"

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def broker_dir(self) -> Path:
        return self.folder / "broker"

    def init(self, *more: str) -> tuple[int, str, str]:
        ports = ("--listen", "127.0.0.1", "--broker-port", str(self.port), "--rest-port", str(free_port()))
        ports += ("--websocket-port", str(free_port()))
        office = ("--region", "seoul", "--office", "hq", "--name", "본사", "--host", "office.example.com")
        return self._main("init", "--dir", str(self.folder), *office, *ports, "--admin", "chief", "--lang", "en", *more)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        return self._main(*arguments, "--config", str(self.config), "--lang", "en")

    def json(self, *arguments: str) -> Any:
        status, out, err = self.run(*arguments, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)

    def _main(self, *arguments: str) -> tuple[int, str, str]:
        try:
            status = main(arguments)
        except SystemExit as ended:  # argparse
            status = int(ended.code or 0)
        said = self._capsys.readouterr()
        return status, said.out, said.err

    def registry(self) -> SqlRegistry:
        return SqlRegistry(f"sqlite:///{self.folder}/store/office.db")

    def read(self, path: Path) -> Secret:
        return Secret(path.read_text().strip())

    def add_person(self, name: str, role: str = "monitor") -> Secret:
        path = self.folder / f"{name.replace('/', '.')}.secret"
        status, _, err = self.run("user", "add", name, "--role", role, "--name", name, "--secret-file", str(path))
        assert (status, err) == (0, "")
        return self.read(path)

    def everything(self) -> dict[str, tuple[int, bytes]]:
        """Every file but the database, with mode and content."""
        files = [p for p in self.folder.rglob("*") if p.is_file() and "store" not in p.parts]
        return {str(p): (p.stat().st_mode, p.read_bytes()) for p in files}


class Guest:
    """A plain MQTT client at the broker's door; `code` is what it was answered, `gone` whether it was cut off."""

    def __init__(self, office: Office, login: str, secret: Secret, client_id: str | None = None) -> None:
        self.code: str | None = None
        self.gone = threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id or login, protocol=paho.MQTTv5, reconnect_on_failure=False
        )
        self._client.username_pw_set(login, secret.reveal())
        self._client.tls_set(str(office.ca), tls_version=ssl.PROTOCOL_TLS_CLIENT)
        self._client.on_connect = self._connected
        self._client.on_disconnect = lambda *_: self.gone.set()
        self._client.connect("127.0.0.1", office.port, keepalive=10)
        self._client.loop_start()
        eventually(lambda: self.code is not None, what=f"{login} is answered")

    def _connected(self, _client: object, _data: object, _flags: object, code: object, _properties: object) -> None:
        self.code = str(code)

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def greeted(office: Office, login: str, secret: Secret) -> str:
    """What the broker answers to this login."""
    guest = Guest(office, login, secret)
    guest.leave()
    return guest.code or ""
