"""Who heard a press and when, by clocks that were compared; the plan's five metrics of it; heartbeats by the hour."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dispatch.alerting.metric_watch import MetricWatch
from dispatch.core import notices
from dispatch.core.turn import Turn
from dispatch.history.day import Span, local, period
from dispatch.history.heartbeats import Beats, BeatsHour, count_beats, total
from dispatch.history.kpi import Kpi
from dispatch.history.office_log import OfficeLog
from dispatch.history.plan_metrics import Metric
from dispatch.history.presses import count_presses
from dispatch.report.page import page as report_page
from dispatch.report.tables import as_builtins
from dispatch.store.reader import StoreReader
from dispatch.store.sql import SqlStore
from dispatch.traces.book import TraceBook
from dispatch.traces.gather import Gatherer
from dispatch.traces.listeners import NEAR_MS, Listener, Reported, listeners_of
from dispatch.traces.reader import Traced, TraceReader
from dispatch.traces.schema import HOUR_MS
from dispatch.traces.store import Said, TraceStore
from dispatch.traces.tell import LISTENERS_TOLD, Evidence, Metrics, tell
from dispatch.traces.text import lines
from dispatch.web import past_pages
from dispatch.web.shell import Seen
from protocol.ids import OfficeId
from protocol.messages import BurstPlayed, Event, EventType, Heartbeat, PressTrace, TracedWord

OFFICE = OfficeId("seoul", "hq")
SEOUL = ZoneInfo("Asia/Seoul")
AT = 1_900_000_000_000 // HOUR_MS * HOUR_MS + 600_000


def trace(press: int = 1, *, at: int = AT, burst: int | None = 9, error_ms: int | None = 4) -> PressTrace:
    return PressTrace(
        request_id=(0, 5, 1, press),
        edge_at=at,
        edge_error_ms=error_ms,
        told=(TracedWord(ms=60, what="granted"), TracedWord(ms=2900, what="talk ended")),
        permitted_ms=60,
        through_ms=81,
        burst=burst,
    )


def played(heard_at: int | None = AT + 240, burst: int = 9, join_ms: int | None = None, press: int = 1) -> BurstPlayed:
    error_ms = None if heard_at is None else 5
    return BurstPlayed(
        connection_id=(1, press, 1), burst=burst, frames=90, heard_at=heard_at, heard_error_ms=error_ms, join_ms=join_ms
    )


def reported(user: str, report: BurstPlayed, at: int = AT + 3000) -> Reported:
    return Reported(user=user, received_at=at, report=report)


def beat(no: int, connection: int = 1) -> Heartbeat:
    return Heartbeat(connection_id=(0, 5, connection), beat_no=no)


# --- who heard it -----------------------------------------------------------------------------------------------------


def test_each_listener_is_told_with_both_clocks_errors_and_the_first_comes_first() -> None:
    reports = (reported("car-3", played(AT + 300)), reported("car-2", played(AT + 240, join_ms=31)))

    assert listeners_of(trace(), AT, reports) == (
        Listener(user="car-2", heard_ms=240, error_ms=9, join_ms=31, frames=90),
        Listener(user="car-3", heard_ms=300, error_ms=9, frames=90),
    )


def test_moments_of_clocks_that_were_not_compared_are_not_told() -> None:
    own_clock = listeners_of(trace(error_ms=None), AT, (reported("car-2", played()),))
    old_unit = listeners_of(trace(), AT, (reported("car-2", played(None)),))

    assert own_clock == old_unit == (Listener(user="car-2", frames=90),)


def test_a_burst_of_the_same_number_long_before_is_another_ones() -> None:
    old = reported("car-2", played(), at=AT - NEAR_MS - 1)
    late = reported("car-3", played(), at=AT + 5 * NEAR_MS)

    assert listeners_of(trace(), AT, (old, late)) == ()
    assert [one.user for one in listeners_of(trace(), AT + 5 * NEAR_MS, (old, late))] == ["car-3"]


def test_of_many_listeners_the_first_and_the_last_are_steps() -> None:
    reports = tuple(reported(f"car-{n}", played(AT + 200 + n)) for n in range(2, 60))
    traced = Traced(user="car-17", received_at=AT, trace=trace())
    (told,) = tell([traced], (), (), "en", str, Evidence(reports=reports))
    heard = [text for _, text in told.steps if text.startswith("heard by")]

    assert (len(heard), heard[0], heard[-1]) == (LISTENERS_TOLD, "heard by car-2, ±9 ms", "heard by car-59, ±9 ms")
    assert len(told.listeners) == 58


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        (
            "en",
            [
                "GRANTED: spoke as burst 9, heard by 2 of 3",
                "+240 ms  heard by car-2, ±9 ms, which joined the channel in 31 ms",
                "heard by, at a moment not measured: car-3",
                "metrics: session start 81 ms, token made in 3.2 ms, channel joined in 31 ms, participants 4, "
                "heartbeats 99.0% of the day before",
            ],
        ),
        (
            "ko",
            ["허가됨: 발언 9", "car-2 청취 시작, ±9 ms, 채널 참여 31 ms", "시각은 측정되지 않음: car-3", "참여자 4명"],
        ),
    ],
)
def test_a_press_is_told_as_text_with_its_listeners_and_the_five_metrics(lang: str, said: list[str]) -> None:
    heard = Event(
        no=1, event=EventType.BURST_HEARD, at=AT, user="car-17", metadata={"burst": 9, "heard_by": 2, "heard_of": 3}
    )
    reports = (reported("car-2", played(join_ms=31)), reported("car-3", played(None)))
    evidence = Evidence(reports=reports, tokens=((AT - 5, 3.2), (AT + 5, 9.9)), heartbeat_rate=0.99)
    traced = Traced(user="car-17", received_at=AT, trace=trace())
    (told,) = tell([traced], [heard], (), lang, str, evidence)
    text = "\n".join(lines(told, "car-17", lang, SEOUL))

    assert [each for each in said if each not in text] == []
    assert told.metrics == Metrics(session_start_ms=81, token_ms=3.2, join_ms=31, participants=4, heartbeat_rate=0.99)


# --- heartbeats -------------------------------------------------------------------------------------------------------


def hour(first: int, last: int, came: int, at: int = 0, connection: str = "0.5.1") -> BeatsHour:
    return BeatsHour(
        user="car-1", connection=connection, hour_at=at, first_no=first, last_no=last, last_at=at + 5000, came=came
    )


def lost(at: int, kind: EventType = EventType.LINK_LOST, **metadata: object) -> Event:
    return Event(no=1, event=kind, at=at, user="car-1", metadata=metadata)


def test_heartbeats_missing_within_an_hour_and_between_two_count_as_expected() -> None:
    hours = [hour(4, 10, 6), hour(13, 14, 2, at=HOUR_MS), hour(1, 2, 2, at=HOUR_MS, connection="0.5.2")]

    assert count_beats(hours, ()) == {"car-1": Beats(expected=13, came=10)}


def test_heartbeats_due_before_a_loss_was_noticed_count_as_missing_once() -> None:
    events = [
        lost(5000 + 175_000, EventType.HEARTBEAT_LOST, of="member"),
        lost(5000 + 175_000),
        lost(5000 + 400_000, EventType.HEARTBEAT_LOST, of="floor"),
    ]

    assert count_beats([hour(1, 5, 5)], events) == {"car-1": Beats(expected=7, came=5)}
    assert count_beats([], events) == {}


def test_the_rate_of_all_is_that_of_all_their_heartbeats() -> None:
    assert total({"a": Beats(expected=10, came=10), "b": Beats(expected=30, came=26)}).rate == pytest.approx(0.9)
    assert total({}).rate is None


# --- the store --------------------------------------------------------------------------------------------------------


class Kept:
    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'office.db'}"
        self.store = TraceStore(self.url)
        self.book = TraceBook(self.store)
        self.reader = StoreReader(self.url)

    def take(self, user: str, *said: Said, wall_ms: int = AT) -> None:
        for one in said:
            self.book.take(OFFICE, user, one, 10.0, wall_ms)
        self.book.step(11.0)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    SqlStore(f"sqlite:///{tmp_path / 'office.db'}").close()
    made = Kept(tmp_path)
    yield made
    made.reader.close()
    made.store.close()


def test_a_heartbeat_taken_in_twice_counts_once_and_an_hour_is_one_row(kept: Kept) -> None:
    kept.take("car-1", beat(61), beat(62), beat(64))
    kept.take("car-1", beat(62), beat(65), wall_ms=AT + 60_000)
    kept.take("car-1", beat(66), wall_ms=AT + HOUR_MS)
    kept.take("car-2", beat(1))

    found = TraceReader(kept.reader).beats(OFFICE, AT, AT + HOUR_MS)
    mine = TraceReader(kept.reader).beats(OFFICE, AT, AT + 2 * HOUR_MS, "car-1")

    assert {(one.user, one.first_no, one.last_no, one.came, one.last_at) for one in found} == {
        ("car-1", 61, 65, 4, AT + 60_000),
        ("car-1", 66, 66, 1, AT + HOUR_MS),
        ("car-2", 1, 1, 1, AT),
    }
    assert count_beats(mine, ()) == {"car-1": Beats(expected=6, came=5)}


def test_a_burst_is_found_by_its_number_and_told_with_who_heard_it(kept: Kept) -> None:
    def log(turn: Turn) -> None:
        turn.event(EventType.SPEAKER_CHANGED, "car-17", burst=90, request_id=(0, 5, 1, 3))
        turn.event(EventType.SPEAKER_CHANGED, "car-17", burst=9, request_id=(0, 5, 1, 1))
        turn.event(EventType.SPEAKER_CHANGED, "car-4", burst=99, request_id=(0, 6, 1, 1))

    store = SqlStore(kept.url)
    notices.log(store, OFFICE, AT + 40, log)
    store.close()
    kept.take("car-17", trace(1), wall_ms=AT + 3000)
    kept.take("car-2", played(), played(), wall_ms=AT + 3000)
    kept.take("car-3", played(burst=90), wall_ms=AT + 3000)

    found = Gatherer(kept.reader).of_burst(OFFICE, 9, "en", SEOUL)

    assert found is not None
    assert (found[0], found[1].request, [one.user for one in found[1].listeners]) == (
        "car-17",
        (0, 5, 1, 1),
        ["car-2"],
    )
    assert Gatherer(kept.reader).of_burst(OFFICE, 7, "en", SEOUL) is None


def test_figures_take_response_and_join_time_from_what_listeners_told(kept: Kept) -> None:
    def log(turn: Turn) -> None:
        turn.event(EventType.BURST_HEARD, "car-17", burst=9, heard_by=2, heard_of=2)

    store = SqlStore(kept.url)
    notices.log(store, OFFICE, AT + 3300, log)
    store.close()
    kept.take("car-17", trace(1), trace(2, at=AT + 60_000, burst=10), trace(3, at=AT + 90_000, burst=11, error_ms=None))
    kept.take("car-2", played(AT + 240, join_ms=31), played(AT + 60_160, burst=10), played(AT + 90_100, burst=11))
    kept.take("car-3", played(AT + 300, join_ms=55))
    figures = count_presses(TraceReader(kept.reader).presses(OFFICE, AT, AT + 100_000))

    assert (figures.notice.count, figures.notice.average_ms, figures.notice_error_ms) == (2, 200, 9)
    assert (figures.join.count, figures.join.average_ms) == (1, 55)
    assert (figures.start.count, figures.start.average_ms, figures.participants_average) == (3, 81, 3)


def test_reports_and_heartbeats_go_with_the_traces_when_they_are_old(kept: Kept) -> None:
    kept.take("car-17", trace(1), played(), beat(1))
    kept.take("car-17", trace(2), played(burst=12), beat(2, connection=2), wall_ms=AT + HOUR_MS)

    assert kept.store.prune(OFFICE, AT + 1, 0, 2) == (2, 0)
    assert kept.store.prune(OFFICE, AT + 1, 0, 2) == (1, None)
    left = TraceReader(kept.reader)
    assert [one.report.burst for one in left.reports(OFFICE, 0, 2**53)] == [12]
    assert [one.connection for one in left.beats(OFFICE, 0, 2**53)] == ["0.5.2"]
    assert len(left.traces(OFFICE, 0, 2**53)) == 1


def test_the_five_metrics_of_a_day_are_in_what_report_and_pages_read(kept: Kept) -> None:
    def log(turn: Turn) -> None:
        turn.event(EventType.BURST_HEARD, "car-17", burst=9, heard_by=1, heard_of=2)

    store = SqlStore(kept.url)
    notices.log(store, OFFICE, AT + 3300, log)
    store.close()
    kept.take("car-17", trace(1), beat(1), beat(2), beat(4), wall_ms=AT + 3000)
    kept.take("car-2", played(join_ms=31), wall_ms=AT + 3000)
    day = period(Span.DAY, local(AT, SEOUL).date(), SEOUL)

    found = OfficeLog(kept.reader, TraceReader(kept.reader)).read(OFFICE, day, SEOUL, AT + 60_000)
    untraced = OfficeLog(kept.reader).read(OFFICE, day, SEOUL, AT + 60_000)
    built = as_builtins(found, AT, 0.99)

    assert {name: (one["value"], one["samples"]) for name, one in built["metrics"].items()} == {
        "session_start_latency_ms": (81, 1),
        "token_generation_time_ms": (None, 0),
        "channel_join_time_ms": (31, 1),
        "participant_count": (3, 1),
        "heartbeat_success_rate": (0.75, 4),
    }
    assert [(row.value, row.p95) for row in found.kpis if row.kpi in (Kpi.RESPONSE, Kpi.JOIN)] == [(240, 240), (31, 31)]
    assert {one.value for one in untraced.metrics} == {None}
    for lang, said in (("en", "75.00%"), ("ko", "하트비트 성공률")):
        seen = Seen(lang=lang, office_name="hq")
        assert said in past_pages.kpi(seen, day.first, day.first, found).decode()
        assert said in report_page(found, AT, 0.99, lang)


def test_error_rate_and_response_of_each_day_are_charts_and_a_day_without_presses_has_no_bar(kept: Kept) -> None:
    kept.take("car-17", trace(1), beat(1), wall_ms=AT + 3000)
    kept.take("car-2", played(), wall_ms=AT + 3000)
    last = local(AT, SEOUL).date()
    day = period(Span.DAY, last, SEOUL)

    found = OfficeLog(kept.reader, TraceReader(kept.reader)).days(OFFICE, day, SEOUL)
    untraced = OfficeLog(kept.reader).days(OFFICE, day, SEOUL)
    pages = [past_pages.history(Seen(lang="en", office_name="hq"), last, last, each, 2).decode() for each in (found, untraced)]  # noqa: E501  # fmt: skip
    charts = [re.search(r"<h2>From the button.*?</section>", page, re.DOTALL) for page in pages]
    shown, unknown = (chart[0] if chart else "" for chart in charts)

    assert re.findall(r"<td>([^<]*)</td>", shown) == ["not measured", "240"]
    assert "target &lt; 100 ms" in shown
    assert (shown.count("<rect"), unknown.count("<rect")) == (1, 0)
    assert re.findall(r'<p class="none">([^<]*)</p>', unknown) == ["not measured"]
    assert "Error rate a day, % (target &lt; 0.1%)" in pages[0]
    assert "하루 오류율" in past_pages.history(Seen(lang="ko", office_name="hq"), last, last, found, 2).decode()


def test_the_last_hour_is_read_for_metrics_no_sooner_than_is_due(kept: Kept) -> None:
    moments = iter([0.0, 10.0, 100.0, 211.0, 211.0])  # reading takes 10 s, so that the next is due at 210
    watch = MetricWatch(lambda: next(moments))
    kept.take("car-17", trace(1), beat(1), wall_ms=AT + 3000)
    kept.take("car-2", played(join_ms=31), wall_ms=AT + 3000)
    watch.read(kept.reader, OFFICE, AT + 10_000)
    first = watch.known(OFFICE)
    kept.take("car-3", played(join_ms=50), wall_ms=AT + 11_000)
    watch.read(kept.reader, OFFICE, AT + 20_000)
    soon = watch.known(OFFICE)
    watch.read(kept.reader, OFFICE, AT + 30_000)

    assert (first.value(Metric.JOIN), first.first_heard_ms, first.value(Metric.HEARTBEATS)) == (31, 240, 1.0)
    assert soon is first
    assert watch.known(OFFICE).value(Metric.JOIN) == 50
    assert watch.known(OfficeId("seoul", "none")).value(Metric.JOIN) is None
