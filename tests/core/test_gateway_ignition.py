"""The vehicle's day: parked only when the ignition is really off, awake when used, switched off when nobody comes."""

from __future__ import annotations

import pytest

from gateway.core.ignition import AWAKE_S, FLUSH_S, SHUTDOWN_S, STEADY_S, IgnitionRules
from gateway.core.told import Told
from gateway.core.words import (
    AskShutdown,
    Flag,
    InputChanged,
    Keep,
    LinkDown,
    LinkUp,
    Look,
    Pressed,
    Received,
    Released,
    Shutdown,
    Tell,
)
from lab.docs.wiring_values import timeout_s
from protocol.messages import Alert, FloorAck, Heartbeat, Presence, PresenceState
from protocol.topics import Kind
from tests.core.upkeep_rig import UpkeepRig

RULES = IgnitionRules(off_s=5, shutdown_after_s=600)
WIRED = frozenset({Flag.IGNITION_WIRED})


@pytest.fixture
def rig() -> UpkeepRig:
    return UpkeepRig(ignition=RULES).driven()


def parked(**who: object) -> UpkeepRig:
    return UpkeepRig(**{"ignition": RULES, **who}).driven().ignition(False).wait(5.1)


def test_a_vehicle_whose_ignition_is_not_fitted_always_drives() -> None:
    rig = UpkeepRig(ignition=RULES).up().wait(2000)

    assert (rig.lifecycle, rig.presence) == ("driving", PresenceState.ONLINE)
    assert rig.of(AskShutdown) == []


def test_an_ignition_that_was_never_seen_on_is_taken_for_one_that_is_not_connected() -> None:
    rig = UpkeepRig(ignition=RULES).ignition(False, at_start=True).up().wait(2000)

    assert (rig.lifecycle, rig.presence) == ("driving", PresenceState.ONLINE)
    assert rig.of(AskShutdown) == rig.of(Keep) == []


def test_that_the_ignition_was_seen_is_kept_over_restarts_once(rig: UpkeepRig) -> None:
    rig.ignition(False).ignition(True)

    assert rig.of(Keep) == [Keep(flag=Flag.IGNITION_WIRED, on=True)]


def test_off_long_enough_is_parked_which_is_told_shown_and_announced_as_sleeping(rig: UpkeepRig) -> None:
    rig.ignition(False).wait(4.9)
    before = (rig.lifecycle, rig.presence, Told.PARKED in rig.told())
    rig.wait(0.2)

    assert before == ("parking", PresenceState.ONLINE, False)
    assert (rig.lifecycle, rig.presence, rig.looks()) == ("parked", PresenceState.SLEEPING, Look.PARKED)
    assert rig.told().count(Told.PARKED) == 1


def test_both_sentences_can_be_left_out() -> None:
    rig = parked(ignition=IgnitionRules(off_s=5, announce=False))

    parked_told = (rig.lifecycle, Told.PARKED in rig.told())
    rig.ignition(True).wait(STEADY_S + 0.1)

    assert parked_told == ("parked", False)
    assert (rig.lifecycle, Told.WAKING in rig.told()) == ("driving", False)


def test_an_engine_that_starts_drops_the_ignition_for_seconds_and_parks_nothing(rig: UpkeepRig) -> None:
    for drop_s in (1.0, 3.0, 0.2, 4.5, 2.0):
        rig.ignition(False).wait(drop_s).ignition(True).wait(0.3)

    assert (rig.lifecycle, rig.told()) == ("driving", [])
    assert {presence.state for presence in rig.published(Presence)} == {PresenceState.ONLINE}


def test_a_parked_vehicle_is_in_the_office_after_a_reconnection_still_asleep() -> None:
    rig = parked()

    rig.feed(LinkDown(reason="gone")).wait(1).feed(LinkUp())

    assert rig.presence is PresenceState.SLEEPING


def test_its_own_sleeping_presence_is_not_put_right_but_another_ones_is() -> None:
    rig = parked()
    said = rig.published(Presence)
    rig.feed(Received(kind=Kind.PRESENCE, message=said[-1])).wait(5)
    same = len(rig.published(Presence))
    dead = Presence(state=PresenceState.OFFLINE, connection_id=(0, 7, 1), presence_no=9)
    rig.feed(Received(kind=Kind.PRESENCE, message=dead)).wait(5)

    assert same == len(said)
    assert (rig.presence, rig.published(Presence)[-1].presence_no) == (PresenceState.SLEEPING, 10)


def test_parking_waits_for_the_end_of_a_talk(rig: UpkeepRig) -> None:
    rig.ignition(False).wait(3).talk().talk_on(10)
    during = (rig.lifecycle, rig.vehicle.participant.transmitting)
    rig.release().wait(3).reply(FloorAck(rev=99, request_id=(0, 7, 1, 1)))

    assert during == ("parking", True)
    assert rig.lifecycle == "parked"


def test_a_press_wakes_a_parked_vehicle_before_it_asks_for_the_floor_and_it_sleeps_again() -> None:
    rig = parked()
    before = len(rig.all)

    rig.feed(Pressed(at=rig.now), Released(at=rig.now))
    said = [type(e.message).__name__ for _, e in rig.all[before:] if hasattr(e, "message")]
    awake = (rig.lifecycle, rig.presence)
    rig.wait(AWAKE_S + 6)

    assert said.index("Presence") < said.index("FloorRequest")
    assert awake == ("waking", PresenceState.ONLINE)
    assert (rig.lifecycle, rig.presence) == ("parked", PresenceState.SLEEPING)
    assert rig.told().count(Told.PARKED) == 1  # by the ignition, not by every nap


def test_a_talk_in_a_parked_vehicle_is_not_cut_by_the_shutdown() -> None:
    rig = parked(ignition=IgnitionRules(shutdown_after_s=20)).wait(10).talk().talk_on(25)
    during = (rig.lifecycle, rig.vehicle.participant.transmitting, rig.of(AskShutdown))

    rig.release().wait(AWAKE_S + 60)

    assert during == ("waking", True, [])
    assert rig.of(AskShutdown)[0] == AskShutdown(wanted=True)


def test_an_ignition_that_comes_back_drives_when_it_is_steady() -> None:
    rig = parked().ignition(True)
    first = (rig.lifecycle, rig.presence)
    rig.wait(STEADY_S + 0.1)

    assert first == ("waking", PresenceState.ONLINE)
    assert (rig.lifecycle, rig.looks()) == ("driving", Look.READY)


def test_a_spike_on_the_ignition_wakes_and_nothing_more() -> None:
    rig = parked().ignition(True).wait(0.1).ignition(False).wait(AWAKE_S + 0.1)

    assert rig.lifecycle == "parked"
    assert Told.WAKING not in rig.told()


def test_that_it_is_awake_is_told_once_when_the_ignition_is_steady() -> None:
    rig = parked().ignition(True).wait(STEADY_S - 0.1)
    too_early = Told.WAKING in rig.told()
    rig.wait(0.2)
    rig.ignition(False).wait(1).ignition(True).wait(5)  # the engine starts

    assert not too_early
    assert rig.told().count(Told.WAKING) == 1


def test_a_press_in_a_parked_vehicle_is_not_told_that_it_is_awake_but_the_ignition_after_it_is() -> None:
    rig = parked()
    rig.feed(Pressed(at=rig.now), Released(at=rig.now)).wait(AWAKE_S / 2)
    by_the_press = Told.WAKING in rig.told()
    rig.ignition(True).wait(STEADY_S + 0.1)

    assert not by_the_press
    assert rig.told()[-1] is Told.WAKING


def test_who_talks_while_the_ignition_comes_back_is_not_told_between() -> None:
    rig = parked().talk().ignition(True).talk_on(3)

    assert (rig.lifecycle, rig.vehicle.participant.transmitting) == ("driving", True)
    assert Told.WAKING not in rig.told()


def test_after_its_time_it_says_goodbye_and_asks_for_the_shutdown_when_the_broker_has_it() -> None:
    rig = parked()
    rig.acks = False
    rig.wait(600 - 5.3)
    before = (rig.presence, rig.of(AskShutdown))
    rig.wait(0.3)
    goodbye = (rig.lifecycle, rig.presence, rig.of(AskShutdown))
    rig.wait(FLUSH_S)

    assert before == (PresenceState.SLEEPING, [])
    assert goodbye == ("shutting_down", PresenceState.OFFLINE, [])
    assert rig.of(AskShutdown) == [AskShutdown(wanted=True)]


def test_with_an_acknowledgement_it_does_not_wait() -> None:
    rig = parked().wait(600)

    assert rig.of(AskShutdown) == [AskShutdown(wanted=True)]


def test_without_a_link_nothing_is_waited_for() -> None:
    rig = parked().feed(LinkDown(reason="gone")).wait(600.1)

    assert rig.of(AskShutdown) == [AskShutdown(wanted=True)]


def test_a_press_in_a_parked_vehicle_moves_the_shutdown_by_no_more_than_its_own_time() -> None:
    rig = parked().wait(590)
    rig.feed(Pressed(at=rig.now), Released(at=rig.now)).wait(AWAKE_S - 1)
    awake = (rig.lifecycle, rig.of(AskShutdown))
    rig.wait(2)

    assert awake == ("waking", [])
    assert rig.of(AskShutdown) == [AskShutdown(wanted=True)]


def test_by_default_the_machine_is_off_before_the_power_holds_own_time_out() -> None:
    shutdown_at_worst_s = 90.0  # docs/wiring.md

    assert IgnitionRules().shutdown_after_s + shutdown_at_worst_s <= 0.8 * timeout_s()


def test_zero_never_shuts_down() -> None:
    rig = parked(ignition=IgnitionRules(shutdown_after_s=0)).wait(4000)

    assert (rig.lifecycle, rig.of(AskShutdown)) == ("parked", [])


@pytest.mark.parametrize("comes_back", ["ignition", "press", "emergency"])
def test_a_driver_who_comes_back_in_time_takes_the_shutdown_back(comes_back: str) -> None:
    rig = parked().wait(601)
    asked = rig.of(AskShutdown)

    events = {"ignition": lambda: rig.ignition(True), "press": lambda: rig.feed(Pressed(at=rig.now))}
    events["emergency"] = lambda: rig.feed(InputChanged(signal="emergency", active=True, at=rig.now))
    events[comes_back]()

    assert asked == [AskShutdown(wanted=True)]
    assert rig.of(AskShutdown) == [AskShutdown(wanted=True), AskShutdown(wanted=False)]
    assert (rig.lifecycle, rig.presence) == ("waking", PresenceState.ONLINE)


def test_no_sign_of_life_contradicts_the_goodbye() -> None:
    rig = parked().wait(601)
    before = len(rig.published(Heartbeat))

    rig.wait(SHUTDOWN_S - 10)

    assert len(rig.published(Heartbeat)) == before
    assert rig.presence is PresenceState.OFFLINE


def test_a_machine_that_is_not_switched_off_is_told_and_there_again_and_asked_again() -> None:
    rig = parked().wait(600 + SHUTDOWN_S + 1)
    given_up = (rig.lifecycle, rig.presence, "shutdown" in rig.alerts(), rig.of(AskShutdown)[-1].wanted)
    rig.wait(600)

    assert given_up == ("parked", PresenceState.SLEEPING, True, False)
    assert rig.of(AskShutdown)[-1] == AskShutdown(wanted=True)
    assert "shutdown" not in rig.ignition(True).wait(2).alerts()


def test_a_request_that_cannot_be_left_is_an_alert_that_says_why() -> None:
    rig = parked()
    rig.problem = "/run/ptt-gateway/shutdown-request: Read-only file system"
    rig.wait(601)

    [alert] = [a for a in rig.published(Alert) if a.alert == "shutdown"]
    assert alert.what == rig.problem


def test_a_daemon_restarted_in_a_parked_vehicle_is_parked_without_a_word_and_shuts_down_in_time() -> None:
    rig = UpkeepRig(ignition=RULES, flags=WIRED).ignition(False, at_start=True).up().wait(1)
    at_start = (rig.lifecycle, rig.presence, rig.told())
    rig.wait(600)

    assert at_start == ("parked", PresenceState.SLEEPING, [])
    assert rig.of(AskShutdown) == [AskShutdown(wanted=True)]


def test_a_button_that_hangs_in_a_parked_vehicle_neither_keys_it_nor_keeps_it_awake() -> None:
    rig = parked().feed(Pressed(at=0.0))
    rig.wait(AWAKE_S + 10)

    assert rig.lifecycle == "parked"
    assert not rig.vehicle.participant.transmitting


@pytest.mark.parametrize("after", ["nothing", "ignition on", "time"])
def test_a_stop_while_parking_leaves_the_goodbye_as_its_last_word(after: str) -> None:
    rig = UpkeepRig().driven()
    rig.ignition(False).wait(1.0)

    rig.feed(Shutdown())
    events = {"nothing": lambda: rig, "ignition on": lambda: rig.ignition(True), "time": lambda: rig.wait(60.0)}
    events[after]()

    assert rig.presence is PresenceState.OFFLINE
    assert Told.PARKED not in [effect.what for effect in rig.of(Tell)]
