"""What goes over an MQTT link: order, acknowledgements, expiry, bounds, refusals, slow and stalled lines."""

from __future__ import annotations

import socket
import time

import pytest

from service.loop import Loop
from service.mqtt import (
    Acked,
    Connected,
    DialFailed,
    Disconnected,
    Filter,
    Received,
    Subscribed,
)
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


# --- talking ----------------------------------------------------------------------------------------------------------


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
