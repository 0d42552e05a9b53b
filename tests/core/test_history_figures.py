"""Figures reconcile with the log: recomputed from the store with plain SQL and some Python, they are equal."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dispatch.core.state import Floor
from dispatch.history.day import Period, Span, period, zone
from dispatch.history.figures import BEFORE_MS, Figures, count
from dispatch.history.office_log import OfficeLog
from dispatch.minutes import LEFT_BEHIND_S, NEEDED
from dispatch.minutes import count as count_minutes
from dispatch.ports import OfficeTx
from dispatch.store.reader import StoreReader
from dispatch.store.sql import SqlStore
from protocol.messages import Event, EventType
from tests.core.history_month import HQ, MONTH, SEOUL, Log, month

LATER_MS = MONTH.until + 86_400_000


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a made-up month."""
    path = tmp_path_factory.mktemp("month") / "office.db"
    store = SqlStore(f"sqlite:///{path}")
    events = month(7)

    def fill(tx: OfficeTx) -> None:
        tx.put_floor(Floor(store=tx.store_id, channel_name="c", event_no=len(events)))
        for event in events:
            tx.append_event(event)

    store.transact(HQ, fill, durable=True)
    store.close()
    return path


@pytest.fixture(scope="module")
def office(file: Path) -> Iterator[OfficeLog]:
    reader = StoreReader(f"sqlite:///{file}")
    yield OfficeLog(reader)
    reader.close()


@pytest.fixture(scope="module")
def whole(office: OfficeLog) -> Figures:
    return office.figures(HQ, MONTH, SEOUL, LATER_MS)


@pytest.fixture(scope="module")
def sql(file: Path) -> Iterator[sqlite3.Connection]:
    with sqlite3.connect(file) as connection:
        yield connection


def number(sql: sqlite3.Connection, what: str, of: Period = MONTH) -> object:
    """A single figure by plain SQL over the period's events, `e`."""
    text = f"WITH e AS (SELECT * FROM event WHERE at >= {of.since} AND at < {of.until}) SELECT {what}"
    return sql.execute(text).fetchone()[0]


COUNTS = {
    "events": "count(*) FROM e",
    "sessions": "count(*) FROM e WHERE type = 'SESSION_ENDED'",
    "bursts": "count(*) FROM e WHERE type = 'BURST_ENDED'",
    "granted": "count(*) FROM e WHERE type = 'SPEAKER_CHANGED'",
    "links_lost": "count(*) FROM e WHERE type = 'LINK_LOST'",
    "emergencies": "count(*) FROM e WHERE type = 'EMERGENCY'",
    "counted_bursts": "count(*) FROM e WHERE type = 'BURST_HEARD' AND metadata ->> 'heard_of' > 0",
    "heard_bursts": "count(*) FROM e WHERE type = 'BURST_HEARD' AND metadata ->> 'heard_of' > 0 "
    "AND metadata ->> 'heard_by' > 0",
    "active_users": "count(DISTINCT user) FROM e WHERE type IN ('USER_JOINED', 'DENIED', 'BURST_ENDED')",
}


@pytest.mark.parametrize("figure", COUNTS)
def test_counts_are_those_of_plain_sql(whole: Figures, sql: sqlite3.Connection, figure: str) -> None:
    assert getattr(whole, figure) == number(sql, COUNTS[figure])
    assert getattr(whole, figure) > 0


@pytest.mark.parametrize(
    ("figure", "kind", "key"),
    [
        ("denied", "DENIED", "cause"),
        ("revoked", "REVOKED", "cause"),
        ("ended", "BURST_ENDED", "ended"),
        ("heartbeats_lost", "HEARTBEAT_LOST", "of"),
        ("alerts", "ALERT_RAISED", "alert"),
    ],
)
def test_counts_by_cause_are_those_of_plain_sql(
    whole: Figures, sql: sqlite3.Connection, figure: str, kind: str, key: str
) -> None:
    rows = sql.execute(
        f"SELECT metadata ->> '{key}', count(*) FROM event WHERE type = ? AND at >= ? AND at < ? GROUP BY 1",
        (kind, MONTH.since, MONTH.until),
    )
    assert getattr(whole, figure) == dict(rows) != {}


def test_lengths_are_those_of_plain_sql(whole: Figures, sql: sqlite3.Connection) -> None:
    started = dict(sql.execute("SELECT event_id, at FROM event WHERE type = 'SESSION_STARTED'").fetchall())
    ended = sql.execute(
        "SELECT event_id, at FROM event WHERE type = 'SESSION_ENDED' AND at >= ? AND at < ?", (MONTH.since, MONTH.until)
    )
    sessions = sum(at - started[session] for session, at in ended)
    begun = dict(sql.execute("SELECT metadata ->> 'burst', at FROM event WHERE type = 'SPEAKER_CHANGED'").fetchall())
    spoken: dict[str, list[int]] = {}
    for user, burst, at in sql.execute(
        "SELECT user, metadata ->> 'burst', at FROM event WHERE type = 'BURST_ENDED' AND at >= ? AND at < ?",
        (MONTH.since, MONTH.until),
    ):
        spoken.setdefault(user, []).append(at - begun[burst])

    assert round(whole.session_s * 1000) == sessions
    assert [(u.user, round(u.talk_s * 1000), u.bursts) for u in whole.users] == [
        (user, sum(ms), len(ms)) for user, ms in sorted(spoken.items())
    ]
    assert round(whole.talk_s * 1000) == sum(map(sum, spoken.values()))
    assert whole.session_average_s == pytest.approx(whole.session_s / whole.sessions)


def test_minutes_in_the_channel_are_those_of_plain_sql(office: OfficeLog, sql: sqlite3.Connection) -> None:
    ended = dict(sql.execute("SELECT event_id, at FROM event WHERE type = 'SESSION_ENDED'").fetchall())
    of_users: dict[str, list[tuple[str, str, int]]] = {}
    for user, *what in sql.execute(
        "SELECT user, type, event_id, at FROM event WHERE type IN ('USER_JOINED', 'USER_LEFT') ORDER BY no"
    ):
        of_users.setdefault(user, []).append((what[0], what[1], what[2]))
    expected: Counter[str] = Counter()
    for user, steps in of_users.items():
        for (kind, session, at), (_, _, then) in pairwise([*steps, ("", "", LATER_MS)]):
            until = min(then, ended.get(session, then) + round(LEFT_BEHIND_S * 1000), MONTH.until)
            expected[user] += max(0, until - max(at, MONTH.since)) if kind == "USER_JOINED" else 0

    found = office.read(HQ, MONTH, SEOUL, LATER_MS).minutes

    assert found.channel == {user: pytest.approx(ms / 60_000) for user, ms in expected.items()} != {}
    assert found.channel_min == pytest.approx(found.total.joined_min)  # in this month all voice was Agora's


def test_the_month_is_the_sum_of_its_days_and_hours(office: OfficeLog, whole: Figures) -> None:
    days = [period(Span.DAY, MONTH.first + timedelta(days=n), SEOUL) for n in range(MONTH.days)]
    found = [office.figures(HQ, day, SEOUL, LATER_MS) for day in days]

    for figure in (*COUNTS, "session_s", "talk_s"):
        if figure != "active_users":
            assert sum(getattr(one, figure) for one in found) == pytest.approx(getattr(whole, figure)), figure
    assert sum((Counter(one.denied) for one in found), Counter()) == Counter(whole.denied)
    assert max(one.most_at_once for one in found) == whole.most_at_once
    assert [(day.day, day.bursts) for day in whole.days] == [(o.period.first, o.bursts) for o in found if o.days]
    for part in (whole.hours, whole.days):
        for figure in ("bursts", "talk_s", "sessions", "denied"):
            expected = sum(whole.denied.values()) if figure == "denied" else getattr(whole, figure)
            assert sum(getattr(one, figure) for one in part) == pytest.approx(expected)


def test_hours_are_the_offices_own(whole: Figures, sql: sqlite3.Connection) -> None:
    rows = sql.execute(
        "SELECT at FROM event WHERE type = 'BURST_ENDED' AND at >= ? AND at < ?", (MONTH.since, MONTH.until)
    )
    by_hour = Counter(datetime.fromtimestamp(at / 1000, ZoneInfo("Asia/Seoul")).hour for (at,) in rows)

    assert {hour: one.bursts for hour, one in enumerate(whole.hours) if one.bursts} == by_hour


def test_the_most_at_once_and_the_integrity_are_those_of_a_plain_loop(whole: Figures, sql: sqlite3.Connection) -> None:
    joined: dict[str, set[str]] = {}
    most = 0
    balance: Counter[str] = Counter()
    bursts: list[tuple[str, int]] = []
    for at, kind, session, user, metadata in sql.execute("SELECT at, type, event_id, user, metadata FROM event"):
        inside = MONTH.since <= at < MONTH.until
        if kind == "USER_JOINED":
            joined.setdefault(session, set()).add(user)
            balance[session] += 1
            most = max(most, len(joined[session])) if inside else most
        elif kind == "USER_LEFT":
            joined[session].discard(user)
            balance[session] -= 1
        elif kind == "BURST_ENDED" and inside:
            bursts.append((session, json.loads(metadata)["unrenewed_ms"]))
    sound = sum(late <= 5000 and balance[session] == 0 for session, late in bursts)

    assert whole.most_at_once == most
    assert (whole.integrity.sound, whole.integrity.unsound) == (sound, len(bursts) - sound)
    assert 0 < whole.integrity.unsound < whole.integrity.sound


def test_cleaned_participants_count_as_cleaned(whole: Figures, sql: sqlite3.Connection) -> None:
    assert whole.cleaned == {
        "stale_session": number(sql, "count(*) FROM e WHERE type = 'CLEANED'"),
        "stale_participant": number(
            sql, "count(*) FROM e WHERE type = 'HEARTBEAT_LOST' AND metadata ->> 'reason' LIKE 'cleaned:%'"
        ),
    }


# --- what a plain month has not -------------------------------------------------------------------------------------

DAY = period(Span.DAY, date(2026, 11, 22), SEOUL)


def of_day(log: Log, read_until: int = DAY.until) -> Figures:
    return count(HQ, DAY, log.events, SEOUL, read_until)


def test_a_day_without_data_is_zeros_and_nothing_is_divided_by_them() -> None:
    found = of_day(Log())

    assert (found.sessions, found.bursts, found.most_at_once, found.users, found.days) == (0, 0, 0, (), ())
    assert (found.session_average_s, found.integrity.rate) == (None, None)


def test_a_session_over_midnight_is_the_day_s_on_which_it_ended_with_its_whole_length() -> None:
    log = Log()
    log.session("over", DAY.since - 3000, ("car-1", "car-2"), length_ms=4000)
    log.session("on", DAY.until - 3000, ("car-1", "car-2", "car-3"), length_ms=4000)

    found = of_day(log, DAY.until + 600_000)

    assert (found.sessions, found.session_s, found.sessions_running) == (1, 9.2, 1)
    assert (found.bursts, found.granted, found.most_at_once) == (1, 1, 3)


def test_who_was_joined_as_the_day_began_counts_as_joined() -> None:
    log = Log()
    log.session("over", DAY.since - 3000, ("car-1", "car-2"))

    assert (of_day(log).most_at_once, of_day(log).most_at) == (2, DAY.since)


def test_a_clock_that_was_set_back_makes_no_length_negative() -> None:
    log = Log()
    log.add(EventType.SESSION_STARTED, DAY.since + 9000, "car-1", "s")
    log.talk("s", "car-1", DAY.since + 9000, -5000)
    log.add(EventType.SESSION_ENDED, DAY.since + 5000, None, "s")

    assert (of_day(log).talk_s, of_day(log).session_s, of_day(log).bursts) == (0, 0, 1)


def test_an_hour_that_comes_twice_is_counted_twice() -> None:
    berlin = zone("Europe/Berlin")
    day = period(Span.DAY, date(2026, 10, 25), berlin)
    log = Log()
    for hour in (2, 3):  # both are two o'clock there
        log.session(f"s{hour}", day.since + hour * 3_600_000, ("car-1",))

    found = count(HQ, day, log.events, berlin, day.until)

    assert (found.hours[2].bursts, found.hours[3].bursts, found.bursts) == (2, 0, 2)


def test_metadata_that_is_nothing_one_can_count_counts_as_unknown() -> None:
    events = [
        Event(no=1, event=EventType.BURST_ENDED, at=DAY.since, user="car-1"),
        Event(no=2, event=EventType.DENIED, at=DAY.since, user="car-1", metadata={"cause": None}),
        Event(no=3, event=EventType.BURST_HEARD, at=DAY.since, user="car-1", metadata={"heard_of": "x"}),
    ]

    found = count(HQ, DAY, events, SEOUL, DAY.until)

    assert (found.ended, found.denied, found.counted_bursts) == ({"unknown": 1}, {"unknown": 1}, 0)
    assert found.integrity.unknown == 1


@pytest.mark.parametrize("now_ms", [LATER_MS, MONTH.since + 10 * 86_400_000 + 3_600_000, MONTH.since])
def test_minutes_read_along_with_the_figures_are_those_of_their_own_events_alone(
    file: Path, office: OfficeLog, now_ms: int
) -> None:
    # given the events that minutes are made of, up to that moment
    until = min(MONTH.until, now_ms)
    reader = StoreReader(f"sqlite:///{file}")
    events = list(reader.scan(HQ, MONTH.since - BEFORE_MS, until, NEEDED))
    reader.close()
    # when the whole period is read
    found = office.read(HQ, MONTH, SEOUL, now_ms)
    # then its minutes are theirs, and its figures are what they are alone
    assert found.minutes == count_minutes(HQ, events, {}, MONTH.since, until)
    assert found.figures == office.figures(HQ, MONTH, SEOUL, now_ms)
    assert (found.minutes.total.joined_min > 0) == (now_ms > MONTH.since)
