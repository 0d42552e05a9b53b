"""The MQTT link against a real mosquitto, and against lines and brokers that misbehave."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import ssl
import subprocess
import threading
import time

import pytest

from service.loop import Loop
from service.mqtt import (
    Acked,
    Backoff,
    BrokerSettings,
    Connected,
    DialFailed,
    Disconnected,
    Filter,
    MqttLink,
    Received,
    Subscribed,
    Will,
)
from service.settings import Secret
from tests.support.broker import Broker, free_port
from tests.support.procs import eventually
from tests.support.proxy import Proxy


class Party:
    """One link on a loop that it may share with others, and all it was told."""

    def __init__(self, loop: Loop, port: int, **settings) -> None:
        self.loop = loop
        self.told = []
        self.settings = BrokerSettings(**{"host": "127.0.0.1", "port": port, **settings})
        self.on_event = self.told.append
        self.link = MqttLink(loop, self.settings, lambda event: self.on_event(event))

    def all(self, kind) -> list:
        return [event for event in self.told if isinstance(event, kind)]

    def wait(self, kind, count: int = 1, timeout_s: float = 5.0) -> list:
        """Turn the loop until `count` events of a kind were told, and give them."""
        turn_until(self.loop, lambda: len(self.all(kind)) >= count, timeout_s, lambda: f"{kind.__name__}: {self.told}")
        return self.all(kind)

    def up(self, name: str = "party", filters=(), will: Will | None = None) -> Party:
        self.link.dial(name, will)
        self.wait(Connected)
        if filters:
            self.link.subscribe(filters)
            assert self.wait(Subscribed)[-1].ok
        return self

    def payloads(self) -> list[bytes]:
        return [event.payload for event in self.all(Received)]


def turn_until(loop: Loop, done, timeout_s: float = 5.0, what=lambda: "") -> float:
    """Turn the loop until `done()`; gives how long it took."""
    begin = time.monotonic()

    def step(now: float) -> float:
        if done() or now - begin > timeout_s:
            loop.stop()
        return begin + timeout_s

    loop.run(step)
    assert done(), f"not within {timeout_s} s: {what()}"
    return time.monotonic() - begin


def turn_for(loop: Loop, time_s: float) -> None:
    """Give what should not come the time to come."""
    loop.call_at(time.monotonic() + time_s, loop.stop)
    loop.run(lambda _now: None)


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


@contextlib.contextmanager
def fake_broker(serve):
    """A listener whose only connection is handed to `serve` in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            with contextlib.suppress(OSError):
                connection, _address = listener.accept()
                with connection:
                    serve(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


CONNACK = bytes([0x20, 3, 0, 0, 0])


# --- connecting ---


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


# --- losing ---


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


# --- talking ---


def test_nothing_is_accepted_while_there_is_no_connection_and_nothing_is_kept_for_later(loop):
    with Broker() as broker:
        # given
        watcher = Party(loop, broker.port).up("watcher", [("floor/#", 1)])
        party = Party(loop, broker.port)
        # when it publishes before dialling, while dialling, and after a loss
        answers = [party.link.publish("floor/car-1", b"before", 1)]
        party.link.dial("car-1", None)
        answers.append(party.link.publish("floor/car-1", b"dialling", 1))
        party.wait(Connected)
        party.link.drop("lost")
        answers.append(party.link.publish("floor/car-1", b"after", 1))
        party.link.dial("car-1", None)
        party.wait(Connected, 2)
        # then
        assert answers == [False, False, False]
        assert party.link.publish("floor/car-1", b"connected", 1)
        watcher.wait(Received)
        assert watcher.payloads() == [b"connected"]


def test_what_was_unacknowledged_does_not_survive_into_the_next_connection(loop):
    with Broker() as broker, Proxy(broker.port) as proxy:
        # given a request that was sent into a black hole
        watcher = Party(loop, broker.port).up("watcher", [("floor/#", 1)])
        party = Party(loop, proxy.port).up("car-1")
        proxy.stall()
        assert party.link.publish("floor/car-1", b"old", 1, token=1)
        # when the line is cut and we connect anew
        proxy.cut()
        party.wait(Disconnected)
        proxy.resume()
        party.link.dial("car-1", None)
        party.wait(Connected, 2)
        party.link.publish("floor/car-1", b"new", 1, token=2)
        # then
        party.wait(Acked)
        watcher.wait(Received)
        turn_for(loop, 0.1)
        assert watcher.payloads() == [b"new"]
        assert party.all(Acked) == [Acked(2)]


def test_a_message_expires_at_the_broker(loop, port):
    # given two retained messages, one of which expires
    party = Party(loop, port).up()
    party.link.publish("expiry/short", b"x", 1, retain=True, expiry_s=1, token=1)
    party.link.publish("expiry/long", b"x", 1, retain=True, expiry_s=60, token=2)
    party.wait(Acked, 2)
    # when one subscribes before, and one after its time
    early = Party(loop, port).up("early", [("expiry/#", 1)])
    early.wait(Received, 2)
    turn_for(loop, 2.1)
    late = Party(loop, port).up("late", [("expiry/#", 1)])
    late.wait(Received)
    turn_for(loop, 0.05)
    # then
    assert [event.topic for event in late.all(Received)] == ["expiry/long"]


def test_ten_thousand_messages_go_both_ways_without_loss_and_in_order(loop):
    with Broker() as broker:
        count = 10_000
        parties = [Party(loop, broker.port).up(f"p{i}", [Filter(f"from/p{1 - i}", 1)]) for i in range(2)]
        got = [[], []]
        sent = [0, 0]

        def on_event(index: int, event) -> None:
            got[index].append(int(event.payload)) if isinstance(event, Received) else parties[index].told.append(event)

        def step(now: float) -> float:
            for index, party in enumerate(parties):
                while sent[index] < count and party.link.publish(f"from/p{index}", b"%d" % sent[index], 1):
                    sent[index] += 1
            if min(len(got[0]), len(got[1])) >= count or now > deadline:
                loop.stop()
            return deadline

        for index, party in enumerate(parties):
            party.on_event = lambda event, index=index: on_event(index, event)
        # when both send as fast as the link takes it
        deadline = time.monotonic() + 30
        loop.run(step)
        # then
        assert got[0] == list(range(count))
        assert got[1] == list(range(count))


def test_acknowledgements_carry_the_tokens_of_their_messages(loop, port):
    party = Party(loop, port).up()
    for token in range(50):
        assert party.link.publish("a/b", b"x", 1, token=token)
    assert party.wait(Acked, 50) == [Acked(token) for token in range(50)]


def test_what_the_access_rules_refuse_is_told_or_counted(loop, tmp_path):
    # given a broker that lets us write and read under own/ only
    rules = tmp_path / "acl"
    rules.write_text("topic readwrite own/#\n")
    rules.chmod(0o600)
    with Broker(folder=tmp_path, lines=[f"acl_file {rules}"]) as broker:
        party = Party(loop, broker.port).up()
        # when
        party.link.publish("foreign/a", b"x", 1, token=7)
        party.link.publish("foreign/a", b"x", 1)
        party.link.publish("own/a", b"x", 1, token=8)
        acks = party.wait(Acked, 2)
        # then
        assert [(ack.token, ack.ok) for ack in acks] == [(7, False), (8, True)]
        assert "authorized" in acks[0].detail
        assert party.link.refused == 1


def test_a_refused_filter_is_named(loop):
    # given a broker that refuses the second filter (mosquitto refuses silently, so one of our own making)
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(CONNACK)
        request = connection.recv(4096)
        mid = request[2:4]
        connection.sendall(bytes([0x90, 5]) + mid + bytes([0, 1, 0x87]))
        connection.recv(4096)

    with fake_broker(serve) as port:
        party = Party(loop, port)
        party.link.dial("car-1", None)
        party.wait(Connected)
        mid = party.link.subscribe([("own/#", 1), ("foreign/#", 1)])
        assert party.wait(Subscribed) == [Subscribed(mid, False, "foreign/#: Not authorized")]
        party.link.drop("done")


def test_subscription_options_reach_the_broker(loop, port):
    # given a retained message
    other = Party(loop, port).up("other")
    other.link.publish("options/r", b"kept", 1, retain=True, token=1)
    other.wait(Acked)
    # when one party wants no own messages, one no retained ones but the flag as published
    deaf = Party(loop, port).up("deaf", [("options/live", 1, True)])
    flags = Party(loop, port).up("flags", [Filter("options/#", 1, retain_as_published=True, retain_handling=2)])
    deaf.link.publish("options/live", b"mine", 1)
    other.link.publish("options/live", b"theirs", 1, retain=True)
    flags.wait(Received, 2)
    deaf.wait(Received)
    # then
    assert deaf.payloads() == [b"theirs"]
    assert [(event.payload, event.retain) for event in flags.all(Received)] == [(b"mine", False), (b"theirs", True)]
    other.link.publish("options/live", b"", 1, retain=True)


def test_what_is_unsubscribed_does_not_come_any_more(loop, port):
    party = Party(loop, port).up("party", [("voice/+", 0), ("fence", 1)])
    assert party.link.unsubscribe(["voice/+"])
    party.link.publish("voice/car-2", b"x")
    party.link.publish("fence", b"end", 1)
    party.wait(Received)
    assert party.payloads() == [b"end"]


def test_a_topic_alias_sends_the_topic_once_and_is_ignored_beyond_the_brokers_limit(loop):
    with Broker() as broker, Proxy(broker.port) as proxy:
        # given
        listener = Party(loop, broker.port).up("listener", [("voice/+", 0)])
        party = Party(loop, proxy.port).up("car-1")
        # when
        for number in range(3):
            assert party.link.publish("voice/car-1", b"%d" % number, alias=1)
        assert party.link.publish("voice/car-2", b"other topic, same alias", alias=1)
        assert party.link.publish("voice/car-1", b"alias too high", alias=60_000)
        listener.wait(Received, 5)
        # then
        assert [event.topic for event in listener.all(Received)] == [
            *["voice/car-1"] * 3,
            "voice/car-2",
            "voice/car-1",
        ]


def test_a_huge_payload_arrives_whole_and_one_beyond_the_brokers_limit_is_not_accepted(loop):
    with Broker(lines=["max_packet_size 600000"]) as broker:
        # given
        party = Party(loop, broker.port).up("party", [("huge", 1)])
        # when
        answers = [party.link.publish("huge", bytes([n]) * size, 1) for n, size in enumerate((500_000, 600_000))]
        party.wait(Received)
        # then
        assert answers == [True, False]
        assert party.payloads() == [bytes(500_000)]
        assert party.link.connected


def test_a_stalled_line_fills_up_to_the_bound_and_the_queue_is_measured(loop):
    with Broker() as broker, Proxy(broker.port) as proxy:
        party = Party(loop, proxy.port).up()
        assert turn_until(loop, lambda: party.link.outq_bytes() == 0) < 1.0
        proxy.stall()
        # when
        accepted = 0
        while accepted < 200_000 and party.link.publish("voice/car-1", b"x" * 1000):
            accepted += 1
        # then
        assert accepted < 200_000
        assert party.link.pending_write
        assert party.link.outq_bytes() > 1_000_000
        # and all of it arrives when the line is back
        proxy.resume()
        turn_until(loop, lambda: party.link.outq_bytes() == 0, 10.0)
        assert not party.link.pending_write


def test_bounds_of_unacknowledged_messages_refuse_and_do_not_grow(loop):
    with Broker() as broker, Proxy(broker.port) as proxy:
        party = Party(loop, proxy.port).up()
        proxy.stall()
        answers = [party.link.publish("a", b"x", 1) for _ in range(1005)]
        assert answers == [True] * 1000 + [False] * 5


@pytest.mark.parametrize(
    "arguments",
    [{"qos": 2}, {"qos": 0, "token": 1}, {"qos": 1, "alias": 1}, {"topic": "a/+"}, {"topic": "#"}],
)
def test_what_can_never_be_sent_is_a_programmers_error(loop, port, arguments):
    party = Party(loop, port).up()
    with pytest.raises(ValueError, match=r"qos|wildcards"):
        party.link.publish(**{"topic": "a", "payload": b"", **arguments})


def test_a_delayed_line_adds_its_delay_in_both_directions_and_keeps_the_order(loop):
    with Broker() as broker, Proxy(broker.port) as proxy:
        # given
        party = Party(loop, proxy.port).up()
        proxy.delay_s = 0.05
        # when
        for token in range(20):
            party.link.publish("a", b"x", 1, token=token)
        took_s = turn_until(loop, lambda: len(party.all(Acked)) == 20)
        # then
        assert took_s >= 0.1
        assert [ack.token for ack in party.all(Acked)] == list(range(20))


def test_a_line_that_refuses_is_a_failed_dial_until_it_accepts_again(loop):
    with Broker() as broker, Proxy(broker.port) as proxy:
        party = Party(loop, proxy.port).up()
        proxy.refuse()
        party.wait(Disconnected)
        party.link.dial("car-1", None)
        assert "connection refused" in party.wait(DialFailed)[0].reason
        proxy.accept()
        party.link.dial("car-1", None)
        party.wait(Connected, 2)


# --- handlers and bad bytes ---


def test_a_handler_may_publish_drop_and_dial_from_within_an_event(loop, port):
    # given
    party = Party(loop, port)

    def on_event(event) -> None:
        party.told.append(event)
        match event:
            case Connected() if len(party.all(Connected)) == 1:
                party.link.subscribe([("echo", 1)])
            case Subscribed():
                party.link.publish("echo", b"one", 1)
                party.link.publish("echo", b"two", 1)
            case Received():
                party.link.drop("enough")
            case Disconnected():
                party.link.dial("again", None)

    party.on_event = on_event
    # when
    party.link.dial("once", None)
    party.wait(Connected, 2)
    # then only the first message was told: the drop ended that connection
    kinds = [type(event) for event in party.told]
    assert kinds == [Connected, Subscribed, Received, Disconnected, Connected]


def test_an_exception_in_a_handler_leaves_the_loop_instead_of_wedging_the_link(loop, port):
    def on_event(_event) -> None:
        raise ZeroDivisionError("a programmer's error")

    party = Party(loop, port)
    party.on_event = on_event
    party.link.dial("car-1", None)
    with pytest.raises(ZeroDivisionError):
        loop.run(lambda _now: None)


def test_a_message_is_acknowledged_only_after_it_was_handled(loop):
    # given a broker that sends one QoS 1 message, and a handler that looks whether it was acknowledged yet
    lines = []
    acks = []

    def serve(connection: socket.socket) -> None:
        lines.append(connection)
        connection.recv(4096)
        connection.sendall(CONNACK + bytes([0x32, 7, 0, 1]) + b"t" + bytes([0, 9, 0]) + b"x")
        acks.append((connection.recv(1, socket.MSG_PEEK), acknowledged_early))
        acks.append(connection.recv(4096))

    acknowledged_early = []

    def on_event(event) -> None:
        if isinstance(event, Received):
            acknowledged_early.extend(select.select(lines, [], [], 0.05)[0])

    with fake_broker(serve) as port:
        party = Party(loop, port)
        party.on_event = on_event
        party.link.dial("car-1", None)
        # when
        turn_until(loop, lambda: len(acks) == 2)
        party.link.drop("done")
    # then
    assert acks == [(b"\x40", []), bytes([0x40, 2, 0, 9])]


def test_what_was_read_together_with_the_message_that_made_us_drop_is_not_told(loop):
    # given a broker that sends two messages at once while two of ours are unacknowledged, so that both are read at once
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(CONNACK)
        for _ in range(2):
            connection.recv(9, socket.MSG_WAITALL)
        connection.sendall((bytes([0x30, 5, 0, 1]) + b"t" + b"\0x") * 2)
        connection.recv(4096)

    with fake_broker(serve) as port:
        party = Party(loop, port)

        def on_event(event) -> None:
            party.told.append(event)
            if isinstance(event, Connected):
                party.link.publish("u", b"y", 1)
                party.link.publish("u", b"y", 1)
            if isinstance(event, Received):
                party.link.drop("enough")

        party.on_event = on_event
        # when
        party.link.dial("car-1", None)
        party.wait(Disconnected)
        # then
        assert len(party.all(Received)) == 1


def test_a_close_ends_with_a_goodbye_and_an_orderly_end_of_the_stream(loop):
    # given a broker that notes how the stream ends
    ends = []

    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(CONNACK)
        connection.settimeout(5)
        data = b""
        while not data.endswith(b"\xe0\x00"):
            data += connection.recv(1)
        time.sleep(0.05)  # long enough for a reset to arrive
        ends.append(connection.recv(1))

    with fake_broker(serve) as port:
        party = Party(loop, port)
        party.link.dial("car-1", None)
        party.wait(Connected)
        # when, then
        assert party.link.close()
        eventually(lambda: ends == [b""])


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"<p>no broker</p>" * 5,
        bytes([0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        bytes([0x30, 2, 0xFF, 0xFF]),
        bytes([0x90, 3, 0, 1, 0xFF]),
        bytes([0xF0, 0]),
        bytes([0x40, 1, 0]),
    ],
)
def test_bytes_that_are_no_mqtt_end_the_connection_with_a_reason_and_nothing_else(loop, garbage):
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(CONNACK)
        time.sleep(0.02)  # so that it is read as a packet of its own
        connection.sendall(garbage)
        connection.recv(4096)

    with fake_broker(serve) as port:
        party = Party(loop, port)
        party.link.dial("car-1", None)
        party.wait(Disconnected)
        assert party.told == [Connected(), Disconnected(f"127.0.0.1:{port} sent what is no MQTT 5")]


def test_a_service_that_is_no_broker_is_a_failed_dial(loop):
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with fake_broker(serve) as port:
        party = Party(loop, port)
        party.link.dial("car-1", None)
        assert "is it an MQTT 5 broker" in party.wait(DialFailed)[0].reason


def test_a_topic_that_is_not_utf8_is_dropped_and_counted(loop):
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(CONNACK + bytes([0x30, 4, 0, 1, 0xFF, 0]) + bytes([0x30, 5, 0, 1]) + b"t" + b"\0x")
        connection.recv(4096)

    with fake_broker(serve) as port:
        party = Party(loop, port)
        party.link.dial("car-1", None)
        party.wait(Received)
        assert (party.link.unreadable, party.payloads()) == (1, [b"x"])
        party.link.drop("done")


# --- TLS ---


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority of our own and a certificate for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    # What RFC 5280 asks of an authority and of a server, and Python 3.13 of both (VERIFY_X509_STRICT).
    (folder / "ca.conf").write_text(
        "[req]\ndistinguished_name = name\nx509_extensions = ca\nprompt = no\n[name]\nCN = test\n"
        "[ca]\nbasicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign\n"
        "subjectKeyIdentifier = hash\n"
    )
    (folder / "server").write_text(
        "basicConstraints = critical,CA:FALSE\nkeyUsage = critical,digitalSignature\nextendedKeyUsage = serverAuth\n"
        "subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\nsubjectAltName = IP:127.0.0.1\n"
    )
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-config", "ca.conf", "-days", "30")
    openssl("req", *key, "-keyout", "broker.key", "-out", "broker.csr", "-subj", "/CN=broker")
    signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "server", "-days", "30"]
    openssl("x509", "-req", "-in", "broker.csr", *signing, "-out", "broker.pem")
    return folder


@pytest.fixture
def tls_broker(certificates):
    port = free_port()
    lines = [f"listener {port} 127.0.0.1", f"certfile {certificates}/broker.pem", f"keyfile {certificates}/broker.key"]
    with Broker(port=port, lines=lines) as broker:
        yield broker


def test_the_tests_own_certificates_stand_pythons_strictest_check(tls_broker, certificates):
    # given what Python 3.13 asks for by default, and 3.11 only when told
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    # when
    line = socket.create_connection(("127.0.0.1", tls_broker.port), 5)
    with context.wrap_socket(line, server_hostname="127.0.0.1") as secured:
        # then
        assert secured.version() in ("TLSv1.2", "TLSv1.3")


def test_over_tls_a_burst_of_messages_arrives_whole_and_in_order(loop, tls_broker, certificates):
    party = Party(loop, tls_broker.port, tls=True, tls_ca=str(certificates / "ca.pem"))
    party.up("party", [("t", 0)])
    for number in range(500):
        assert party.link.publish("t", b"%d" % number)
    party.wait(Received, 500)
    assert party.payloads() == [b"%d" % number for number in range(500)]
    assert party.link.close()


def test_a_certificate_of_an_unknown_authority_is_refused_with_a_hint(loop, tls_broker):
    party = Party(loop, tls_broker.port, tls=True)
    party.link.dial("car-1", None)
    assert "check tls_ca, host and this clock" in party.wait(DialFailed)[0].reason


def test_tls_to_a_plain_port_is_told_as_such(loop, port):
    party = Party(loop, port, tls=True, connect_timeout_s=1.0)
    party.link.dial("car-1", None)
    assert "TLS" in party.wait(DialFailed)[0].reason


def test_what_is_decrypted_together_is_read_together(loop, certificates):
    # given a broker that puts a hundred messages into one TLS record and then says no more
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "broker.pem", certificates / "broker.key")

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(4096)
            secure.sendall(CONNACK + (bytes([0x30, 5, 0, 1]) + b"t" + b"\0x") * 100)
            secure.recv(4096)

    with fake_broker(serve) as port:
        party = Party(loop, port, tls=True, tls_ca=str(certificates / "ca.pem"))
        party.link.dial("car-1", None)
        # then
        took_s = turn_until(loop, lambda: len(party.all(Received)) == 100, 3.0, lambda: str(len(party.told)))
        assert took_s < 0.5
        party.link.drop("done")
