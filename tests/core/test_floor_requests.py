"""How requests are judged: repeats, abandoned ones, priorities, queue, listen-only members, talk limits."""

import pytest

from dispatch.core.state import FloorState, OfficeRules
from protocol.messages import (
    DenyCause,
    Ended,
    EventType,
    FloorAck,
    FloorDeny,
    FloorGranted,
    FloorQueued,
    FloorRevoke,
    Priority,
    RevokeCause,
    Session,
)
from tests.core.dispatch_bench import Bench, denied, one

QUEUE = OfficeRules(queue=True, queue_max=2)


def test_a_grant_says_the_limit_the_lease_and_the_burst_of_the_session() -> None:
    bench = Bench(OfficeRules(talk_limit_s=45))

    granted = one(FloorGranted, bench.request("car-1", 1))

    session = bench.sent(Session)[-1]
    assert (granted.duration_s, granted.lease_s, granted.request_id) == (45, 3.0, (1, 1, 1, 1))
    assert (session.burst, session.current_speaker, session.rev) == (granted.burst, "car-1", granted.rev)


def test_a_repeated_request_gets_the_same_grant_as_long_as_it_holds() -> None:
    bench = Bench()
    burst = bench.take("car-1", 1)

    again = one(FloorGranted, bench.request("car-1", 1, again=True))
    bench.release("car-1", 1)
    afterwards = bench.request("car-1", 1, again=True)

    assert again.burst == burst
    assert afterwards == []


def test_a_repeated_request_that_was_denied_is_denied_again_though_the_floor_is_idle_now() -> None:
    bench = Bench()
    bench.take("car-1", 1)
    first = denied(bench.request("car-2", 1))
    bench.release("car-1", 1)

    again = denied(bench.request("car-2", 1, again=True))

    assert (first.cause, again.cause) == (DenyCause.ANOTHER_HAS_PERMISSION,) * 2
    assert bench.floor.state is FloorState.IDLE


def test_a_request_older_than_the_newest_is_not_answered() -> None:
    bench = Bench()
    bench.take("car-1", 7)

    assert bench.request("car-1", 6) == []


def test_a_request_released_before_it_arrived_never_lives() -> None:
    bench = Bench()

    acked = one(FloorAck, bench.release("car-1", 3))
    late = bench.request("car-1", 3)

    assert acked.request_id == (1, 1, 1, 3)
    assert late == []
    assert bench.floor.holder is None


def test_the_release_of_an_older_request_leaves_the_newer_burst_alone() -> None:
    bench = Bench()
    burst = bench.take("car-1", 2)

    one(FloorAck, bench.release("car-1", 1))

    assert (bench.floor.holder, bench.floor.burst) == ("car-1", burst)


def test_a_holder_that_presses_anew_ends_its_own_burst_and_gets_another() -> None:
    bench = Bench()
    first = bench.take("car-1", 1)

    second = one(FloorGranted, bench.request("car-1", 2)).burst

    assert second > first
    assert [e.metadata["ended"] for e in bench.events(EventType.BURST_ENDED)] == [Ended.SUPERSEDED]


@pytest.mark.parametrize(
    ("allowed", "asked", "granted"),
    [
        ({}, Priority.HIGH, False),
        ({}, Priority.EMERGENCY, True),
        ({"car-2": Priority.HIGH}, Priority.NORMAL, False),
        ({"car-2": Priority.HIGH}, Priority.HIGH, True),
        ({"car-2": Priority.HIGH}, Priority.EMERGENCY, True),
        ({"car-1": Priority.HIGH}, Priority.EMERGENCY, True),
    ],
)
def test_only_a_higher_priority_that_the_member_is_allowed_preempts(
    allowed: dict[str, Priority], asked: Priority, granted: bool
) -> None:
    bench = Bench(OfficeRules(priorities=allowed))
    bench.take("car-1", 1)

    answers = bench.request("car-2", 1, asked)

    assert any(isinstance(m, FloorGranted) for m in answers) is granted
    assert any(isinstance(m, FloorDeny) for m in answers) is not granted


def test_who_is_preempted_is_told_to_stop_before_the_other_is_told_to_speak() -> None:
    bench = Bench(OfficeRules(priorities={"boss": Priority.EMERGENCY}))
    burst = bench.take("car-1", 1)

    answers = bench.request("boss", 1, Priority.EMERGENCY)

    assert isinstance(answers[0], FloorRevoke)
    assert (answers[0].burst, answers[0].cause) == (burst, RevokeCause.PREEMPTED)
    assert isinstance(answers[1], FloorGranted)
    assert [e.metadata.get("ended") for e in bench.events(EventType.BURST_ENDED)] == [Ended.PREEMPTED]
    assert bench.sent(Session)[-1].priority is Priority.EMERGENCY


def test_a_listen_only_member_is_refused_on_an_idle_floor_and_again_when_it_repeats() -> None:
    bench = Bench(OfficeRules(listen_only=("car-1",)))

    causes = [denied(bench.request("car-1", 1)).cause, denied(bench.request("car-1", 1, again=True)).cause]

    assert causes == [DenyCause.RECEIVE_ONLY] * 2


def test_a_denial_says_who_speaks_and_how_long_at_most() -> None:
    bench = Bench(OfficeRules(names={"car-1": "김기사"}))
    burst = bench.take("car-1", 1)
    bench.talk("car-1", burst, 10)

    refused = denied(bench.request("car-2", 1))

    assert (refused.speaker, refused.speaker_name) == ("car-1", "김기사")
    assert refused.remaining_s == pytest.approx(20, abs=0.5)


# --- queue ----------------------------------------------------------------------------------------------------------


def test_waiting_members_are_told_their_place_and_served_in_order() -> None:
    bench = Bench(QUEUE)
    bench.take("car-1", 1)

    places = [one(FloorQueued, bench.request(car, 1)).position for car in ("car-2", "car-3")]
    bench.release("car-1", 1)

    assert places == [1, 2]
    assert bench.floor.holder == "car-2"
    assert bench.sent(FloorQueued, "car-3")[-1].position == 1


def test_a_full_queue_refuses() -> None:
    bench = Bench(QUEUE)
    bench.take("car-1", 1)
    bench.request("car-2", 1)
    bench.request("car-3", 1)

    assert denied(bench.request("car-4", 1)).cause is DenyCause.QUEUE_FULL


def test_higher_priorities_wait_in_front_and_the_others_are_told() -> None:
    bench = Bench(OfficeRules(queue=True, priorities={"car-1": Priority.HIGH, "car-3": Priority.HIGH}))
    granted = one(FloorGranted, bench.request("car-1", 1, Priority.HIGH))
    bench.renew("car-1", granted.burst, 1)
    bench.request("car-2", 1)

    bench.request("car-3", 1, Priority.HIGH)

    assert [q.user for q in bench.floor.queue] == ["car-3", "car-2"]
    assert bench.sent(FloorQueued, "car-2")[-1].position == 2


def test_who_lets_go_while_waiting_is_acknowledged_and_forgotten() -> None:
    bench = Bench(QUEUE)
    bench.take("car-1", 1)
    bench.request("car-2", 1)

    one(FloorAck, bench.release("car-2", 1))
    bench.release("car-1", 1)

    assert bench.floor.holder is None


def test_who_waits_and_stops_repeating_is_forgotten_and_who_repeats_is_not() -> None:
    bench = Bench(QUEUE)
    burst = bench.take("car-1", 1)
    bench.request("car-2", 1)
    bench.request("car-3", 1)

    for number in range(2, 7):
        bench.advance(1.0)
        bench.renew("car-1", burst, number)
        bench.request("car-3", 1, again=True)

    assert [q.user for q in bench.floor.queue] == ["car-3"]


def test_a_holder_that_asks_anew_does_not_overtake_the_queue() -> None:
    """Its release was lost; else it could go on for ever, limit after limit, while the others wait."""
    bench = Bench(OfficeRules(queue=True))
    bench.take("car-1", 1)
    bench.request("car-2", 1)

    answer = bench.request("car-1", 2)

    assert bench.floor.holder == "car-2"
    assert [q.user for q in bench.floor.queue] == ["car-1"]
    assert one(FloorQueued, [m for m in answer if isinstance(m, FloorQueued)][-1:]).position == 1


def test_a_newcomer_does_not_overtake_the_queue_while_a_revoked_burst_ends() -> None:
    bench = Bench(OfficeRules(queue=True, talk_limit_s=5))
    burst = bench.take("car-1", 1)
    for number in range(2, 9):
        bench.advance(1.0)
        bench.renew("car-1", burst, number)
        bench.request("car-2", 1, again=number > 2)
    assert bench.floor.state is FloorState.PENDING_REVOKE

    waiting = one(FloorQueued, bench.request("car-3", 1))
    bench.release("car-1", 1)

    assert waiting.position == 2
    assert bench.floor.holder == "car-2"
