"""An emergency pressed again, what outlives it, a button that hangs, and how listeners are told."""

from __future__ import annotations

import pytest

from gateway.core.emergency import STUCK_AFTER_S, EmergencySettings
from gateway.core.indicators import TABLE, Vibration
from gateway.core.participant_words import State
from gateway.core.told import Told
from gateway.core.words import (
    ClearEmergency,
    EmergencyKept,
    Flag,
    InputChanged,
    Kept,
    LevelsKept,
    LinkDown,
    LinkUp,
    Look,
    Pressed,
    Received,
    Shutdown,
    Trouble,
)
from protocol.messages import (
    DenyCause,
    Ended,
    FloorDeny,
    FloorRelease,
    FloorRenewed,
    Priority,
)
from protocol.topics import Kind
from protocol.worker import Arm, Cue, Say, Sound, Stop
from tests.core.gateway_bench import session
from tests.core.gateway_emergency_rig import Cab


@pytest.fixture
def cab() -> Cab:
    return Cab()


# --- pressed again ----------------------------------------------------------------------------------------------------


def test_pressed_again_soon_everything_is_taken_back(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.wait(1.0)
    cab.hold(0.1)

    assert cab.told()[-1] is Told.EMERGENCY_CANCELLED
    assert (cab.alert(), cab.kept()[-1], cab.vehicle.status().keyed) == (False, None, False)
    assert len(cab.published(FloorRelease)) >= 1
    cab.wait(60.0)
    assert cab.requests() == [Priority.EMERGENCY]


def test_a_false_alarm_is_taken_back_even_where_it_was_denied_already(cab: Cab) -> None:
    cab.hold()
    cab.reply(FloorDeny(rev=3, request_id=(0, 7, 1, 1), cause=DenyCause.RECEIVE_ONLY))
    cab.hold(0.1)

    assert (cab.told()[-1], cab.alert()) == (Told.EMERGENCY_CANCELLED, False)


def test_pressed_again_later_only_the_microphone_closes(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.talk_on(6.0)
    cab.hold(0.1)
    cab.drained()

    assert (cab.told()[-1], cab.alert()) == (Told.EMERGENCY_ENDED, True)
    assert not cab.vehicle.status().keyed


def test_without_a_time_to_cancel_the_first_press_ends_the_microphone_alone() -> None:
    cab = Cab(EmergencySettings(cancel_s=0))
    cab.hold()
    cab.grant()
    cab.hold(0.1)
    cab.drained()

    assert (cab.told()[-1], cab.alert()) == (Told.EMERGENCY_ENDED, True)


def test_held_again_it_is_a_new_emergency_and_the_alert_is_the_same(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.talk_on(20.5)
    cab.drained()
    cab.wait(3.0)
    cab.hold()

    assert cab.requests() == [Priority.EMERGENCY, Priority.EMERGENCY]
    assert len(cab.kept()) == 1


def test_the_second_emergency_taken_back_leaves_the_first_ones_alert(cab: Cab) -> None:
    cab.hold()
    cab.wait(10.0)
    cab.hold()
    cab.hold(0.1)

    assert (cab.told()[-1], cab.alert()) == (Told.EMERGENCY_CANCELLED, True)


def test_held_long_to_take_it_back_it_is_raised_anew(cab: Cab) -> None:
    # a driver in panic who does not know that it counted already must not talk himself out of it
    cab.hold()
    cab.hold(1.2)

    assert cab.requests() == [Priority.EMERGENCY, Priority.EMERGENCY]
    assert cab.alert() is True


# --- what outlives it -------------------------------------------------------------------------------------------------


def test_the_office_clears_it_and_the_driver_is_told(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.feed(ClearEmergency(by="dispatcher"))

    assert (cab.told()[-1], cab.alert(), cab.kept()[-1]) == (Told.EMERGENCY_CLEARED, False, None)
    assert cab.vehicle.participant.transmitting  # the microphone is the driver's
    cab.all = []
    cab.feed(ClearEmergency(by="dispatcher"))
    assert cab.told() == []


def test_an_emergency_that_stood_before_a_restart_is_raised_with_its_own_time_and_opens_nothing() -> None:
    cab = Cab(since=1_700_000_000_000)
    cab.feed(LinkDown(reason="gone"), LinkUp())

    [said] = [e for e in cab.published_on(Kind.ALERT) if e.ids[-1] == "emergency"]
    assert getattr(said.message, "since", None) == 1_700_000_000_000
    cab.wait(60.0)
    assert (cab.requests(), cab.commands(Arm), cab.kept()) == ([], [], [])


def test_a_disk_that_does_not_keep_it_is_told(cab: Cab) -> None:
    cab.hold()
    cab.feed(EmergencyKept(problem=""))
    assert cab.alert("state-dir") is None
    cab.feed(EmergencyKept(problem="/var/lib/x/emergency: No space left on device"))

    assert (cab.alert("state-dir"), cab.alert()) == (True, True)


def test_what_could_not_be_kept_is_told_until_it_was_kept_after_all(cab: Cab) -> None:
    cab.feed(EmergencyKept(problem="full"), LevelsKept(problem="full"))
    cab.feed(EmergencyKept(problem=""))
    assert cab.alert("state-dir") is True
    cab.feed(LevelsKept(problem=""))
    assert cab.alert("state-dir") is False

    cab.feed(Kept(flag=Flag.IGNITION_WIRED, on=True, problem="full"))
    assert cab.alert("state-dir") is True
    cab.feed(Kept(flag=Flag.IGNITION_WIRED, on=True))
    assert cab.alert("state-dir") is False

    cab.feed(Trouble(alert="state-dir", holds=True), EmergencyKept(problem=""))
    assert cab.alert("state-dir") is True  # damage found at the start is not undone by what is kept now


def test_the_talk_button_in_a_window_that_nobody_hears_does_not_say_granted(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.reply(FloorRenewed(rev=11, burst=5, renew_no=1))
    cab.wait(4.0)  # no renewal is answered
    assert not cab.vehicle.participant.transmitting
    cab.feed(Pressed(at=cab.now))

    assert cab.told()[-1] is Told.NOT_HEARD


def test_a_stop_of_the_service_opens_nothing_any_more_and_keeps_the_alert(cab: Cab) -> None:
    cab.hold()
    cab.wait(10.0)
    cab.down()
    cab.feed(Shutdown())
    cab.wait(5.0)
    cab.let_go()
    cab.down()
    cab.wait(5.0)

    assert cab.requests() == [Priority.EMERGENCY]
    assert cab.vehicle.participant.state is State.NO_PERMISSION
    assert None not in cab.kept()


# --- a button that hangs ----------------------------------------------------------------------------------------------


def test_held_at_the_start_it_counts_for_nothing_until_it_was_seen_up(cab: Cab) -> None:
    cab.feed(InputChanged(signal="emergency", active=True, at=cab.now, at_start=True))
    cab.wait(STUCK_AFTER_S + 1)
    assert (cab.requests(), cab.told(), cab.alert("stuck-emergency")) == ([], [Told.EMERGENCY_STUCK], True)

    cab.let_go()
    cab.hold()

    assert cab.requests() == [Priority.EMERGENCY]
    assert cab.alert("stuck-emergency") is False


def test_a_button_that_stays_down_is_told_once_and_opens_one_window(cab: Cab) -> None:
    cab.down()
    cab.wait(300.0)

    assert cab.told().count(Told.EMERGENCY_STUCK) == 1
    assert (cab.requests(), cab.alert("stuck-emergency")) == ([Priority.EMERGENCY], True)


# --- at the listeners -------------------------------------------------------------------------------------------------


def test_an_emergency_waits_for_no_tail_of_the_burst_before_it(cab: Cab) -> None:
    cab.feed(Received(kind=Kind.SESSION, message=session(1, 4, "car-2")))
    cab.feed(Received(kind=Kind.SESSION, message=session(2, 4, None, ended=Ended.RELEASED, last_seq=9)))
    cab.all = []
    cab.feed(Received(kind=Kind.SESSION, message=session(3, 5, "car-3", priority=Priority.EMERGENCY)))
    assert cab.commands(Stop) == [Stop(burst=4, drain=False)]


@pytest.mark.parametrize(("speaker", "priority"), [("car-3", Priority.HIGH), ("car-2", Priority.EMERGENCY)])
def test_any_other_burst_and_the_same_speakers_next_wait_for_the_tail(
    cab: Cab, speaker: str, priority: Priority
) -> None:
    cab.feed(Received(kind=Kind.SESSION, message=session(1, 4, "car-2")))
    cab.feed(Received(kind=Kind.SESSION, message=session(2, 4, None, ended=Ended.RELEASED, last_seq=9)))
    cab.all = []
    cab.feed(Received(kind=Kind.SESSION, message=session(3, 5, speaker, priority=priority)))
    assert cab.commands(Stop) == []


def test_an_emergency_of_another_is_heard_seen_and_felt_as_one_each_time(cab: Cab) -> None:
    urgent = {"priority": Priority.EMERGENCY, "speaker_name": "김민수"}
    cab.feed(Received(kind=Kind.SESSION, message=session(1, 4, "car-2")))
    cab.feed(Received(kind=Kind.SESSION, message=session(2, 4, None, ended=Ended.PREEMPTED)))
    cab.all = []
    cab.feed(Received(kind=Kind.SESSION, message=session(3, 5, "car-2", **urgent)))

    assert (cab.told(), cab.shows()) == ([Told.EMERGENCY_HEARD], Look.EMERGENCY)
    assert cab.commands(Cue) == [Cue(sound=Sound.EMERGENCY)]
    assert cab.commands(Say) == [Say(text="긴급 통화: 김민수", lang="ko", urgent=True)]
    assert TABLE[Told.EMERGENCY_HEARD].vibration is Vibration.EMERGENCY
