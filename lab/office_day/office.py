"""The practice office's own processes: as an operator sets one up, with a past, a dashboard and alerts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from random import Random

import requests

from dispatch.admission import rules_from
from dispatch.history.day import local, midnight_ms
from dispatch.history.day import zone as zone_of
from dispatch.registry.secrets import hash_secret, new_secret
from dispatch.registry.sql import SqlRegistry
from dispatch.settings import DispatchSettings
from dispatch.store.sql import SqlStore
from dispatch.traces.store import TraceStore
from lab.office import HOST, OFFICE, Office
from lab.office_day.past import Past
from lab.office_day.pattern import plan
from lab.office_day.people import DISPATCHER, OFFICE_NAME, Person
from lab.process import LabFailed, Process
from protocol.login import Login
from protocol.messages import VoicePath
from service.mqtt import BrokerSettings
from service.settings import Secret, load, read_secret

ADMIN = "admin"
READY_S = 60.0


class PracticeOffice:
    """A whole office on loopback; what it starts is ended by `stack`. Raises LabFailed, BrokerFailed."""

    def __init__(self, folder: Path, logs: Path, stack: ExitStack, people: Sequence[Person], port: int) -> None:
        """`port`: of the dashboard."""
        self.port = port
        self.people = people
        self.secrets: dict[str, Secret] = {}
        """Of everybody, by user."""
        self._stack, self._logs = stack, logs
        self._office = Office(folder, logs, stack)
        self.web: Process
        self.alerts: Process

    @property
    def origin(self) -> str:
        """Where the pages are."""
        return f"https://{HOST}:{self.port}"

    @property
    def ca(self) -> Path:
        """The office's own authority."""
        return self._office.folder / "ca.pem"

    @property
    def config(self) -> Path:
        """Its dispatch.toml."""
        return self._office.config

    @property
    def settings(self) -> DispatchSettings:
        """As its services read them."""
        return load(self.config, DispatchSettings)

    def login(self, user: str) -> str:
        """What a user signs in as."""
        return str(Login(OFFICE, user))

    def make(self, days: int, now_ms: int) -> None:
        """`ptt-dispatch init`, and everybody of `people` in the registry since the first of so many days."""
        self._office.make(VoicePath.MQTT, None, name=OFFICE_NAME, web_port=self.port)
        with self.config.open("a", encoding="utf-8") as file:
            file.write("\n[metrics]\nport = 0\n")
        self.secrets[ADMIN] = read_secret(self._office.folder / f"{ADMIN}.secret")
        since_ms = self.begin_ms(days, now_ms)
        registry = SqlRegistry(self.settings.store.sqlalchemy_url, wall_ms=lambda: since_ms)
        try:
            for person in self.people:
                registry.add_user(OFFICE, person.user, person.role, person.name, priority=person.priority)
                secret = self.secrets[person.user] = new_secret()
                registry.set_secret(OFFICE, person.user, hash_secret(secret))
        finally:
            registry.close()
        self._office.command("broker-config")

    def begin_ms(self, days: int, now_ms: int) -> int:
        """Midnight of the first of so many days, today included, in the office's time zone (Unix ms)."""
        where = zone_of(self.settings.time_zone)
        return midnight_ms(local(now_ms, where).date() - timedelta(days=days - 1), where)

    def live_through(self, days: int, now_ms: int, seed: int, told: Callable[[float], object]) -> None:
        """Make up the past, up to now; `told` gets how much is done, 0 to 1. Before `start`."""
        settings = self.settings
        where = zone_of(settings.time_zone)
        since_ms = self.begin_ms(days, now_ms)
        first = local(since_ms, where).date()
        vehicles = [person.user for person in self.people if person.vehicle]
        plans = [
            plan(vehicles, Random(f"{seed} {day}"), weekend=day.weekday() >= 5)
            for day in (first + timedelta(days=number) for number in range(days))
        ]
        url = settings.store.sqlalchemy_url
        with ExitStack() as stack:
            registry = SqlRegistry(url)
            stack.callback(registry.close)
            rules = rules_from(registry.offices(), registry.users(), {}, registry.rev())[OFFICE]
            store, traces = SqlStore(url), TraceStore(url)
            stack.callback(store.close)
            stack.callback(traces.close)
            past = Past(OFFICE, rules, self.people, store, traces, since_ms, seed)
            past.run(plans, (now_ms - since_ms) / 1000, told)

    def start(self) -> None:
        """Broker, floor control server, REST, alerts and dashboard; returns once its pages answer."""
        self._office.start()
        config = ["--config", str(self.config)]
        self.alerts = Process("alerts", "dispatch", ["alerts", *config], self._logs / "alerts.log")
        self._stack.callback(self.alerts.end)
        self.web = Process("web", "dispatch", ["web", *config], self._logs / "web.log")
        self._stack.callback(self.web.end)
        deadline = time.monotonic() + READY_S
        while not self._answers():
            self.check_running()
            if time.monotonic() > deadline:
                raise LabFailed(f"ptt-dispatch web does not answer at {self.origin}; see {self.web.log}")
            time.sleep(0.1)

    def check_running(self) -> None:
        """Raise LabFailed where a process of ours ended by itself."""
        for process in (self._office.dispatch, self._office.rest, self.alerts, self.web):
            if not process.running:
                last = process.log.read_text(errors="replace").strip().splitlines()[-5:]
                raise LabFailed(f"{process.name} ended by itself: " + " | ".join(last))

    def access(self, user: str, *, voice: bool = False) -> BrokerSettings:
        """How a member reaches the broker."""
        return self._office.broker.settings(str(Login(OFFICE, user, voice=voice)), self.secrets[user])

    def command(self, *arguments: str, office: bool = False) -> str:
        """Run `ptt-dispatch`, and give what it printed."""
        return self._office.command(*arguments, office=office)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.origin}/healthz", verify=str(self.ca), timeout=2).ok
        except requests.RequestException:
            return False


def write_logins(path: Path, office: PracticeOffice) -> None:
    """Write who may sign in, for this machine's user alone (mode 0600)."""
    path.unlink(missing_ok=True)
    lines = [f"{office.login(user)} {office.secrets[user].reveal()}\n" for user in (DISPATCHER, ADMIN)]
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f"{office.origin}\n{''.join(lines)}")
