"""The availability probe: what one press sends and what comes of it, and how results become figures and an alert."""

from collections import deque
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from dispatch.alerting.probe_watch import ProbeWatch
from dispatch.core.state import Floor
from dispatch.history.availability import probes_of
from dispatch.history.day import Span, period
from dispatch.history.office_log import OfficeLog
from dispatch.ports import StoreUnavailable
from dispatch.probing.place import PROBE_OFFICE, real
from dispatch.probing.pressing import SETTLE_S, Message, Pressing, Result
from dispatch.probing.settings import ProbeSettings
from dispatch.probing.store import ProbeStore, read_probes
from dispatch.store.reader import StoreReader
from dispatch.store.sql import SqlStore
from protocol.ids import JSON_INT_MAX
from protocol.messages import (
    DenyCause,
    FloorDeny,
    FloorGranted,
    FloorQueued,
    FloorRelease,
    FloorRequest,
    Heartbeat,
    Presence,
    PresenceState,
)
from protocol.topics import Kind
from service.settings import Invalid
from tests.core.history_month import HQ, SEOUL

BOOT, WALL_MS = 1_795_000_000, 1_795_000_040_000  # second 20 of a minute
DAY = period(Span.DAY, date(2026, 11, 22), SEOUL)
MINUTE_MS = 60_000


class Bench:
    """A probe under a clock of its own; the wall clock may be set."""

    def __init__(self, every_s: float = 60.0, answer_s: float = 2.0) -> None:
        self.sent: list[Message] = []
        self.results: list[Result] = []
        self.now, self.ahead_ms, self.takes = 1000.0, 0, True
        self.probe = Pressing(self._send, self.results.append, boot=BOOT, every_s=every_s, answer_s=answer_s)

    def _send(self, kind: Kind, message: Message) -> bool:
        self.sent += [message] if self.takes else []
        return self.takes

    @property
    def wall_ms(self) -> int:
        return WALL_MS + self.ahead_ms + round((self.now - 1000) * 1000)

    def after(self, seconds: float, answer: Callable[[FloorRequest], object] | None = None) -> None:
        """Let time pass, tick by tick; each request is answered at once where `answer` says how."""
        until = self.now + seconds
        while self.now < until:
            before = len(self.sent)
            due = self.probe.tick(self.now, self.wall_ms)
            for message in self.sent[before:]:
                if answer is not None and isinstance(message, FloorRequest):
                    self.now += 0.004
                    self.probe.received(answer(message), self.now)
            self.now = min(until, max(due, self.now + 0.001))

    def all(self, kind: type[Message]) -> list[Message]:
        return [message for message in self.sent if isinstance(message, kind)]


def grant(request: FloorRequest) -> FloorGranted:
    return FloorGranted(rev=1, request_id=request.request_id, burst=7, duration_s=30, lease_s=5)


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.probe.connected(made.now)
    return made


# --- pressing ---------------------------------------------------------------------------------------------------------


def test_once_a_minute_a_press_is_granted_timed_and_given_back(bench: Bench) -> None:
    bench.after(300, grant)

    assert [(r.answered, r.took_ms, r.why) for r in bench.results] == [(True, 4.0, "")] * 5
    assert [r.at // MINUTE_MS for r in bench.results] == [WALL_MS // MINUTE_MS + minute for minute in range(5)]
    assert bench.all(FloorRelease) == [FloorRelease(request_id=(0, BOOT, 1, press), burst=7) for press in range(1, 6)]
    assert [beat.beat_no for beat in bench.all(Heartbeat) if isinstance(beat, Heartbeat)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda r: None, "no answer within 2 s"),
        (lambda r: FloorDeny(rev=1, request_id=r.request_id, cause=DenyCause.INTERNAL_ERROR), "denied: internal_error"),
        (lambda r: FloorQueued(rev=1, request_id=r.request_id, position=1), "queued behind somebody"),
        (lambda r: grant(FloorRequest(request_id=(0, BOOT, 1, 99))), "no answer within 2 s"),
    ],
)
def test_a_press_without_a_grant_of_its_own_is_not_answered_and_its_request_is_taken_back(
    bench: Bench, answer: Callable[[FloorRequest], object], why: str
) -> None:
    bench.after(65, answer)

    assert (bench.results[0].answered, bench.results[0].took_ms) == (False, None)
    assert bench.results[0].why.startswith(why)
    assert len(bench.results) == 1


def test_a_grant_that_comes_too_late_does_not_keep_the_floor_and_heals_nothing(bench: Bench) -> None:
    bench.after(20)
    late = grant(FloorRequest(request_id=(0, BOOT, 1, 1)))

    bench.probe.received(late, bench.now)

    assert bench.sent[-1] == FloorRelease(request_id=late.request_id, burst=7)
    assert [r.answered for r in bench.results] == [False]


def test_without_a_connection_every_minute_counts_as_unanswered_and_says_why() -> None:
    bench = Bench()
    bench.after(61)
    bench.probe.lost("no broker: refused")
    bench.after(60)

    assert [(r.answered, r.why) for r in bench.results] == [
        (False, "the connection to the broker is not up yet"), (False, "no broker: refused")
    ]  # fmt: skip
    assert bench.sent == []


def test_a_connection_lost_during_a_press_is_the_presss_end(bench: Bench) -> None:
    bench.after(10.5)
    bench.probe.lost("no broker: reset")

    assert [(r.answered, r.why) for r in bench.results] == [(False, "no broker: reset")]


def test_who_connects_just_before_the_press_is_given_a_moment() -> None:
    bench = Bench()
    bench.after(9.9)
    bench.probe.connected(bench.now)

    bench.after(0.5, grant)
    early = len(bench.results)
    bench.after(SETTLE_S, grant)

    assert (early, [r.answered for r in bench.results]) == (0, [True])


@pytest.mark.parametrize("jump_ms", [-86_400_000, 86_400_000, -3_600_000, 17_000])
def test_a_clock_that_is_set_makes_presses_neither_stop_nor_follow_each_other_at_once(
    bench: Bench, jump_ms: int
) -> None:
    bench.after(120, grant)
    bench.ahead_ms = jump_ms
    bench.after(300, grant)

    assert 6 <= len(bench.results) <= 8
    assert {r.answered for r in bench.results} == {True}


def test_a_member_of_an_earlier_process_whose_clock_was_ahead_is_outdone(bench: Bench) -> None:
    theirs = Presence(state=PresenceState.ONLINE, connection_id=(0, BOOT + 500, 3), presence_no=1)

    bench.probe.received(theirs, bench.now)

    assert bench.probe.outdone
    assert bench.probe.will.connection_id > theirs.connection_id
    bench.probe.connected(bench.now)
    assert (bench.probe.outdone, bench.probe.connection > theirs.connection_id) == (False, True)


def test_one_that_the_office_holds_for_dead_says_that_it_lives(bench: Bench) -> None:
    dead = Presence(state=PresenceState.LOST, connection_id=bench.probe.connection, presence_no=5)

    bench.probe.received(dead, bench.now)

    told = bench.all(Presence)[-1]
    assert isinstance(told, Presence)
    assert (told.state, told.presence_no, bench.probe.will.presence_no) == (PresenceState.ONLINE, 6, JSON_INT_MAX)


def test_who_leaves_says_so_and_the_press_under_way_is_nobodys_failure(bench: Bench) -> None:
    bench.after(10.5)
    bench.probe.leaving()

    assert bench.results == []
    assert [m.state for m in bench.all(Presence) if isinstance(m, Presence)][-1] is PresenceState.OFFLINE


def test_a_press_must_be_over_before_the_next() -> None:
    with pytest.raises(Invalid):
        ProbeSettings(every_s=2.0, answer_s=2.0)


# --- figures ----------------------------------------------------------------------------------------------------------


def test_availability_is_answered_over_asked_and_minutes_without_a_press_stand_beside_it() -> None:
    presses = [(DAY.since + minute * MINUTE_MS + 30_000, minute not in (3, 4), 5.0) for minute in range(1000)]

    found = probes_of(presses, DAY.since, DAY.until)

    assert (found.asked, found.answered, found.rate) == (1000, 998, 0.998)
    assert (found.minutes, found.unprobed_min, found.took.count) == (1440, 440, 998)


def test_the_minute_that_has_just_begun_is_not_held_against_anybody() -> None:
    found = probes_of([(DAY.since + 30_000, True, 5.0)], DAY.since, DAY.since + 80_000)

    assert (found.minutes, found.unprobed_min) == (1, 0)


def test_presses_of_another_day_and_no_presses_at_all_show_nothing() -> None:
    found = probes_of([(DAY.since - 1, True, 5.0), (DAY.until, True, 5.0)], DAY.since, DAY.until)

    assert (found.asked, found.rate, found.unprobed_min) == (0, None, 1440)


# --- the store --------------------------------------------------------------------------------------------------------


@pytest.fixture
def url(tmp_path: Path) -> str:
    SqlStore(f"sqlite:///{tmp_path}/office.db").close()
    return f"sqlite:///{tmp_path}/office.db"


def results(*answered: bool, first_ms: int = DAY.since) -> list[Result]:
    return [
        Result(
            at=first_ms + place * MINUTE_MS, answered=good, took_ms=5.0 if good else None, why="" if good else "away"
        )
        for place, good in enumerate(answered)
    ]


def test_results_are_kept_once_read_by_their_day_and_pruned_by_their_age(url: str) -> None:
    store, reader = ProbeStore(url), StoreReader(url)
    store.put(results(True, False, True))
    store.put(results(True, False, True))  # once more, after an answer of the store was lost

    found = read_probes(reader, DAY.since, DAY.until)
    pruned = store.prune(DAY.since + MINUTE_MS + 1)

    assert found is not None
    assert (found.asked, found.answered) == (3, 2)
    assert (pruned, [r.at for r in store.newest(5)]) == (2, [DAY.since + 2 * MINUTE_MS])
    reader.close()
    store.close()


def test_where_there_never_was_a_probe_nothing_is_measured(url: str) -> None:
    reader = StoreReader(url)

    assert read_probes(reader, DAY.since, DAY.until) is None
    reader.close()


def test_the_probes_office_is_no_office_of_anybodys(url: str) -> None:
    store = SqlStore(url)
    for office in (HQ, PROBE_OFFICE):
        store.transact(office, lambda tx: tx.put_floor(_floor(tx.store_id)), durable=True)
    store.close()
    reader = StoreReader(url)

    assert (reader.offices(), OfficeLog(reader).offices()) == ((HQ,), (HQ,))
    assert reader.offices(probe=True) == (PROBE_OFFICE, HQ)
    assert real([PROBE_OFFICE]) == ()
    reader.close()


def _floor(store_id: str) -> Floor:
    return Floor(store=store_id, channel_name="c")


# --- the watch --------------------------------------------------------------------------------------------------------


class Line:
    """Where results come from."""

    def __init__(self) -> None:
        self.waiting: deque[Result] = deque()


def watch(line: Line, opened: Callable[[], ProbeStore], now_ms: int = DAY.since + 5 * MINUTE_MS) -> ProbeWatch:
    return ProbeWatch(line, ProbeSettings(failures=3), opened, lambda: now_ms)


def test_three_in_a_row_are_told_with_the_reason_and_one_answer_ends_it(url: str) -> None:
    line = Line()
    probe = watch(line, lambda: ProbeStore(url))
    told: list[str] = []
    for good in (False, False, True, False, False, False, True):
        line.waiting += results(good, first_ms=DAY.since + len(told) * MINUTE_MS)
        probe.step(0.0)
        told.append(probe.unanswered)

    assert [bool(each) for each in told] == [False] * 5 + [True, False]
    assert told[5] == "3 test presses in a row were not answered: away"
    assert (probe.total.presses, probe.total.answered, probe.total.failing) == (7, 2, 0)
    probe.close()


def test_results_wait_for_a_store_that_is_away_and_none_is_lost(url: str) -> None:
    def away() -> ProbeStore:
        raise StoreUnavailable("database or disk is full")

    line = Line()
    opens: list[Callable[[], ProbeStore]] = [away, away, lambda: ProbeStore(url)]
    probe = watch(line, lambda: opens.pop(0)())
    line.waiting += results(True, False)
    probe.step(0.0)
    waiting = probe.total.waiting
    line.waiting += results(True, first_ms=DAY.since + 2 * MINUTE_MS)
    probe.step(1.0)
    probe.step(2.0)

    reader = StoreReader(url)
    found = read_probes(reader, DAY.since, DAY.until)
    assert found is not None
    assert (waiting, probe.total.waiting, found.asked, found.answered) == (2, 0, 3, 2)
    reader.close()
    probe.close()


@pytest.mark.parametrize(("minutes_later", "told"), [(1, True), (60, False)])
def test_failures_go_on_counting_over_a_restart_unless_they_are_old(url: str, minutes_later: int, told: bool) -> None:
    store = ProbeStore(url)
    store.put(results(True, False, False, False))
    store.close()

    probe = watch(Line(), lambda: ProbeStore(url), DAY.since + (3 + minutes_later) * MINUTE_MS)
    probe.step(0.0)

    assert bool(probe.unanswered) is told
    probe.close()
