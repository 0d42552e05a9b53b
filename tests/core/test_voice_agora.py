"""The Agora transport's channel, token and publishing, against a scripted session; the pump over both ways."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable

import pytest

from protocol.ids import RequestId
from protocol.timers import AGORA_AHEAD_S, AGORA_OVERLAP_S, SEND_AGE_S, TRANSMIT_LEASE_S
from protocol.voice_frame import FrameFlags, VoiceFrame
from protocol.worker import AgoraState, Arm, Drained, Handover, Hold, KeyUp, Mute, Through, Token, Transmit
from protocol.worker_settings import AudioSettings
from service.loop import Loop, Timer
from voice.mouth import Mouth
from voice.speaking import Speaking
from voice.transports.agora.port import (
    Closed,
    Connected,
    Overrun,
    Refused,
    SdkEvent,
    Speech,
    TokenExpires,
    Unusable,
)
from voice.transports.agora_voice import PACED_LATE_S, AgoraVoice
from voice.transports.in_flight import InFlight
from voice.transports.port import (
    Arrived,
    Bad,
    InChannel,
    LinkDown,
    LinkUp,
    StateIs,
    TokenNeeded,
    TransportEvent,
)

RATE = 16000
R1: RequestId = (0, 1, 1, 1)


class Clock:
    """Virtual time, and a loop's timers on it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[Timer] = []

    def monotonic(self) -> float:
        return self.now

    def call_at(self, when_s: float, fn: Callable[[], None]) -> Timer:
        self.timers.append(Timer(when_s, fn))
        return self.timers[-1]

    def run(self, for_s: float, step: Callable[[], None] = lambda: None) -> None:
        until = self.now + for_s
        while self.now < until - 1e-9:
            self.now = round(self.now + 0.01, 6)
            due = [timer for timer in self.timers if timer.when_s <= self.now]
            self.timers = [timer for timer in self.timers if timer.when_s > self.now]
            for timer in due:
                timer.fire()
            step()


class Session:
    """A scripted SdkSession."""

    def __init__(self, tell: Callable[[SdkEvent], None], clock: Clock) -> None:
        self.tell, self._clock = tell, clock
        self.calls: list[tuple[object, ...]] = []
        self.pushes: list[tuple[float, int]] = []

    def connect(self, token: Token) -> None:
        self.calls.append(("connect", token.token))

    def renew(self, token: Token) -> None:
        self.calls.append(("renew", token.token))

    def subscribe(self, uid: int) -> None:
        self.calls.append(("subscribe", uid))

    def push(self, pcm: bytes) -> None:
        self.pushes.append((self._clock.now, len(pcm)))

    def disconnect(self) -> None:
        self.calls.append(("disconnect",))

    def publish(self) -> None:
        self.calls.append(("publish",))

    def unpublish(self) -> None:
        self.calls.append(("unpublish",))

    def unsubscribe(self) -> None:
        self.calls.append(("unsubscribe",))

    def stuck_s(self, now: float) -> float:
        return 0.0

    @property
    def unpushed(self) -> int:
        return 0

    def close(self) -> None:
        self.calls.append(("close",))


class Car:
    """An AgoraVoice in virtual time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        monkeypatch.setattr("voice.transports.agora_voice.time.monotonic", self.clock.monotonic)
        self.told: list[TransportEvent] = []
        self.sessions: list[Session] = []
        loop: Loop = self.clock  # type: ignore[assignment]
        self.voice = AgoraVoice(loop, self._session, RATE, 0.02, self.told.append, random.Random(1))
        self.session = self.sessions[0]

    def _session(self, tell: Callable[[SdkEvent], None]) -> Session:
        self.sessions.append(Session(tell, self.clock))
        return self.sessions[-1]

    def run(self, for_s: float) -> None:
        self.clock.run(for_s, lambda: self.voice.tick(self.clock.now))

    def joined(self) -> None:
        self.voice.token(token())
        self.voice.join("e1", "c")
        self.session.tell(Connected("c", 120))

    def calls(self, name: str) -> list[tuple[object, ...]]:
        return [call for call in self.session.calls if call[0] == name]

    @property
    def states(self) -> list[AgoraState]:
        return [event.state for event in self.told if isinstance(event, StateIs)]

    @property
    def wanted(self) -> list[TransportEvent]:
        return [event for event in self.told if isinstance(event, TokenNeeded)]


def token(text: str = "t1", *, publisher: bool = True, expires_in_s: float = 3600.0) -> Token:
    return Token(channel="c", app_id="a", uid=1001, token=text, publisher=publisher, expires_in_s=expires_in_s)


@pytest.fixture
def car(monkeypatch: pytest.MonkeyPatch) -> Car:
    return Car(monkeypatch)


# --- the channel ------------------------------------------------------------------------------------------------------


def test_without_a_token_one_is_asked_for_once_and_the_channel_is_joined_when_it_comes(car: Car) -> None:
    car.voice.join("e1", "c")
    car.run(1.0)
    assert car.wanted == [TokenNeeded("c", "there is none")]
    assert car.calls("connect") == []
    car.voice.token(token())
    car.session.tell(Connected("c", 120))
    assert car.calls("connect") == [("connect", "t1")]
    assert car.told[-4:] == [
        StateIs(AgoraState.JOINING),
        LinkUp(),
        StateIs(AgoraState.JOINED, "", 120),
        InChannel("e1"),
    ]


def test_the_channel_is_joined_with_a_session_and_left_with_it(car: Car) -> None:
    car.joined()
    car.voice.leave()
    assert car.calls("disconnect") == [("disconnect",)]
    assert car.states == [AgoraState.JOINING, AgoraState.JOINED, AgoraState.OFF]
    car.run(60.0)
    assert len(car.calls("connect")) == 1


def test_a_lost_channel_is_joined_again_with_growing_pauses(car: Car) -> None:
    car.joined()
    for _ in range(4):
        car.session.tell(Closed("no route", again=False))
        assert not car.voice.up
        car.run(40.0)
    # then each attempt that is not answered is given up, too, and the next one waits
    assert LinkDown("no route") in car.told
    assert 4 <= len(car.calls("connect")) <= 16
    assert car.states[-1] in (AgoraState.LOST, AgoraState.JOINING)


def test_a_channel_the_sdk_restores_by_itself_is_not_dialled_meanwhile(car: Car) -> None:
    car.joined()
    car.session.tell(Closed("interrupted", again=True))
    car.run(5.0)
    assert len(car.calls("connect")) == 1
    car.session.tell(Connected("c", 0))
    assert car.states[-2:] == [AgoraState.LOST, AgoraState.JOINED]


def test_a_refused_token_is_replaced_before_the_next_attempt(car: Car) -> None:
    car.voice.token(token())
    car.voice.join("e1", "c")
    car.session.tell(Refused("bad token", token=True))
    assert car.states[-1] is AgoraState.REFUSED
    assert car.wanted == [TokenNeeded("c", "bad token")]
    car.run(60.0)
    assert len(car.calls("connect")) == 1
    car.voice.token(token("t2"))
    assert car.calls("connect")[-1] == ("connect", "t2")


def test_a_refusal_no_token_can_mend_is_tried_again_later(car: Car) -> None:
    car.voice.token(token())
    car.voice.join("e1", "c")
    car.session.tell(Refused("kicked", token=False))
    car.run(20.0)
    assert len(car.calls("connect")) >= 2
    assert car.wanted == []


def test_a_token_that_runs_out_is_renewed_in_time_or_the_channel_is_joined_anew(car: Car) -> None:
    # given a token that the SDK warns of
    car.voice.token(token(expires_in_s=60.0))
    car.voice.join("e1", "c")
    car.session.tell(Connected("c", 1))
    car.session.tell(TokenExpires())
    car.session.tell(TokenExpires())
    assert car.wanted == [TokenNeeded("c", "it runs out")]
    # when a newer one comes, the connection takes it
    car.voice.token(token("t2", expires_in_s=60.0))
    assert car.calls("renew") == [("renew", "t2")]
    # when none comes before its end, the channel is left, and joined again once there is one
    car.run(61.0)
    assert not car.voice.up
    car.run(20.0)
    car.voice.token(token("t3"))
    assert car.calls("connect")[-1] == ("connect", "t3")


@pytest.mark.parametrize("lost", [False, True])
def test_a_token_that_comes_while_the_channel_is_being_joined_or_restored_is_used_from_then_on(
    car: Car, lost: bool
) -> None:
    # given a channel not joined yet, or about to be restored by the SDK
    car.voice.token(token("t1", expires_in_s=60.0))
    car.voice.join("e1", "c")
    for event in (Connected("c", 120), Closed("interrupted", again=True))[: 2 * lost]:
        car.session.tell(event)
    # when a newer token comes before it is joined
    car.voice.token(token("t2", expires_in_s=3600.0))
    car.session.tell(Connected("c", 120))
    # then the connection has it, and lives on when the older one runs out
    assert car.calls("renew") == [("renew", "t2")]
    car.run(90.0)
    assert car.voice.up
    assert car.wanted == []
    assert car.calls("connect") == [("connect", "t1")]


def test_one_who_is_to_hear_nobody_once_the_sdk_restored_the_channel_is_subscribed_to_nobody(car: Car) -> None:
    car.joined()
    car.voice.hear(7, "car-2", 42)
    car.session.tell(Closed("interrupted", again=True))
    car.voice.deaf()
    car.session.tell(Connected("c", 0))
    assert car.session.calls[-1] == ("unsubscribe",)


def test_a_join_that_is_never_answered_is_given_up(car: Car) -> None:
    car.voice.token(token())
    car.voice.join("e1", "c")
    car.run(30.0)
    assert AgoraState.LOST in car.states
    assert len(car.calls("connect")) >= 2


def test_an_unusable_sdk_is_told_once_and_left_alone(car: Car) -> None:
    car.session.tell(Unusable("not staged: run stage"))
    car.voice.token(token())
    car.voice.join("e1", "c")
    car.run(30.0)
    assert car.told == [StateIs(AgoraState.UNUSABLE, "not staged: run stage")]
    assert car.session.calls == []


def test_callbacks_that_were_dropped_are_told(car: Car) -> None:
    car.session.tell(Overrun(17))
    assert [type(event) for event in car.told] == [Bad]


# --- hearing ----------------------------------------------------------------------------------------------------------


def test_only_the_announced_uid_is_heard_and_only_while_it_is(car: Car) -> None:
    car.joined()
    car.session.tell(Speech(7, b"\0\0", 1.0))
    car.voice.hear(3, "car-2", 1002)
    car.session.tell(Speech(7, b"\0\0", 1.0))
    car.session.tell(Speech(1002, b"\1\0", 1.0))
    car.session.tell(Speech(1002, b"\2\0", 1.0))
    car.voice.deaf()
    car.session.tell(Speech(1002, b"\3\0", 1.0))
    heard = [event for event in car.told if isinstance(event, Arrived)]
    assert [(event.user, event.frame.burst, event.frame.seq, event.pcm) for event in heard] == [
        ("car-2", 3, 0, b"\1\0"),
        ("car-2", 3, 1, b"\2\0"),
    ]
    assert car.voice.strays == 3
    assert car.calls("subscribe") == [("subscribe", 1002)]
    assert car.calls("unsubscribe") == [("unsubscribe",)]


def test_a_speaker_announced_before_the_channel_is_joined_is_subscribed_to_when_it_is(car: Car) -> None:
    car.voice.hear(3, "car-2", 1002)
    car.joined()
    assert car.calls("subscribe") == [("subscribe", 1002)]


# --- speaking ---------------------------------------------------------------------------------------------------------


def test_one_is_broadcaster_for_ones_own_burst_only_and_never_with_a_listeners_token(car: Car) -> None:
    car.joined()
    assert car.calls("publish") == []
    car.voice.speak(7, None)
    car.voice.hush(drain=False)
    assert [call[0] for call in car.session.calls[1:]] == ["publish", "unpublish"]
    car.voice.token(token(publisher=False))
    car.voice.speak(8, None)
    assert not car.voice.publishing
    assert len(car.calls("publish")) == 1


def test_one_who_joins_in_mid_burst_publishes_then(car: Car) -> None:
    car.voice.speak(7, None)
    assert not car.voice.room(car.clock.now)
    car.joined()
    assert car.calls("publish") == [("publish",)]


def test_a_burst_that_ends_while_the_sdk_restores_the_channel_is_not_published_when_it_is_back(car: Car) -> None:
    # given a broadcaster whose connection is lost in mid-burst, and who may not speak any more when it is back
    car.joined()
    car.voice.speak(7, None)
    car.session.tell(Closed("interrupted", again=True))
    car.voice.hush(drain=False)
    car.session.tell(Connected("c", 0))
    # then it is audience again, and what was unsent is thrown away
    speaking = ("publish", "unpublish")
    assert [call[0] for call in car.session.calls if call[0] in speaking] == ["publish", "unpublish"]
    # and where it may still speak, it publishes again
    car.voice.speak(8, None)
    car.session.tell(Closed("interrupted", again=True))
    car.session.tell(Connected("c", 0))
    assert [call[0] for call in car.session.calls if call[0] in speaking][2:] == ["publish", "unpublish", "publish"]


def test_sound_is_pushed_no_further_ahead_than_allowed(car: Car) -> None:
    car.joined()
    car.voice.speak(7, None)
    pcm = bytes(round(0.02 * RATE) * 2)
    count = 0
    while car.voice.room(car.clock.now) and car.voice.send(VoiceFrame(7, count, 0, b"x"), car.clock.now, pcm):
        count += 1
    assert count == round(AGORA_AHEAD_S / 0.02)
    car.run(0.04)
    assert car.voice.room(car.clock.now)


def test_a_burst_that_ended_whole_plays_out_and_any_other_end_is_at_once(car: Car) -> None:
    car.joined()
    pcm = bytes(round(0.02 * RATE) * 2)
    car.voice.speak(7, None)
    for seq in range(4):
        car.voice.send(VoiceFrame(7, seq, 0, b"x"), car.clock.now, pcm)
    car.voice.hush(drain=True)
    assert car.calls("unpublish") == []
    assert not car.voice.send(VoiceFrame(7, 4, 0, b"x"), car.clock.now, pcm)
    car.run(0.08 + PACED_LATE_S - 0.01)
    assert car.calls("unpublish") == []
    car.run(0.02)
    assert len(car.calls("unpublish")) == 1
    car.voice.speak(8, None)
    car.voice.send(VoiceFrame(8, 0, 0, b"x"), car.clock.now, pcm)
    car.voice.hush(drain=False)
    assert len(car.calls("unpublish")) == 2


def test_the_last_syllable_is_not_cut_where_the_sdk_is_behind_its_clock(car: Car) -> None:
    # given a burst whose last frame, by our clock, has just been played out
    car.joined()
    car.voice.speak(7, None)
    car.voice.send(VoiceFrame(7, 0, 0, b"x"), car.clock.now, bytes(round(0.02 * RATE) * 2))
    car.run(0.03)
    # when it ends
    car.voice.hush(drain=True)
    # then what the SDK may not have sent yet is left to it
    assert car.calls("unpublish") == []
    car.run(PACED_LATE_S + 0.01)
    assert len(car.calls("unpublish")) == 1


def test_a_newer_burst_throws_away_what_is_left_of_an_older_one(car: Car) -> None:
    car.joined()
    car.voice.speak(7, None)
    car.voice.send(VoiceFrame(7, 0, 0, b"x"), car.clock.now, bytes(640))
    car.voice.hush(drain=True)
    car.voice.speak(8, None)
    assert [call[0] for call in car.session.calls[1:]] == ["publish", "unpublish", "publish"]


# --- the pump over both ways ------------------------------------------------------------------------------------------


class FakeMqtt:
    """What the pump needs of MqttVoice."""

    def __init__(self) -> None:
        self.up = True
        self.open = True
        self.sent: list[VoiceFrame] = []
        self.as_user: str | None = None

    def room(self, now: float) -> bool:
        return self.up and self.open

    def send(self, frame: VoiceFrame, now: float, pcm: bytes = b"") -> bool:
        self.sent.append(frame)
        return True

    def holds(self, burst: int, up_to_seq: int) -> bool:
        return False

    def speak(self, burst: int, as_user: str | None) -> None:
        self.as_user = as_user

    def hush(self, *, drain: bool) -> None:
        pass


class SlowLine(FakeMqtt):
    """A line that takes so many bytes a second, and answers MqttVoice's questions by what it still has to carry."""

    def __init__(self, clock: Clock, bytes_s: float) -> None:
        super().__init__()
        self._clock, self._bytes_s = clock, bytes_s
        self._flight = InFlight()
        self._outstanding = 0.0
        self._at = clock.now
        self.stalled = False

    def room(self, now: float) -> bool:
        if not self.stalled:
            self._outstanding = max(0.0, self._outstanding - (now - self._at) * self._bytes_s)
        self._at = now
        self._flight.acknowledged(int(self._outstanding))
        return self.up and self._flight.oldest_age_s(now) < SEND_AGE_S

    def holds(self, burst: int, up_to_seq: int) -> bool:
        return self._flight.holds(burst, up_to_seq)

    def send(self, frame: VoiceFrame, now: float, pcm: bytes = b"") -> bool:
        size = len(frame.payload) + 40
        self._outstanding += size
        self._flight.wrote(frame.burst, frame.seq, size, now)
        return super().send(frame, now, pcm)


class Talker:
    """A mouth with real gate and codec, both ways, and a daemon that repeats its permission, in virtual time."""

    def __init__(self, car: Car, mqtt: FakeMqtt | None = None) -> None:
        self.car, self.clock = car, car.clock
        self.told: list[Drained | Through | Handover] = []
        self.mqtt = mqtt or FakeMqtt()
        self.mouth = Mouth(AudioSettings(device_rate_hz=16000), self.told.append)
        self.speaking = Speaking(self.mouth, self.mqtt, car.voice, self.told.append)  # type: ignore[arg-type]
        self.permit = False
        self.all_joined = False
        self._repeat_at = 0.0
        self._loud = 0

    def arm(self) -> None:
        self.mouth.handle(Arm(request_id=R1, edge_at=self.clock.now), self.clock.now)

    def run(self, for_s: float) -> None:
        self.clock.run(for_s, self._step)

    def _step(self) -> None:
        now = self.clock.now
        if self.permit and now >= self._repeat_at:
            self._repeat_at = now + 0.2
            word = Transmit(request_id=R1, burst=7, all_joined=self.all_joined)
            self.mouth.handle(word, now)
            self.speaking.permitted(word, now)
        self._loud += 1
        frame = array("h", [(self._loud * 37 + i * 911) % 8000 - 4000 for i in range(RATE // 100)])
        self.mouth.captured(frame.tobytes(), now - 0.01, now)
        self.mouth.tick(now)
        self.speaking.follow(now)
        self.car.voice.tick(now)
        self.speaking.pump(now)

    @property
    def pushed_s(self) -> float:
        return sum(size for _, size in self.car.session.pushes) / 2 / RATE


def test_speech_goes_both_ways_then_over_agora_alone_and_the_last_mqtt_frame_says_so(car: Car) -> None:
    car.joined()
    talker = Talker(car)
    talker.arm()
    talker.run(0.5)
    talker.permit = talker.all_joined = True
    talker.run(3.0)
    flags = [frame.flags for frame in talker.mqtt.sent]
    assert flags[-1] == FrameFlags.HANDOVER
    assert set(flags[:-1]) == {FrameFlags.NONE}
    assert talker.pushed_s == pytest.approx(3.0, abs=0.25)
    # what waited for the grant is MQTT's alone
    assert len(talker.mqtt.sent) * 0.02 == pytest.approx(0.5 + AGORA_OVERLAP_S, abs=0.15)


@pytest.mark.parametrize("end", ["hold", "mute", "lapse"])
def test_when_permission_ends_not_one_frame_goes_either_way(car: Car, end: str) -> None:
    car.joined()
    talker = Talker(car)
    talker.arm()
    talker.permit = True
    talker.run(1.0)
    # when it ends
    talker.permit = False
    now = talker.clock.now
    words: dict[str, list[Hold | Mute]] = {"hold": [Hold(burst=7)], "mute": [Mute(request_id=R1)], "lapse": []}
    for word in words[end]:
        talker.mouth.handle(word, now)
        talker.speaking.cut(now)
    pushed, sent = len(car.session.pushes), len(talker.mqtt.sent)
    talker.run(2.0)
    # then nothing follows, but for what a lease still allows
    allowed = {"hold": 0.0, "mute": 0.0, "lapse": TRANSMIT_LEASE_S}[end]
    assert (len(car.session.pushes) - pushed) * 0.02 <= allowed
    assert (len(talker.mqtt.sent) - sent) * 0.02 <= allowed
    assert car.session.calls[-1] == ("unpublish",)


def test_a_backlog_that_agora_carries_alone_goes_out_in_real_time_and_is_bounded(car: Car) -> None:
    # given two seconds of pre-roll and no MQTT voice
    car.joined()
    talker = Talker(car)
    talker.mqtt.up = False
    talker.arm()
    talker.run(2.0)
    granted = talker.clock.now
    talker.permit = True
    talker.run(3.0)
    # then it is paced
    sent_s = 0.0
    for at, size in car.session.pushes:
        sent_s += size / 2 / RATE
        assert sent_s <= at - granted + AGORA_AHEAD_S + 0.011
    # and none of it is dropped: what the channel cannot carry yet is made shorter, as far as speech bears that
    assert talker.mouth.dropped == {}
    assert talker.pushed_s == pytest.approx(3.0 + AGORA_AHEAD_S, abs=0.1)
    assert 0.12 * talker.pushed_s < talker.speaking.left_out_s < 0.2 / 0.8 * talker.pushed_s
    # when it has been worked off, and the button goes up
    talker.run(9.0)
    behind_s = 14.0 - talker.pushed_s - talker.speaking.left_out_s
    talker.mouth.handle(KeyUp(request_id=R1, at=talker.clock.now), talker.clock.now)
    talker.run(0.3)
    # then the delay is the usual, and all of it was pushed, to the last packet and the codec's tail
    assert behind_s < AGORA_AHEAD_S
    assert talker.pushed_s + talker.speaking.left_out_s == pytest.approx(14.0, abs=0.045)
    assert all(size % (2 * RATE // 100) == 0 for _, size in car.session.pushes)


def test_a_key_up_in_the_middle_of_a_backlog_that_agora_carries_alone_is_heard_to_its_end(car: Car) -> None:
    # given a word of two seconds, said whole before there was a grant, and no MQTT voice
    car.joined()
    talker = Talker(car)
    talker.mqtt.up = False
    talker.arm()
    talker.run(1.5)
    talker.permit = True
    talker.run(0.5)
    # when the button goes up
    talker.mouth.handle(KeyUp(request_id=R1, at=talker.clock.now), talker.clock.now)
    talker.run(2.0)
    # then all of it was pushed within the time a tail has, and no speech was dropped
    assert set(talker.mouth.dropped) <= {"transmit_unknown"}
    assert talker.pushed_s + talker.speaking.left_out_s == pytest.approx(2.0, abs=0.045)
    drained = [word for word in talker.told if isinstance(word, Drained)]
    assert [(word.burst, word.last_seq) for word in drained] == [(7, 100)]


def test_over_a_slow_line_live_speech_follows_the_pre_roll_without_a_gap(car: Car) -> None:
    # given 1.5 s of pre-roll, and a line that takes a little more than speech needs
    line = SlowLine(car.clock, 7000.0)
    talker = Talker(car, line)
    talker.arm()
    talker.run(1.5)
    # when it is granted and spoken on
    talker.permit = True
    talker.run(6.0)
    # then every frame was sent, none dropped, and what is said now leaves now
    assert talker.mouth.dropped == {}
    assert [frame.seq for frame in line.sent] == list(range(len(line.sent)))
    assert len(line.sent) * 0.02 == pytest.approx(7.5, abs=0.1)
    # when the line stalls for a second after all that
    line.stalled = True
    talker.run(1.2)
    line.stalled = False
    talker.run(1.0)
    # then what is too old by now is dropped as ever
    assert talker.mouth.dropped["too_old"] > 10


def test_a_stalled_mqtt_line_leaves_the_burst_to_agora_and_takes_it_up_again(car: Car) -> None:
    car.joined()
    talker = Talker(car)
    talker.arm()
    talker.permit = True
    talker.run(0.6)
    # when MQTT takes nothing for a second
    talker.mqtt.open = False
    before = talker.pushed_s
    talker.run(1.0)
    assert talker.pushed_s - before > 0.8
    # then Agora had it, and both have it again afterwards
    talker.mqtt.open = True
    count = len(talker.mqtt.sent)
    talker.run(0.5)
    assert (len(talker.mqtt.sent) - count) * 0.02 == pytest.approx(0.5, abs=0.06)


def test_a_key_up_sends_the_tail_over_agora_and_then_unpublishes(car: Car) -> None:
    car.joined()
    talker = Talker(car)
    talker.arm()
    talker.permit = talker.all_joined = True
    talker.run(2.0)
    mqtt_before = len(talker.mqtt.sent)
    talker.mouth.handle(KeyUp(request_id=R1, at=talker.clock.now), talker.clock.now)
    talker.run(1.0)
    [drained] = [word for word in talker.told if isinstance(word, Drained)]
    assert drained.last_seq is not None
    assert (drained.last_seq + 1) * 0.02 == pytest.approx(2.0, abs=0.05)
    assert len(talker.mqtt.sent) == mqtt_before
    assert car.session.calls[-1] == ("unpublish",)


def test_a_bridge_speaks_under_the_others_name(car: Car) -> None:
    talker = Talker(car)
    talker.arm()
    word = Transmit(request_id=R1, burst=7, as_user="phone-3")
    talker.mouth.handle(word, talker.clock.now)
    talker.speaking.permitted(word, talker.clock.now)
    assert talker.mqtt.as_user == "phone-3"
