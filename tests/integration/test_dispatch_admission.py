"""Admission with everything real: init's office, its broker with TLS, `ptt-dispatch serve`, the commands.

A speaker is revoked in mid-burst; clones come and are cured; users and offices come while the service runs.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
import requests

from dispatch.broker.admin import BrokerAdmin
from dispatch.registry.secrets import code_digest, hash_secret, new_secret
from dispatch.registry.sql import SqlRegistry
from dispatch.store.sql import SqlStore
from lab.agora_rest import AgoraRest
from lab.broker import free_port
from lab.secure_broker import SecureBroker
from protocol.codec import encode
from protocol.enrol_code import parse_code
from protocol.ids import OfficeId
from protocol.login import SERVER_LOGIN, Login
from protocol.messages import (
    Alert,
    DenyCause,
    Event,
    EventType,
    FloorDeny,
    FloorGranted,
    FloorRenew,
    FloorRequest,
    Presence,
    PresenceState,
    Session,
)
from protocol.timers import REVOKE_S
from protocol.topics import Kind, topic
from service.mqtt import BrokerSettings
from service.settings import Secret, read_secret
from tests.integration.dispatch_rig import Client
from tests.integration.rest_rig import problem
from tests.support.procs import ROOT, Daemon, Daemons, eventually

HQ = OfficeId("seoul", "hq")
KEY, SECRET = "customer", "not-a-real-one"
UNIT, COPY = "a1" * 8, "b2" * 8
APP = "0123456789abcdef0123456789abcdef"
AGORA = f'\n[agora]\napp_id = "{APP}"\n[agora.kicking]\ncustomer_key = "{KEY}"\n'


class Scene:
    """An office of the registry that is being served."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.stack, self.folder = stack, folder / "ptt"
        self.port = free_port()
        self.config = self.folder / "dispatch.toml"
        self.rest_port = free_port()
        self.run(
            *("init", "--dir", str(self.folder), "--region", HQ.region, "--office", HQ.office, "--name", "본사"),
            *("--host", "127.0.0.1", "--listen", "127.0.0.1", "--broker-port", str(self.port)),
            *("--rest-port", str(self.rest_port), "--websocket-port", str(free_port())),
            *("--web-port", str(free_port())),
        )
        run = folder / "mosquitto"
        run.mkdir()
        made = self.folder / "broker"
        self.broker = stack.enter_context(SecureBroker(made=made, port=self.port, folder=run))
        self._daemons = stack.enter_context(Daemons(folder))
        self.daemon: Daemon

    def serve(self) -> Daemon:
        self.daemon = self._daemons.python("dispatch", "-m", "dispatch", "serve", "--config", self.config)
        self.daemon.says("serving")
        return self.daemon

    def rest(self) -> None:
        """Start the REST service."""
        self._daemons.python("rest", "-m", "dispatch", "rest", "--config", self.config).says("serving")

    def post(self, path: str, body: object, *login: str) -> requests.Response:
        """Call it, with a login and its secret or nobody's."""
        with requests.Session() as session:
            session.trust_env = False
            url = f"https://127.0.0.1:{self.rest_port}{path}"
            return session.post(url, json=body, auth=login or None, verify=str(self.folder / "ca.pem"), timeout=15)

    def agora(self, url: str) -> None:
        with self.config.open("a", encoding="utf-8") as file:
            file.write(f'{AGORA}customer_secret = "{SECRET}"\nbase_url = "{url}"\n')

    def run(self, *arguments: str, status: int = 0) -> str:
        place = () if arguments[0] == "init" else ("--config", str(self.config))
        argv = [sys.executable, "-m", "dispatch", *arguments, *place, "--lang", "en"]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == status, done.stderr + done.stdout
        return done.stdout

    def status(self) -> dict[str, Any]:
        argv = [sys.executable, "-m", "dispatch", "status", "--json", "--config", str(self.config)]
        found: dict[str, Any] = json.loads(subprocess.run(argv, cwd=ROOT, capture_output=True, check=False).stdout)
        [service] = found["services"]
        admission: dict[str, Any] = service["admission"]
        return admission

    def enrol(self, user: str, hardware: str = "hardware-1") -> Secret:
        """Make a vehicle and exchange its code, as the REST service does; gives its secret."""
        name = ("--create", "--name", f"{user}호")
        made = json.loads(self.run("device", "code", user, *name, "--office", str(HQ), "--json"))
        digest = code_digest(parse_code(made["code"]).secret)
        secret = new_secret()
        with BrokerAdmin(self.access) as admin:
            self.registry().enrol(digest, hardware, hash_secret(secret), lambda u, _: admin.put_user(u, secret))
        return secret

    @property
    def access(self) -> BrokerSettings:
        return self.broker.settings(SERVER_LOGIN, read_secret(self.folder / "secrets" / "ptt.mqtt-password"))

    def registry(self) -> SqlRegistry:
        registry = SqlRegistry(f"sqlite:///{self.folder}/store/office.db")
        self.stack.callback(registry.close)
        return registry

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        said = self.run("events", "--json", "--limit", "0", "--since", "0", "--office", str(HQ))
        found = [json.loads(line) for line in said.splitlines()]
        return [e for e in found if e["event"] in kinds]

    def watch(self) -> Client:
        """Everything of the office, as the server's own login may see it."""
        secret = read_secret(self.folder / "secrets" / "ptt.mqtt-password")
        client = Client(self.stack, self.broker, "watch", prepare=self.doors(SERVER_LOGIN, secret))
        client.subscribe(f"ptt/v1/{HQ.region}/{HQ.office}/#")
        return client

    def doors(self, login: str, secret: Secret) -> Callable[[paho.Client], object]:
        def prepare(client: paho.Client) -> None:
            client.username_pw_set(login, secret.reveal())
            client.tls_set_context(ssl.create_default_context(cafile=str(self.folder / "ca.pem")))

        return prepare


class Member(Client):
    """A member of the office on its own login."""

    def __init__(self, scene: Scene, user: str, secret: Secret, boot: int = 1, hardware: str | None = None) -> None:
        self.user, self.connection = user, (1, boot, 1)
        login = str(Login(HQ, user))
        super().__init__(scene.stack, scene.broker, login, prepare=scene.doors(login, secret))
        self.subscribe(topic(HQ, Kind.REPLY, user), topic(HQ, Kind.SESSION))
        self.tell(1, hardware)

    def tell(self, number: int, hardware: str | None = None) -> None:
        here = Presence(
            state=PresenceState.ONLINE, connection_id=self.connection, presence_no=number, hardware=hardware
        )
        self.send(topic(HQ, Kind.PRESENCE, self.user), encode(here), retain=True)

    def ask(self, press: int) -> None:
        request = FloorRequest(request_id=(*self.connection, press))
        self.send(topic(HQ, Kind.FLOOR, self.user), encode(request), expiry_s=2)

    def renew(self, burst: int, number: int) -> None:
        self.send(topic(HQ, Kind.FLOOR, self.user), encode(FloorRenew(burst=burst, renew_no=number)), expiry_s=2)

    def granted(self) -> FloorGranted:
        """Press anew each second, as one does who is not known yet, until the floor is ours."""
        for press in range(1, 11):
            if press > 1:  # as a connection made anew does: the broker and the office may have known only half of it
                self.subscribe(topic(HQ, Kind.REPLY, self.user), topic(HQ, Kind.SESSION))
                self.tell(press)
            self.ask(press)
            with contextlib.suppress(AssertionError):
                return self.expect(FloorGranted, lambda g: g.request_id == (*self.connection, press), 1.0)  # noqa: B023
        raise AssertionError(f"{self.user}: not granted in ten presses")

    def take_floor(self, press: int) -> int:
        self.ask(press)
        burst = self.expect(FloorGranted).burst
        self.renew(burst, 1)
        return burst

    def watch_end(self) -> threading.Event:
        """Give what is set when the connection has ended."""
        ended = threading.Event()
        self._client.on_disconnect = lambda *_: ended.set()
        return ended


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(stack, tmp_path)


@pytest.mark.timed
def test_a_speaker_that_is_revoked_is_out_of_floor_broker_and_agora_within_five_seconds(scene: Scene) -> None:
    # given a speaker that keeps renewing, a listener, and Agora's REST interface
    rest = scene.stack.enter_context(AgoraRest(app_id=APP, customer_key=KEY, customer_secret=SECRET))
    scene.agora(rest.url)
    scene.serve()
    speaker = Member(scene, "car-1", scene.enrol("car-1"))
    listener = Member(scene, "car-2", scene.enrol("car-2"))
    who = eventually(lambda: scene.registry().user(HQ, "car-1"))
    channel = eventually(lambda: scene.registry().office(HQ)).channel
    burst = speaker.granted().burst
    speaker.renew(burst, 1)
    session = listener.expect(Session, lambda s: s.current_speaker == "car-1")
    cut = speaker.watch_end()
    # when it is revoked while it goes on speaking
    began = time.monotonic()
    revoking = subprocess.Popen(
        [sys.executable, "-m", "dispatch", "user", "revoke", "car-1", "--office", str(HQ), "--why", "sold",
         "--config", str(scene.config), "--lang", "en"],
        cwd=ROOT, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    number = 1
    freed = 0.0
    while time.monotonic() - began < 10 and not freed:
        number += 1
        speaker.renew(burst, number)
        with contextlib.suppress(AssertionError):
            listener.expect(Session, lambda s: s.burst == burst and s.current_speaker is None, 0.3)
            freed = time.monotonic()
    # then floor, connection and channel are closed to it
    assert revoking.wait(20) == 0
    assert (session.speaker_uid, session.channel_name) == (who.uid, channel)
    assert 0 < freed - began < REVOKE_S
    assert cut.wait(began + REVOKE_S - time.monotonic())
    eventually(lambda: rest.banned(channel, who.uid), began + REVOKE_S - time.monotonic())
    told = scene.events("USER_REVOKED")
    assert [(e["user"], e["metadata"]["reason"]) for e in told] == [("car-1", "sold")]
    said = scene.status()
    assert (said["revoked"], said["kicks"], said["broker_fault"], said["error"]) == (1, 0, "", None)
    print(f"freed {freed - began:.2f} s after the command was started")


@pytest.mark.timed
def test_a_user_and_an_office_made_while_the_service_runs_are_served(scene: Scene) -> None:
    scene.serve()

    scene.run("office", "add", "seoul/new", "--name", "새 사무소")
    secret = scene.enrol("car-1")

    scene.daemon.says("office served")
    newcomer = Member(scene, "car-1", secret)
    assert newcomer.granted()
    assert scene.status()["offices"] == 2


def test_a_clone_is_refused_alerted_until_cured_and_told_once(scene: Scene) -> None:
    # given a unit that was enrolled, and its office
    secret = scene.enrol("car-1", "hardware-1")
    scene.serve()
    watch = scene.watch()
    # when its card runs in another unit
    clone = Member(scene, "car-1", secret, boot=7, hardware="hardware-2")
    alert = watch.expect(Alert, timeout_s=5)
    clone.ask(1)
    denied = clone.expect(FloorDeny)
    # then it is refused and the alert outlives service and broker
    assert (alert.alert, denied.cause) == ("clone", DenyCause.NOT_ADMITTED)
    scene.daemon.process.kill()
    scene.daemon.process.wait()
    scene.serve()
    where = topic(HQ, Kind.ALERT, "car-1", "clone")
    later = scene.watch()
    assert later.take(lambda t, p, _: t == where and p != b"")
    assert scene.status()["clones"] == ["seoul/hq/car-1"]
    # until somebody cures it
    clone.leave()
    scene.run("device", "cured", "car-1", "--office", str(HQ))
    later.take(lambda t, p, _: t == where and p == b"", 5)
    eventually(lambda: len(scene.events("CLONE_CURED")) == 1, 5)
    assert [e["metadata"]["hardware"] for e in scene.events("CLONE_FOUND")] == ["hardware-2"]


def test_what_the_rest_service_and_the_commands_log_is_published_within_two_seconds_and_once(scene: Scene) -> None:
    scene.serve()
    scene.rest()
    watch = scene.watch()
    made = json.loads(scene.run("device", "code", "car-1", "--create", "--name", "1호", "--office", str(HQ), "--json"))
    late = {}
    # when a unit enrols at the REST service, and a user is revoked with the command
    answer = scene.post("/v1/enrol", {"code": parse_code(made["code"]).secret, "hardware": UNIT})
    began = time.monotonic()
    enrolled = watch.expect(Event, lambda e: e.event is EventType.ENROLLED, timeout_s=5)
    late["enrolled"] = time.monotonic() - began
    scene.run("user", "revoke", "car-1", "--office", str(HQ), "--why", "sold")
    began = time.monotonic()
    watch.expect(Event, lambda e: e.event is EventType.USER_REVOKED, timeout_s=5)
    late["revoked"] = time.monotonic() - began
    # then monitors hear of both in time, and once
    assert (answer.status_code, enrolled.user, enrolled.metadata["hardware"]) == (201, "car-1", UNIT)
    assert {what for what, late_s in late.items() if late_s > 2.0} == set()
    with pytest.raises(AssertionError, match="not within"):
        watch.expect(Event, timeout_s=3.0)
    print(f"told {late} s after the answer")


def test_a_clone_that_rest_and_the_floor_find_within_milliseconds_is_one_event(scene: Scene) -> None:
    # given vehicles whose cards were copied, and both services
    users = [f"car-{n}" for n in range(1, 6)]
    secrets = {user: scene.enrol(user, UNIT) for user in users}
    scene.serve()
    scene.rest()
    watch = scene.watch()
    answers: list[tuple[int, str]] = []
    # when each copy comes by both doors at once
    for user in users:
        login, secret = str(Login(HQ, user)), secrets[user]
        hello = {"generation": 1, "hardware": COPY}

        def knock(login: str = login, secret: Secret = secret, hello: dict[str, object] = hello) -> None:
            answer = scene.post("/v1/hello", hello, login, secret.reveal())
            answers.append(problem(answer))

        knocking = threading.Thread(target=knock, name=f"hello-{user}")
        clone = Member(scene, user, secret, boot=7)
        knocking.start()
        clone.tell(2, COPY)
        knocking.join(15)
    # then every one is told once, and stays told once: by two more readings of the registry a second would have come
    for user in users:
        watch.expect(Event, lambda e, u=user: (e.event, e.user) == (EventType.CLONE_FOUND, u), timeout_s=5)  # type: ignore[misc]
    with pytest.raises(AssertionError, match="not within"):
        watch.expect(Event, lambda e: e.event in (EventType.CLONE_FOUND, EventType.CLONE_CURED), timeout_s=3.0)
    told = scene.events("CLONE_FOUND", "CLONE_CURED")
    assert answers == [(409, "clone")] * len(users)
    assert sorted((e["event"], e["user"], e["metadata"]["hardware"]) for e in told) == [
        ("CLONE_FOUND", user, COPY) for user in users
    ]


def test_asking_the_registry_for_news_costs_less_than_a_millisecond(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/office.db"
    store, registry = SqlStore(url), SqlRegistry(url)
    took = []
    for _ in range(200):
        began = time.perf_counter()
        registry.rev()
        took.append(time.perf_counter() - began)
    registry.close()
    store.close()

    print(f"rev: {sorted(took)[100] * 1e6:.0f} us at the median, {sorted(took)[198] * 1e6:.0f} us at p99")
    assert sorted(took)[100] < 0.001


def test_an_office_of_the_configuration_that_the_registry_lacks_is_told_at_the_start(scene: Scene) -> None:
    with scene.config.open("a", encoding="utf-8") as file:
        file.write('\n[[office]]\nregion = "busan"\noffice = "1"\n')

    argv = [sys.executable, "-m", "dispatch", "serve", "--config", str(scene.config)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)

    assert done.returncode == 2
    assert "busan/1 is not in the registry -> ptt-dispatch office add busan/1" in done.stderr
