"""The MQTT link against a real mosquitto, and against lines and brokers that misbehave."""

from __future__ import annotations

import random
import select
import socket
import subprocess
import threading
import time

import pytest

from service.loop import Loop
from service.mqtt import (
    Backoff,
    Connected,
    DialFailed,
    Disconnected,
    Received,
    Will,
)
from service.settings import Secret
from tests.integration.mqtt_link_rig import CONNACK, Party, fake_broker, turn_for, turn_until
from tests.support.broker import Broker
from tests.support.proxy import Proxy


@pytest.fixture
def loop():
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture(scope="module")
def shared_broker():
    with Broker() as broker:
        yield broker


@pytest.fixture
def port(shared_broker):
    shared_broker.start()
    return shared_broker.port


# --- connecting -------------------------------------------------------------------------------------------------------


def test_an_absent_broker_is_a_failed_dial_and_one_that_appears_is_connected(loop):
    # given nobody listening
    with Broker() as broker:
        broker.stop()
        party = Party(loop, broker.port)
        party.link.dial("car-1", None)
        failed = party.wait(DialFailed)
        # when the broker appears and we dial again
        broker.start()
        party.link.dial("car-1", None)
        # then
        party.wait(Connected)
        assert failed[0].reason == f"connection refused by 127.0.0.1:{broker.port}: is the broker running?"
        assert party.link.connected


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_broker_lost_and_back_is_told_and_connected_again_with_back_off(loop, end):
    # given an owner that dials again after every loss, as the daemons do
    with Broker() as broker:
        party = Party(loop, broker.port)
        backoff = Backoff(0.02, 0.1, random.Random(1))

        def on_event(event) -> None:
            party.told.append(event)
            if isinstance(event, Disconnected | DialFailed):
                loop.call_at(time.monotonic() + backoff.next_delay(), lambda: party.link.dial("car-1", None))

        party.on_event = on_event
        party.up()
        # when
        getattr(broker, end)()
        lost = party.wait(Disconnected)
        party.wait(DialFailed, 3)
        broker.start()
        # then
        party.wait(Connected, 2)
        assert str(broker.port) in lost[0].reason
        assert len(party.all(Disconnected)) == 1


def test_a_broker_that_accepts_but_never_greets_is_a_failed_dial_in_bounded_time(loop):
    with Broker() as broker:
        broker.pause()
        party = Party(loop, broker.port, connect_timeout_s=0.3)
        party.link.dial("car-1", None)
        took_s = turn_until(loop, lambda: party.all(DialFailed), 3.0)
        assert "no answer from" in party.told[0].reason
        assert took_s < 1.0


def test_a_new_dial_supersedes_the_former_and_only_the_new_one_is_told(loop, port):
    # given
    party = Party(loop, port)
    # when
    party.link.dial("car-1", None)
    party.link.dial("car-2", None)
    party.wait(Connected)
    turn_for(loop, 0.1)
    # then
    assert party.told == [Connected()]


def test_a_superseded_connection_is_closed_and_not_left_behind(loop):
    with Broker() as broker, Proxy(broker.port) as proxy:
        party = Party(loop, proxy.port)
        for number in range(3):
            party.link.dial(f"car-{number}", None)
        party.wait(Connected)
        turn_until(loop, lambda: proxy.connections == 1)
        assert len(party.all(Connected)) == 1


def test_hanging_look_ups_are_bounded_in_number(loop, monkeypatch):
    # given a resolver that hangs
    gate = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kw: gate.wait(10) and [])
    party = Party(loop, 1883, host="broker.invalid", connect_timeout_s=0.1)
    # when we dial again and again
    for count in range(1, 6):
        party.link.dial("car-1", None)
        party.wait(DialFailed, count)
    dialling = [t for t in threading.enumerate() if t.name.startswith("mqtt-dial")]
    gate.set()
    for thread in dialling:
        thread.join(5)
    # then
    assert len(dialling) == 4
    assert "hangs" in party.told[-1].reason


def test_wrong_passwords_are_refused_with_a_hint_and_right_ones_connect(loop, tmp_path):
    # given
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    passwords.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-b", passwords, "car-1", "right"], check=True, capture_output=True)
    lines = ["allow_anonymous false", f"password_file {passwords}"]
    with Broker(folder=tmp_path, lines=lines) as broker:
        wrong = Party(loop, broker.port, username="car-1", password=Secret("wrong"))
        right = Party(loop, broker.port, username="car-1", password=Secret("right"))
        # when
        wrong.link.dial("car-1", None)
        right.link.dial("car-1", None)
        # then
        assert "check username and password" in wrong.wait(DialFailed)[0].reason
        right.wait(Connected)


def test_another_client_with_our_id_takes_over_the_connection(loop, port):
    first, second = Party(loop, port).up("twin"), Party(loop, port)
    second.up("twin")
    first.wait(Disconnected)
    assert second.link.connected


def test_a_broker_that_says_why_it_closes_is_quoted_with_a_hint(loop):
    # mosquitto 2.0.11 closes without a word at a takeover; newer ones send DISCONNECT 0x8E
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(CONNACK + bytes([0xE0, 2, 0x8E, 0]))
        connection.recv(4096)

    with fake_broker(serve) as port:
        party = Party(loop, port)
        party.link.dial("car-1", None)
        reason = party.wait(Disconnected)[0].reason
        assert reason == f"closed by 127.0.0.1:{port} (Session taken over): another client uses this client id"


def test_every_message_waits_for_nobody_because_nodelay_is_set(loop, port):
    party = Party(loop, port).up()
    assert party.link._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


# --- losing -----------------------------------------------------------------------------------------------------------


def test_a_black_hole_is_found_within_one_and_a_half_keep_alives(loop):
    with Broker() as broker, Proxy(broker.port) as proxy:
        party = Party(loop, proxy.port, keepalive_s=2).up()
        # when nothing passes any more, while we go on talking
        proxy.stall()

        def talk() -> None:
            party.link.publish("voice/car-1", b"x" * 60)
            loop.call_at(time.monotonic() + 0.02, talk)

        talk()
        took_s = turn_until(loop, lambda: party.all(Disconnected), 5.0)
        # then
        assert party.told[-1].reason == f"nothing heard from 127.0.0.1:{proxy.port} for 2 s"
        assert took_s <= 3.0


def test_an_idle_connection_lives_beyond_its_keep_alive(loop, port):
    party = Party(loop, port, keepalive_s=2).up()
    turn_for(loop, 3.2)
    assert party.link.connected


def test_a_cut_line_is_told_at_once(loop):
    with Broker() as broker, Proxy(broker.port) as proxy:
        party = Party(loop, proxy.port).up()
        proxy.cut()
        took_s = turn_until(loop, lambda: party.all(Disconnected))
        assert party.told[-1].reason == f"connection to 127.0.0.1:{proxy.port} lost"
        assert took_s < 0.5


def test_a_drop_publishes_the_will_and_a_close_does_not(loop, port):
    # given
    watcher = Party(loop, port).up("watcher", [("will/#", 1)])
    dropped = Party(loop, port).up("dropped", will=Will(topic="will/dropped", payload=b"lost", retain=False))
    closed = Party(loop, port).up("closed", will=Will(topic="will/closed", payload=b"lost", retain=False))
    # when
    assert closed.link.close()
    dropped.link.drop("the driver turned the key")
    # then
    watcher.wait(Received)
    turn_for(loop, 0.1)
    assert [event.topic for event in watcher.all(Received)] == ["will/dropped"]
    assert dropped.told[-1] == Disconnected("the driver turned the key")
    assert closed.told == [Connected()]


def test_a_drop_while_dialling_is_told_as_a_failed_dial(loop, port):
    party = Party(loop, port)
    party.link.dial("car-1", None)
    party.link.drop("no more")
    turn_for(loop, 0.1)
    assert party.told == [DialFailed("no more")]


def test_a_close_with_unread_messages_still_says_goodbye(loop, port):
    # given a party with thousands of bytes unread in its socket
    watcher = Party(loop, port).up("watcher", [("will/#", 1)])
    party = Party(loop, port)
    party.up("busy", [("news", 0)], Will(topic="will/busy", payload=b"lost", retain=False))
    for _ in range(200):
        watcher.link.publish("news", b"x" * 1000)
    watcher.link.publish("will/fence-1", b"", 1)
    assert select_readable(party)
    # when
    assert party.link.close()
    # then
    watcher.link.publish("will/fence-2", b"", 1)
    watcher.wait(Received, 2)
    assert [event.topic for event in watcher.all(Received)] == ["will/fence-1", "will/fence-2"]


def select_readable(party: Party) -> bool:
    """Wait until bytes are in the party's socket, without turning its loop."""
    return bool(select.select([party.link._sock], [], [], 5)[0])


def test_a_close_sends_what_is_queued_and_takes_no_longer_than_it_may(loop):
    with Broker() as broker, Proxy(broker.port) as proxy:
        # given one party on a good line, one behind a black hole
        watcher = Party(loop, broker.port).up("watcher", [("last/#", 1)])
        good, bad = Party(loop, broker.port).up("good"), Party(loop, proxy.port).up("bad")
        proxy.stall()
        for party in (good, bad):
            for number in range(300):  # more than may be unacknowledged at once
                assert party.link.publish("last/words", b"%d" % number, 1)
        # when
        begin = time.monotonic()
        flushed = [good.link.close(), bad.link.close(0.3)]
        took_s = time.monotonic() - begin
        # then
        assert flushed == [True, False]
        assert took_s < 1.0
        watcher.wait(Received, 300)
        assert watcher.payloads() == [b"%d" % number for number in range(300)]
