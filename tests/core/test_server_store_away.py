"""What the server does while the store is away, and with what is not its own."""

from dispatch.core.server import BrokerUp, Fault, FloorControlServer, Received
from dispatch.core.state import OfficeRules
from protocol.ids import OfficeId
from protocol.messages import (
    Alert,
    DenyCause,
    EventType,
    FloorAck,
    FloorRequest,
    Presence,
    PresenceState,
    Session,
)
from protocol.topics import Kind
from tests.core.dispatch_bench import HQ, Bench, denied, one


def alerts(bench: Bench, name: str) -> list[object]:
    """What was published on this alert's topic; None clears it."""
    return [p.message for p in bench.published if p.kind is Kind.ALERT and p.ids == ("dispatch", name)]


# --- store away ------------------------------------------------------------------------------------------------------


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


# --- others ----------------------------------------------------------------------------------------------------------


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
