"""An office's dashboard for benchmarks: the broker with its doors, `ptt-dispatch web`, a registry of many vehicles.

The floor control server does not run: what it and the vehicles would say is published with its login, so that what
is measured is the dashboard alone.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path

import requests

from dispatch.broker.files import CERT, KEY
from dispatch.registry.secrets import hash_secret, new_secret
from dispatch.registry.sql import SqlRegistry
from dispatch.store.sql import SqlStore
from lab.bench.parts import REGION, START_S, BenchFailed, Process, python
from lab.bench.round_trip import Access, client
from lab.broker import free_port
from lab.secure_broker import SecureBroker
from protocol.codec import encode
from protocol.ids import OfficeId
from protocol.login import SERVER_LOGIN
from protocol.messages import (
    DeviceState,
    Message,
    Presence,
    PresenceState,
    Session,
    Telemetry,
    VoiceHealth,
    VoicePath,
)
from protocol.rest import Role
from protocol.topics import Kind, topic

OFFICE = OfficeId(REGION, "pages")
HOST = "127.0.0.1"
WATCHER = "boss"
LIVE_MAX = 1000
"""So many members an office admits: of a larger registry the rest are never online."""
FLIGHT_MAX = 200
"""Published and not yet acknowledged."""


class PagesOffice:
    """Made and started by construction, ended by `stack`. `size`: vehicles in the registry."""

    def __init__(self, folder: Path, stack: ExitStack, size: int) -> None:
        self.users = [f"car-{number}" for number in range(1, size + 1)]
        self.live = self.users[:LIVE_MAX]
        self.store = folder / "office.db"
        self.secret = new_secret()
        self._folder, self._rev = folder, 0
        folder.mkdir()
        self.broker = SecureBroker(folder=folder / "broker")
        stack.enter_context(self.broker)
        self._enrol()
        port = free_port()
        self.origin = f"https://{HOST}:{port}"
        self.web = stack.enter_context(self._web(port))
        secret_file = self._keep_secret()
        self.access = Access(self.broker.ca, SERVER_LOGIN, secret_file)
        self._client = client("bench-pages", self.access)
        self._client.max_inflight_messages_set(FLIGHT_MAX)
        up = threading.Event()
        self._client.on_connect = lambda *_: up.set()
        self._client.connect(HOST, self.broker.port)
        self._client.loop_start()
        stack.callback(self._client.loop_stop)
        stack.callback(self._client.disconnect)
        if not up.wait(START_S):
            raise BenchFailed("the broker does not let the bench in")

    def fill(self) -> None:
        """Say presence, state and telemetry of every live vehicle, retained; returns when the broker has it all."""
        now_ms = time.time_ns() // 1_000_000
        voice = VoiceHealth()
        self._publish(
            each
            for user in self.live
            for each in (
                (Kind.PRESENCE, user, presence(PresenceState.ONLINE, 1)),
                (Kind.DEVICE_STATE, user, DeviceState(floor="U: has no permission", keyed=False, voice=voice)),
                (Kind.DEVICE_TELEMETRY, user, Telemetry(at=now_ms, uptime_s=60.0)),
            )
        )
        self.speak("")

    def speak(self, name: str) -> None:
        """Say that a session runs in which the first vehicle speaks, by this name."""
        self._rev += 1
        said = Session(
            rev=self._rev,
            store="bench",
            active=True,
            channel_name="bench",
            burst=self._rev,
            current_speaker=self.users[0],
            speaker_name=name,
            event_id="e",
            started_at=time.time_ns() // 1_000_000,
        )
        self._client.publish(topic(OFFICE, Kind.SESSION), encode(said), qos=1, retain=True)

    def change(self, user: str, number: int) -> None:
        """Say that a vehicle is lost, or back, by turns; `number` rises from 2."""
        state = PresenceState.LOST if number % 2 == 0 else PresenceState.ONLINE
        where = topic(OFFICE, Kind.PRESENCE, user)
        self._client.publish(where, encode(presence(state, number)), qos=1, retain=True)

    def sign_in(self) -> requests.Session:
        """Give a browser's session of somebody who may look on."""
        made = requests.Session()
        made.trust_env, made.verify = False, str(self.broker.ca)
        made.headers["Origin"] = self.origin
        fields = {"login": self.login, "secret": self.secret.reveal()}
        answer = made.post(f"{self.origin}/signin", data=fields, timeout=15, allow_redirects=False)
        if answer.status_code != 303:
            raise BenchFailed(f"nobody can sign in: {answer.status_code}")
        return made

    def _publish(self, said: Iterable[tuple[Kind, str, Message]]) -> None:
        last = None
        for kind, user, message in said:
            last = self._client.publish(topic(OFFICE, kind, user), encode(message), qos=1, retain=True)
        if last is not None:
            last.wait_for_publish(60.0)

    def _enrol(self) -> None:
        """Put the vehicles into the registry: one by its own way, and the others as copies of it, in one go."""
        SqlStore(f"sqlite:///{self.store}").close()
        registry = SqlRegistry(f"sqlite:///{self.store}")
        try:
            registry.add_region(OFFICE.region, "bench")
            registry.add_office(OFFICE, "bench", VoicePath.MQTT)
            self.login = registry.add_user(OFFICE, WATCHER, Role.ADMIN, "boss").login
            registry.set_secret(OFFICE, WATCHER, hash_secret(self.secret))
            first = registry.add_user(OFFICE, self.users[0], Role.VEHICLE_GATEWAY, "1호차")
        finally:
            registry.close()
        with closing(sqlite3.connect(self.store)) as plain, plain:
            rows = plain.execute("SELECT * FROM registry_user WHERE user = ?", (first.user,))
            columns = [column[0] for column in rows.description]
            row = dict(zip(columns, rows.fetchone(), strict=True))
            copies = [
                row | {"user": user, "name": f"{number}호차", "uid": first.uid + number}
                for number, user in enumerate(self.users[1:], 2)
            ]
            marks = ", ".join(f":{column}" for column in columns)
            plain.executemany(f"INSERT INTO registry_user VALUES ({marks})", copies)

    def _keep_secret(self) -> Path:
        secrets = self._folder / "secrets"
        secrets.mkdir(mode=0o700, exist_ok=True)
        file = secrets / "ptt.mqtt-password"
        file.touch(0o600)
        file.write_text(self.broker.server_secret.reveal())
        return file

    def _web(self, port: int) -> Process:
        self._keep_secret()
        doors = self.broker.doors
        rest = {"certificate": str(doors / CERT), "key": str(doors / KEY), "ca": str(self.broker.ca)}
        rest |= {"url": f"https://{HOST}:{port}", "host": HOST}
        lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in rest.items())
        config = self._folder / "dispatch.toml"
        config.write_text(
            f'admission = "registry"\nsecrets = "{self._folder}/secrets"\n[store]\npath = "{self.store}"\n'
            f'[broker]\nhost = "{HOST}"\nport = {self.broker.port}\nusername = "{SERVER_LOGIN}"\n'
            f'tls = true\ntls_ca = "{self.broker.ca}"\n[rest]\n{lines}broker_port = {self.broker.port}\n'
            f'[web]\nhost = "{HOST}"\nport = {port}\n'
        )
        process = python("web", self._folder, "-m", "dispatch", "web", "--config", config)
        deadline = time.monotonic() + START_S
        while "serving" not in process.log:
            if time.monotonic() > deadline:
                process.end()
                raise BenchFailed(f"the dashboard does not come up:\n{process.log[-2000:]}")
            process.require_running()
            time.sleep(0.02)
        return process


def presence(state: PresenceState, number: int) -> Presence:
    """Give a vehicle's presence."""
    return Presence(state=state, connection_id=(1, 1, 1), presence_no=number)
