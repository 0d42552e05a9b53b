"""The pump over both ways: MQTT and Agora at once, handed over, slow and stalled lines, the end of permission."""

from __future__ import annotations

from array import array

import pytest

from protocol.ids import RequestId
from protocol.timers import AGORA_AHEAD_S, AGORA_OVERLAP_S, SEND_AGE_S, TRANSMIT_LEASE_S
from protocol.voice_frame import FrameFlags, VoiceFrame
from protocol.worker import Arm, Drained, Handover, Hold, KeyUp, Mute, Through, Transmit
from protocol.worker_settings import AudioSettings
from tests.core.voice_agora_rig import RATE, Car, Clock
from voice.mouth import Mouth
from voice.speaking import Speaking
from voice.transports.in_flight import InFlight

R1: RequestId = (0, 1, 1, 1)


@pytest.fixture
def car(monkeypatch: pytest.MonkeyPatch) -> Car:
    return Car(monkeypatch)


class FakeMqtt:
    """What the pump needs of MqttVoice."""

    def __init__(self) -> None:
        self.up = True
        self.open = True
        self.sent: list[VoiceFrame] = []
        self.as_user: str | None = None

    def room(self, now: float) -> bool:
        return self.up and self.open

    def hurry(self, now: float) -> None:
        pass

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


# --- the pump over both ways ------------------------------------------------------------------------------------------


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
