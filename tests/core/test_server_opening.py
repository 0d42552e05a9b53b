"""Opening an office, its announcements, its outbox, and what happens while broker or store are away."""

import pytest
from msgspec.structs import replace

from dispatch.core import notices
from dispatch.core.notices import log
from dispatch.core.server import BrokerDown, BrokerUp, EventAcked, Fault, FloorControlServer, Received
from dispatch.core.state import OfficeRules
from protocol.ids import EPOCH_MAX, JSON_INT_MAX, OfficeId, epoch_of, ordered_number
from protocol.messages import (
    Alert,
    DenyCause,
    Event,
    EventType,
    FloorAck,
    FloorGranted,
    FloorRequest,
    Presence,
    PresenceState,
    Session,
)
from protocol.topics import Kind
from tests.core.dispatch_bench import HQ, Bench, denied, one


def session_of(bench: Bench, **changes: object) -> Session:
    """The session as announced last, changed."""
    return replace(bench.sent(Session)[-1], **changes)


def alerts(bench: Bench, name: str) -> list[object]:
    """What was published on this alert's topic; None clears it."""
    return [p.message for p in bench.published if p.kind is Kind.ALERT and p.ids == ("dispatch", name)]


# --- opening --------------------------------------------------------------------------------------------------------


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


# --- whose store ----------------------------------------------------------------------------------------------------


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


# --- announcements --------------------------------------------------------------------------------------------------


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


# --- store away -----------------------------------------------------------------------------------------------------


def test_a_request_is_denied_as_an_internal_error_while_the_store_is_away() -> None:
    bench = Bench()
    bench.store.away = True

    answer = denied(bench.request("car-1", 1))

    assert answer.cause is DenyCause.INTERNAL_ERROR
    assert [f.what for f in bench.faults] == ["away -> wait"]
    assert bench.server.store_error == "away -> wait"


def test_the_store_s_absence_is_told_once_and_its_return_too() -> None:
    bench = Bench()
    mark = len(alerts(bench, "store-unavailable"))
    bench.store.away = True
    bench.advance(10)
    bench.store.away = False
    bench.advance(3)

    told = alerts(bench, "store-unavailable")[mark:]
    assert len(bench.faults) == 1
    assert isinstance(told[0], Alert)
    assert told[1:] == [None]
    assert bench.server.store_ok


def test_an_office_that_needs_no_store_does_not_pass_for_the_store_s_return() -> None:
    bench = Bench()
    first = OfficeId("seoul", "another")
    server = FloorControlServer({first: OfficeRules(), HQ: OfficeRules()}, bench.store, lambda: "id")
    server.handle(BrokerUp(), 0.0, 0)
    theirs = Session(rev=5, store="theirs", active=False, channel_name="c")
    server.handle(Received(office=first, kind=Kind.SESSION, user="", message=theirs), 0.1, 0)
    server.tick(0.5, 0)

    bench.store.away = True
    effects = [e for second in range(1, 10) for e in server.tick(0.5 + second, 0)]

    assert server.offices[first].refused
    assert len([e for e in effects if isinstance(e, Fault)]) == 1


def test_who_connects_while_the_store_is_away_is_told_too() -> None:
    bench = Bench()
    bench.store.away = True
    bench.advance(3)
    bench.down()
    mark = len(bench.published)

    bench.up()

    assert [type(p.message) for p in bench.published[mark:] if p.kind is Kind.ALERT] == [Alert]


def test_a_release_that_met_a_store_away_is_done_when_it_is_sent_again() -> None:
    bench = Bench()
    bench.take("car-1", 1)
    bench.store.away = True
    lost = bench.release("car-1", 1)
    bench.store.away = False

    again = bench.release("car-1", 1)

    assert [m for m in lost if isinstance(m, FloorAck)] == []
    assert one(FloorAck, again)
    assert bench.floor.holder is None


def test_effects_of_what_was_committed_are_published_though_the_store_goes_away_right_after() -> None:
    bench = Bench()
    bench.take("car-1", 1)
    bench.advance(2.98)
    joined = Presence(state=PresenceState.ONLINE, connection_id=(1, 1, 1), presence_no=1, in_channel="e")
    bench.hear("car-2", joined, Kind.PRESENCE)
    bench.freeze(0.05)  # both the batch of signs and the lease are due now

    bench.store.durable_left = 1
    bench.advance(0.01)
    away = bench.store.away
    heard = bench.events(EventType.USER_JOINED)
    bench.store.away, bench.store.durable_left = False, None
    bench.advance(5)

    assert away
    assert [e.user for e in heard] == ["car-2"]
    assert bench.floor.holder is None
    assert [e.no for e in bench.events()] == list(range(1, bench.floor.event_no + 1))


# --- outbox ---------------------------------------------------------------------------------------------------------


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


# --- others ---------------------------------------------------------------------------------------------------------


def test_messages_of_offices_not_served_are_counted_and_left_alone() -> None:
    bench = Bench()

    answers = bench.hear("car-1", FloorRequest(request_id=(1, 1, 1, 1)), office=OfficeId("seoul", "other"))

    assert answers == []
    assert bench.server.unknown_offices == 1


def test_events_tell_a_session_from_its_start_to_its_end() -> None:
    bench = Bench(OfficeRules(hang_s=1))
    burst = bench.take("car-1", 1)
    bench.release("car-1", 1, last_seq=50)
    bench.advance(2)

    told = [(e.event, e.user, e.metadata) for e in bench.events()]
    assert told == [
        (EventType.SESSION_STARTED, "car-1", {"channel_name": "seoul_hq_ptt"}),
        (EventType.SPEAKER_CHANGED, "car-1", {"burst": burst, "priority": "normal", "request_id": [1, 1, 1, 1]}),
        (
            EventType.BURST_ENDED,
            "car-1",
            {"burst": burst, "ended": "released", "last_seq": 50, "unrenewed_ms": 0},
        ),
        (EventType.SESSION_ENDED, None, {"reason": "hang time over", "heard_by": 0, "heard_of": 0}),
    ]
    assert len({e.event_id for e in bench.events()}) == 1
