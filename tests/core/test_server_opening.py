"""Opening an office, whose store it is, and its announcements."""

import pytest
from msgspec.structs import replace

from dispatch.core.server import BrokerDown, Received
from protocol.ids import EPOCH_MAX, JSON_INT_MAX, epoch_of, ordered_number
from protocol.messages import (
    Alert,
    Event,
    FloorGranted,
    FloorRequest,
    Session,
)
from protocol.topics import Kind
from tests.core.dispatch_bench import HQ, Bench, one


def session_of(bench: Bench, **changes: object) -> Session:
    """The session as announced last, changed."""
    return replace(bench.sent(Session)[-1], **changes)


def alerts(bench: Bench, name: str) -> list[object]:
    """What was published on this alert's topic; None clears it."""
    return [p.message for p in bench.published if p.kind is Kind.ALERT and p.ids == ("dispatch", name)]


# --- opening ---------------------------------------------------------------------------------------------------------


def test_a_new_office_is_announced_soon_after_connecting() -> None:
    bench = Bench()

    first = bench.sent(Session)[0]
    assert (first.active, first.current_speaker, first.burst, first.channel_name) == (False, None, 0, "seoul_hq_ptt")
    assert first.store == bench.store.store_id
    assert epoch_of(first.rev) == 1


def test_nothing_is_announced_while_the_retained_session_may_still_come() -> None:
    bench = Bench(opened=False)
    bench.echo = False
    mark = bench.now

    bench.up()

    assert bench.sent(Session)
    assert bench.now - mark >= 0.3


def test_every_opening_raises_the_epoch_so_that_bursts_and_revs_only_rise() -> None:
    bench = Bench()
    first = bench.take("car-1", 1)
    bench.release("car-1", 1)
    rev = bench.floor.rev

    bench.start()
    bench.up()
    second = bench.take("car-1", 2)

    assert epoch_of(second) == epoch_of(first) + 1
    assert bench.sent(Session)[-1].rev > rev


def test_a_session_ahead_of_a_restored_store_is_overtaken() -> None:
    bench = Bench()
    ahead = session_of(bench, rev=ordered_number(40, 9), burst=ordered_number(39, 2))

    bench.hear("", ahead, Kind.SESSION)

    assert epoch_of(bench.floor.rev) == 41
    assert bench.take("car-1", 1) > ahead.burst


def test_floor_messages_that_come_before_the_opening_are_answered_after_it() -> None:
    bench = Bench(opened=False)
    bench.server.handle(BrokerDown(), bench.now, 0)
    mark = len(bench.published)
    early = Received(office=HQ, kind=Kind.FLOOR, user="car-1", message=FloorRequest(request_id=(1, 1, 1, 1)))

    bench._do(bench.server.handle(early, bench.now, 0))
    unanswered = bench.sent(FloorGranted)
    bench.up()

    assert unanswered == []
    assert mark == 0
    assert bench.sent(FloorGranted, "car-1")


def test_a_store_that_is_away_at_the_opening_is_tried_again_until_it_is_there() -> None:
    bench = Bench(opened=False)
    bench.store.away = True
    bench.up()
    bench.request("car-1", 1)
    bench.advance(10)
    shut = bench.office.opened

    bench.store.away = False
    bench.advance(3)

    assert not shut
    assert bench.office.opened
    assert bench.sent(FloorGranted) == []  # pressed ten seconds ago: too old to be answered
    assert bench.take("car-1", 2)


# --- whose store -----------------------------------------------------------------------------------------------------


def test_a_foreign_session_is_refused_with_an_alert_and_no_answer_to_anyone() -> None:
    bench = Bench(opened=False)
    bench.retained = Session(rev=5, store="theirs", active=False, channel_name="c", burst=3)

    bench.up()
    answers = bench.request("car-1", 1)
    bench.hear("", bench.retained, Kind.SESSION)
    bench.advance(5)

    assert answers == []
    [alert] = alerts(bench, "foreign-store")
    assert isinstance(alert, Alert)
    assert "theirs" in alert.mend
    assert "--adopt" in alert.mend
    assert bench.sent(Session) == []
    assert bench.office.refused


def test_adopting_takes_the_office_over_above_all_the_other_store_had_given() -> None:
    bench = Bench(opened=False, adopt=True)
    bench.retained = Session(
        rev=ordered_number(7, 5), store="theirs", active=True, channel_name="c", burst=ordered_number(6, 3)
    )

    bench.up()

    assert bench.sent(Session)[-1].store == bench.store.store_id
    assert bench.take("car-1", 1) > ordered_number(7, 0)
    assert alerts(bench, "foreign-store") == [None]


def test_adopting_is_done_once_so_that_two_servers_cannot_take_an_office_from_each_other_for_ever() -> None:
    bench = Bench(adopt=True)

    bench.hear("", session_of(bench, store="theirs", rev=ordered_number(9, 0)), Kind.SESSION)

    assert bench.office.refused
    assert not bench.office.opened


def test_a_foreign_session_in_mid_service_stops_the_service() -> None:
    bench = Bench()

    bench.hear("", session_of(bench, store="theirs"), Kind.SESSION)

    assert bench.request("car-1", 1) == []
    assert isinstance(alerts(bench, "foreign-store")[-1], Alert)


@pytest.mark.parametrize("field", ["rev", "burst"])
def test_a_session_with_no_number_left_above_it_is_refused_and_ends_nothing(field: str) -> None:
    bench = Bench()

    bench.hear("", session_of(bench, **{"rev": JSON_INT_MAX, field: JSON_INT_MAX}), Kind.SESSION)

    assert "end of its range" in (bench.office.refused or "")
    assert epoch_of(JSON_INT_MAX) == EPOCH_MAX


def test_events_of_a_refused_store_are_not_published() -> None:
    bench = Bench()
    bench.acks = False
    bench.take("car-1", 1)
    bench.retained = session_of(bench, store="theirs")
    mark = len(bench.published)

    bench.start()
    bench.up()

    assert [p for p in bench.published[mark:] if isinstance(p.message, Event)] == []


# --- announcements ---------------------------------------------------------------------------------------------------


def test_an_older_session_that_the_broker_restored_is_replaced_at_once() -> None:
    bench = Bench()
    old = bench.sent(Session)[-1]
    bench.take("car-1", 1)

    answers = bench.hear("", old, Kind.SESSION)

    assert one(Session, answers).current_speaker == "car-1"


def test_own_announcements_that_come_back_late_are_not_answered_with_more_of_them() -> None:
    bench = Bench()
    bench.echo = False
    for press in range(1, 21):
        bench.take("car-1", press)
        bench.release("car-1", press)
    late = bench.sent(Session)[-39:]
    mark = len(bench.published)

    for session in late:
        bench.hear("", session, Kind.SESSION)

    assert bench.published[mark:] == []


def test_an_announcement_of_another_replica_that_overtook_a_newer_one_is_replaced() -> None:
    bench = Bench()
    bench.take("car-1", 1)
    newest = bench.sent(Session)[-1]

    answers = bench.hear("", replace(newest, rev=newest.rev - 1, current_speaker=None), Kind.SESSION)

    assert answers == [newest]


def test_a_session_that_got_lost_on_its_way_is_announced_again_within_a_second() -> None:
    bench = Bench()
    bench.echo = False
    bench.take("car-1", 1)
    mark = len(bench.sent(Session))

    bench.advance(1.1)

    assert {s.current_speaker for s in bench.sent(Session)[mark:]} == {"car-1"}


def test_a_change_that_another_replica_made_is_seen_and_judged_within_a_second() -> None:
    bench = Bench()
    other = Bench(store=bench.store)
    burst = other.take("car-1", 1)

    bench.advance(1.1)
    bench.advance(3.1)

    assert bench.floor.holder is None
    assert bench.floor.burst == burst


def test_nothing_is_published_while_nothing_changes() -> None:
    bench = Bench()
    bench.presence("car-1", 1)
    bench.advance(3)
    mark = len(bench.published)

    bench.advance(100)

    assert bench.published[mark:] == []
