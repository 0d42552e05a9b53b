"""Half-duplex in a car: real mouth, ear and microphone in a room that sounds on for 100 ms, on one clock."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from protocol.voice_frame import FrameFlags, VoiceFrame
from protocol.worker import Arm, Drained, Heard, KeyUp, Mute, Play, PlayedOut, Replayed, Stop, Through, Transmit
from protocol.worker_settings import AudioSettings
from voice.ear import Ear
from voice.half_duplex import HalfDuplex
from voice.microphone import Microphone
from voice.mouth import Mouth
from voice.opus import Encoder

RATE = 48000
FRAME = RATE // 100
ROOM_S = 0.1
"""The last echo of a sound comes so long after it."""
REQUEST = (0, 1, 1, 1)
Samples = NDArray[np.float64]


def noise(seed: int, seconds: float, rms: float) -> Samples:
    """A sound like none other: band-limited noise."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(round(seconds * RATE)))
    hz = np.fft.rfftfreq(round(seconds * RATE), 1 / RATE)
    sound = np.fft.irfft(np.where((hz > 300) & (hz < 3400), spectrum, 0), round(seconds * RATE))
    return np.asarray(sound * rms / np.std(sound))


class Car:
    """Devices without latency; the microphone hears the driver and what the room makes of the speaker."""

    def __init__(self, driver: Samples, *, guard_ms: int, muted: bool = True) -> None:
        settings = AudioSettings(echo_guard_ms=guard_ms)
        self.now = 0.0
        self.muted = muted
        self.driver = driver
        self.played = np.zeros(0)
        self.sent: dict[float, bytes] = {}
        self.played_out: list[PlayedOut] = []
        self.half_duplex = HalfDuplex(settings)
        self.microphone = Microphone(settings, self.half_duplex, lambda _: None)
        self.mouth = Mouth(settings, self.told)
        self.ear = Ear(settings, "car-1", self.heard, clock=lambda: self.now)
        rng = np.random.default_rng(9)
        taps = round(ROOM_S * RATE)
        self.room = rng.standard_normal(taps) * np.exp(-np.arange(taps) / (0.02 * RATE))
        self.room *= 0.5 / np.sqrt(np.sum(self.room**2))

    def told(self, _: Drained | Through) -> None:
        """The daemon is not here."""

    def heard(self, word: Heard | PlayedOut | Replayed) -> None:
        if isinstance(word, PlayedOut):
            self.played_out.append(word)

    def run(self, until: float, each: Callable[[], None] = lambda: None) -> None:
        while self.now < until - 1e-9:
            each()
            self.half_duplex.microphone_open = self.muted and self.mouth.open
            sound = self.ear.render(self.now, aloud=not self.half_duplex.muted)
            out = self.half_duplex.played(sound, self.now)
            self.played = np.concatenate([self.played, np.frombuffer(out, np.int16)])
            number = round(self.now * RATE)
            tail = self.played[-len(self.room) - FRAME :]
            echo = np.convolve(tail, self.room)[len(tail) - FRAME : len(tail)]
            said = np.pad(self.driver[number : number + FRAME], (0, max(0, number + FRAME - len(self.driver))))[:FRAME]
            pcm = np.clip(np.round(said + echo), -32768, 32767).astype(np.int16).tobytes()
            start, self.now = self.now, round(self.now + 0.01, 6)
            kept, _ = self.microphone.take(pcm, start, keyed=self.mouth.open)
            self.mouth.captured(kept, start, self.now)
            while (spoken := self.mouth.pull(self.now)) is not None:
                self.sent[spoken.captured_at_s] = spoken.pcm

    def press(self, granted: bool = True) -> None:
        self.mouth.handle(Arm(request_id=REQUEST, edge_at=self.now), self.now)
        if granted:
            self.permit()

    def permit(self) -> None:
        self.mouth.handle(Transmit(request_id=REQUEST, burst=1), self.now)

    def all_sent(self) -> Samples:
        pcm = b"".join(self.sent[start] for start in sorted(self.sent))
        return np.frombuffer(pcm, np.int16).astype(float)


def rms(sound: Samples) -> float:
    return float(np.sqrt(np.mean(sound**2)))


def cue(seconds: float) -> array[int]:
    return array("h", noise(2, seconds, 6000).astype(np.int16).tobytes())


def pressed_amid_a_cue(*, guard_ms: int, muted: bool = True) -> Car:
    """A second of sound at the speaker, the button half-way through; the driver says nothing."""
    car = Car(np.zeros(4 * RATE), guard_ms=guard_ms, muted=muted)
    car.ear.cue(cue(1.0), 10.0)
    car.run(0.5)
    car.press()
    car.run(1.5, car.permit)
    return car


def test_nothing_of_what_the_speaker_played_is_in_what_is_sent() -> None:
    # given a car in which, without any care, half of the speaker's sound would be sent back
    without = pressed_amid_a_cue(guard_ms=0, muted=False)
    assert rms(without.all_sent()[: RATE // 2]) > 2000
    # then with the speaker muted and the guard as long as the room, not one sample of it is
    car = pressed_amid_a_cue(guard_ms=100)
    assert rms(car.played[: RATE // 2]) > 5000
    assert not car.all_sent().any()
    assert len(car.all_sent()) >= 0.98 * RATE


def test_with_the_usual_guard_what_is_left_of_a_long_room_lies_far_below_speech() -> None:
    # a room of 20 ms decay, 60 ms after: 26 dB under the echo, and under -35 dB of what the speaker gave
    car = pressed_amid_a_cue(guard_ms=AudioSettings().echo_guard_ms)
    sent, loud = car.all_sent(), rms(car.played[: RATE // 2])
    assert not sent[: round(0.06 * RATE)].any()
    assert rms(sent[round(0.06 * RATE) : round(0.11 * RATE)]) < loud * 10 ** (-35 / 20)


def test_muting_alone_leaves_the_rooms_own_decay_which_the_guard_is_for() -> None:
    sent = pressed_amid_a_cue(guard_ms=0).all_sent()
    assert rms(sent[: round(0.02 * RATE)]) > 500
    assert not sent[round((ROOM_S + 0.02) * RATE) :].any()


def test_a_driver_who_speaks_behind_the_guard_is_sent_whole_and_alone() -> None:
    driver = np.concatenate([np.zeros(round(0.57 * RATE)), noise(4, 1.0, 3000)])
    car = Car(driver, guard_ms=60)
    car.ear.cue(cue(1.0), 10.0)
    car.run(0.5)
    car.press()
    car.run(1.5, car.permit)
    sent = car.all_sent()[round(0.07 * RATE) :]
    said = driver[round(0.57 * RATE) :][: len(sent)]
    assert rms(sent - said) < 0.03 * rms(said)


def test_with_a_silent_speaker_nothing_is_taken_from_the_first_syllable() -> None:
    driver = noise(4, 2.0, 3000)
    car = Car(driver, guard_ms=60)
    car.run(0.5)
    car.press()
    car.run(1.5, car.permit)
    sent = car.all_sent()
    assert np.array_equal(sent, np.round(driver)[round(0.5 * RATE) :][: len(sent)])


@pytest.mark.parametrize("granted", [True, False])
def test_a_colleague_is_silent_while_the_button_asks_and_is_heard_again_where_he_is_then(granted: bool) -> None:
    # given a colleague who speaks steadily
    voice = noise(3, 3.0, 4000).astype(np.int16)
    encoder = Encoder(RATE, AudioSettings().codec)
    car = Car(np.zeros(4 * RATE), guard_ms=100)
    car.ear.play(Play(burst=1, user="car-2"), 0.0)
    frames = [voice[at : at + 960].tobytes() for at in range(0, len(voice), 960)]

    def speak() -> None:
        seq = round(car.now * 50)
        if abs(car.now * 50 - seq) < 1e-6 and seq < len(frames):
            frame = VoiceFrame(1, seq, 20 * seq, encoder.encode(frames[seq]), FrameFlags.NONE)
            car.ear.frame("car-2", frame, car.now)

    car.run(1.0, speak)
    # when the button asks for 200 ms and is refused
    car.press(granted=granted)
    car.run(1.2, speak)
    car.mouth.handle(Mute(request_id=REQUEST), car.now)
    car.run(2.0, speak)
    # then he was silent meanwhile and is heard after, without what he said meanwhile being made up for
    played = car.played
    assert not played[round(1.01 * RATE) : round(1.2 * RATE)].any()
    for begin in (0.5, 1.3):
        assert rms(played[round(begin * RATE) : round((begin + 0.4) * RATE)]) > 2000
    late_s = [_lag(played, voice.astype(float), at) for at in (0.6, 1.6)]
    assert late_s[1] - late_s[0] < 0.02
    # and what was silent is told when the burst is over
    car.ear.stop(Stop(burst=1, drain=False), car.now)
    car.run(2.1)
    assert [round(word.silent * 0.02, 1) for word in car.played_out] == [0.2]
    assert not car.all_sent().any()


def test_after_the_key_up_the_end_cue_sounds_and_none_of_it_is_sent() -> None:
    car = Car(np.zeros(4 * RATE), guard_ms=60)
    car.press()
    car.run(0.5, car.permit)
    car.mouth.handle(KeyUp(request_id=REQUEST, at=car.now), car.now)
    car.ear.cue(cue(0.3), 10.0)
    car.run(1.5)
    assert rms(car.played[round(0.55 * RATE) : round(0.75 * RATE)]) > 3000
    assert not car.all_sent().any()


def _lag(played: Samples, voice: Samples, at_s: float) -> float:
    """How much later than said the sound at `at_s` was played."""
    piece = played[round(at_s * RATE) : round((at_s + 0.2) * RATE)]
    search = voice[: round((at_s + 0.2) * RATE)]
    found = np.fft.irfft(
        np.fft.rfft(search, 2 * len(voice)) * np.conj(np.fft.rfft(piece, 2 * len(voice))), 2 * len(voice)
    )
    return at_s - int(np.argmax(found[: len(search)])) / RATE
