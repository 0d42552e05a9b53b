"""A hole, a stretch and a loss at a change of ways are found for what they are, and nothing where there is none."""

import numpy as np
import pytest

from lab.bench import murmur

RATE_HZ = 16_000
BOTH_S, SETTLED_S = 1.0, 2.0
SAID = murmur.voice(3, 4.0, RATE_HZ)


def late(sound: murmur.Samples, by_s: float) -> murmur.Samples:
    return np.concatenate([np.zeros(round(by_s * RATE_HZ)), sound])


def with_inserted(at_s: float, what: murmur.Samples) -> murmur.Samples:
    at = round(at_s * RATE_HZ)
    return np.concatenate([SAID[:at], what, SAID[at:]])


def judged(heard: murmur.Samples) -> murmur.Gap:
    return murmur.gap(SAID, heard, RATE_HZ, BOTH_S, SETTLED_S)


def test_the_voice_has_no_silence_and_is_not_clipped() -> None:
    assert murmur.holes_s(murmur.voice(5, 20.0, 48_000), 48_000) == []
    assert np.max(np.abs(murmur.voice(5, 20.0, 48_000))) < 1


def test_speech_that_only_comes_later_has_no_gap() -> None:
    found = judged(late(SAID, 0.045))
    assert found.lag_before_ms == pytest.approx(45, abs=0.2)
    assert (found.silence_ms, found.unlike_ms) == (0, 0)
    assert found.stretch_ms == pytest.approx(0, abs=0.2)


def test_a_hole_is_found_with_its_length_and_what_follows_is_that_much_later() -> None:
    found = judged(late(with_inserted(1.4, np.zeros(round(0.03 * RATE_HZ))), 0.045))
    assert found.silence_ms == pytest.approx(30, abs=1)
    assert found.stretch_ms == pytest.approx(30, abs=0.5)


def test_a_stretch_without_silence_is_no_hole() -> None:
    again = SAID[round(1.35 * RATE_HZ) : round(1.4 * RATE_HZ)]
    found = judged(late(with_inserted(1.4, again), 0.045))
    assert found.silence_ms == 0
    assert found.stretch_ms == pytest.approx(50, abs=0.5)
    assert found.jump_ms == pytest.approx(50, abs=0.5)


def test_a_lag_that_rises_in_small_steps_is_no_jump() -> None:
    heard = np.zeros(0)
    for number in range(20):
        first, last = round((1.0 + 0.05 * number) * RATE_HZ), round((1.05 + 0.05 * number) * RATE_HZ)
        heard = np.concatenate([heard, SAID[first:last], SAID[last - round(0.005 * RATE_HZ) : last]])
    found = judged(late(np.concatenate([SAID[:RATE_HZ], heard, SAID[2 * RATE_HZ :]]), 0.045))
    assert found.stretch_ms == pytest.approx(100, abs=5)
    assert found.jump_ms < 0.7 * found.stretch_ms


def test_speech_that_is_lost_is_unlike_anything_heard() -> None:
    heard = late(SAID, 0.045)
    first, last = round(1.4 * RATE_HZ), round(1.6 * RATE_HZ)
    heard[first:last] = np.random.default_rng(1).normal(0, 0.1, last - first)
    found = judged(heard)
    assert found.unlike_ms == pytest.approx(200, abs=60)
    assert found.stretch_ms == pytest.approx(0, abs=0.2)


def test_where_nothing_is_heard_afterwards_no_figure_is_made_up() -> None:
    with pytest.raises(ValueError, match="0 afterwards"):
        judged(late(SAID, 0.045)[: round(1.2 * RATE_HZ)])
