"""The private fields of paho-mqtt that service.mqtt sets and reads are there, and mean what it relies on.

paho offers no public way for these on a connection that is up. A new version that fails here needs another look at
service/mqtt_talk.py before it goes into constraints.txt.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

ROOT = Path(__file__).resolve().parents[2]
CONNACK = bytes([0x20, 3, 0, 0, 0])
PINGREQ = bytes([0xC0, 0])
PUBLISH_QOS1 = 0x32


class Line:
    """A paho client as service.mqtt makes it, greeted by a broker that is the test itself."""

    def __init__(self, listener: socket.socket) -> None:
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, "car-1", protocol=paho.MQTTv5, reconnect_on_failure=False, manual_ack=True
        )
        self.client.connect(*listener.getsockname(), keepalive=60)
        self.broker, _address = listener.accept()
        self.read()
        self.broker.sendall(CONNACK)
        self.turn()

    def turn(self) -> None:
        """Have the client read what the broker sent."""
        assert select.select([self.client.socket()], [], [], 5)[0]
        assert self.client.loop_read() == paho.MQTT_ERR_SUCCESS

    def read(self, wait_s: float = 5.0) -> bytes:
        """What the broker has got; empty when nothing comes within `wait_s`."""
        return self.broker.recv(1 << 20) if select.select([self.broker], [], [], wait_s)[0] else b""


@pytest.fixture
def line() -> Iterator[Line]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = Line(listener)
        yield line
        line.broker.close()
        with contextlib.suppress(AttributeError, OSError):  # where paho has closed it itself
            line.client.socket().close()


def test_the_paho_under_test_is_the_pinned_one() -> None:
    assert f"paho-mqtt=={metadata.version('paho-mqtt')}\n" in (ROOT / "constraints.txt").read_text()


def test_keepalive_set_on_a_connection_is_the_time_after_which_it_pings(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a connection, on which the public way is closed
    with pytest.raises(RuntimeError):
        line.client.keepalive = 30
    now = paho.time_func()
    monkeypatch.setattr(paho, "time_func", lambda: now + 29.0)
    # when
    line.client._keepalive = 30
    line.client.loop_misc()
    before = line.read(0.05)
    monkeypatch.setattr(paho, "time_func", lambda: now + 31.0)
    line.client.loop_misc()
    # then
    assert (before, line.read()) == (b"", PINGREQ)
    assert line.client.keepalive == 30


def test_a_ping_unanswered_for_the_keepalive_is_the_end_of_the_connection(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    ended: list[object] = []
    line.client.on_disconnect = lambda _client, _data, _flags, reason, _props: ended.append(reason.value)
    now = paho.time_func()
    line.client._keepalive = 30
    # when
    for later_s in (31.0, 62.0):
        monkeypatch.setattr(paho, "time_func", lambda later_s=later_s: now + later_s)
        line.client.loop_misc()
    # then it is `Keep alive timeout`, which paho may tell twice
    assert set(ended) == {0x8D}


def test_no_more_messages_are_sent_unacknowledged_than_set_on_a_connection(line: Line) -> None:
    # given a connection, on which the public way is closed
    with pytest.raises(RuntimeError):
        line.client.max_inflight_messages = 2
    line.client._max_inflight_messages = 2
    # when
    mids = [line.client.publish("t", bytes([number]), 1).mid for number in range(4)]
    at_first = line.read() + line.read(0.05)
    line.broker.sendall(bytes([0x40, 2, *mids[0].to_bytes(2, "big")]))
    line.turn()
    after_one = line.read() + line.read(0.05)
    # then
    assert payloads(at_first) == [0, 1]
    assert payloads(after_one) == [2]


def test_what_the_socket_does_not_take_is_counted_to_the_byte_where_we_look(line: Line) -> None:
    # given a broker that does not read
    sent = 0
    while len(line.client._out_packet) < 3:
        line.client.publish("t", bytes(50_000), 0)
        sent += packet_bytes(50_000)
    # when
    waiting = sum(packet["to_process"] for packet in line.client._out_packet)
    # then what it got and what waits are all there is
    assert line.client.want_write()
    got = 0
    while data := line.read(0.2):
        got += len(data)
    assert got + waiting == sent
    # and all of it leaves
    while line.client.want_write():
        assert line.client.loop_write() == paho.MQTT_ERR_SUCCESS
        got += len(line.read(0.2))
    while got < sent:
        data = line.read()
        assert data
        got += len(data)
    assert got == sent
    assert sum(packet["to_process"] for packet in line.client._out_packet) == 0


def packet_bytes(payload: int) -> int:
    """Length of a QoS 0 PUBLISH to "t": header, three bytes of length, topic, no properties."""
    return 1 + 3 + 2 + 1 + 1 + payload


def payloads(data: bytes) -> list[int]:
    """The one-byte payloads of QoS 1 PUBLISH packets to "t"."""
    found = []
    while data:
        assert data[0] == PUBLISH_QOS1
        packet, data = data[: 2 + data[1]], data[2 + data[1] :]
        found.append(packet[-1])
    return found
