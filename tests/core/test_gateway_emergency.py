"""The emergency button: held, let go early, pressed again, with and without a link, and what outlives it."""

from __future__ import annotations

import pytest

from gateway.core.emergency import EmergencySettings
from gateway.core.indicators import TABLE, Vibration
from gateway.core.participant_words import State
from gateway.core.told import Told
from gateway.core.words import (
    KeepEmergency,
    LinkDown,
    LinkUp,
    Look,
    Pressed,
    Publish,
    Released,
    Tell,
    WorkerGone,
)
from protocol.messages import (
    DenyCause,
    FloorDeny,
    FloorQueued,
    FloorRenew,
    FloorRenewed,
    FloorRevoke,
    Priority,
    RevokeCause,
)
from protocol.topics import Kind
from protocol.worker import Arm, KeyUp, Mute, Say, Transmit
from tests.core.gateway_emergency_rig import Cab


@pytest.fixture
def cab() -> Cab:
    return Cab()


# --- held -------------------------------------------------------------------------------------------------------------


def test_it_is_felt_and_seen_at_once_that_the_button_counts(cab: Cab) -> None:
    cab.down()

    assert (cab.told(), cab.shows()) == ([Told.EMERGENCY_HELD], Look.HOLDING)
    assert TABLE[Told.EMERGENCY_HELD].vibration is Vibration.COUNTING
    assert cab.requests() == []


def test_held_long_enough_it_asks_first_then_raises_the_alert_and_keeps_it(cab: Cab) -> None:
    cab.down()
    mark = len(cab.all)
    effects = cab.wait(1.0)

    order = [e.message if isinstance(e, Publish) else e for e in effects if isinstance(e, KeepEmergency | Publish)]
    assert [type(each).__name__ for each in order[:3]] == ["FloorRequest", "Alert", "KeepEmergency"]
    assert cab.requests() == [Priority.EMERGENCY]
    assert (cab.alert(), cab.kept()) == (True, [int(cab.now * 1000)])
    assert Told.EMERGENCY in [e.what for _, e in cab.all[mark:] if isinstance(e, Tell)]


def test_nothing_said_before_the_button_was_held_long_enough_is_kept(cab: Cab) -> None:
    at = cab.now
    cab.hold()

    [arm] = cab.commands(Arm)
    assert isinstance(arm, Arm)
    assert arm.edge_at == pytest.approx(at + 1.0)


@pytest.mark.parametrize("held_s", [0.001, 0.5, 0.999])
def test_let_go_before_that_nothing_happens_but_that_it_is_told(cab: Cab, held_s: float) -> None:
    cab.hold(held_s)
    cab.wait(5.0)

    assert cab.told() == [Told.EMERGENCY_HELD, Told.EMERGENCY_NOT_HELD]
    assert (cab.requests(), cab.alert(), cab.kept(), cab.commands(Say)) == ([], None, [], [])


def test_pieces_of_a_second_do_not_add_up(cab: Cab) -> None:
    for _ in range(20):
        cab.hold(0.9)

    assert cab.requests() == []


def test_a_loop_that_was_late_goes_by_the_edges(cab: Cab) -> None:
    # given a button that was held for 1.2 s while the loop did not turn
    cab.down(cab.now)
    began = cab.now
    cab.now += 2.0
    # when it takes up the release
    cab.let_go(began + 1.2)
    # then that was an emergency; and a short one, as late, is none
    assert cab.requests() == [Priority.EMERGENCY]
    late = Cab()
    late.down(late.now)
    began = late.now
    late.now += 2.0
    late.let_go(began + 0.8)
    assert late.requests() == []


@pytest.mark.parametrize("hold_s", [0.5, 3.0])
def test_how_long_it_is_held_is_the_settings(hold_s: float) -> None:
    cab = Cab(EmergencySettings(hold_s=hold_s))
    cab.down()
    cab.wait(hold_s - 0.01)
    assert cab.requests() == []
    cab.wait(0.02)
    assert cab.requests() == [Priority.EMERGENCY]


# --- hands-free -------------------------------------------------------------------------------------------------------


def test_granted_it_speaks_without_a_hand_for_as_long_as_set_and_the_alert_stays(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    assert cab.vehicle.participant.transmitting
    assert cab.vehicle.status().keyed
    cab.talk_on(19.5)
    assert cab.vehicle.participant.transmitting

    cab.talk_on(1.0)

    assert len(cab.commands(KeyUp)) == 1
    cab.drained()
    assert cab.told()[-1] is Told.EMERGENCY_ENDED
    assert (cab.alert(), cab.vehicle.status().keyed) == (True, False)


def test_it_never_speaks_longer_than_it_was_granted() -> None:
    cab = Cab(EmergencySettings(open_s=120))
    cab.hold()
    cab.grant()
    cab.talk_on(30.5)

    assert Told.LIMIT_REACHED in cab.told()
    assert not cab.vehicle.status().keyed


def test_the_talk_button_during_the_window_is_answered_and_changes_nothing(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    before = len(cab.requests())
    cab.feed(Pressed(at=cab.now))
    told = [e for _, e in cab.all if isinstance(e, Tell)][-1]
    cab.wait(0.2)
    cab.feed(Released(at=cab.now))

    assert (told.what, told.press_no) == (Told.GRANTED, 2)
    assert (len(cab.requests()), cab.commands(KeyUp)) == (before, [])
    assert cab.vehicle.participant.transmitting


def test_the_window_ends_under_a_held_talk_button_and_a_new_press_is_needed(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.feed(Pressed(at=cab.now))
    cab.talk_on(20.5)
    cab.drained()
    assert not cab.vehicle.participant.transmitting
    cab.wait(1.0)
    assert len(cab.requests()) == 1

    cab.feed(Released(at=cab.now))
    cab.feed(Pressed(at=cab.now))

    assert cab.requests() == [Priority.EMERGENCY, Priority.NORMAL]


# --- while something else is going on ---------------------------------------------------------------------------------


def test_ones_own_talk_is_given_up_for_it_and_its_tail_is_not_sent(cab: Cab) -> None:
    cab.feed(Pressed(at=cab.now))
    cab.grant()
    cab.hold()

    order = [type(e.message).__name__ for e in cab.published_on(Kind.FLOOR) if not isinstance(e.message, FloorRenew)]
    assert order == ["FloorRequest", "FloorRelease", "FloorRequest"]
    assert cab.commands(KeyUp) == []
    assert cab.commands(Mute) == [Mute(request_id=(0, 7, 1, 1))]
    cab.grant(2, burst=6)
    cab.feed(Released(at=cab.now))
    assert cab.vehicle.participant.transmitting


@pytest.mark.parametrize("queued", [False, True])
def test_a_request_that_waits_is_given_up_for_it_and_answered(cab: Cab, queued: bool) -> None:
    cab.feed(Pressed(at=cab.now))
    [cab.reply(FloorQueued(rev=2, request_id=(0, 7, 1, 1), position=2)) for _ in range(queued)]
    cab.down()
    for _ in range(2):  # queued requests are repeated, and must be answered to live on
        cab.wait(0.5)

    answers = [e.what for _, e in cab.all if isinstance(e, Tell) and e.press_no == 1]
    assert answers[-1] is Told.EMERGENCY
    assert cab.requests() == [Priority.NORMAL, Priority.EMERGENCY]


def test_denied_by_an_equal_one_it_says_who_speaks_and_the_alert_stays(cab: Cab) -> None:
    cab.hold()
    cab.reply(
        FloorDeny(
            rev=3,
            request_id=(0, 7, 1, 1),
            cause=DenyCause.ANOTHER_HAS_PERMISSION,
            speaker="car-2",
            speaker_name="둘",
            remaining_s=9.0,
        )
    )

    said = [e for _, e in cab.all if isinstance(e, Tell)][-1]
    assert (said.what, said.name) == (Told.EMERGENCY_FAILED, "둘")
    assert (cab.alert(), cab.vehicle.status().keyed) == (True, False)
    cab.wait(10.0)
    cab.feed(Pressed(at=cab.now))
    assert cab.requests()[-1] is Priority.NORMAL


def test_waiting_behind_another_emergency_it_speaks_when_its_turn_comes_but_does_not_wait_for_ever(cab: Cab) -> None:
    def queue(waits: Cab, seconds: float) -> None:
        for _ in range(round(seconds)):
            waits.reply(FloorQueued(rev=3, request_id=(0, 7, 1, 1), position=1))
            waits.wait(1.0)

    cab.hold()
    queue(cab, 10.0)
    assert cab.vehicle.status().keyed
    queue(cab, 11.0)

    assert (cab.told()[-1], cab.vehicle.status().keyed) == (Told.EMERGENCY_ENDED, False)
    cab.grant()
    assert not cab.vehicle.participant.transmitting
    # and one whose turn comes has its whole time
    two = Cab()
    two.hold()
    queue(two, 15.0)
    two.grant()
    two.reply(FloorRenewed(rev=11, burst=5, renew_no=1))
    two.talk_on(19.0)
    assert two.vehicle.participant.transmitting
    two.talk_on(2.0)
    assert not two.vehicle.status().keyed


def test_whoever_may_only_listen_raises_the_alert_all_the_same(cab: Cab) -> None:
    cab.hold()
    cab.reply(FloorDeny(rev=3, request_id=(0, 7, 1, 1), cause=DenyCause.RECEIVE_ONLY))

    assert (cab.told()[-1], cab.alert()) == (Told.EMERGENCY_FAILED, True)


def test_unanswered_it_is_told_by_its_own_sentence(cab: Cab) -> None:
    cab.hold()
    cab.wait(2.5)

    assert cab.told()[-1] is Told.EMERGENCY_FAILED
    assert (cab.vehicle.participant.state, cab.alert()) == (State.NO_PERMISSION, True)


def test_a_revoke_ends_the_window_and_the_alert_stays(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.reply(FloorRevoke(rev=12, burst=5, cause=RevokeCause.NO_PERMISSION))

    assert not cab.vehicle.status().keyed
    assert (cab.told()[-1], cab.alert()) == (Told.EMERGENCY_FAILED, True)
    cab.wait(60.0)
    assert cab.requests() == [Priority.EMERGENCY]


def test_a_worker_that_dies_ends_the_window(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.feed(WorkerGone(reason="died"))

    assert not cab.vehicle.status().keyed
    assert cab.alert()


# --- the link ---------------------------------------------------------------------------------------------------------


def test_without_a_link_it_says_so_and_the_alert_goes_out_with_the_next(cab: Cab) -> None:
    cab.feed(LinkDown(reason="gone"))
    cab.all = []
    cab.hold()
    assert Told.EMERGENCY_OFFLINE in cab.told()
    assert (cab.requests(), cab.alert(), len(cab.kept())) == ([], None, 1)

    cab.feed(LinkUp())

    assert cab.alert() is True
    cab.wait(5.0)
    assert cab.requests() == []  # the wish to speak is not kept


def test_a_link_that_goes_ends_the_window_for_good(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.feed(LinkDown(reason="gone"))

    assert Told.EMERGENCY_OFFLINE in cab.told()
    assert not cab.vehicle.status().keyed
    cab.feed(LinkUp())
    cab.wait(2.0)
    assert not cab.vehicle.participant.transmitting
    assert cab.commands(Transmit) != []
    assert cab.alert() is True


def test_a_link_that_goes_while_it_asks_is_told_once(cab: Cab) -> None:
    cab.hold()
    cab.all = []
    cab.feed(LinkDown(reason="gone"))

    assert cab.told().count(Told.EMERGENCY_OFFLINE) == 1
    assert not cab.vehicle.status().keyed
