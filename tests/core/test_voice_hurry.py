"""Working off delay, on real speech: faster within bounds, pitch and level kept, no clicks, no word left out."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lab.demo.speech import Voice, speak
from lab.measure.align import align
from lab.measure.sound import Sound, as_int16, from_int16
from voice.hurry import PAUSE_HEAD_S, PAUSE_LONG_S, PAUSE_TAIL_S, SPEED_MAX, Hurry
from voice.stretch import PERIOD_S_MAX

RATE = 48_000
FRAME = RATE // 100
PACKET = RATE // 50
SHORT_S = PAUSE_HEAD_S + PAUSE_TAIL_S
Curve = NDArray[np.float64]

KOREAN = ("사고가 났습니다 모두 우회하세요 구급차가 곧 도착합니다 서울역 앞 삼거리입니다", Voice("ko", 170, 50))
ENGLISH = ("take the second exit and wait there for the ambulance to arrive from the north", Voice("en-us", 165, 25))
BOTH = pytest.mark.parametrize("spoken", [KOREAN, ENGLISH], ids=["korean", "english"])


class Player:
    """A device of 10 ms frames over a queue to which packets of 20 ms come that waited for `late_s`."""

    def __init__(self, late_s: float) -> None:
        self.late_s = late_s
        self.hurry = Hurry(RATE)
        self.heard = array("h")
        self.at: list[tuple[float, float]] = []
        """(length heard, length said so far) at each device frame."""

    def play(self, said: array[int]) -> Player:
        hurry, taken = self.hurry, 0
        while taken < len(said) or hurry.ready or hurry.keeps:
            while hurry.ready < hurry.wanted(FRAME) and taken < len(said):
                if hurry.ready >= FRAME and hurry.keeps:
                    break
                hurry.add(said[taken : taken + PACKET], max(0.0, self.late_s - hurry.left_out_s))
                taken += PACKET
            self.heard.extend(hurry.take(FRAME))
            self.at.append((len(self.heard) / RATE, min(taken, len(said)) / RATE - hurry.ahead_s))
        return self


def samples(sound: Sound) -> array[int]:
    return array("h", as_int16(sound))


def steady(for_s: float, hz: float = 140.0, level: float = 8000.0) -> array[int]:
    times = np.arange(round(for_s * RATE)) / RATE
    return array("h", (level * np.sin(2 * np.pi * hz * times)).astype(np.int16).tobytes())


def pitches(sound: Sound) -> Curve:
    """F0 (Hz) of every clearly voiced stretch of 40 ms."""
    width, low, high = RATE // 25, RATE // 350, RATE // 70
    found = []
    for begin in range(0, len(sound) - width - high, width // 2):
        part = sound[begin : begin + width].astype(float)
        if np.sqrt(np.mean(part**2)) < 0.03:
            continue
        area = sound[begin : begin + width + high].astype(float)
        power = np.convolve(area**2, np.ones(width), "valid")
        score = np.correlate(area, part, "valid") / np.sqrt(power * np.dot(part, part) + 1e-12)
        lag = low + int(np.argmax(score[low:high]))
        if score[lag] > 0.85:
            found.append(RATE / lag)
    return np.array(found)


def flux(sound: Sound) -> Curve:
    """How much the spectrum above 4 kHz rises from one 5 ms step to the next, in dB: a click's own mark."""
    size = RATE // 200
    blocks = sound[: len(sound) // size * size].reshape(-1, size) * np.hanning(size)
    high = np.abs(np.fft.rfft(blocks, axis=1))[:, 20:].sum(axis=1)
    return np.asarray(np.diff(20 * np.log10(high + 0.05)), float)


@BOTH
def test_real_speech_is_made_shorter_with_every_word_its_pitch_and_its_level_kept(spoken: tuple[str, Voice]) -> None:
    # given a sentence that waited a second and a half for the grant
    said = speak(*spoken)
    # when it is played
    player = Player(1.5).play(samples(said))
    heard = from_int16(player.heard.tobytes())
    # then it is shorter by what was left out, and everything said is heard, once
    found = align(said, heard, faster_s=player.hurry.left_out_s)
    assert found.problems == ()
    assert (len(said) - len(heard)) / RATE == pytest.approx(player.hurry.left_out_s, abs=1e-3)
    assert player.hurry.left_out_s > 0.12 * len(said) / RATE
    # and the pitch is within 2 %, the level within 1 dB
    assert np.median(pitches(heard)) == pytest.approx(np.median(pitches(said)), rel=0.02)
    assert abs(found.level_db) < 1.0


@BOTH
def test_real_speech_made_shorter_has_no_clicks(spoken: tuple[str, Voice]) -> None:
    said = speak(*spoken)
    heard = from_int16(Player(1.5).play(samples(said)).heard.tobytes())
    # then no step from sample to sample is larger than speech itself has, and no burst of noise is sharper
    assert np.max(np.abs(np.diff(heard))) <= 1.05 * np.max(np.abs(np.diff(said)))
    assert np.percentile(flux(heard), 99.5) <= np.percentile(flux(said), 99.5) + 3.0


@BOTH
def test_it_is_never_played_faster_than_the_bound_but_for_long_pauses(spoken: tuple[str, Voice]) -> None:
    player = Player(1.5).play(samples(speak(*spoken)))
    times, places = np.array(player.at).T
    # then over any half second the speech gains no more than that, a single period aside
    gain = places[50:] - places[:-50] - (times[50:] - times[:-50])
    assert np.max(gain) <= 0.5 * (SPEED_MAX - 1) + PERIOD_S_MAX + PAUSE_LONG_S + 1e-6
    voiced = Player(5.0).play(steady(3.0))
    assert voiced.hurry.left_out_s <= 3.0 * (1 - 1 / SPEED_MAX) + PERIOD_S_MAX
    assert voiced.hurry.left_out_s >= 0.9 * 3.0 * (1 - 1 / SPEED_MAX)


def test_what_is_not_late_is_played_as_it_is() -> None:
    said = samples(speak(*KOREAN))
    player = Player(0.0).play(said)
    assert player.heard == said
    assert player.hurry.left_out_s == 0.0


@pytest.mark.parametrize(
    ("pause_s", "left_s"), [(0.1, 0.1), (PAUSE_LONG_S, PAUSE_LONG_S), (0.4, SHORT_S), (1.0, SHORT_S)]
)
@pytest.mark.parametrize("noise", [0.0, 30.0, 250.0])
def test_a_long_pause_becomes_a_short_one_and_a_short_one_is_the_sentences_own(
    pause_s: float, left_s: float, noise: float
) -> None:
    # given two words with a pause between them, in a silent and in a noisy car
    rng = np.random.default_rng(3)
    parts = [np.array(steady(0.4), float), np.zeros(round(pause_s * RATE)), np.array(steady(0.4, 170.0), float)]
    sound = np.concatenate(parts)
    sound += rng.normal(0, 1, len(sound)) * noise
    player = Player(1.2).play(array("h", sound.astype(np.int16).tobytes()))
    heard = np.array(player.heard, float)
    # then what is left of it is what was to be left, hurried as all is, and both words are there
    blocks = np.abs(heard[: len(heard) // FRAME * FRAME].reshape(-1, FRAME)).max(axis=1) > 3000
    words = np.flatnonzero(blocks)
    gap_s = float(np.max(np.diff(words)) - 1) * 0.01
    assert left_s / SPEED_MAX - 0.02 <= gap_s <= left_s + 0.03
    assert len(words) * 0.01 >= 0.8 / SPEED_MAX - 0.02


def test_a_pause_kept_back_is_played_where_nothing_follows() -> None:
    # given a pause of which nobody knows yet how long it is
    hurry = Hurry(RATE)
    for _ in range(8):
        hurry.add(array("h", bytes(2 * PACKET)), 1.0)
    assert hurry.keeps
    # when the device wants more than is ready
    ready = hurry.ready
    part = hurry.take(ready + FRAME)
    # then it gets it
    assert len(part) == ready + FRAME
    assert not hurry.keeps


def test_a_pause_left_out_of_noise_leaves_no_step_behind() -> None:
    # given a slow hum in which a pause ends elsewhere than it began
    hum = (np.sin(2 * np.pi * 21.0 * np.arange(RATE) / RATE) * 300).astype(np.int16)
    player = Player(0.9).play(array("h", hum.tobytes()))
    assert player.hurry.left_out_s > 0.5
    assert np.max(np.abs(np.diff(np.array(player.heard, float)))) <= 8


def test_cleared_it_plays_nothing_of_what_waited() -> None:
    hurry = Hurry(RATE)
    hurry.add(steady(0.1), 0.0)
    for _ in range(8):
        hurry.add(array("h", bytes(2 * PACKET)), 1.0)
    hurry.clear()
    assert (hurry.ready, hurry.keeps, hurry.ahead_s, len(hurry.take(FRAME))) == (0, False, 0.0, 0)


@given(
    st.lists(st.tuples(st.sampled_from([0, 100, 9000]), st.floats(0.0, 2.0)), min_size=1, max_size=60),
    st.sampled_from([160, 320, 960]),
)
def test_whatever_comes_no_more_is_left_out_than_was_spare_and_the_rest_is_played_once(
    packets: list[tuple[int, float]], size: int
) -> None:
    # given packets of silence, noise and voice, each with what may be left out
    hurry, given_count, heard_count, allowed_s = Hurry(16_000), 0, 0, 0.0
    for level, spare_s in packets:
        sound = array("h", [int(level * np.sin(i / 7)) for i in range(size)])
        allowed_s = max(allowed_s, spare_s + hurry.left_out_s)
        hurry.add(sound, spare_s)
        given_count += size
        heard_count += len(hurry.take(160))
    # when all is played
    while part := hurry.take(160):
        heard_count += len(part)
    # then nothing got lost but what was left out
    assert heard_count == given_count - round(hurry.left_out_s * 16_000)
    assert hurry.left_out_s <= allowed_s + 1e-6
