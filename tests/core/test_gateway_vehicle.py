"""The whole vehicle core: events in, effects out."""

from __future__ import annotations

import pytest

from gateway.core.cab_settings import ButtonSettings
from gateway.core.participant_words import State
from gateway.core.told import Told
from gateway.core.words import (
    Dial,
    FromWorker,
    HeldAtStart,
    LinkDown,
    LinkUp,
    Pressed,
    Publish,
    Received,
    Released,
    Shutdown,
    Tell,
    ToWorker,
    Trouble,
)
from protocol.messages import (
    DenyCause,
    DeviceState,
    FloorAck,
    FloorDeny,
    FloorGranted,
    FloorQueued,
    FloorRequest,
    FloorRevoke,
    Heartbeat,
    Message,
    Presence,
    PresenceState,
    RevokeCause,
)
from protocol.topics import Kind
from protocol.worker import Cue, Device, Drained, Ping, Pong, Say, SoundDevice, VoiceLink
from tests.core.gateway_bench import session, words
from tests.core.gateway_vehicle_rig import Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_it_starts_the_worker_and_dials_at_once(rig: Rig) -> None:
    assert [word for word in words(e for _, e in rig.all) if "show" not in word] == ["start worker", "dial"]


def test_on_connecting_it_says_who_it_is_what_it_does_and_which_alerts_hold(rig: Rig) -> None:
    rig.worker_up()

    effects = rig.feed(LinkUp())

    said = [e for e in effects if isinstance(e, Publish)]
    assert words(said)[0] == "Presence"
    assert {e.kind for e in said} == {Kind.PRESENCE, Kind.ALERT, Kind.DEVICE_INFO, Kind.DEVICE_STATE}


def test_a_press_asks_before_anything_is_shown(rig: Rig) -> None:
    rig.up()

    effects = rig.feed(Pressed(at=rig.now))

    assert words(effects)[:3] == ("Arm", "FloorRequest", "show asking")


def test_what_is_told_is_also_sounded_by_a_worker_that_runs(rig: Rig) -> None:
    rig.up()
    rig.feed(Pressed(at=rig.now))

    effects = rig.reply(
        FloorDeny(
            rev=1,
            request_id=(0, 7, 1, 1),
            cause=DenyCause.ANOTHER_HAS_PERMISSION,
            speaker="car-2",
            speaker_name="김기사",
            remaining_s=9,
        )
    )

    sounded = [e.command for e in effects if isinstance(e, ToWorker)]
    assert any(isinstance(command, Cue) for command in sounded)
    assert next(command.text for command in sounded if isinstance(command, Say)).startswith("김기사")


def test_nothing_is_said_to_a_worker_that_does_not_run(rig: Rig) -> None:
    rig.feed(Pressed(at=rig.now))

    assert [e for _, e in rig.all if isinstance(e, ToWorker)] == []
    assert [e.what for _, e in rig.all if isinstance(e, Tell)] == [Told.NO_CONNECTION]


@pytest.mark.parametrize("device", [Device.CAPTURE])
def test_a_microphone_lost_in_the_middle_ends_the_burst(rig: Rig, device: Device) -> None:
    rig.up().feed(Pressed(at=rig.now))
    rig.grant()

    effects = rig.feed(FromWorker(event=SoundDevice(device=device, ok=False, detail="unplugged")))

    assert [word for word in words(effects) if "show" not in word][:3] == ["tell no microphone", "Mute", "FloorRelease"]


def test_a_session_that_comes_before_the_subscriptions_are_acknowledged_is_not_lost(rig: Rig) -> None:
    rig.worker_up()
    rig.feed(Received(kind=Kind.SESSION, message=session(1, 4, "car-2")))

    assert rig.vehicle.session is not None
    assert "Play" in words(e for _, e in rig.all)


@pytest.mark.parametrize(
    "message",
    [
        FloorGranted(rev=1, request_id=(0, 7, 1, 1), burst=5, duration_s=30, lease_s=3),
        FloorRevoke(rev=1, burst=5, cause=RevokeCause.OTHER),
        FloorAck(rev=1, request_id=(0, 7, 1, 1)),
    ],
)
def test_a_reply_without_a_link_is_not_taken(rig: Rig, message: Message) -> None:
    rig.worker_up()

    assert [word for word in words(rig.reply(message)) if "show" not in word] == []


def test_a_message_that_does_not_belong_to_a_vehicle_is_discarded_and_counted(rig: Rig) -> None:
    rig.up()

    rig.feed(Received(kind=Kind.REPLY, message=FloorRequest(request_id=(0, 0, 0, 1))))

    assert rig.vehicle.participant.discarded == 1


def test_an_acknowledged_release_ends_pending_release(rig: Rig) -> None:
    rig.up().feed(Pressed(at=rig.now))
    rig.grant()
    rig.feed(Released(at=rig.now), FromWorker(event=Drained(request_id=(0, 7, 1, 1), burst=5, last_seq=3)))
    before = rig.vehicle.participant.state

    rig.reply(FloorAck(rev=12, request_id=(0, 7, 1, 1)))

    assert (before, rig.vehicle.participant.state) == (State.PENDING_RELEASE, State.NO_PERMISSION)


def test_the_state_is_told_on_change_and_at_most_once_a_second(rig: Rig) -> None:
    rig.up()
    before = len(rig.published(DeviceState))
    for _ in range(20):
        rig.feed(Pressed(at=rig.now), Released(at=rig.now))
        rig.wait(0.05)
    rig.wait(3.0)

    told = rig.published(DeviceState)
    assert 1 <= len(told) - before <= 4
    assert isinstance(told[-1].message, DeviceState) and not told[-1].message.keyed


def test_a_button_down_long_after_its_burst_ended_is_stuck_told_and_cured_by_letting_go(rig: Rig) -> None:
    rig.up().feed(Pressed(at=rig.now))
    rig.reply(FloorRevoke(rev=2, burst=5, cause=RevokeCause.OTHER))
    rig.wait(2.5 + ButtonSettings().stuck_held_s)
    told = [e.what for _, e in rig.all if isinstance(e, Tell)]
    raised = [e for _, e in rig.all if isinstance(e, Publish) and e.ids[-1] == "stuck-button" and e.message]

    cured = rig.feed(Released(at=rig.now))

    assert Told.BUTTON_STUCK in told and len(raised) == 1
    assert [e.message for e in cured if isinstance(e, Publish) and e.ids[-1] == "stuck-button"] == [None]


def test_a_button_held_for_a_long_wait_in_the_queue_is_not_taken_for_stuck(rig: Rig) -> None:
    rig.up().feed(Pressed(at=rig.now))
    for _ in range(round(ButtonSettings().stuck_held_s) + 10):
        rig.reply(FloorQueued(rev=2, request_id=(0, 7, 1, 1), position=3))
        rig.wait(1.0)

    assert rig.vehicle.participant.state is State.QUEUED
    assert Told.BUTTON_STUCK not in [e.what for _, e in rig.all if isinstance(e, Tell)]


def test_a_button_held_at_the_start_asks_for_nothing_until_it_was_let_go_and_pressed(rig: Rig) -> None:
    rig.feed(HeldAtStart())
    rig.up()
    rig.wait(30)
    held = rig.published(FloorRequest)
    rig.feed(Released(at=rig.now), Pressed(at=rig.now))

    assert held == []
    assert len(rig.published(FloorRequest)) == 1


def test_a_trouble_of_the_machine_is_an_alert(rig: Rig) -> None:
    rig.up()

    effects = rig.feed(Trouble(alert="state-dir", holds=True))

    assert [e.ids for e in effects if isinstance(e, Publish)] == [("car-1", "state-dir")]


def test_a_voice_connection_that_stays_down_alone_is_an_alert_until_it_is_back(rig: Rig) -> None:
    def alerts() -> list[bool]:
        return [e.message is not None for _, e in rig.all if isinstance(e, Publish) and e.ids[-1] == "voice-link"]

    rig.up()
    rig.feed(FromWorker(event=VoiceLink(up=False, detail="refused")))
    for _ in range(8):
        rig.feed(FromWorker(event=Pong(no=1, link=False, capture=True, playback=True)))
        rig.wait(1.0)
    raised = alerts()
    rig.feed(FromWorker(event=VoiceLink(up=True)))

    assert raised == [False, True]
    assert alerts() == [False, True, False]


def test_a_voice_connection_that_is_back_soon_or_falls_with_the_control_link_is_none(rig: Rig) -> None:
    rig.up()
    rig.feed(FromWorker(event=VoiceLink(up=False)))
    rig.wait(2.0)
    rig.feed(FromWorker(event=VoiceLink(up=True)), FromWorker(event=VoiceLink(up=False)), LinkDown(reason="lost"))
    rig.wait(8.0)

    assert [e for _, e in rig.all if isinstance(e, Publish) and e.ids[-1] == "voice-link" and e.message] == []


def test_a_shutdown_mutes_releases_says_offline_and_takes_no_more_presses(rig: Rig) -> None:
    rig.up().feed(Pressed(at=rig.now))
    rig.grant()

    effects = rig.feed(Shutdown())
    rig.feed(Released(at=rig.now))
    after = rig.feed(Pressed(at=rig.now))

    assert words(effects)[:4] == ("Mute", "FloorRelease", "Presence", "Quit")
    assert words(after) == ()


def test_a_heartbeat_names_the_burst_listened_to_and_the_health_of_voice(rig: Rig) -> None:
    rig.up().feed(Received(kind=Kind.SESSION, message=session(1, 4, "car-2")))
    pong = Pong(no=1, link=True, capture=True, playback=False, frames_late=7)
    for _ in range(60):
        rig.feed(FromWorker(event=pong))
        rig.wait(1.0)

    beats = [e.message for _, e in rig.all if isinstance(e, Publish) and isinstance(e.message, Heartbeat)]
    assert [(beat.burst, beat.voice.frames_late, beat.voice.playback) for beat in beats] == [(4, 7, False)]


def test_it_pings_a_worker_every_second_and_never_spins(rig: Rig) -> None:
    rig.up()
    began = len(rig.all)
    for _ in range(10):
        rig.feed(FromWorker(event=Pong(no=1, link=True, capture=True, playback=True)))
        rig.wait(1.0)

    pings = [e for _, e in rig.all[began:] if isinstance(e, ToWorker) and isinstance(e.command, Ping)]
    assert 9 <= len(pings) <= 11


# --- what an earlier card left ----------------------------------------------------------------------------------------


def test_a_unit_whose_start_counter_fell_back_connects_anew_above_what_is_known_of_it(rig: Rig) -> None:
    rig.up()
    old = Presence(state=PresenceState.LOST, connection_id=(0, 50, 3), presence_no=9)

    rig.feed(Received(kind=Kind.PRESENCE, message=old))
    rig.wait(1.0)
    rig.feed(LinkUp())

    dials = [e for _, e in rig.all if isinstance(e, Dial)]
    last = rig.published(Presence)[-1].message
    assert dials[-1].connection_id > old.connection_id
    assert isinstance(last, Presence)
    assert (last.state, last.connection_id) == (PresenceState.ONLINE, dials[-1].connection_id)


def test_a_press_that_waited_for_a_tail_asks_for_nothing_when_the_service_stops(rig: Rig) -> None:
    rig.up().feed(Pressed(at=rig.now))
    rig.grant()
    rig.feed(Released(at=rig.now), Pressed(at=rig.now))

    effects = rig.feed(Shutdown())

    assert [e for e in effects if isinstance(e, Publish) and isinstance(e.message, FloorRequest)] == []
