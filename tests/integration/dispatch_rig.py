"""A real broker, the real `ptt-dispatch serve`, and members that are nothing but plain paho clients."""

import itertools
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from protocol.codec import decode, encode
from protocol.ids import OfficeId
from protocol.messages import (
    FloorGranted,
    FloorRelease,
    FloorRenew,
    FloorRequest,
    Message,
    Presence,
    PresenceState,
    Priority,
    Session,
)
from protocol.timers import FLOOR_MESSAGE_EXPIRY_S
from protocol.topics import Kind, parse, topic
from tests.support.broker import Broker
from tests.support.procs import ROOT, Daemon, Daemons, eventually

M = TypeVar("M")


def any_of(message: object) -> bool:
    return True


class Client:
    """A connection to the broker that remembers what it received until it is taken."""

    def __init__(
        self,
        stack: ExitStack,
        broker: Broker,
        client_id: str,
        will: tuple[str, bytes] | None = None,
        prepare: Callable[[paho.Client], object] = any_of,
    ) -> None:
        self._changed = threading.Condition()
        self._inbox: list[tuple[str, bytes, bool]] = []
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5, reconnect_on_failure=False
        )
        self._client.on_message = self._on_message
        self._client.on_socket_open = no_delay
        if will is not None:
            self._client.will_set(*will, qos=1, retain=True)
        prepare(self._client)
        self._client.connect("127.0.0.1", broker.port, keepalive=10)
        self._client.loop_start()
        eventually(self._client.is_connected)
        stack.callback(self.leave)

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        with self._changed:
            self._inbox.append((message.topic, bytes(message.payload), message.retain))
            self._changed.notify_all()

    def subscribe(self, *filters: str) -> None:
        done = threading.Event()
        self._client.on_subscribe = lambda *_: done.set()
        options = SubscribeOptions(qos=1, retainAsPublished=True)
        self._client.subscribe([(each, options) for each in filters])
        assert done.wait(3)

    def send(self, where: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> None:
        properties = Properties(PacketTypes.PUBLISH)
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        self._client.publish(where, payload, qos=1, retain=retain, properties=properties)

    def take(self, wanted: Callable[[str, bytes, bool], bool], timeout_s: float = 3.0) -> tuple[str, bytes, bool]:
        """Wait for a message and take it out of the inbox."""
        found: list[tuple[str, bytes, bool]] = []

        def look() -> bool:
            match = next((each for each in self._inbox if wanted(*each)), None)
            if match is not None:
                self._inbox.remove(match)
                found.append(match)
            return match is not None

        with self._changed:
            assert self._changed.wait_for(look, timeout_s), f"not within {timeout_s} s; there is: {self._inbox[-20:]}"
        return found[0]

    def expect(
        self, kind: type[M], wanted: Callable[[M], bool] = any_of, timeout_s: float = 3.0, *, retained: bool = False
    ) -> M:
        """Wait for a control message of this type, take it and give it."""
        found: list[M] = []

        def fits(where: str, payload: bytes, retain: bool) -> bool:
            message = decode(payload, parse(where).kind) if payload else None
            if isinstance(message, kind) and wanted(message) and (retain or not retained):
                found.append(message)
                return True
            return False

        self.take(fits, timeout_s)
        return found[-1]

    def has(self, kind: type[Message]) -> bool:
        """Whether such a message is waiting in the inbox."""
        with self._changed:
            return any(isinstance(decode(p, parse(t).kind), kind) for t, p, _ in self._inbox if p)

    def forget(self) -> None:
        """Empty the inbox."""
        with self._changed:
            self._inbox.clear()

    def leave(self) -> None:
        """Disconnect cleanly: no will."""
        self._client.disconnect()
        self._client.loop_stop()

    def vanish(self) -> None:
        """Be cut off: the will speaks."""
        sock = self._client.socket()
        assert isinstance(sock, socket.socket)
        sock.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()


def no_delay(_client: object, _data: object, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Car(Client):
    """A member of an office."""

    def __init__(
        self,
        stack: ExitStack,
        broker: Broker,
        office: OfficeId,
        user: str,
        connection: tuple[int, int, int] = (1, 1, 1),
        in_channel: str | None = None,
    ) -> None:
        self.office, self.user, self.connection = office, user, connection
        self._renewer: threading.Thread | None = None
        self._quiet = threading.Event()
        will = Presence(state=PresenceState.LOST, connection_id=connection, presence_no=2**53 - 1, reason="will")
        where = topic(office, Kind.PRESENCE, user)
        super().__init__(stack, broker, f"{office.office}-{user}", (where, encode(will)))
        stack.callback(self.fall_silent)
        self.subscribe(topic(office, Kind.REPLY, user))
        self.tell(PresenceState.ONLINE, 1, in_channel)

    def tell(self, state: PresenceState, number: int, in_channel: str | None = None) -> None:
        presence = Presence(state=state, connection_id=self.connection, presence_no=number, in_channel=in_channel)
        self.send(topic(self.office, Kind.PRESENCE, self.user), encode(presence), retain=True)

    def say(self, message: FloorRequest | FloorRenew | FloorRelease, kind: Kind = Kind.FLOOR) -> None:
        self.send(topic(self.office, kind, self.user), encode(message), expiry_s=FLOOR_MESSAGE_EXPIRY_S)

    def request(self, press: int, priority: Priority = Priority.NORMAL) -> None:
        self.say(FloorRequest(request_id=(*self.connection, press), priority=priority))

    def release(self, press: int, burst: int, last_seq: int | None = None) -> None:
        self.say(FloorRelease(request_id=(*self.connection, press), burst=burst, last_seq=last_seq))

    def granted(self, press: int) -> FloorGranted:
        return self.expect(FloorGranted, lambda m: m.request_id == (*self.connection, press))

    def take_floor(self, press: int) -> int:
        """Request, wait for the grant, renew once; gives the burst."""
        self.request(press)
        burst = self.granted(press).burst
        self.say(FloorRenew(burst=burst, renew_no=1))
        return burst

    def keep_renewing(self, burst: int, first_no: int = 2) -> None:
        """Renew four times a second until `fall_silent`."""
        self._quiet.clear()

        def run() -> None:
            number = first_no
            while not self._quiet.wait(0.25):
                self.say(FloorRenew(burst=burst, renew_no=number))
                number += 1

        self._renewer = threading.Thread(target=run, name="renewer", daemon=True)
        self._renewer.start()

    def fall_silent(self) -> None:
        self._quiet.set()
        if self._renewer is not None:
            self._renewer.join()


class Service:
    """`ptt-dispatch serve` for some offices on one broker."""

    def __init__(self, stack: ExitStack, folder: Path, broker: Broker, offices: int = 1, rules: str = "") -> None:
        self.stack, self.folder, self.broker = stack, folder, broker
        self._numbers = itertools.count()
        self.offices = [OfficeId("seoul", f"office-{n}") for n in range(offices)]
        self.store = folder / "store" / "office.db"
        self.config = folder / "dispatch.toml"
        self.write_config(self.store, rules)
        self._daemons = stack.enter_context(Daemons(folder))

    def write_config(self, store: Path, rules: str = "") -> None:
        head = f'[broker]\nhost = "127.0.0.1"\nport = {self.broker.port}\n[store]\npath = "{store}"\n'
        tables = [f'[[office]]\nregion = "{o.region}"\noffice = "{o.office}"\n{rules}\n' for o in self.offices]
        self.config.write_text(head + "".join(tables))

    def start(self, *options: str, serving: bool = True, env: dict[str, str] | None = None) -> Daemon:
        daemon = self._daemons.python("dispatch", "-m", "dispatch", "serve", "--config", self.config, *options, env=env)
        if serving:
            daemon.says("serving")
        return daemon

    def start_command(self, command: str, *rest: str) -> Daemon:
        """Start another `ptt-dispatch` command and leave it running."""
        return self._daemons.python(command, "-m", "dispatch", command, "--config", self.config, *rest)

    def broker_signal(self, number: int) -> None:
        os.kill(self.broker.pid, number)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another `ptt-dispatch` command with the same configuration."""
        command, *rest = arguments
        argv = [sys.executable, "-m", "dispatch", command, "--config", str(self.config), "--lang", "en", *rest]
        return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)

    def events(self, office: OfficeId) -> list[dict[str, Any]]:
        """All events of an office, from the log."""
        out = self.run("events", "--office", str(office), "--json", "--since", "0", "--limit", "0").stdout
        return [json.loads(line) for line in out.splitlines()]

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return found

    def car(self, user: str, office: OfficeId | None = None, **options: Any) -> Car:
        return Car(self.stack, self.broker, office or self.offices[0], user, **options)

    def monitor(self, office: OfficeId | None = None) -> Client:
        """A client that receives everything of an office."""
        where = office or self.offices[0]
        client = Client(self.stack, self.broker, f"monitor-{next(self._numbers)}")
        client.subscribe(f"ptt/v1/{where.region}/{where.office}/#")
        return client


def rig(folder: Path, offices: int = 1, *, persistence: bool = False, rules: str = "") -> Iterator[Service]:
    """Give a service that is not started yet on a broker that runs; all of it ends with the test."""
    with ExitStack() as stack:
        broker_folder = folder / "broker"
        broker = stack.enter_context(Broker(persistence=persistence, folder=broker_folder))
        yield Service(stack, folder, broker, offices, rules)


def idle(session: Session) -> bool:
    return session.current_speaker is None
