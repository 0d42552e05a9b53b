"""When an office's alerts are raised, and when they clear again: rules, window and hysteresis under virtual time."""

from collections.abc import Mapping
from typing import Any

import pytest

from dispatch.alerting.diary import Diary, standing_in
from dispatch.alerting.ledger import Ledger
from dispatch.core.office_alerts import (
    ALERTS,
    AUDIO,
    CLEANER,
    ERRORS,
    LATENCY,
    NOT_SERVED,
    SILENT,
    UNANSWERED,
    AlertRules,
    Change,
    OfficeAlerts,
    OfficeFacts,
)
from dispatch.core.state import Member
from dispatch.ports import StoreUnavailable
from protocol.codec import decode, encode
from protocol.messages import Event, EventType, PresenceState, PressCounts, Severity, Telemetry
from protocol.topics import Kind
from tests.core.dispatch_bench import HQ, MoodyStore

RULES = AlertRules()
WALL = 1_700_000_000_000


class Watched:
    """Alerts of an office, driven with facts."""

    def __init__(self, rules: AlertRules = RULES) -> None:
        self.alerts, self.now = OfficeAlerts(rules), 1000.0

    def after(self, seconds: float, **facts: Any) -> list[Change]:
        """Let so much time pass with these facts, looked at every 5 s; gives all that changed."""
        changes: list[Change] = []
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 5)
            changes += self.alerts.step(OfficeFacts(**facts), self.now, WALL + int(self.now * 1000))
        return changes


WRONG: Mapping[str, tuple[dict[str, Any], float]] = {
    NOT_SERVED: ({"not_served": "no service runs"}, 0),
    UNANSWERED: ({"unanswered": "3 test presses in a row were not answered: no broker"}, 0),
    SILENT: ({"silent": frozenset({"car-1"})}, 300),
    ERRORS: ({"presses": 100, "failed": 6}, 0),
    CLEANER: ({"cleaned": 1}, 0),
    LATENCY: ({"slow": {"car-1": 250.0}}, 0),
    AUDIO: ({"unhealthy": frozenset({"car-1"})}, 60),
}


def test_every_alert_is_tried_here() -> None:
    assert set(WRONG) == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_raised_once_it_has_lasted_and_clears_once_all_was_well_for_a_minute(alert: str) -> None:
    office = Watched()
    facts, lasts_s = WRONG[alert]

    early = office.after(max(5, lasts_s), **facts) if lasts_s else []
    raised = office.after(10, **facts)
    again = office.after(600, **facts)
    soon = office.after(55)
    cleared = office.after(15)

    assert (early, again, soon) == ([], [], [])
    assert [(c.id, c.alert is not None, c.news) for c in raised] == [(alert, True, True)]
    assert [(c.id, c.alert, c.news) for c in cleared] == [(alert, None, True)]
    assert office.alerts.standing == {}


@pytest.mark.parametrize("alert", ALERTS)
def test_what_is_told_fits_the_wire_and_says_how_to_mend_it(alert: str) -> None:
    office = Watched()
    facts, lasts_s = WRONG[alert]

    told = office.after(lasts_s + 10, **facts)[0].alert

    assert told is not None
    assert decode(encode(told), Kind.ALERT) == told
    assert told.mend


def test_something_that_comes_and_goes_is_one_alert() -> None:
    office = Watched()

    changes = [c for _ in range(20) for c in office.after(30, cleaned=1) + office.after(30)]

    assert [(c.id, c.news) for c in changes] == [(CLEANER, True)]


def test_a_vehicle_silent_for_a_moment_is_not_told_and_a_second_one_changes_words_and_not_since() -> None:
    office = Watched()
    office.after(250, silent=frozenset({"car-1"}))
    office.after(5)
    office.after(250, silent=frozenset({"car-1"}))
    assert office.alerts.standing == {}

    [first] = office.after(60, silent=frozenset({"car-1"}))
    [second] = office.after(305, silent=frozenset({"car-1", "car-2"}))

    assert first.alert is not None and second.alert is not None
    assert (second.news, second.alert.since) == (False, first.alert.since)
    assert "car-1, car-2" in second.alert.what


def test_a_hundred_silent_vehicles_are_counted_and_not_all_named() -> None:
    office = Watched()
    users = frozenset(f"car-{n}" for n in range(100))

    [change] = office.after(305, silent=users)

    assert change.alert is not None
    assert change.alert.what.endswith("and 95 more")


@pytest.mark.parametrize(
    ("facts", "alerts"),
    [
        ({"presses": 19, "failed": 19}, []),
        ({"presses": 20, "failed": 1}, []),
        ({"presses": 20, "failed": 2}, [ERRORS]),
    ],
)
def test_few_presses_tell_nothing_and_the_rate_counts_only_above_its_bound(
    facts: dict[str, int], alerts: list[str]
) -> None:
    assert [c.id for c in Watched().after(10, **facts)] == alerts


def test_an_office_that_is_not_served_is_critical_whatever_the_reason_is_long() -> None:
    [change] = Watched().after(5, not_served="x" * 1000)

    assert change.alert is not None
    assert (change.alert.severity, len(change.alert.what)) == (Severity.CRITICAL, 256)


# --- facts from the log -----------------------------------------------------------------------------------------------


def event(kind: EventType, at: int, **metadata: object) -> Event:
    return Event(no=1, at=at, event=kind, event_id="e", user="car-1", name=None, metadata=dict(metadata))


def test_presses_go_wrong_by_a_lost_line_or_a_denial_that_tells_nobody_why() -> None:
    ledger = Ledger(RULES)
    ledger.take(
        [
            event(EventType.BURST_ENDED, WALL, ended="released"),
            event(EventType.BURST_ENDED, WALL, ended="lost"),
            event(EventType.BURST_ENDED, WALL, ended="limit"),
            event(EventType.DENIED, WALL, cause="another_has_permission"),
            event(EventType.DENIED, WALL, cause="internal_error"),
            event(EventType.CLEANED, WALL, reason="stale_floor"),
            event(EventType.USER_JOINED, WALL),
        ]
    )

    now = ledger.facts((), None, "", WALL + 1000)
    later = ledger.facts((), None, "", WALL + 901_000)
    much_later = ledger.facts((), None, "", WALL + 3_601_000)

    assert (now.presses, now.failed, now.cleaned) == (5, 2, 1)
    assert (later.presses, later.failed, later.cleaned) == (0, 0, 1)
    assert much_later.cleaned == 0
    assert (ledger.events["BURST_ENDED"], ledger.denied["internal_error"], ledger.ended["lost"]) == (3, 1, 1)


def telemetry(presses: int, median_ms: float | None) -> Telemetry:
    return Telemetry(at=WALL, uptime_s=1.0, presses=PressCounts(presses=presses, answer_ms_p50=median_ms))


def test_only_admitted_units_count_as_silent_slow_or_unhealthy() -> None:
    ledger = Ledger(RULES)
    members = (
        Member(user="car-1", state=PresenceState.LOST),
        Member(user="car-2", state=PresenceState.ONLINE, alerts=("microphone",)),
        Member(user="car-3", state=PresenceState.ONLINE, alerts=("overheating",)),
        Member(user="boss", state=PresenceState.LOST),
        Member(user="car-4", state=PresenceState.OFFLINE, alerts=("speaker",)),
    )
    ledger.see("car-2", telemetry(50, 180.0))
    ledger.see("car-3", telemetry(4, 900.0))
    ledger.see("boss", telemetry(50, 900.0))

    known = ledger.facts(members, {"car-1", "car-2", "car-3", "car-4"}, "", WALL)
    anybody = ledger.facts(members, None, "", WALL)
    ledger.see("car-2", None)

    assert (known.silent, known.unhealthy, known.slow) == ({"car-1"}, {"car-2"}, {"car-2": 180.0})
    assert anybody.silent == {"car-1", "boss"}
    assert ledger.facts(members, None, "", WALL).slow == {}


# --- over restarts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_that_stood_before_a_restart_is_neither_told_again_nor_counted_anew(alert: str) -> None:
    before, after = Watched(), Watched()
    facts, lasts_s = WRONG[alert]
    before.after(lasts_s + 10, **facts)
    after.alerts.resume(before.alerts.standing)

    going_on = after.after(400, **facts)
    cleared = after.after(70)

    assert [change for change in going_on if change.news] == []
    assert [(c.id, c.alert, c.news) for c in cleared] == [(alert, None, True)]


def logged(kind: EventType, alert: str, user: str = "dispatch") -> Event:
    told = {"alert": alert, "severity": "critical", "what": "w"}
    return Event(no=1, at=WALL, event=kind, event_id=None, user=user, name=None, metadata=told)


def test_what_the_log_leaves_raised_is_what_stands_and_a_vehicles_own_alerts_are_not_the_offices() -> None:
    log = [
        logged(EventType.ALERT_RAISED, LATENCY),
        logged(EventType.ALERT_RAISED, SILENT),
        logged(EventType.ALERT_CLEARED, LATENCY),
        logged(EventType.ALERT_RAISED, ERRORS, user="car-1"),
        logged(EventType.ALERT_RAISED, "foreign-store"),
    ]

    found = standing_in(log)

    assert [(alert.alert, alert.severity, alert.since) for alert in found.values()] == [
        (SILENT, Severity.CRITICAL, WALL)
    ]


def test_what_changed_while_the_store_was_away_is_logged_in_order_once_it_is_back() -> None:
    # given two changes, and one that only says other words
    store, diary = MoodyStore("sqlite://"), Diary()
    alert = standing_in([logged(EventType.ALERT_RAISED, CLEANER)])[CLEANER]
    for before, after in ((None, alert), (alert, alert), (alert, None)):
        diary.note(HQ, Change(id=CLEANER, alert=after, before=before), WALL)
    # when the store is away, and comes back
    store.away = True
    with pytest.raises(StoreUnavailable):
        diary.write(lambda: store)
    store.away = False
    diary.write(lambda: store)
    diary.write(lambda: store)
    # then each is there once
    found = store.unpublished(HQ, 10)
    assert [(e.event, e.user, e.metadata["alert"]) for e in found] == [
        (EventType.ALERT_RAISED, "dispatch", CLEANER),
        (EventType.ALERT_CLEARED, "dispatch", CLEANER),
    ]
