"""What the office's log tells beside sessions: denials, revocations, links and alerts, each exactly once."""

from __future__ import annotations

from typing import Any

import pytest

from dispatch.core.alert_log import ALERTS_MAX, WAITING_MAX, AlertWord
from dispatch.core.server import DeviceAlertSeen
from dispatch.core.standing import SETTLE_S
from dispatch.core.state import OfficeRules
from protocol.messages import Alert, EventType, FloorDeny, PresenceState, Priority, Severity
from tests.core.dispatch_bench import HQ, Bench

OFFLINE, LOST = PresenceState.OFFLINE, PresenceState.LOST
LINK = (EventType.LINK_LOST, EventType.LINK_BACK)
ALERTS = (EventType.ALERT_RAISED, EventType.ALERT_CLEARED)


def logged(bench: Bench, *kinds: EventType) -> list[tuple[str, str | None, dict[str, Any]]]:
    """The log itself, not what was published of it."""
    return [(e.event.value, e.user, e.metadata) for e in bench.log() if e.event in kinds]


def show(bench: Bench, user: str, alert: str, *, raised: bool = True) -> None:
    """The broker shows an alert, or shows it no more."""
    told = Alert(alert=alert, severity=Severity.WARNING, what=f"{alert}!", mend="mend it", since=1) if raised else None
    word = AlertWord(user=user, id=alert, alert=told)
    bench.server.handle(DeviceAlertSeen(office=HQ, word=word), bench.now, bench.wall_ms)


# --- denied, revoked ------------------------------------------------------------------------------------------------


def test_a_denial_is_logged_once_with_its_cause_however_often_it_is_asked_for() -> None:
    bench = Bench()
    bench.take("car-1", 1)

    for _ in range(3):
        bench.request("car-2", 1)
        bench.request("car-2", 1, again=True)
    bench.request("car-2", 2)

    assert len(bench.sent(FloorDeny, "car-2")) == 7
    assert logged(bench, EventType.DENIED) == [
        ("DENIED", "car-2", {"cause": "another_has_permission", "speaker": "car-1", "request_id": [1, 1, 1, press]})
        for press in (1, 2)
    ]


@pytest.mark.parametrize("seconds", [31])
def test_a_burst_over_its_limit_is_logged_as_revoked_once(seconds: int) -> None:
    bench = Bench()
    burst = bench.take("car-1", 1)
    bench.talk("car-1", burst, seconds)
    bench.advance(5)

    assert logged(bench, EventType.REVOKED) == [("REVOKED", "car-1", {"burst": burst, "cause": "burst_too_long"})]


def test_a_pre_empted_burst_is_logged_as_revoked() -> None:
    bench = Bench(OfficeRules(priorities={"boss": Priority.HIGH}))
    burst = bench.take("car-1", 1)
    bench.request("boss", 1, Priority.HIGH)

    assert logged(bench, EventType.REVOKED) == [("REVOKED", "car-1", {"burst": burst, "cause": "preempted"})]


def test_how_long_a_burst_was_not_renewed_stands_in_its_end() -> None:
    bench = Bench()
    burst = bench.take("car-1", 1)
    bench.talk("car-1", burst, 2)
    bench.advance(4)

    [(_, _, ended)] = logged(bench, EventType.BURST_ENDED)
    assert (ended["ended"], ended["unrenewed_ms"]) == ("lost", pytest.approx(3000, abs=60))


# --- links ----------------------------------------------------------------------------------------------------------


def test_a_link_that_is_lost_and_comes_back_is_two_events() -> None:
    bench = Bench()
    bench.presence("car-1", 1)
    bench.presence("car-1", 2, LOST, reason="will")
    bench.presence("car-1", 2, LOST, reason="will")
    bench.presence("car-1", 1, boot=2)
    bench.presence("car-1", 2, boot=2)

    assert logged(bench, *LINK) == [("LINK_LOST", "car-1", {"reason": "will"}), ("LINK_BACK", "car-1", {})]


def test_whoever_says_goodbye_loses_no_link() -> None:
    bench = Bench()
    bench.presence("car-1", 1)
    bench.presence("car-1", 2, OFFLINE)
    bench.presence("car-1", 1, boot=2)

    assert logged(bench, *LINK) == []


def test_a_server_started_anew_does_not_tell_a_lost_link_again() -> None:
    bench = Bench()
    bench.presence("car-1", 1)
    bench.presence("car-1", 2, LOST, reason="will")
    bench.start()
    bench.up()
    bench.presence("car-1", 2, LOST, reason="will")
    bench.presence("car-1", 1, boot=2)

    assert [kind for kind, _, _ in logged(bench, *LINK)] == ["LINK_LOST", "LINK_BACK"]


# --- alerts ---------------------------------------------------------------------------------------------------------


def test_an_alert_is_raised_and_cleared_once_each() -> None:
    bench = Bench()
    for raised in (True, True, False, False, True):
        show(bench, "car-1", "microphone", raised=raised)
    bench.advance(1)

    raised_so = {"alert": "microphone", "severity": "warning", "what": "microphone!"}
    assert logged(bench, *ALERTS) == [
        ("ALERT_RAISED", "car-1", raised_so),
        ("ALERT_CLEARED", "car-1", {"alert": "microphone", "by": "device"}),
        ("ALERT_RAISED", "car-1", raised_so),
    ]


def test_a_restart_does_not_raise_what_still_stands_and_clears_what_went_meanwhile() -> None:
    """Of one that is not there nothing is told: its alert may stand, and the broker have lost it."""
    bench = Bench()
    for user in ("car-1", "car-2", "car-3"):
        show(bench, user, "heat")
    bench.advance(1)
    bench.start()
    bench.up()
    show(bench, "car-1", "heat")
    for user in ("car-1", "car-2"):
        bench.presence(user, 1)
    for number in range(1, 4):
        bench.advance(SETTLE_S / 3)
        for user in ("car-1", "car-2"):
            bench.beat(user, number)
    bench.advance(1)

    assert logged(bench, EventType.ALERT_CLEARED) == [("ALERT_CLEARED", "car-2", {"alert": "heat", "by": "broker"})]
    assert len(logged(bench, EventType.ALERT_RAISED)) == 3


def test_a_broker_that_is_away_clears_nothing() -> None:
    bench = Bench()
    show(bench, "car-1", "heat")
    bench.advance(1)
    bench.down()
    bench.advance(SETTLE_S + 5)

    assert logged(bench, EventType.ALERT_CLEARED) == []


def test_alerts_are_logged_although_the_store_was_away() -> None:
    bench = Bench()
    bench.store.away = True
    show(bench, "car-1", "heat")
    bench.advance(3)
    bench.store.away = False
    bench.advance(3)

    assert [kind for kind, _, _ in logged(bench, *ALERTS)] == ["ALERT_RAISED"]


def test_the_alerts_of_one_device_that_the_log_follows_are_bounded() -> None:
    bench = Bench()
    for number in range(ALERTS_MAX + 10):
        show(bench, "car-1", f"alert-{number}")
    bench.advance(1)

    assert len(bench.member("car-1").alerts) == len(logged(bench, EventType.ALERT_RAISED)) == ALERTS_MAX


# --- two replicas of one store --------------------------------------------------------------------------------------


def test_what_two_replicas_both_see_is_in_the_log_once() -> None:
    bench = Bench()
    other = Bench(store=bench.store)
    other.now = bench.now
    for both in (bench, other):
        show(both, "car-1", "heat")
        both.presence("car-1", 1)
        both.presence("car-1", 2, LOST, reason="will")
        both.advance(1)
    for both in (bench, other):
        show(both, "car-1", "heat", raised=False)
        both.presence("car-1", 1, boot=2)
        both.advance(1)

    assert [kind for kind, _, _ in logged(bench, *LINK, *ALERTS)] == [
        "ALERT_RAISED",
        "LINK_LOST",
        "LINK_BACK",
        "ALERT_CLEARED",
    ]


def test_an_alert_of_somebody_who_does_not_belong_is_not_logged() -> None:
    bench = Bench(OfficeRules(roll={}))
    show(bench, "stranger", "heat")
    bench.advance(1)

    assert logged(bench, *ALERTS) == []


def test_alerts_that_wait_are_bounded_and_what_is_dropped_is_counted() -> None:
    bench = Bench()
    bench.store.away = True
    for number in range(WAITING_MAX + 3):
        show(bench, "car-1", "heat", raised=number % 2 == 0)
    bench.store.away = False
    bench.advance(2)

    assert bench.office.discarded == 3
    assert len(logged(bench, *ALERTS)) >= WAITING_MAX - 1
