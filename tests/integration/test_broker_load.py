"""The office's broker with its installed configuration, when all 500 members come, beat and go at once."""

from __future__ import annotations

import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.core.alerts import KNOWN
from monitor.follow import filters
from protocol.ids import OfficeId
from protocol.topics import Kind, everyone, parse, topic
from service.loop import Loop
from service.mqtt import BrokerSettings, Connected, LinkEvent, MqttLink, Received
from tests.support.broker import Broker

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = 500
OFFICE = OfficeId("seoul", "north")
USERS = [f"car-{number}" for number in range(MEMBERS)]
TEXT = b"x" * 400
"""As long as a presence with name and device information."""


class Member:
    """A member in plain bytes: 500 of them are cheap."""

    def __init__(self, port: int, user: str) -> None:
        self.user = user
        self.sock = socket.create_connection(("127.0.0.1", port), 5)
        self.got = b""
        name, will = topic(OFFICE, Kind.PRESENCE, user).encode(), b"will" + TEXT
        flags = 0x2E  # clean start; will, QoS 1, retained
        head = _text(b"MQTT") + bytes([5, flags, 0, 60, 0])
        self.sock.sendall(_packet(0x10, head + _text(user.encode()) + bytes([0]) + _text(name) + _text(will)))

    def publish(self, mid: int, kind: Kind, *ids: str, payload: bytes, retain: bool = False) -> None:
        name = topic(OFFICE, kind, *ids).encode()
        self.sock.sendall(_packet(0x32 | retain, _text(name) + mid.to_bytes(2, "big") + bytes([0]) + payload))

    def acknowledged(self, count: int) -> None:
        """Wait for the greeting and so many acknowledgements."""
        self.sock.settimeout(10)
        while sum(kind == 0x40 for kind in _kinds(self.got)) < count:
            data = self.sock.recv(65536)
            assert data, f"the broker hung up on {self.user}"
            self.got += data


def _text(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


def _packet(kind: int, body: bytes) -> bytes:
    size, length = len(body), b""
    while size > 0x7F:
        length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
    return bytes([kind]) + length + bytes([size]) + body


def _kinds(data: bytes) -> Iterator[int]:
    while len(data) >= 2 and len(data) >= 2 + data[1]:  # greeting and acknowledgements are short
        yield data[0]
        data = data[2 + data[1] :]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    text = (ROOT / "systemd/mosquitto/ptt.conf").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", "listener "))]
    with Broker(folder=tmp_path, lines=lines) as broker:
        yield broker


class Reader:
    """A client of ours that subscribes and then stands still until it is turned."""

    def __init__(self, loop: Loop, port: int, name: str, filters: Sequence[tuple[str, int]]) -> None:
        self.events: list[LinkEvent] = []
        self.link = MqttLink(loop, BrokerSettings(host="127.0.0.1", port=port), self.events.append)
        self.link.dial(name, None)
        turn(loop, lambda: any(isinstance(event, Connected) for event in self.events))
        assert self.link.subscribe(filters)

    def count(self) -> int:
        return sum(isinstance(event, Received) for event in self.events)

    def heard(self, kind: Kind) -> dict[str, list[bytes]]:
        """What it was told of a kind, by user, in order."""
        found: dict[str, list[bytes]] = defaultdict(list)
        for event in self.events:
            if isinstance(event, Received) and (place := parse(event.topic)).kind is kind:
                found[place.user].append(event.payload.removesuffix(TEXT))
        return found


def test_readers_that_stand_still_meanwhile_miss_nothing_when_all_members_come_beat_and_are_lost(
    broker: Broker,
) -> None:
    loop = Loop()
    with ExitStack() as stack:
        stack.callback(loop.close)
        # given the retained presences of a whole office
        office = Member(broker.port, "office")
        for number, user in enumerate(USERS, 1):
            office.publish(number, Kind.PRESENCE, user, payload=b"before" + TEXT, retain=True)
        office.acknowledged(MEMBERS)
        # and a server and a monitor that have subscribed, and do not read
        server_reads = [(everyone(OFFICE, kind), 1) for kind in (Kind.PRESENCE, Kind.HEARTBEAT)]
        server = Reader(loop, broker.port, "dispatch", server_reads)
        monitor = Reader(loop, broker.port, "watch", filters([OFFICE]))
        # when all members connect at once, tell what a vehicle tells, and lose their connections
        members = [Member(broker.port, user) for user in USERS]
        for member in members:
            stack.callback(member.sock.close)
            member.publish(1, Kind.PRESENCE, member.user, payload=b"online" + TEXT, retain=True)
            member.publish(2, Kind.HEARTBEAT, member.user, payload=b"beat" + TEXT)
            for number, alert in enumerate(KNOWN, 3):
                member.publish(number, Kind.ALERT, member.user, alert, payload=b"", retain=True)
        for member in members:
            member.acknowledged(2 + len(KNOWN))
        for member in members:
            member.sock.close()
        # then each reader hears all of it, and each member's presences in order
        wanted = {server: 4 * MEMBERS, monitor: (3 + len(KNOWN)) * MEMBERS}
        turn(loop, lambda: all(reader.count() >= count for reader, count in wanted.items()), fails=False)
        presences = {user: [b"before", b"online", b"will"] for user in USERS}
        assert {reader: reader.count() for reader in wanted} == wanted
        assert [reader.heard(Kind.PRESENCE) == presences for reader in wanted] == [True, True]
        assert server.heard(Kind.HEARTBEAT) == {user: [b"beat"] for user in USERS}
        assert monitor.heard(Kind.ALERT) == {user: [b""] * len(KNOWN) for user in USERS}
        for reader in wanted:
            assert reader.link.close()
        office.sock.close()


def turn(loop: Loop, done: Callable[[], bool], timeout_s: float = 8.0, *, fails: bool = True) -> None:
    deadline = time.monotonic() + timeout_s

    def step(now: float) -> float:
        if done() or now > deadline:
            loop.stop()
        return deadline

    loop.run(step)
    assert done() or not fails
