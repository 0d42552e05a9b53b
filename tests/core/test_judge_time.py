"""The judge: leases, wills, limits, hang times and expiry, on a clock that counts only time that counts."""

import pytest

from dispatch.core.judge import STEP_S_MAX, Clock, Judge
from dispatch.core.state import FloorState, OfficeRules
from protocol.messages import (
    Ended,
    EventType,
    FloorGranted,
    FloorRevoke,
    Presence,
    PresenceState,
    RevokeCause,
    Session,
)
from protocol.timers import FIRST_RENEW_S
from protocol.topics import Kind
from tests.core.dispatch_bench import Bench, one


def freed_after(bench: Bench, at_most_s: float) -> float:
    """Let time pass until the floor is idle; how long that took, to 0.01 s."""
    began = bench.now
    while bench.floor.holder is not None:
        assert bench.now - began <= at_most_s, "the floor is still held"
        bench.advance(0.01)
    return bench.now - began


# --- leases ---------------------------------------------------------------------------------------------------------


def test_a_silent_holder_is_freed_three_seconds_after_its_last_renewal() -> None:
    bench = Bench()
    burst = bench.take("car-1", 1)
    bench.talk("car-1", burst, 5)

    assert freed_after(bench, 4) == pytest.approx(3.0, abs=0.05)
    assert bench.floor.ended is Ended.LOST
    assert [e.metadata["of"] for e in bench.events(EventType.HEARTBEAT_LOST)] == ["floor"]


def test_a_grant_never_renewed_is_freed_after_its_time_and_is_no_lost_heartbeat() -> None:
    bench = Bench()
    bench.request("car-1", 1)

    assert freed_after(bench, 4) == pytest.approx(FIRST_RENEW_S, abs=0.05)
    assert bench.events(EventType.HEARTBEAT_LOST) == []


def test_a_holder_that_renews_keeps_the_floor_up_to_the_limit() -> None:
    bench = Bench()
    burst = bench.take("car-1", 1)

    bench.talk("car-1", burst, 31)

    assert (bench.floor.holder, bench.floor.burst) == ("car-1", burst)


def test_a_repeated_renewal_number_does_not_keep_the_lease() -> None:
    bench = Bench()
    burst = bench.take("car-1", 1)

    for _ in range(4):
        bench.advance(1.0)
        bench.renew("car-1", burst, 1)

    assert bench.floor.holder is None


@pytest.mark.parametrize("state", [PresenceState.LOST, PresenceState.OFFLINE])
def test_a_holder_whose_connection_died_is_freed_after_one_second(state: PresenceState) -> None:
    bench = Bench()
    bench.presence("car-1", 1)
    bench.take("car-1", 1)

    bench.presence("car-1", 2, state)

    assert freed_after(bench, 2) == pytest.approx(1.0, abs=0.1)


def test_a_renewal_over_a_newer_connection_outlives_the_will() -> None:
    bench = Bench()
    bench.presence("car-1", 1)
    burst = bench.take("car-1", 1)
    bench.presence("car-1", 2, PresenceState.LOST)

    bench.advance(0.5)
    bench.renew("car-1", burst, 2)
    bench.advance(2.5)

    assert bench.floor.holder == "car-1"


def test_the_will_of_an_older_connection_frees_nothing() -> None:
    bench = Bench()
    bench.presence("car-1", 1, boot=1)
    bench.presence("car-1", 1, boot=2)
    bench.take("car-1", 1)

    bench.presence("car-1", 99, PresenceState.LOST, boot=1)
    bench.advance(2.0)

    assert bench.floor.holder == "car-1"


# --- time that does not count ---------------------------------------------------------------------------------------


def test_no_lease_ends_while_the_broker_is_away_and_a_holder_has_time_to_renew_afterwards() -> None:
    bench = Bench()
    burst = bench.take("car-1", 1)
    bench.advance(2.9)

    bench.down()
    bench.advance(60)
    bench.up()
    held = bench.floor.holder
    bench.advance(0.5)
    bench.renew("car-1", burst, 2)
    bench.advance(2.0)

    assert held == "car-1"
    assert (bench.floor.holder, bench.floor.burst) == ("car-1", burst)


def test_after_an_outage_a_holder_that_stays_silent_is_freed_within_its_grace() -> None:
    bench = Bench()
    bench.take("car-1", 1)
    bench.advance(2.9)

    bench.down()
    bench.advance(60)
    bench.up()

    assert freed_after(bench, 2) <= 1.5


def test_no_lease_ends_while_the_store_is_away() -> None:
    bench = Bench()
    bench.take("car-1", 1)

    bench.store.away = True
    bench.advance(60)
    bench.store.away = False

    assert bench.floor.holder == "car-1"
    assert freed_after(bench, 5) <= 4.5


def test_a_process_that_was_stopped_does_not_free_a_holder_that_renewed_meanwhile() -> None:
    bench = Bench()
    burst = bench.take("car-1", 1)

    bench.freeze(30)
    bench.renew("car-1", burst, 2)
    bench.advance(2.5)

    assert bench.floor.holder == "car-1"


def test_a_stopped_process_counts_its_stop_as_one_step() -> None:
    clock = Clock()
    clock.run(10.0, True)

    clock.advance(40.0)

    assert clock.time_s == STEP_S_MAX


def test_a_clock_that_is_stopped_or_set_back_does_not_move() -> None:
    clock = Clock()
    clock.run(10.0, True)
    clock.advance(10.2)

    clock.advance(5.0)
    clock.run(5.0, False)
    clock.advance(6.0)
    clock.run(6.0, True)
    clock.advance(6.3)

    assert clock.time_s == pytest.approx(0.5)


# --- talk limit and hang time ---------------------------------------------------------------------------------------


def test_a_talk_beyond_the_limit_is_revoked_two_seconds_later_and_taken_after_one_more() -> None:
    bench = Bench(OfficeRules(talk_limit_s=5))
    granted = one(FloorGranted, bench.request("car-1", 1))
    for number in range(1, 8):
        bench.renew("car-1", granted.burst, number)
        bench.advance(0.95)
    before = bench.sent(FloorRevoke)

    bench.renew("car-1", granted.burst, 8)
    bench.advance(0.5)
    revoked = bench.sent(FloorRevoke, "car-1")
    state = bench.floor.state
    bench.advance(1.0)

    assert before == []
    assert (revoked[0].burst, revoked[0].cause) == (granted.burst, RevokeCause.BURST_TOO_LONG)
    assert state is FloorState.PENDING_REVOKE
    assert (bench.floor.holder, bench.floor.ended) == (None, Ended.LIMIT)


@pytest.mark.parametrize("hang_s", [1.0, 5.0, 30.0])
def test_a_session_ends_its_hang_time_after_the_last_burst(hang_s: float) -> None:
    bench = Bench(OfficeRules(hang_s=hang_s))
    bench.take("car-1", 1)
    bench.release("car-1", 1)

    bench.advance(hang_s - 0.1)
    before = bench.floor.active
    bench.advance(0.3)

    assert (before, bench.floor.active) == (True, False)
    assert not bench.sent(Session)[-1].active


def test_an_answer_within_the_hang_time_belongs_to_the_same_session() -> None:
    bench = Bench()
    bench.take("car-1", 1)
    bench.release("car-1", 1)
    bench.advance(4)

    bench.take("car-2", 1)

    assert len({s.event_id for s in bench.sent(Session) if s.active}) == 1
    assert len(bench.events(EventType.SESSION_STARTED)) == 1


def test_without_a_hang_time_the_release_ends_the_session_at_once() -> None:
    bench = Bench(OfficeRules(hang_s=0))
    bench.take("car-1", 1)

    bench.release("car-1", 1)

    assert not bench.floor.active
    assert [s.active for s in bench.sent(Session)][-2:] == [True, False]


# --- expiry ---------------------------------------------------------------------------------------------------------


def test_a_member_whose_heartbeats_stop_is_lost_after_170_seconds() -> None:
    bench = Bench()
    bench.presence("car-1", 1, in_channel="e")
    for number in range(1, 4):
        bench.advance(60)
        bench.beat("car-1", number)

    bench.advance(169.5)
    before = bench.member("car-1").state
    bench.advance(1.0)

    gone = bench.member("car-1")
    assert (before, gone.state, gone.in_channel) == (PresenceState.ONLINE, PresenceState.LOST, None)
    assert [(e.event, e.metadata["reason"]) for e in bench.events()[-3:]] == [
        (EventType.HEARTBEAT_LOST, "heartbeat_timeout"),
        (EventType.USER_LEFT, "heartbeat_timeout"),
        (EventType.LINK_LOST, "heartbeat_timeout"),
    ]
    [told] = [p for p in bench.published if p.ids == ("car-1",) and p.retain]
    assert told.message == gone.presence()


def test_time_without_a_broker_does_not_expire_a_member() -> None:
    bench = Bench()
    bench.presence("car-1", 1)
    bench.advance(160)

    bench.down()
    bench.advance(600)
    bench.up()
    bench.advance(5)

    assert bench.member("car-1").state is PresenceState.ONLINE


def test_members_of_before_a_restart_expire_170_seconds_after_it() -> None:
    bench = Bench()
    bench.presence("car-1", 1)
    bench.advance(100)

    bench.start()
    bench.up()
    bench.advance(168)
    before = bench.member("car-1").state
    bench.advance(3)

    assert (before, bench.member("car-1").state) == (PresenceState.ONLINE, PresenceState.LOST)


def test_five_hundred_members_that_fall_silent_together_all_expire() -> None:
    bench = Bench()
    online = Presence(state=PresenceState.ONLINE, connection_id=(1, 1, 1), presence_no=1)
    for number in range(500):
        bench.hear(f"car-{number}", online, Kind.PRESENCE)

    bench.advance(180)

    assert len(bench.events(EventType.HEARTBEAT_LOST)) == 500


def test_a_judge_that_has_seen_nothing_waits_for_nothing() -> None:
    judge = Judge(OfficeRules(), Clock())

    assert (judge.next_s(), judge.due(), judge.remaining_s()) == (None, (), None)
