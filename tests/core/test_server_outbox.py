"""The outbox: every event of the log reaches the broker, whoever logged it, in order."""

from dispatch.core import notices
from dispatch.core.notices import log
from dispatch.core.server import EventAcked
from dispatch.core.state import OfficeRules
from protocol.ids import OfficeId
from protocol.messages import (
    Event,
)
from tests.core.dispatch_bench import HQ, Bench


def test_events_nobody_acknowledged_are_published_again_on_the_next_connection() -> None:
    bench = Bench()
    bench.acks = False
    bench.take("car-1", 1)
    mark = len(bench.published)

    bench.down()
    bench.up()

    again = [p.message.no for p in bench.published[mark:] if isinstance(p.message, Event)]
    assert again[:2] == [1, 2]


def test_acknowledged_events_are_not_published_again() -> None:
    bench = Bench()
    bench.take("car-1", 1)
    bench.advance(2)
    mark = len(bench.published)

    bench.down()
    bench.up()

    assert [p for p in bench.published[mark:] if p.event_no in (1, 2)] == []
    assert bench.store.unpublished(HQ, 10) == ()


def test_a_long_backlog_is_published_whole_and_in_order() -> None:
    bench = Bench(OfficeRules(hang_s=0))
    bench.acks = False
    for press in range(1, 301):
        bench.take("car-1", press)
        bench.release("car-1", press)
    total = bench.floor.event_no
    mark = len(bench.published)
    bench.acks = True

    bench.start()
    bench.up()
    bench.advance(10)

    numbers = [p.message.no for p in bench.published[mark:] if isinstance(p.message, Event)]
    assert total == 1200
    assert numbers == list(range(1, total + 1))


def test_an_acknowledgement_that_comes_twice_does_no_harm() -> None:
    bench = Bench()
    bench.take("car-1", 1)

    for _ in range(2):
        bench._do(bench.server.handle(EventAcked(office=HQ, event_no=1), bench.now, 0))
    bench.release("car-1", 1)
    bench.advance(1.5)

    assert bench.store.unpublished(HQ, 10) == ()


def _log_elsewhere(bench: Bench, user: str) -> int:
    """What the REST service does; gives the event's number."""
    log(bench.store, HQ, bench.wall_ms, notices.enrolled(user, user, 1, "pi-1", None))
    return bench.floor.event_no


def _numbers(bench: Bench, mark: int) -> list[int]:
    return [p.message.no for p in bench.published[mark:] if isinstance(p.message, Event)]


def test_an_event_that_another_process_logged_is_published_within_two_seconds_and_once() -> None:
    bench = Bench()
    bench.advance(3)
    mark = len(bench.published)

    number = _log_elsewhere(bench, "car-9")
    bench.advance(2)
    in_time = _numbers(bench, mark)
    bench.advance(10)

    assert in_time == _numbers(bench, mark) == [number]
    assert bench.store.unpublished(HQ, 10) == ()


def test_an_event_of_another_process_between_two_of_our_own_is_not_overlooked() -> None:
    bench = Bench()
    bench.take("car-1", 1)
    mark = len(bench.published)

    theirs = _log_elsewhere(bench, "car-9")
    bench.release("car-1", 1)
    bench.advance(2)

    assert sorted(_numbers(bench, mark)) == [theirs, theirs + 1]


def test_events_that_a_replica_publishes_and_marks_are_left_to_it() -> None:
    bench = Bench()
    bench.advance(3)
    mark = len(bench.published)

    number = _log_elsewhere(bench, "car-9")
    bench.advance(1)
    bench.store.mark_published(HQ, (number,))
    bench.advance(5)

    assert _numbers(bench, mark) == []


def test_our_own_events_on_their_way_are_not_sent_again_because_of_another_s() -> None:
    bench = Bench()
    bench.acks = False
    bench.take("car-1", 1)
    mark = len(bench.published)

    theirs = _log_elsewhere(bench, "car-9")
    bench.advance(3)

    assert [number for number in _numbers(bench, mark) if number <= theirs] == [theirs]


def test_the_log_is_looked_at_for_others_only_where_it_has_grown_by_others() -> None:
    bench = Bench()
    bench.advance(5)
    looks: list[int] = []
    unpublished = bench.store.unpublished

    def counted(office: OfficeId, limit: int) -> tuple[Event, ...]:
        looks.append(limit)
        return unpublished(office, limit)

    bench.store.unpublished = counted  # type: ignore[method-assign]
    for press in range(1, 6):
        bench.take("car-1", press)
        bench.advance(1)
        bench.release("car-1", press)
        bench.advance(1)

    assert looks == []


def test_an_event_of_another_process_waits_for_a_store_that_is_away() -> None:
    bench = Bench()
    bench.advance(3)
    mark = len(bench.published)
    number = _log_elsewhere(bench, "car-9")
    bench.advance(1)

    bench.store.away = True
    bench.advance(5)
    bench.store.away = False
    bench.advance(3)

    assert _numbers(bench, mark) == [number]
