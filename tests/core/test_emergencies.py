"""Emergencies at the office: who may raise one, what it cuts in upon, and how often the log tells it."""

from __future__ import annotations

import pytest

from dispatch.core.server import EmergencySeen, RulesChanged
from dispatch.core.standing import SETTLE_S
from dispatch.core.state import Entry, OfficeRules
from protocol.messages import DenyCause, EventType, FloorDeny, FloorGranted, FloorQueued, Priority, Session
from tests.core.dispatch_bench import HQ, Bench, denied, one

TOLD = (EventType.EMERGENCY, EventType.EMERGENCY_CLEARED)


def alert(bench: Bench, user: str, *, raised: bool) -> None:
    """The broker shows the alert, or shows it no more."""
    bench.server.handle(EmergencySeen(office=HQ, user=user, raised=raised), bench.now, bench.wall_ms)
    bench.advance(0.1)


def told(bench: Bench) -> list[tuple[str, str | None, object]]:
    return [(e.event.value, e.user, e.metadata.get("by")) for e in bench.events(*TOLD)]


def test_an_emergency_of_a_normal_member_cuts_in_upon_a_high_one() -> None:
    bench = Bench(OfficeRules(priorities={"car-1": Priority.HIGH}))
    one(FloorGranted, bench.request("car-1", 1, Priority.HIGH))

    one(FloorGranted, bench.request("car-2", 1, Priority.EMERGENCY))

    assert (bench.floor.holder, bench.sent(Session)[-1].priority) == ("car-2", Priority.EMERGENCY)


@pytest.mark.parametrize("kind", [FloorDeny, FloorQueued])
def test_an_emergency_is_not_cut_in_upon_by_another(kind: type) -> None:
    bench = Bench(OfficeRules(queue=kind is FloorQueued))
    one(FloorGranted, bench.request("car-1", 1, Priority.EMERGENCY))

    answers = bench.request("car-2", 1, Priority.EMERGENCY)

    assert [type(answer) for answer in answers if isinstance(answer, FloorDeny | FloorQueued)] == [kind]
    assert bench.floor.holder == "car-1"


def test_an_emergency_waits_before_all_others() -> None:
    bench = Bench(OfficeRules(queue=True, priorities={"car-4": Priority.HIGH}))
    one(FloorGranted, bench.request("car-1", 1, Priority.EMERGENCY))
    bench.request("car-3", 1)
    bench.request("car-4", 1, Priority.HIGH)
    bench.request("car-2", 1, Priority.EMERGENCY)

    assert [waiting.user for waiting in bench.floor.queue] == ["car-2", "car-4", "car-3"]


def test_an_office_may_allow_none_but_those_whose_priority_says_so() -> None:
    bench = Bench(OfficeRules(emergency=False, priorities={"boss": Priority.EMERGENCY}))
    bench.take("car-1", 1)

    assert denied(bench.request("car-2", 1, Priority.EMERGENCY)).cause is DenyCause.ANOTHER_HAS_PERMISSION
    one(FloorGranted, bench.request("boss", 1, Priority.EMERGENCY))
    assert [e.metadata["allowed"] for e in bench.events(EventType.EMERGENCY)] == [False, True]


def test_high_stays_what_the_registry_allows() -> None:
    bench = Bench()
    bench.take("car-1", 1)

    denied(bench.request("car-2", 1, Priority.HIGH))


def test_a_request_is_told_once_however_often_it_is_repeated_and_whoever_may_not_speak_is_told_too() -> None:
    bench = Bench(OfficeRules(listen_only=("car-2",)))
    for _ in range(3):
        bench.request("car-2", 1, Priority.EMERGENCY)
        bench.request("car-2", 1, Priority.EMERGENCY, again=True)
    bench.request("car-1", 1, Priority.EMERGENCY)
    bench.request("car-1", 2, Priority.EMERGENCY)

    assert [(e.user, e.metadata["allowed"]) for e in bench.events(EventType.EMERGENCY)] == [
        ("car-2", False),
        ("car-1", True),
        ("car-1", True),
    ]


def test_an_alert_behind_its_request_is_no_news_and_its_end_is() -> None:
    bench = Bench()
    bench.request("car-1", 1, Priority.EMERGENCY)
    alert(bench, "car-1", raised=True)
    bench.release("car-1", 1)
    alert(bench, "car-1", raised=False)
    alert(bench, "car-1", raised=False)

    assert told(bench) == [("EMERGENCY", "car-1", "request"), ("EMERGENCY_CLEARED", "car-1", None)]


def test_an_alert_without_a_request_is_told_once_over_restarts_of_the_server() -> None:
    # given an emergency raised where there was no link, that is told when the link is back
    bench = Bench()
    alert(bench, "car-1", raised=True)
    # when another process opens the office, and the broker gives it the retained alert, and then its end
    bench.start()
    bench.up()
    alert(bench, "car-1", raised=True)
    alert(bench, "car-1", raised=False)
    # then each is in the log once
    assert told(bench) == [("EMERGENCY", "car-1", "alert"), ("EMERGENCY_CLEARED", "car-1", None)]


def test_a_vehicle_that_connects_without_an_emergency_is_no_news() -> None:
    bench = Bench()
    bench.presence("car-1", 1)
    alert(bench, "car-1", raised=False)

    assert told(bench) == []


def test_an_emergency_cleared_while_no_server_listened_is_told_once_who_is_present_has_spoken() -> None:
    # given three emergencies, of which one is cleared while nobody listens, and one is of a vehicle that is away
    bench = Bench()
    for user in ("car-1", "car-2", "car-3"):
        alert(bench, user, raised=True)
    bench.presence("car-1", 1)
    bench.presence("car-2", 1)
    # when a server comes back, and the broker gives it the other one alone
    bench.start()
    bench.up()
    alert(bench, "car-2", raised=True)
    before = told(bench)
    for second in range(round(SETTLE_S) + 5):
        bench.advance(1.0)
        if second % 60 == 0:
            bench.beat("car-1", second + 1)
            bench.beat("car-2", second + 1)
    # then the end of the first one is told, once; the second one stands, and of the third one nobody knows
    assert before == [("EMERGENCY", user, "alert") for user in ("car-1", "car-2", "car-3")]
    assert told(bench) == [*before, ("EMERGENCY_CLEARED", "car-1", None)]


def test_a_stranger_raises_nothing() -> None:
    bench = Bench(OfficeRules(roll={"car-1": Entry()}))
    alert(bench, "ghost", raised=True)

    assert told(bench) == []


def test_the_emergency_of_one_who_was_revoked_meanwhile_can_be_cleared() -> None:
    bench = Bench(OfficeRules(roll={"car-1": Entry()}))
    alert(bench, "car-1", raised=True)
    gone = OfficeRules(roll={"car-1": Entry(admitted=False, revoked_at=1, revoked_why="sold")})
    bench.server.handle(RulesChanged(office=HQ, rules=gone), bench.now, bench.wall_ms)
    bench.advance(0.1)

    alert(bench, "car-1", raised=False)

    assert told(bench) == [("EMERGENCY", "car-1", "alert"), ("EMERGENCY_CLEARED", "car-1", None)]


def test_an_alert_that_came_while_the_store_was_away_is_told_when_it_is_back() -> None:
    bench = Bench()
    bench.store.away = True
    alert(bench, "car-1", raised=True)
    bench.store.away = False
    bench.advance(2.0)

    assert told(bench) == [("EMERGENCY", "car-1", "alert")]
