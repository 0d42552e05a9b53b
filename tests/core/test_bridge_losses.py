"""The Agora bridge without its broker, started half-way, and beside other bridges."""

import pytest

from dispatch.bridge.core.relay import BLIND_S, SEQ_MS
from dispatch.bridge.core.words import (
    FromWorker,
    GotPresence,
    LinkDown,
    LinkUp,
    StartWorker,
    WorkerGone,
)
from protocol.messages import (
    PresenceState,
)
from protocol.worker import (
    Arm,
    Hello,
    Join,
    Leave,
    Play,
    Stop,
    Token,
    Transmit,
)
from tests.core.bridge_core_rig import Bench, bridge, by_car, by_phone, idle, over, phone, ready


@pytest.fixture
def bench() -> Bench:
    """A bridge with worker, connection and token, in an office where nobody speaks."""
    bench = ready()
    bench.session(idle(1, burst=4))
    bench.look()
    return bench


# --- the broker is lost -----------------------------------------------------------------------------------------------


def test_without_the_broker_a_phone_is_held_at_once_and_taken_up_again_in_the_same_burst(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    [arm] = bench.commands(Arm)
    bench.look()

    bench.give(LinkDown(reason="gone"))
    bench.pass_time(1.0)
    without = bench.voice()
    bench.give(LinkUp())
    bench.look()
    bench.session(by_phone(2, 5))

    assert without == ["Hold"]
    assert bench.every() == [Transmit(request_id=arm.request_id, burst=5, as_user="phone-1", from_seq=0)]


def test_without_the_broker_a_vehicles_permission_is_not_renewed(bench: Bench) -> None:
    bench.session(by_car(2, 5))
    bench.look()

    bench.give(LinkDown(reason="gone"))
    bench.pass_time(BLIND_S / 2)

    assert bench.commands(Play) == []
    assert bench.core.way is None


def test_a_burst_that_ended_while_the_broker_was_away_is_ended_when_it_is_back(bench: Bench) -> None:
    bench.session(by_car(2, 5))
    bench.give(LinkDown(reason="gone"), LinkUp())
    bench.look()

    bench.session(idle(9, 8))

    assert bench.commands(Stop, Play) == [Stop(burst=5, drain=False)]


def test_nothing_is_carried_before_the_session_is_known_again(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    bench.give(LinkDown(reason="gone"))
    bench.pass_time(BLIND_S + 1)
    bench.give(LinkUp())
    bench.look()

    bench.give(GotPresence(user="phone-1", presence=phone()))
    bench.pass_time(5.0)

    assert bench.commands(Transmit, Arm, Play, Join) == []


def test_the_channel_is_left_when_the_broker_stays_away(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    bench.look()

    bench.give(LinkDown(reason="gone"))
    bench.pass_time(BLIND_S + 0.1)

    assert bench.voice() == ["Hold", "Mute", "Leave"]


def test_a_short_loss_of_the_broker_leaves_the_channel_joined(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    bench.give(LinkDown(reason="gone"))
    bench.pass_time(2.0)
    bench.give(LinkUp())
    bench.session(over(3, 5))
    bench.look()

    bench.pass_time(BLIND_S + 1)

    assert bench.commands(Join, Leave) == []


# --- starts half-way --------------------------------------------------------------------------------------------------


def test_a_bridge_that_starts_in_mid_burst_numbers_frames_above_all_that_were_sent_before() -> None:
    bench = ready()

    bench.session(by_phone(2, 5))

    [transmit] = bench.commands(Transmit)
    assert transmit.from_seq == bench.wall_ms // SEQ_MS % (1 << 27)
    later = ready()
    later.now += 1.0
    later.session(by_phone(2, 5))
    [again] = later.commands(Transmit)
    assert again.from_seq - transmit.from_seq == round(1000 / SEQ_MS)


def test_the_next_burst_is_numbered_from_zero_again() -> None:
    bench = ready()
    bench.session(by_phone(2, 5))
    bench.session(over(3, 5))
    bench.look()

    bench.session(by_phone(4, 6))

    assert [t.from_seq for t in bench.commands(Transmit)] == [0]


def test_a_worker_that_dies_in_mid_burst_is_restarted_and_takes_the_burst_up(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    [first] = bench.commands(Arm)
    bench.look()

    bench.give(WorkerGone(reason="SIGSEGV"))
    carried = bench.core.way
    bench.pass_time(1.0)
    bench.give(FromWorker(event=Hello(pid=10, transport="mqtt")))

    assert carried is None
    assert len(bench.all(StartWorker)) == 1
    assert [type(c).__name__ for c in bench.commands(Token, Join, Arm, Transmit)] == [
        "Token",
        "Join",
        "Arm",
        "Transmit",
    ]
    [second], [transmit] = bench.commands(Arm), bench.commands(Transmit)
    assert second.request_id > first.request_id
    assert transmit.from_seq > 0


def test_nothing_is_said_to_a_worker_that_is_gone(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    bench.give(WorkerGone(reason="SIGSEGV"))
    bench.look()

    bench.session(over(3, 5))
    bench.session(by_car(4, 6))

    assert bench.voice() == []


# --- several bridges --------------------------------------------------------------------------------------------------


def test_of_two_bridges_only_the_first_by_id_carries_a_phone() -> None:
    first, second = ready("bridge-1"), ready("bridge-2")
    first.give(GotPresence(user="bridge-2", presence=bridge()))
    second.give(GotPresence(user="bridge-1", presence=bridge()))

    for bench in (first, second):
        bench.session(idle(1, 4))
        bench.session(by_phone(2, 5))

    assert first.voice() == ["Join", "Arm", "Transmit"]
    assert second.voice() == ["Join"]


def test_the_second_bridge_takes_the_burst_up_when_the_first_is_lost() -> None:
    bench = ready("bridge-2")
    bench.give(GotPresence(user="bridge-1", presence=bridge()))
    bench.session(idle(1, 4))
    bench.session(by_phone(2, 5))
    bench.look()

    bench.give(GotPresence(user="bridge-1", presence=bridge(PresenceState.LOST)))

    [transmit] = bench.commands(Transmit)
    assert transmit.from_seq > 0


def test_a_second_bridge_is_silent_as_soon_as_the_first_one_is_back() -> None:
    bench = ready("bridge-2")
    bench.session(idle(1, 4))
    bench.session(by_phone(2, 5))
    bench.look()

    bench.give(GotPresence(user="bridge-1", presence=bridge()))
    bench.pass_time(1.0)

    assert bench.voice() == ["Mute"]
