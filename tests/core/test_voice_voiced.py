"""Speech is told from a car's noise: real sentences at -35 dBFS, as a quiet talker's, and noise alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import resample_poly

from lab.measure.speech_detection import (
    NOISES,
    PAUSE_S,
    RATE_HZ,
    SENTENCES,
    as_frames,
    at_level,
    found,
    measure,
    speech,
)
from voice.core.voiced import NOTHING_DB, Voiced


@pytest.mark.parametrize(
    ("noise", "level_dbfs"), [("road", -60.0), ("road", -45.0), ("road", -40.0), ("engine", -40.0), ("wind", -45.0)]
)
def test_every_sentence_of_a_quiet_talker_is_heard_in_noise_and_the_noise_alone_is_not(
    noise: str, level_dbfs: float
) -> None:
    row = measure(noise, level_dbfs, alone_s=60)
    assert row.heard == row.sentences
    assert row.false_share < 0.005


def test_a_talker_who_goes_on_is_never_silent_for_two_seconds() -> None:
    # given half a minute of sentences with short breaths, 10 dB over the noise of the road
    breath = np.zeros(round(0.4 * RATE_HZ))
    said = np.concatenate([part for lang, text in 3 * SENTENCES for part in (speech(lang, text), breath)])
    noise = at_level(NOISES["road"](np.random.default_rng(7), len(said) / RATE_HZ), -45.0)
    # then between two moments of speech there are never two seconds
    spoken = np.flatnonzero(found(said + noise)) / 100
    assert len(said) / RATE_HZ > 20
    assert np.diff(np.concatenate([[0.0], spoken, [len(said) / RATE_HZ]])).max() < 2.0


def test_noise_that_becomes_louder_is_taken_for_speech_for_little_more_than_a_second() -> None:
    rng = np.random.default_rng(5)
    sound = np.concatenate([at_level(NOISES["road"](rng, 5.0), -55.0), at_level(NOISES["road"](rng, 10.0), -35.0)])
    spoken = np.flatnonzero(found(sound)) / 100
    assert spoken.min() >= 5.0
    assert spoken.max() < 6.6


def test_the_devices_rate_makes_no_difference_to_what_is_heard() -> None:
    lang, text = SENTENCES[0]
    said = speech(lang, text)
    noise = at_level(NOISES["road"](np.random.default_rng(2), len(said) / RATE_HZ), -50.0)
    narrow, wide = Voiced(RATE_HZ), Voiced(48000)
    at_16 = [narrow.hear(frame) for frame in as_frames(said + noise)]
    at_48 = [wide.hear(frame) for frame in as_frames(resample_poly(said + noise, 3, 1), 0.03)]
    assert np.mean(np.array(at_16)[: len(at_48)] == np.array(at_48)) > 0.85


def test_silence_and_the_softest_hiss_are_no_speech_and_have_a_floor() -> None:
    voiced = Voiced(RATE_HZ)
    assert voiced.floor_db == NOTHING_DB
    hiss = np.random.default_rng(1).normal(0, 1.0, RATE_HZ)
    pulses = hiss * (np.arange(RATE_HZ) % 4000 < 1500)
    assert not any(voiced.hear(frame) for frame in as_frames(pulses / 32768) + [bytes(320)] * round(100 * PAUSE_S))
    assert voiced.floor_db == NOTHING_DB
