"""Real vehicles where the broker is not there, goes away, hangs, or says things it should not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from protocol.codec import PAYLOAD_BYTES_MAX
from tests.integration.dispatch_rig import Service
from tests.integration.gateway_rig import Office, Tap, Vehicle
from tests.support.broker import Broker
from tests.support.procs import eventually


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def broker(stack: ExitStack, tmp_path: Path) -> Broker:
    return stack.enter_context(Broker(folder=tmp_path / "broker"))


@pytest.fixture
def car(stack: ExitStack, broker: Broker, tmp_path: Path) -> Vehicle:
    return Vehicle(stack, tmp_path, broker.port).start(ready=False).online()


def test_without_a_broker_it_is_ready_answers_a_press_at_once_and_works_when_the_broker_comes(
    stack: ExitStack, tmp_path: Path
) -> None:
    broker = Broker(folder=tmp_path / "broker")
    stack.callback(broker.close)
    car = Vehicle(stack, tmp_path, broker.port).start()
    car.pins()
    eventually(lambda: car.status()["link"]["reason"] != "not connected yet")
    outputs = car.watch()

    edge_s = car.press()
    refused = car.answered("no connection")
    car.release()
    eventually(lambda: outputs.lasted_ms("motor", edge_s))
    broker.start()
    service = Service(stack, tmp_path, broker)
    service.start()
    car.online()
    car.press()
    car.answered("granted", 2)
    car.release()

    assert refused["told_at"] - edge_s < 0.1
    assert outputs.of("motor")[0][1] - edge_s < 0.1
    assert "connection refused" in car.daemon.log


def test_a_broker_killed_in_the_middle_of_a_burst_mutes_it_and_it_talks_again_when_the_broker_is_back(
    stack: ExitStack, broker: Broker, car: Vehicle, tmp_path: Path
) -> None:
    Service(stack, tmp_path, broker).start()
    outputs = car.watch()
    car.press()
    car.answered("granted")
    assert car.transmitting

    broker.kill()
    killed_s = time.monotonic()
    eventually(lambda: not car.transmitting, 1.0)
    muted_s = time.monotonic()
    eventually(lambda: car.last_press()["last"] == "not heard")
    car.release()
    edge_s = car.press()
    refused = car.answered("no connection", 2)
    car.release()
    broker.start()
    car.online()
    eventually(lambda: "granted" in (talk(car), talk(car)), 10, "it talks again")

    assert muted_s - killed_s < 0.5
    assert refused["told_at"] - edge_s < 0.1
    eventually(lambda: outputs.of("mute")[-1][0] == 0.0)
    assert "link lost" not in car.daemon.log  # the answer to the press has told it


def talk(car: Vehicle) -> str:
    """Press, wait for the answer, release; gives the answer."""
    before = car.last_press()["press_no"]
    car.press()
    answer = eventually(lambda: car.last_press()["press_no"] > before and car.last_press()["answer"], 4)
    car.release()
    eventually(lambda: car.floor == "U: has no permission", 4)
    return str(answer)


def test_a_broker_that_hangs_is_answered_for_within_two_seconds_and_found_out(broker: Broker, car: Vehicle) -> None:
    broker.pause()
    edge_s = car.press()
    press = eventually(lambda: car.last_press() if car.last_press()["answer"] else None)
    car.release()
    eventually(lambda: not car.status()["link"]["up"], 6)
    broker.resume()
    car.online()

    assert press is not None
    assert press["answer"] in {"no answer", "no connection"}  # the request's time-out or the keep-alive, as they fall
    assert press["told_at"] - edge_s < 2.05


def test_an_office_that_does_not_answer_is_told_within_two_seconds_and_the_request_taken_back(
    stack: ExitStack, broker: Broker, car: Vehicle
) -> None:
    tap = Tap(stack, broker.port)

    edge_s = car.press()
    unanswered = car.answered("no answer")
    again = tap.wait("floor/car-1/again", type="floor_request")
    release = tap.wait("floor/car-1", type="floor_release")
    car.release()

    assert unanswered["told_at"] - edge_s < 2.05
    assert again["request_id"] == release["request_id"]
    assert tap.voice("car-1") == []


def test_a_grant_for_a_request_that_was_given_up_is_released_at_once(
    stack: ExitStack, broker: Broker, car: Vehicle
) -> None:
    office = Office(Tap(stack, broker.port))
    car.press()
    request = office.request("car-1")
    car.release()
    car.answered("cancelled")
    office.reply("car-1", "floor_ack", request_id=request["request_id"])
    eventually(lambda: car.floor == "U: has no permission")
    asked_s = time.monotonic()

    burst = office.grant("car-1", request)
    released = office.tap.wait("floor/car-1", since_s=asked_s, type="floor_release", burst=burst)

    assert released["request_id"] == request["request_id"]
    assert not car.transmitting
    assert office.tap.voice("car-1") == []


def test_a_holder_whose_renewals_are_not_answered_mutes_tells_and_gives_the_floor_up(
    stack: ExitStack, broker: Broker, car: Vehicle
) -> None:
    office = Office(Tap(stack, broker.port))
    car.press()
    office.grant("car-1", office.request("car-1"))
    car.answered("granted")

    eventually(lambda: not car.transmitting, 4)
    muted_s = time.monotonic()
    last_frame_s = max(at_s for at_s, _ in office.tap.voice("car-1"))
    eventually(lambda: car.last_press()["last"] == "floor lost", 6)

    assert last_frame_s - muted_s < 0.1
    assert office.tap.wait("floor/car-1", type="floor_release")
    assert max(at_s for at_s, _ in office.tap.voice("car-1")) - muted_s < 0.1


def test_malformed_oversized_unknown_and_duplicate_messages_are_counted_and_change_nothing(
    stack: ExitStack, broker: Broker, car: Vehicle
) -> None:
    office = Office(Tap(stack, broker.port))
    tap = office.tap
    bad: list[bytes] = [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[" * 5000,
        b"x" * (PAYLOAD_BYTES_MAX + 1),
        b"x" * 60_000,
        b'{"type": "floor_granted"}',
        b'{"type": "no such type"}',
        b'{"type": "floor_granted", "rev": -1, "request_id": [0, 0, 0, 0], "burst": 1, "duration_s": 1, "lease_s": 1}',
        b'{"type": "session", "rev": 1, "store": "s", "active": true, "channel_name": "c"}',
        b"1e999",
    ]
    before = car.counters
    for payload in bad:
        tap.send("floor/car-1/reply", payload)
    for payload in bad[1:8]:
        tap.send("session", payload, retain=True)
        tap.send("presence/car-1", payload)
    eventually(lambda: car.counters["malformed"] >= before["malformed"] + len(bad) + 14, 4, lambda: str(car.counters))
    malformed = car.counters["malformed"] - before["malformed"]

    car.press()
    request = office.request("car-1")
    burst = office.grant("car-1", request)
    for _ in range(3):
        office.reply("car-1", "floor_granted", request_id=request["request_id"], burst=burst, duration_s=30, lease_s=3)
    office.reply("car-1", "floor_deny", request_id=request["request_id"], cause="other")
    office.reply("car-1", "floor_revoke", burst=burst - 1, cause="other")
    office.reply("car-1", "floor_renewed", burst=burst, renew_no=99)
    eventually(lambda: car.counters["discarded"] >= before["discarded"] + 3)

    assert malformed == len(bad) + 14
    assert car.transmitting
    assert car.daemon.running
    assert car.daemon.log.count("malformed message dropped") <= 20
    car.release()
    released = tap.wait("floor/car-1", type="floor_release", burst=burst)
    assert released["request_id"] == request["request_id"]


def every_message(tap: Tap, user: str, connection: list[int]) -> dict[str, list[dict[str, Any]]]:
    """One well-formed message of every type for each topic that a vehicle hears, as hostile as they can be."""
    request_id = [*connection, 1]
    return {
        f"floor/{user}/reply": [
            {"type": "floor_granted", "rev": 5, "request_id": request_id, "burst": 9, "duration_s": 60, "lease_s": 60},
            {"type": "floor_renewed", "rev": 6, "burst": 9, "renew_no": 1},
            {"type": "floor_queued", "rev": 7, "request_id": request_id, "position": 1},
            {"type": "floor_deny", "rev": 8, "request_id": request_id, "cause": "other"},
            {"type": "floor_revoke", "rev": 9, "burst": 9, "cause": "other"},
            {"type": "floor_ack", "rev": 10, "request_id": request_id},
        ],
        "session": [
            {
                "type": "session",
                "rev": 11,
                "store": "s",
                "active": True,
                "channel_name": "c",
                "burst": 9,
                "current_speaker": user,
                "event_id": "e-1",
            }
        ],
        f"presence/{user}": [{"type": "presence", "state": "online", "connection_id": connection, "presence_no": 99}],
        f"device/{user}/cmd": [{"type": "ptt", "op": "press", "signal": "ptt"}, {"op": "press", "signal": "ptt"}],
        f"floor/{user}": [{"type": "floor_request", "request_id": request_id}],
        f"floor/{user}/again": [{"type": "floor_renew", "burst": 9, "renew_no": 1}],
    }


def test_no_message_on_any_topic_can_key_it(stack: ExitStack, broker: Broker, car: Vehicle) -> None:
    tap = Tap(stack, broker.port)
    online = tap.wait("presence/car-1", state="online")

    sent = every_message(tap, "car-1", online["connection_id"])
    for tail, messages in sent.items():
        for message in messages:
            tap.send(tail, message, retain=tail == "session")
    eventually(lambda: [p for p in tap.on("presence/car-1") if p.get("in_channel")], 4, "it took the session up")

    assert [press for press in car.status()["presses"] if press] == []
    assert not car.transmitting
    assert car.pins().levels()["ptt"] == 0
    said = [m for m in tap.on("floor/car-1") if m not in sent["floor/car-1"]]
    assert [m["type"] for m in said] in ([], ["floor_release"])
    assert tap.voice("car-1") == []


def test_a_cleared_or_older_presence_is_put_right(stack: ExitStack, broker: Broker, car: Vehicle) -> None:
    tap = Tap(stack, broker.port)
    mine = tap.wait("presence/car-1", state="online")

    cleared_s = time.monotonic()
    tap.send("presence/car-1", b"", retain=True)
    tap.wait("presence/car-1", since_s=cleared_s, state="online")
    dead = {"type": "presence", "state": "lost", "connection_id": mine["connection_id"], "presence_no": 2**53 - 1}
    buried_s = time.monotonic()
    tap.send("presence/car-1", dead, retain=True)
    risen = tap.wait("presence/car-1", since_s=buried_s, state="online")

    # a last will under its own number ranks above all it could say on this connection: it says it on a newer one
    assert risen["connection_id"] > mine["connection_id"]


def test_what_it_tells_monitors_is_retained(stack: ExitStack, broker: Broker, car: Vehicle) -> None:
    early = Tap(stack, broker.port)
    eventually(lambda: [s for s in early.on("device/car-1/state")[-1:] if s["voice"]["link"]], 4, "told on change")

    late = Tap(stack, broker.port)
    state = late.wait("device/car-1/state")
    info = late.wait("device/car-1/info")
    presence = late.wait("presence/car-1")

    assert (state["floor"], state["keyed"], state["voice"]["worker"]) == ("U: has no permission", False, "ok")
    assert (info["pins"], info["capture"]) == ("virtual", "wav: default")
    assert (presence["state"], presence["name"]) == ("online", "car-1 driver")
    assert all(retained for _, topic, _, retained in late.heard if "/device/" in topic)
    assert json.dumps(presence)


def test_two_units_under_one_user_take_turns_and_harm_nobody_else(
    stack: ExitStack, broker: Broker, car: Vehicle, tmp_path: Path
) -> None:
    Service(stack, tmp_path, broker, rules="hang_s = 1").start()
    other = Vehicle(stack, tmp_path, broker.port, "car-2").start(ready=False).online()
    tap = Tap(stack, broker.port)
    other.press()
    other.answered("granted")

    # Both count their starts from the clock's second: in the same one neither of the two would be the newer unit.
    second = int(time.time())
    eventually(lambda: int(time.time()) > second, 2, "the next second")
    (tmp_path / "spare").mkdir()
    twin = Vehicle(stack, tmp_path / "spare", broker.port, "car-1").start()
    eventually(lambda: car.counters["dials"] > 1 and twin.counters["dials"] > 0, 5, "they take each other over")
    eventually(lambda: "online under this user" in car.daemon.log + twin.daemon.log, 8)

    assert car.daemon.running and twin.daemon.running
    assert other.transmitting
    assert tap.on("session")[-1]["current_speaker"] == "car-2"
    other.release()
    twin.daemon.stop()
    car.online()
    assert talk(car) == "granted"
