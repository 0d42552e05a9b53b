"""A past made by the real server: its log holds together, figures are what it says, and a seed gives the same again."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from msgspec import Struct

from dispatch.core.state import FloorRules, rules_of
from dispatch.history.day import Span, period
from dispatch.history.office_log import OfficeLog, OfficePeriod
from dispatch.store.reader import StoreReader
from dispatch.store.sql import SqlStore
from dispatch.traces.reader import TraceReader
from dispatch.traces.store import TraceStore
from lab.office_day.past import Past
from lab.office_day.pattern import DAY_S, Day, Incident, Talk, Trouble, Turn, plan
from lab.office_day.people import ROOM, people
from protocol.ids import OfficeId
from protocol.messages import Event, EventType

OFFICE = OfficeId("seoul", "practice")
SEOUL = ZoneInfo("Asia/Seoul")
DAY = period(Span.DAY, date(2026, 11, 18), SEOUL)
CARS = tuple(person.user for person in people(4) if person.vehicle)


class Made(Struct):
    events: tuple[Event, ...]
    day: OfficePeriod
    unpublished: int


def live_through(path: Path, days: Sequence[Day], until_s: float = DAY_S, seed: int = 5) -> Made:
    url = f"sqlite:///{path}"
    store, traces = SqlStore(url), TraceStore(url)
    try:
        rules = rules_of(FloorRules())
        Past(OFFICE, rules, people(len(CARS)), store, traces, DAY.since, seed).run(days, until_s)
        left = len(store.unpublished(OFFICE, 10))
    finally:
        traces.close()
        store.close()
    reader = StoreReader(url)
    try:
        events = tuple(reader.scan(OFFICE, DAY.since, DAY.until))
        log = OfficeLog(reader, TraceReader(reader))
        return Made(events, log.read(OFFICE, DAY, SEOUL, DAY.until + 3_600_000), left)
    finally:
        reader.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A whole day of four vehicles."""
    return live_through(tmp_path_factory.mktemp("past") / "office.db", [plan(CARS, Random(3), incidents=3.0)])


def test_figures_are_what_the_events_say_recomputed_by_themselves(made: Made) -> None:
    began: dict[object, int] = {}
    session_ms = talk_ms = 0
    for event in made.events:
        burst = event.metadata.get("burst")
        if event.event is EventType.SESSION_STARTED:
            began[event.event_id] = event.at
        elif event.event is EventType.SESSION_ENDED:
            session_ms += event.at - began[event.event_id]
        elif event.event is EventType.SPEAKER_CHANGED:
            began[burst] = event.at
        elif event.event is EventType.BURST_ENDED:
            talk_ms += event.at - began[burst]
    kinds = Counter(event.event for event in made.events)
    found = made.day.figures

    assert (found.sessions, found.bursts) == (kinds[EventType.SESSION_ENDED], kinds[EventType.BURST_ENDED])
    assert (found.granted, sum(found.denied.values())) == (kinds[EventType.SPEAKER_CHANGED], kinds[EventType.DENIED])
    assert (found.session_s, found.talk_s) == (pytest.approx(session_ms / 1000), pytest.approx(talk_ms / 1000))
    assert found.bursts > 20


def test_the_log_has_no_gap_and_was_wholly_given_to_the_broker(made: Made) -> None:
    assert [event.no for event in made.events] == list(range(1, len(made.events) + 1))
    assert [event.at for event in made.events] == sorted(event.at for event in made.events)
    assert made.unpublished == 0


def test_every_session_and_burst_ends_and_whoever_joins_leaves(made: Made) -> None:
    kinds = Counter(event.event for event in made.events)

    assert kinds[EventType.SESSION_STARTED] == kinds[EventType.SESSION_ENDED]
    assert kinds[EventType.USER_JOINED] == kinds[EventType.USER_LEFT]
    assert made.day.figures.integrity.rate == 1.0
    assert made.day.figures.heard_bursts > 0.9 * made.day.figures.bursts


def test_presses_are_traced_whole_as_the_log_has_them(made: Made) -> None:
    presses = made.day.presses

    assert presses is not None
    assert presses.granted == made.day.figures.granted
    assert presses.explained == sum(made.day.figures.denied.values())
    assert presses.answer.count == presses.presses > 20
    assert presses.notice.count > 0.8 * presses.granted


def test_the_same_seed_gives_the_same_log_again(tmp_path: Path) -> None:
    days = [plan(CARS, Random(9))]
    once, again = (live_through(tmp_path / f"{name}.db", days, until_s=10 * 3600.0) for name in ("once", "again"))

    assert once.events == again.events
    assert len(once.events) > 10


def talk(at_s: float, *turns: Turn) -> Talk:
    return Talk(at_s=at_s, turns=turns)


def turn(user: str, hold_s: float = 3.0, pause_s: float = 0.0, rival: str | None = None) -> Turn:
    return Turn(user=user, hold_s=hold_s, pause_s=pause_s, rival=rival)


def told(made: Made, *kinds: EventType) -> list[tuple[EventType, str | None]]:
    return [(event.event, event.user) for event in made.events if event.event in kinds]


def wrong(trouble: Trouble, at_s: float, length_s: float, alert: str = "") -> Incident:
    return Incident(at_s=at_s, length_s=length_s, trouble=trouble, user=CARS[1], alert=alert)


def one_day(talks: Sequence[Talk] = (), incidents: Sequence[Incident] = ()) -> Day:
    always = plan(CARS, Random(1)).shifts
    shifts = tuple(
        shift.__class__(user=user, from_s=0.0, until_s=DAY_S) for user, shift in zip(CARS, always, strict=False)
    )
    return Day(shifts=shifts, talks=tuple(talks), incidents=tuple(incidents))


def test_who_presses_into_a_turn_is_denied_and_told_who_speaks(tmp_path: Path) -> None:
    day = one_day([talk(60, turn(CARS[0], rival=CARS[1]), turn(ROOM, pause_s=1.0))])

    made = live_through(tmp_path / "x.db", [day], until_s=300.0)

    spoken = told(made, EventType.SPEAKER_CHANGED, EventType.DENIED)
    assert spoken == [
        (EventType.SPEAKER_CHANGED, CARS[0]),
        (EventType.DENIED, CARS[1]),
        (EventType.SPEAKER_CHANGED, ROOM),
    ]
    assert made.day.figures.sessions == 1


@pytest.mark.parametrize(
    ("trouble", "length_s", "alert", "logged"),
    [
        (Trouble.LINK_LOST, 60.0, "", [EventType.LINK_LOST, EventType.LINK_BACK]),
        (Trouble.ALERT, 300.0, "overheating", [EventType.ALERT_RAISED, EventType.ALERT_CLEARED]),
        (Trouble.EMERGENCY, 90.0, "", [EventType.EMERGENCY, EventType.EMERGENCY_CLEARED]),
        (Trouble.SILENT, 300.0, "", [EventType.HEARTBEAT_LOST, EventType.LINK_LOST, EventType.LINK_BACK]),
    ],
)
def test_trouble_stands_in_the_log_and_ends(
    tmp_path: Path, trouble: Trouble, length_s: float, alert: str, logged: list[EventType]
) -> None:
    day = one_day(incidents=[wrong(trouble, 120.0, length_s, alert)])

    made = live_through(tmp_path / "x.db", [day], until_s=900.0)

    assert told(made, *logged) == [(kind, CARS[1]) for kind in logged]


def test_a_server_that_judges_nothing_for_a_while_leaves_a_session_to_the_sweep(tmp_path: Path) -> None:
    day = one_day([talk(120, turn(CARS[0]))], [wrong(Trouble.STUCK, 60.0, 45.0)])

    made = live_through(tmp_path / "x.db", [day], until_s=600.0)

    assert made.day.figures.cleaned == {"stale_session": 1}
    assert made.day.figures.sessions == 1


def test_heartbeats_are_kept_as_they_come(tmp_path: Path) -> None:
    live_through(tmp_path / "x.db", [one_day()], until_s=1230.0)

    with sqlite3.connect(tmp_path / "x.db") as connection:
        rows = connection.execute("SELECT user, max(last_no) FROM beats GROUP BY user").fetchall()
    assert dict(rows) == dict.fromkeys((*CARS, ROOM), 20)


def test_a_past_of_one_second_is_one_too(tmp_path: Path) -> None:
    made = live_through(tmp_path / "x.db", [one_day()], until_s=1.0)

    assert (made.day.figures.sessions, made.unpublished) == (0, 0)
