"""The whole vehicle core: events in, effects out; and whatever comes, no press unanswered and no voice unkeyed."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.core.cab_settings import ButtonSettings
from gateway.core.participant_words import State
from gateway.core.told import Told
from gateway.core.vehicle import Vehicle
from gateway.core.who import Who
from gateway.core.words import (
    Acked,
    CoreEvent,
    Dial,
    Effect,
    FromWorker,
    HeldAtStart,
    InputChanged,
    LinkDown,
    LinkUp,
    Look,
    Pressed,
    Publish,
    Received,
    Released,
    Show,
    Shutdown,
    Tell,
    ToWorker,
    Trouble,
    WorkerGone,
)
from protocol.messages import (
    DenyCause,
    DeviceInfo,
    DeviceState,
    Ended,
    FloorAck,
    FloorDeny,
    FloorGranted,
    FloorQueued,
    FloorRenew,
    FloorRenewed,
    FloorRequest,
    FloorRevoke,
    Heartbeat,
    Message,
    Presence,
    PresenceState,
    Priority,
    RevokeCause,
)
from protocol.topics import Kind
from protocol.worker import (
    Arm,
    Cue,
    Device,
    Drained,
    Hello,
    KeyUp,
    Ping,
    Pong,
    Say,
    SoundDevice,
    Through,
    Transmit,
    VoiceLink,
)
from tests.core.gateway_bench import session, words


class Rig:
    """A vehicle with a clock."""

    def __init__(self) -> None:
        presence = Presence(state=PresenceState.ONLINE, connection_id=(0, 7, 0), presence_no=0, name="one")
        info = DeviceInfo(version="1", python="3", board="b", pins="virtual", capture="c", playback="p")
        who = Who(user="car-1", generation=0, boot=7, presence=presence, info=info)
        self.vehicle = Vehicle(who, random.Random(1).random)
        self.now = 100.0
        self.all: list[tuple[float, Effect]] = []
        self._keep(self.vehicle.start(self.now, 0))
        self.tick()

    def _keep(self, effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
        self.all += [(self.now, effect) for effect in effects]
        return effects

    def feed(self, *events: CoreEvent) -> tuple[Effect, ...]:
        effects: tuple[Effect, ...] = ()
        for event in events:
            effects += self._keep(self.vehicle.handle(event, self.now, int(self.now * 1000)))
        return effects

    def tick(self) -> tuple[Effect, ...]:
        return self._keep(self.vehicle.tick(self.now, int(self.now * 1000)))

    def wait(self, seconds: float) -> list[Effect]:
        """Let time pass, ticking exactly when asked to."""
        end, done = self.now + seconds, []
        turns = 0
        while (due := self.vehicle.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            done += self.tick()
            turns += 1
            assert turns < 10_000, "it asks to be called again and again"
        self.now = end
        return done

    def worker_up(self) -> Rig:
        self.feed(
            FromWorker(event=Hello(pid=1, transport="mqtt")),
            FromWorker(event=SoundDevice(device=Device.CAPTURE, ok=True)),
            FromWorker(event=SoundDevice(device=Device.PLAYBACK, ok=True)),
            FromWorker(event=VoiceLink(up=True)),
        )
        return self

    def up(self) -> Rig:
        self.worker_up().feed(LinkUp())
        return self

    def reply(self, message: Message) -> tuple[Effect, ...]:
        return self.feed(Received(kind=Kind.REPLY, message=message))

    def grant(self, press: int = 1, burst: int = 5, rev: int = 10) -> tuple[Effect, ...]:
        return self.reply(FloorGranted(rev=rev, request_id=(0, 7, 1, press), burst=burst, duration_s=30, lease_s=3))

    def shows(self) -> Look:
        return [effect.look for _, effect in self.all if isinstance(effect, Show)][-1]

    def published(self, of: type[Message]) -> list[Publish]:
        return [e for _, e in self.all if isinstance(e, Publish) and isinstance(e.message, of)]


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


def test_the_light_follows_what_happens(rig: Rig) -> None:
    looks = [rig.shows()]
    rig.worker_up()
    looks.append(rig.shows())
    rig.feed(LinkUp())
    looks.append(rig.shows())
    rig.feed(Received(kind=Kind.SESSION, message=session(1, 4, "car-2")))
    looks.append(rig.shows())
    rig.feed(Received(kind=Kind.SESSION, message=session(2, 4, None, ended=Ended.RELEASED)))
    rig.feed(Pressed(at=rig.now))
    looks.append(rig.shows())
    rig.reply(FloorQueued(rev=3, request_id=(0, 7, 1, 1), position=1))
    looks.append(rig.shows())
    rig.grant()
    looks.append(rig.shows())
    rig.reply(FloorRenewed(rev=11, burst=5, renew_no=1))
    looks.append(rig.shows())
    rig.feed(WorkerGone(reason="died"))
    looks.append(rig.shows())

    assert looks == [
        Look.NO_LINK,
        Look.NO_LINK,
        Look.READY,
        Look.LISTENING,
        Look.ASKING,
        Look.WAITING,
        Look.MUTED,
        Look.TALKING,
        Look.NO_VOICE,
    ]


def test_the_head_unit_is_muted_while_the_microphone_is_open_or_voice_plays_and_a_little_longer(rig: Rig) -> None:
    rig.up()

    def muted() -> bool:
        return [effect.mute_radio for _, effect in rig.all if isinstance(effect, Show)][-1]

    states = [muted()]
    rig.feed(Pressed(at=rig.now))
    states.append(muted())
    rig.feed(Released(at=rig.now))
    states.append(muted())
    rig.wait(0.35)
    states.append(muted())
    rig.feed(Received(kind=Kind.SESSION, message=session(1, 4, "car-2")))
    states.append(muted())
    rig.feed(Received(kind=Kind.SESSION, message=session(2, 4, None, ended=Ended.RELEASED)))
    states.append(muted())
    rig.wait(0.35)
    states.append(muted())

    assert states == [False, True, True, False, True, True, False]


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


# --- whatever comes --------------------------------------------------------------------------------------------------


class AnyLife(RuleBasedStateMachine):
    """A vehicle under any order of events and times: what must hold all the time, holds."""

    @initialize(up=st.sampled_from([True, True, False]))
    def begin(self, up: bool) -> None:
        self.rig = Rig()
        self.link = up
        if up:
            self.rig.up()
        self.burst = 5
        self.rev = 10
        self.down = False
        self.pressed: dict[int, float] = {}
        self.presses = 0
        self.seen = 0
        self.armed: set[tuple[int, ...]] = set()
        self.muted_worker = True
        self.answered: dict[int, float] = {}
        self.released_s: float | None = None
        self.emergency = False
        self.keyed_s = 0.0
        self.opened_s: float | None = None

    def requests(self) -> list[tuple[int, int, int, int]]:
        return [e.message.request_id for e in self.rig.published(FloorRequest) if isinstance(e.message, FloorRequest)]

    @rule(seconds=st.sampled_from([0.001, 0.05, 0.3, 0.6, 1.1, 3.2, 6.0]))
    def time_passes(self, seconds: float) -> None:
        self.rig.wait(seconds)

    @rule()
    def button(self) -> None:
        self.down = not self.down
        if self.down:
            self.presses = self.rig.vehicle.participant._presses + 1
            self.pressed[self.presses] = self.rig.now
            self.rig.feed(Pressed(at=self.rig.now))
        else:
            self.released_s = self.rig.now
            self.rig.feed(Released(at=self.rig.now))

    @rule(seconds=st.sampled_from([0.0, 0.3, 0.999, 1.0, 1.5, 6.0]))
    def emergency_button(self, seconds: float) -> None:
        self.emergency = not self.emergency
        self.opened_s = None
        self.rig.feed(InputChanged(signal="emergency", active=self.emergency, at=self.rig.now))
        self.rig.wait(seconds)

    @rule()
    def link_changes(self) -> None:
        if self.link:
            self.rig.feed(LinkDown(reason="lost"))
            assert not self.rig.vehicle.participant.transmitting
        else:
            self.rig.wait(20.0 if self.rig.vehicle.link.waits_to_dial else 0.0)
            self.rig.feed(LinkUp())
        self.link = not self.link

    @rule()
    def worker_comes(self) -> None:
        self.rig.worker_up()

    @rule()
    def worker_dies(self) -> None:
        self.rig.feed(WorkerGone(reason="died"))
        assert not self.rig.vehicle.participant.transmitting

    @precondition(lambda self: self.requests())
    @rule(data=st.data(), what=st.sampled_from(["grant", "deny", "queue", "ack"]))
    def server_answers(self, data: st.DataObject, what: str) -> None:
        request = data.draw(st.sampled_from(self.requests()[-3:]))
        self.rev += 1
        match what:
            case "grant":
                self.burst += 1
                message: Message = FloorGranted(
                    rev=self.rev, request_id=request, burst=self.burst, duration_s=8, lease_s=3
                )
            case "deny":
                message = FloorDeny(rev=self.rev, request_id=request, cause=DenyCause.OTHER)
            case "queue":
                message = FloorQueued(rev=self.rev, request_id=request, position=1)
            case _:
                message = FloorAck(rev=self.rev, request_id=request)
        self.rig.reply(message)

    @precondition(lambda self: not self.down and self.link)
    @rule()
    def a_press_that_is_granted(self) -> None:
        self.rig.worker_up()
        self.button()
        if self.rig.vehicle.participant.state is State.PENDING_REQUEST:
            self.burst, self.rev = self.burst + 1, self.rev + 1
            request = self.requests()[-1]
            self.rig.reply(FloorGranted(rev=self.rev, request_id=request, burst=self.burst, duration_s=8, lease_s=3))

    @rule(back=st.integers(0, 2))
    def server_renews_or_revokes(self, back: int) -> None:
        renewals = [e.message for e in self.rig.published(FloorRenew) if isinstance(e.message, FloorRenew)]
        self.rev += 1
        if renewals:
            renewal = renewals[-min(back + 1, len(renewals))]
            self.rig.reply(FloorRenewed(rev=self.rev, burst=renewal.burst, renew_no=renewal.renew_no))
        else:
            self.rig.reply(FloorRevoke(rev=self.rev, burst=self.burst, cause=RevokeCause.OTHER))

    @rule(speaker=st.sampled_from(["car-1", "car-2", None]), older=st.booleans())
    def session_moves(self, speaker: str | None, older: bool) -> None:
        self.rev += 1
        burst = self.burst - older
        ended = None if speaker else Ended.RELEASED
        self.rig.feed(Received(kind=Kind.SESSION, message=session(self.rev - 5 * older, burst, speaker, ended=ended)))

    @rule(seq=st.integers(0, 50))
    def worker_reports(self, seq: int) -> None:
        talk = self.rig.vehicle.participant.talk
        if talk is not None:
            self.rig.feed(FromWorker(event=Through(burst=talk.burst, seq=seq, at=self.rig.now)))
            if talk.draining:
                self.rig.feed(FromWorker(event=Drained(request_id=talk.request_id, burst=talk.burst, last_seq=seq)))
        self.rig.feed(Acked(token=1))

    def look(self) -> None:
        """Read what was done since the last look."""
        for at_s, effect in self.rig.all[self.seen :]:
            match effect:
                case ToWorker(command=Arm(request_id=request_id)):
                    self.armed.add(request_id)
                case ToWorker(command=Transmit(request_id=request_id, until=until)):
                    assert request_id in self.armed
                    assert at_s < until <= at_s + 3.0
                case Tell(press_no=press_no) if press_no:
                    self.answered.setdefault(press_no, at_s)
        self.seen = len(self.rig.all)

    @invariant()
    def permission_is_short_and_only_for_armed_requests_and_every_press_is_answered(self) -> None:
        self.look()
        for press_no, at_s in list(self.pressed.items()):
            if press_no in self.answered:
                assert self.answered[press_no] - at_s <= 2.4, "0.5 s may be the tail of the burst before"
                del self.pressed[press_no]
            else:
                assert self.rig.now - at_s <= 2.4

    @invariant()
    def it_transmits_only_while_keyed_or_for_the_tail(self) -> None:
        participant, now = self.rig.vehicle.participant, self.rig.now
        window = self.rig.vehicle.status().keyed and not self.down
        if participant.transmitting and not self.down and not window:
            assert participant.talk is not None and participant.talk.draining
            assert self.released_s is None or now - max(self.released_s, self.keyed_s) <= 2.0 + 6.0
            assert participant.talk.priority is Priority.EMERGENCY or now - (self.released_s or 0.0) <= 2.0 + 1e-6
        if window:
            self.keyed_s = now
            opened_s = self.opened_s = now if self.opened_s is None else self.opened_s
            assert now - opened_s <= 2 * 20.0 + 6.0, "the window is bounded, waiting and speaking"
            assert participant.talk is not None and participant.talk.priority is Priority.EMERGENCY
        else:
            self.opened_s = None

    @invariant()
    def it_always_knows_what_to_do_next(self) -> None:
        worker = self.rig.vehicle.worker
        assert worker.state != "down" or worker.next_deadline() is not None
        assert self.link or self.rig.vehicle.link.waits_to_dial or self.rig.vehicle.link._dialling

    @invariant()
    def key_up_goes_to_the_worker_at_most_once_a_request(self) -> None:
        ups = [
            e.command.request_id for _, e in self.rig.all if isinstance(e, ToWorker) and isinstance(e.command, KeyUp)
        ]
        assert len(ups) == len(set(ups))


AnyLife.TestCase.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAnyLife = AnyLife.TestCase


def test_it_pings_a_worker_every_second_and_never_spins(rig: Rig) -> None:
    rig.up()
    began = len(rig.all)
    for _ in range(10):
        rig.feed(FromWorker(event=Pong(no=1, link=True, capture=True, playback=True)))
        rig.wait(1.0)

    pings = [e for _, e in rig.all[began:] if isinstance(e, ToWorker) and isinstance(e.command, Ping)]
    assert 9 <= len(pings) <= 11


# --- what an earlier card left ---------------------------------------------------------------------------------------


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


def test_the_radio_is_not_muted_for_a_speaker_whose_end_cannot_be_told(rig: Rig) -> None:
    rig.up().feed(Received(kind=Kind.SESSION, message=session(1, 4, "car-2")))
    muted = [effect.mute_radio for _, effect in rig.all if isinstance(effect, Show)][-1]

    rig.feed(LinkDown(reason="gone"))
    rig.wait(3.0)

    assert muted
    assert not [effect.mute_radio for _, effect in rig.all if isinstance(effect, Show)][-1]


def test_light_and_mute_line_follow_a_speaker_who_is_heard_and_not_the_last_word_of_a_server_that_died(
    rig: Rig,
) -> None:
    played = 0

    def listen(seconds: int, frames_a_second: int) -> Show:
        nonlocal played
        for _ in range(seconds):
            rig.wait(1.0)
            played += frames_a_second
            pong = Pong(no=1, link=True, capture=True, playback=True, frames_played=played)
            rig.feed(FromWorker(event=pong))
        return [effect for _, effect in rig.all if isinstance(effect, Show)][-1]

    rig.up().feed(Received(kind=Kind.SESSION, message=session(1, 4, "car-2")))

    assert listen(30, 50) == Show(look=Look.LISTENING, mute_radio=True)
    assert listen(10, 0) == Show(look=Look.READY, mute_radio=False)
    assert listen(2, 50) == Show(look=Look.LISTENING, mute_radio=True)
