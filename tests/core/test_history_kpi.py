"""Every KPI by its formula: a log that meets it, and logs built so that just that one fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from msgspec.structs import replace

from dispatch.core.state import Floor
from dispatch.history.availability import Probes, probes_of
from dispatch.history.day import Span, period
from dispatch.history.figures import count
from dispatch.history.kpi import TARGETS, Facts, Kpi, Measured, Verdict, measure
from dispatch.history.kpi_words import METHODS, NAMES, VERDICTS, measured_text, target_text
from dispatch.history.office_log import OfficeLog
from dispatch.history.presses import Answered, Durations, Press, count_presses, durations
from dispatch.minutes import NEEDED, Stay
from dispatch.minutes import count as count_minutes
from dispatch.ports import OfficeTx
from dispatch.registry.sql import SqlRegistry
from dispatch.store.reader import StoreReader
from dispatch.store.sql import SqlStore
from protocol.messages import EventType, VoicePath
from protocol.rest import Role
from tests.core.history_month import CARS, HQ, SEOUL, Log

DAY = period(Span.DAY, date(2026, 11, 22), SEOUL)
LATER_MS = DAY.until + 600_000
NOON_MS = DAY.since + 12 * 3_600_000
MINUTES = 24 * 60
GOOD_PRESS = Press(user="car-1", at=NOON_MS, answered=Answered.GRANTED, answer_ms=30, notice_ms=80, join_ms=400)
MEASURED = frozenset(Kpi) - {Kpi.CONCURRENT, Kpi.SATISFACTION}


def good_log() -> Log:
    """A day on which all eight cars take part in sound sessions."""
    log = Log()
    for place in range(8):
        log.session(f"s{place}", NOON_MS + place * 600_000, CARS[place:] + CARS[:place])
    log.events.sort(key=lambda event: event.at)
    return log


def probed(unanswered: tuple[int, ...] = (), minutes: range = range(MINUTES)) -> Probes:
    """A press in the middle of each of these minutes, answered but in some."""
    presses = [(DAY.since + minute * 60_000 + 30_000, minute not in unanswered, 5.0) for minute in minutes]
    return probes_of(presses, DAY.since, DAY.until)


def facts(log: Log, presses: tuple[Press, ...] = (GOOD_PRESS,) * 10, took_ms: float = 200.0) -> Facts:
    stays = {user: Stay(user=user) for user in CARS}
    needed = [event for event in log.events if event.event in NEEDED]
    return Facts(
        figures=count(HQ, DAY, log.events, SEOUL, LATER_MS),
        until=DAY.until,
        presses=count_presses(presses),
        tokens=durations([took_ms] * 5),
        minutes=count_minutes(HQ, needed, stays, DAY.since, DAY.until),
        probes=probed(),
        registered=len(CARS),
        active=len(CARS),
    )


def rows(found: Facts) -> dict[Kpi, Measured]:
    return {row.kpi: row for row in measure(found)}


def failing(found: Facts) -> set[Kpi]:
    return {row.kpi for row in measure(found) if row.verdict is Verdict.FAIL}


def test_a_good_day_meets_every_target_that_a_day_can_show() -> None:
    found = rows(facts(good_log()))

    assert {kpi for kpi, row in found.items() if row.verdict is Verdict.PASS} == MEASURED
    assert list(found) == list(Kpi)


def test_what_only_a_survey_or_a_load_test_shows_is_never_made_up() -> None:
    for found in (facts(good_log()), facts(Log())):
        assert [rows(found)[kpi].verdict for kpi in (Kpi.SATISFACTION, Kpi.CONCURRENT)] == [Verdict.NOT_MEASURED] * 2


def test_of_an_empty_day_nothing_is_measured_and_nothing_fails() -> None:
    empty = Facts(figures=count(HQ, DAY, [], SEOUL, LATER_MS), until=DAY.until)

    assert {row.verdict for row in measure(empty)} == {Verdict.NOT_MEASURED}


# --- integrity ------------------------------------------------------------------------------------------------------


def late(log: Log) -> None:
    log.talk("s7", "car-1", log.events[-1].at + 10, 9000, "lost", late_ms=5001)


def left_open(log: Log) -> None:
    log.add(EventType.SPEAKER_CHANGED, NOON_MS + 9_000_000, "car-1", "s7", burst=99)


def overtaken(log: Log) -> None:
    at = NOON_MS + 9_000_000
    log.add(EventType.SPEAKER_CHANGED, at, "car-1", "s7", burst=99)
    log.talk("s7", "car-2", at + 10, 500)


def never_left(log: Log) -> None:
    log.add(EventType.USER_JOINED, NOON_MS + 1000, "car-9", "s0", voice="mqtt")


def left_twice(log: Log) -> None:
    log.add(EventType.USER_LEFT, NOON_MS + 1000, "car-9", "s0")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(late, "late"), (left_open, "open"), (overtaken, "open"), (never_left, "joins"), (left_twice, "joins")],
)
def test_one_burst_that_is_not_sound_fails_the_integrity_of_a_small_office(
    spoil: Callable[[Log], None], why: str
) -> None:
    log = good_log()
    spoil(log)

    found = facts(log)

    assert Kpi.INTEGRITY in failing(found)
    assert {fault.why for fault in found.figures.integrity.shown} == {why}
    assert found.figures.integrity.unsound == 1


def test_exactly_five_seconds_are_in_time() -> None:
    log = good_log()
    log.talk("s7", "car-1", log.events[-1].at + 10, 9000, "lost", late_ms=5000)

    assert rows(facts(log))[Kpi.INTEGRITY].value == 1.0


def test_nothing_is_said_against_a_session_whose_members_may_still_leave() -> None:
    log = Log()
    end = log.session("s", DAY.until - 20_000, ("car-1", "car-2"))
    log.events.pop()

    early, final = (count(HQ, DAY, log.events, SEOUL, until).integrity for until in (end, end + 300_000))

    assert ((early.sound, early.unsound), (final.sound, final.unsound)) == ((1, 0), (0, 1))


def test_bursts_of_an_older_log_are_not_judged() -> None:
    log = good_log()
    log.events = [replace(e, metadata={k: v for k, v in e.metadata.items() if k != "unrenewed_ms"}) for e in log.events]

    integrity = facts(log).figures.integrity

    assert (integrity.rate, integrity.unknown) == (None, 8)


# --- the others -----------------------------------------------------------------------------------------------------


def test_slow_responses_tokens_and_joins_fail_one_row_each() -> None:
    log = good_log()

    assert failing(facts(log, (replace(GOOD_PRESS, notice_ms=100),))) == {Kpi.RESPONSE}
    assert failing(facts(log, (replace(GOOD_PRESS, join_ms=1000),))) == {Kpi.JOIN}
    assert failing(facts(log, took_ms=500)) == {Kpi.TOKEN}


def test_a_press_with_neither_grant_nor_explained_denial_is_an_error_and_an_explained_one_is_none() -> None:
    log = good_log()
    failed, told = (replace(GOOD_PRESS, answered=kind) for kind in (Answered.FAILED, Answered.EXPLAINED))

    assert rows(facts(log, (failed, *(GOOD_PRESS,) * 999)))[Kpi.ERROR_RATE].value == 0.001
    assert failing(facts(log, (failed, *(GOOD_PRESS,) * 999))) == {Kpi.ERROR_RATE}
    assert failing(facts(log, (failed, *(GOOD_PRESS,) * 1000))) == set()
    assert failing(facts(log, (told,) * 5)) == set()


def test_without_traces_the_error_rate_is_the_logs_and_says_so() -> None:
    log = good_log()
    log.add(EventType.DENIED, NOON_MS, "car-1", "s0", cause="another_has_permission")
    explained = rows(replace(facts(log), presses=None))[Kpi.ERROR_RATE]
    log.add(EventType.DENIED, NOON_MS, "car-1", "s0", cause="internal_error")
    unexplained = rows(replace(facts(log), presses=None))[Kpi.ERROR_RATE]

    assert (explained.value, explained.basis, explained.samples) == (0.0, "log", 9)
    assert (unexplained.value, unexplained.verdict) == (0.1, Verdict.FAIL)


def test_in_the_log_a_grant_that_nobody_ever_renewed_is_an_error_and_a_voice_that_was_lost_is_none() -> None:
    log = good_log()
    at = NOON_MS + 9_000_000
    log.add(EventType.HEARTBEAT_LOST, at + 3000, "car-1", "s7", of="floor", burst=9)
    log.talk("s7", "car-1", at, 3000, "lost", late_ms=3000)
    renewed = rows(replace(facts(log), presses=None))[Kpi.ERROR_RATE]
    log.talk("s7", "car-1", at + 10_000, 3000, "lost", late_ms=3000)
    never = rows(replace(facts(log), presses=None))[Kpi.ERROR_RATE]

    assert (renewed.value, never.value, never.verdict) == (0.0, 0.1, Verdict.FAIL)


def test_presses_of_the_probe_without_an_answer_are_downtime() -> None:
    found = replace(facts(good_log()), probes=probed(unanswered=(720, 721)))

    row = rows(found)[Kpi.AVAILABILITY]

    assert (row.value, row.samples, row.verdict) == ((MINUTES - 2) / MINUTES, MINUTES, Verdict.FAIL)
    assert failing(found) == {Kpi.AVAILABILITY}


def test_minutes_in_which_nobody_asked_are_held_against_nobody_and_said() -> None:
    row = rows(replace(facts(good_log()), probes=probed(minutes=range(720, MINUTES))))[Kpi.AVAILABILITY]

    assert (row.value, row.samples, row.unprobed_min) == (1.0, 720, 720)
    assert measured_text(row, "en") == "100.00% (720 min not probed)"
    assert "720분" in measured_text(row, "ko")


@pytest.mark.parametrize("probes", [None, probed(minutes=range(0))])
def test_availability_is_not_measured_only_where_nothing_was_probed(probes: Probes | None) -> None:
    assert rows(replace(facts(good_log()), probes=probes))[Kpi.AVAILABILITY].verdict is Verdict.NOT_MEASURED


def test_on_a_day_without_events_nobody_is_held_to_be_idle() -> None:
    row = rows(replace(facts(Log()), presses=None))[Kpi.ACTIVE_USERS]

    assert (row.value, row.verdict) == (None, Verdict.NOT_MEASURED)


def test_a_call_nobody_hears_is_none_that_came_about() -> None:
    log = good_log()
    log.add(EventType.BURST_HEARD, NOON_MS, "car-1", "s0", burst=1, heard_by=0, heard_of=3)
    assert failing(facts(log)) == {Kpi.SUCCESS}

    alone = good_log()
    alone.add(EventType.BURST_HEARD, NOON_MS, "car-1", "s0", burst=1, heard_by=0, heard_of=0)
    assert failing(facts(alone)) == set()


def test_long_sessions_idle_users_and_members_always_joined_fail_one_row_each() -> None:
    long = good_log()
    long.session("long", NOON_MS + 9_000_000, CARS, length_ms=300_000)
    assert failing(facts(long)) == {Kpi.SESSION_LENGTH}

    assert failing(replace(facts(good_log()), registered=11)) == {Kpi.ACTIVE_USERS}
    assert failing(replace(facts(good_log()), registered=10)) == set()
    assert failing(replace(facts(good_log()), active=6)) == {Kpi.ACTIVE_USERS}

    minutes = facts(good_log()).minutes
    assert minutes is not None
    spent = replace(minutes, users=tuple(replace(u, joined_min=u.always_min * 0.6) for u in minutes.users))
    assert failing(replace(facts(good_log()), minutes=spent)) == {Kpi.COST}


def test_a_desk_where_nobody_sits_is_no_idle_driver_and_a_busy_one_no_active_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/office.db"
    registry = SqlRegistry(url, wall_ms=lambda: DAY.since)
    registry.add_region(HQ.region, "Seoul")
    registry.add_office(HQ, "HQ", VoicePath.MQTT)
    for user, role in (("car-1", Role.VEHICLE_GATEWAY), ("phone-1", Role.PICKUP_DRIVER), ("desk", Role.CALL_MANAGER)):
        registry.add_user(HQ, user, role, user)
    registry.close()
    log = Log()
    log.session("s1", NOON_MS, ("car-1", "desk"))
    store = SqlStore(url)

    def fill(tx: OfficeTx) -> None:
        tx.put_floor(Floor(store=tx.store_id, channel_name="c", event_no=len(log.events)))
        for event in log.events:
            tx.append_event(event)

    store.transact(HQ, fill, durable=True)
    store.close()
    reader = StoreReader(url)

    found = OfficeLog(reader).read(HQ, DAY, SEOUL, LATER_MS)

    reader.close()
    assert (found.registered, found.active) == (2, 1)
    assert [(row.value, row.samples) for row in found.kpis if row.kpi is Kpi.ACTIVE_USERS] == [(0.5, 2)]


def test_durations_are_their_average_and_nearest_rank() -> None:
    assert durations([None, *map(float, range(1, 101))]) == Durations(count=100, average_ms=50.5, p95_ms=95.0)
    assert durations([7.0]) == Durations(count=1, average_ms=7.0, p95_ms=7.0)
    assert durations([None]) == Durations()


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_every_row_has_its_words(lang: str) -> None:
    assert set(NAMES) == set(METHODS) == set(TARGETS) == set(Kpi)
    assert set(VERDICTS) == set(Verdict)
    texts = {row.kpi: (measured_text(row, lang), target_text(row.target, lang)) for row in measure(facts(good_log()))}
    assert texts[Kpi.INTEGRITY] == ("100.00%", "≥ 99.99%")
    assert texts[Kpi.RESPONSE] == ("80.0 ms (p95 80.0 ms)", "< 100 ms")
    assert texts[Kpi.SATISFACTION][0] == {"ko": "측정 안 됨", "en": "not measured"}[lang]
