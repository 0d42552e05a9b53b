"""Traces are kept once, found again by time, and told in plain words, also where there are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dispatch.core import notices
from dispatch.core.turn import Turn
from dispatch.history.presses import Answered
from dispatch.ports import StoreUnavailable
from dispatch.store.reader import StoreReader
from dispatch.store.sql import SqlStore
from dispatch.traces import reader as reader_module
from dispatch.traces.book import BATCH, OF_ONE_AT_ONCE, OF_ONE_PER_S, WAITING_MAX, WAITING_OF_ONE_MAX, TraceBook
from dispatch.traces.cli import window
from dispatch.traces.reader import Traced, TraceReader
from dispatch.traces.store import Arrived, TraceStore
from dispatch.traces.tell import Link, links, tell
from gateway.core.told import Told
from protocol.ids import OfficeId
from protocol.messages import BurstPlayed, Event, EventType, Heartbeat, PressTrace, TracedWord

OFFICE = OfficeId("seoul", "hq")
AT = 1_900_000_000_000


def trace(press: int = 1, *told: str, at: int = AT, **fields: object) -> PressTrace:
    words = tuple(TracedWord(ms=60, what=what) for what in told)
    return PressTrace(request_id=(0, 5, 1, press), edge_at=at, told=words, **fields)  # type: ignore[arg-type]


def event(kind: EventType, at: int = AT, **metadata: object) -> Event:
    return Event(no=1, event=kind, at=at, user="car-17", metadata=metadata)


def verdict(one: PressTrace, *events: Event, lost: Sequence[Link] = (), lang: str = "en") -> str:
    (told,) = tell([Traced(user="car-17", received_at=AT, trace=one)], events, lost, lang, str)
    return told.verdict


def test_a_denial_says_who_spoke_and_how_long_that_could_last() -> None:
    one = trace(1, "denied", speaker="three", remaining_s=12.0)

    assert verdict(one) == "DENIED: three was speaking, at most 12 s left"
    assert verdict(one, lang="ko") == "거부됨: three 발언 중, 최대 12초 남음"


def test_a_grant_says_its_burst_and_who_heard_it_and_how_it_ended_where_that_was_not_by_the_driver() -> None:
    one = trace(1, "granted", "talk ended", burst=9)
    cut = trace(1, "granted", "preempted", burst=9)
    heard = event(EventType.BURST_HEARD, burst=9, heard_by=3, heard_of=4)

    assert verdict(one, heard) == "GRANTED: spoke as burst 9, heard by 3 of 4"
    assert verdict(cut) == "GRANTED: spoke as burst 9, preempted"


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ([Link(AT - 95_000, AT + 2_000, "will")], "NO CONNECTION: the link was lost 1899999905000-1900000002000"),
        ([Link(AT - 95_000, None, "will")], "NO CONNECTION: the link is lost since 1899999905000"),
        ([Link(AT - 95_000, AT - 1, "will")], "NO CONNECTION: the link had been away for 3 s"),
    ],
)
def test_no_connection_says_since_when_by_the_log_or_else_by_the_unit(lost: list[Link], said: str) -> None:
    assert verdict(trace(1, "no connection", link_down_s=3.2), lost=lost) == said


def test_a_link_that_broke_while_the_request_was_on_its_way_is_told_as_that() -> None:
    assert verdict(trace(1, "no connection")) == "NO CONNECTION: the link broke off before the answer came"


@pytest.mark.parametrize("what", Told)
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_whatever_a_driver_can_be_told_makes_a_verdict(what: Told, lang: str) -> None:
    assert verdict(trace(1, what.value), lang=lang).strip()


def test_a_grant_and_a_denial_without_a_trace_are_told_by_the_log() -> None:
    events = (
        event(EventType.SPEAKER_CHANGED, AT, burst=4, request_id=[0, 5, 1, 1]),
        event(EventType.DENIED, AT + 1, cause="another_has_permission", speaker="car-3", request_id=[0, 5, 1, 2]),
        event(EventType.DENIED, AT + 2, cause="receive_only", speaker=None, request_id=[0, 5, 1, 3]),
        event(EventType.DENIED, AT + 3, cause="another_has_permission", speaker="car-3", request_id=[0, 5, 1, 4]),
    )
    traced = Traced(user="car-17", received_at=AT, trace=trace(4, "denied", at=AT + 4))

    found = [one.verdict for one in tell([traced], events, (), "en", str)]

    assert found == [
        "GRANTED as burst 4, by the log: the unit has told no trace of it",
        "DENIED: car-3 was speaking, by the log: the unit has told no trace of it",
        "DENIED: receive_only, by the log: the unit has told no trace of it",
        "DENIED: somebody was speaking",
    ]


def test_steps_are_told_in_the_order_of_time() -> None:
    one = trace(1, "granted", handled_ms=3, asked_ms=4, permitted_ms=61, key_up_ms=2000, released_ms=2100)
    (told,) = tell([Traced(user="car-17", received_at=AT, trace=one)], (), (), "en", str)

    assert [ms for ms, _ in told.steps] == [3, 4, 60, 61, 2000, 2100]


def test_lost_links_are_read_out_of_the_log() -> None:
    log = [
        event(EventType.LINK_BACK, 1),
        event(EventType.LINK_LOST, 2, reason="will"),
        event(EventType.LINK_LOST, 3),
        event(EventType.LINK_BACK, 4),
        event(EventType.LINK_LOST, 5),
    ]
    assert links(log) == (Link(2, 4, "will"), Link(5, None, "-"))


def test_a_minute_is_looked_at_whole_and_in_the_offices_time_zone() -> None:
    seoul = ZoneInfo("Asia/Seoul")
    since, until = window(timedelta(hours=10, minutes=32), date(2026, 11, 23), 60, seoul, 0)

    assert (since, until) == (1_795_397_460_000, 1_795_397_640_000)


# --- the store ------------------------------------------------------------------------------------------------------


class Kept:
    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'office.db'}"
        self.store = TraceStore(self.url)
        self.book = TraceBook(self.store)

    def take(self, *traces: PressTrace, user: str = "car-17", wall_ms: int = AT) -> None:
        for one in traces:
            self.book.take(OFFICE, user, one, 10.0, wall_ms)

    def read(self) -> list[tuple[str, int]]:
        reader = StoreReader(self.url)
        try:
            found = TraceReader(reader).traces(OFFICE, 0, 2**53)
        finally:
            reader.close()
        return [(one.user, one.trace.request_id[3]) for one in found]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.store.close()


def test_a_trace_told_twice_is_kept_once_and_found_by_its_time(kept: Kept) -> None:
    kept.take(trace(1), trace(1), trace(2, at=AT + 5))
    kept.take(trace(1), user="car-3")
    kept.book.step(11.0)

    assert sorted(kept.read()) == [("car-17", 1), ("car-17", 2), ("car-3", 1)]
    reader = StoreReader(kept.url)
    last = TraceReader(reader).last(OFFICE, "car-17", AT + 5)
    assert last is not None and last.trace.request_id == (0, 5, 1, 1)
    assert TraceReader(reader).traces(OFFICE, AT + 1, AT + 6)[0].trace.request_id == (0, 5, 1, 2)
    reader.close()


def test_of_a_unit_that_claims_more_presses_than_can_be_the_newest_are_read(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "OF_ONE_MAX", 2)
    kept.take(*(trace(press, at=AT + press) for press in range(1, 5)))
    kept.book.step(11.0)

    reader = StoreReader(kept.url)
    found = TraceReader(reader).traces(OFFICE, 0, 2**53, "car-17")
    reader.close()
    assert [one.trace.request_id[3] for one in found] == [3, 4]
    assert len(kept.read()) == 4


def test_a_store_of_before_has_no_traces_and_that_is_no_fault(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'office.db'}"
    SqlStore(url).close()
    reader = StoreReader(url)

    assert TraceReader(reader).traces(OFFICE, 0, 2**53) == ()
    assert TraceReader(reader).last(OFFICE, "car-17", 2**53) is None
    reader.close()


def test_figures_take_presses_from_their_traces_and_leave_out_those_that_wanted_nothing(kept: Kept) -> None:
    kept.take(
        trace(1, "granted", permitted_ms=70),
        trace(2, "denied", at=AT + 1),
        trace(3, "no connection", at=AT + 2),
        trace(4, "cancelled", at=AT + 3),
    )
    kept.book.step(11.0)
    reader = StoreReader(kept.url)
    found = TraceReader(reader).presses(OFFICE, AT, AT + 1000)
    reader.close()

    assert [press.answered for press in found] == [Answered.GRANTED, Answered.EXPLAINED, Answered.FAILED]
    assert {press.answer_ms for press in found} == {60}


def test_presses_without_a_trace_are_counted_by_the_log_once_others_are_traced(kept: Kept) -> None:
    def log(turn: Turn) -> None:
        turn.event(EventType.SPEAKER_CHANGED, "desk", burst=1, request_id=(0, 1, 1, 1))
        turn.event(EventType.BURST_ENDED, "desk", burst=1, ended="lost")
        turn.event(EventType.SPEAKER_CHANGED, "desk", burst=2, request_id=(0, 1, 1, 2))
        turn.event(EventType.HEARTBEAT_LOST, "desk", of="floor", burst=2)
        turn.event(EventType.BURST_ENDED, "desk", burst=2, ended="lost")
        turn.event(EventType.DENIED, "desk", cause="internal_error", request_id=(0, 1, 1, 3))
        turn.event(EventType.DENIED, "desk", cause="receive_only", request_id=(0, 1, 1, 4))
        turn.event(EventType.SPEAKER_CHANGED, "car-17", burst=3, request_id=(0, 5, 1, 1))

    store = SqlStore(kept.url)
    notices.log(store, OFFICE, AT, log)
    store.close()
    reader = StoreReader(kept.url)
    untraced = TraceReader(reader).presses(OFFICE, AT, AT + 1000)
    kept.take(trace(1, "granted", permitted_ms=70))
    kept.book.step(11.0)
    found = TraceReader(reader).presses(OFFICE, AT, AT + 1000)
    reader.close()

    assert untraced == ()
    assert sorted((press.user, press.answered.value) for press in found) == [
        ("car-17", "granted"),
        ("desk", "explained"),
        ("desk", "failed"),
        ("desk", "failed"),
        ("desk", "granted"),
    ]


def test_old_traces_are_deleted_a_batch_at_a_time_by_when_they_came(kept: Kept) -> None:
    kept.take(*(trace(press) for press in range(1, 6)), wall_ms=AT)
    kept.take(trace(6), wall_ms=AT + 1000)
    kept.book.step(11.0)

    assert kept.store.prune(OFFICE, AT + 1000, 0, 3) == (3, 0)
    assert kept.store.prune(OFFICE, AT + 1000, 0, 3) == (2, None)
    assert kept.read() == [("car-17", 6)]


class Away:
    """A store that is away until told otherwise."""

    def __init__(self) -> None:
        self.away = True
        self.batches: list[int] = []

    def put(self, batch: Sequence[Arrived]) -> None:
        if self.away:
            raise StoreUnavailable("locked")
        self.batches.append(len(batch))


def test_while_the_store_is_away_traces_wait_and_one_vehicle_cannot_fill_the_room_of_others() -> None:
    store = Away()
    book = TraceBook(store)
    for press in range(1, WAITING_OF_ONE_MAX + 4):
        book.take(OFFICE, "car-1", trace(press), 10.0, AT)
    for press in range(1, BATCH - WAITING_OF_ONE_MAX + 2):
        book.take(OFFICE, "car-2", trace(press), 10.0, AT)
    book.step(10.5)
    again_at = book.next_at
    store.away = False
    book.step(again_at)
    book.step(again_at + 1)
    book.take(OFFICE, "car-1", trace(1), 30.0, AT)

    assert book.dropped == 3
    assert again_at == 15.5
    assert store.batches == [BATCH, 1]
    assert book.next_at == 30.5


def test_a_member_that_tells_without_end_does_not_fill_the_disk_and_others_are_heard() -> None:
    store = Away()
    store.away = False
    book = TraceBook(store)
    hour_s, told = 3600, 0
    for second in range(hour_s):
        for _ in range(10):
            told += 1
            book.take(OFFICE, "car-1", trace(told), float(second), AT)
        book.step(float(second))
    book.take(OFFICE, "car-2", trace(1), float(hour_s), AT)
    book.step(float(hour_s))

    kept = sum(store.batches)
    assert kept <= OF_ONE_AT_ONCE + OF_ONE_PER_S * hour_s + 1
    assert (kept + book.dropped, store.batches[-1]) == (told + 1, 1)


def test_when_the_service_stops_what_waits_is_written_and_what_cannot_be_is_given_up() -> None:
    store = Away()
    store.away = False
    book = TraceBook(store)
    for member in range(5):
        for press in range(1, WAITING_OF_ONE_MAX + 1):
            book.take(OFFICE, f"car-{member}", trace(press), 10.0, AT)
    book.finish(10.0)
    written = list(store.batches)
    store.away = True
    book.take(OFFICE, "car-1", trace(99), 11.0, AT)
    book.finish(11.0)

    assert sum(written) == 5 * WAITING_OF_ONE_MAX
    assert store.batches == written


def test_where_more_than_a_batch_waits_the_next_lull_takes_the_next_batch() -> None:
    store = Away()
    store.away = False
    book = TraceBook(store)
    for member in range(5):
        for press in range(1, WAITING_OF_ONE_MAX + 1):
            book.take(OFFICE, f"car-{member}", trace(press), 10.0, AT)
    book.step(10.5)

    assert book.next_at == 10.5


def flood(book: TraceBook, members: int) -> None:
    """Listeners' reports and heartbeats of so many members, as many of each as one may have waiting."""
    for member in range(members):
        for no in range(1, WAITING_OF_ONE_MAX // 2 + 1):
            connection = (0, 5, no)
            book.take(OFFICE, f"car-{member}", BurstPlayed(connection_id=connection, burst=9, frames=1), 10.0, AT)
            book.take(OFFICE, f"car-{member}", Heartbeat(connection_id=connection, beat_no=no), 10.0, AT)


def test_a_flood_of_reports_takes_no_presss_place_not_even_of_a_member_that_sends_it(kept: Kept) -> None:
    # given so many reports and heartbeats that there is no room for one more of anybody
    flood(kept.book, WAITING_MAX // WAITING_OF_ONE_MAX + 2)
    assert kept.book.dropped > 0
    dropped = kept.book.dropped

    # when two members tell of a press each
    kept.take(trace(1), user="car-0")
    kept.take(trace(2), user="desk")

    # then both are kept, and are the first to be written
    assert kept.book.dropped == dropped
    kept.book.step(11.0)
    assert sorted(kept.read()) == [("car-0", 1), ("desk", 2)]


def test_a_member_that_has_spent_what_it_may_tell_of_others_still_tells_of_its_own_presses() -> None:
    store = Away()
    store.away = False
    book = TraceBook(store)
    for number in range(OF_ONE_AT_ONCE + 5):
        book.take(OFFICE, "car-1", Heartbeat(connection_id=(0, 5, 1), beat_no=number + 1), 10.0, AT)
        book.step(10.0)
    assert book.dropped == 5

    book.take(OFFICE, "car-1", trace(1), 10.0, AT)

    assert (book.dropped, book.waiting) == (5, 1)


def test_presses_are_bounded_too_and_take_no_room_of_reports() -> None:
    book = TraceBook(Away())
    members = WAITING_MAX // WAITING_OF_ONE_MAX + 1
    for member in range(members):
        for press in range(1, WAITING_OF_ONE_MAX + 1):
            book.take(OFFICE, f"car-{member}", trace(press), 10.0, AT)
    assert (book.waiting, book.dropped) == (WAITING_MAX, members * WAITING_OF_ONE_MAX - WAITING_MAX)

    flood(book, members)

    assert book.waiting == 2 * WAITING_MAX
