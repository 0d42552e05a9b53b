"""The six sounds are told apart in road noise, and the documents show the sounds as they are."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from lab.docs import cues
from lab.docs.__main__ import ROOT
from lab.docs.cues import MEASURED, SNRS_DB, Measured
from lab.measure import cue_hearing
from lab.measure.cue_hearing import RATE_HZ, confusion, false_alarms, heard, in_band_part, mixed, road_noise
from protocol.worker import Sound


def rightly(snr_db: float, noises: int, seed: int) -> dict[Sound, float]:
    found = confusion(snr_db, noises, seed)
    assert all(sum(answers.values()) == noises for answers in found.values())
    return {sound: answers[sound.value] / noises for sound, answers in found.items()}


@pytest.mark.parametrize(("snr_db", "least"), [(0, 0.95), (-6, 0.9)])
def test_each_sound_is_told_from_the_others_on_the_road(snr_db: float, least: float) -> None:
    # given each sound in twenty noises of a seed that nothing was tuned to
    found = rightly(snr_db, 20, 1234)
    # then it is taken for itself
    assert {sound for sound, part in found.items() if part < least} == set()


def test_the_listener_is_no_oracle() -> None:
    # a sound far under the noise is not heard, and neither is none
    assert set(rightly(-30, 5, 7).values()) == {0.0}
    assert false_alarms(40, 7) <= 1
    rng = np.random.default_rng(7)
    assert heard(mixed(Sound.END, 0, rng)[::-1]) is not Sound.END


def test_what_is_called_0_db_has_as_much_noise_as_sound_inside_the_band() -> None:
    # given the same noise with and without a sound
    noise, both = (mixed(sound, 0, np.random.default_rng(3)) for sound in (None, Sound.START_SUCCESS))
    cue = both - noise
    lasts = np.flatnonzero(np.abs(cue) > 1e-9)
    power = np.mean(cue[lasts[0] : lasts[-1]] ** 2)
    # then their powers in the band are alike, and the noise has more outside of it
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    hz = np.fft.rfftfreq(len(noise), 1 / RATE_HZ)
    part = spectrum[(hz >= 300) & (hz <= 3400)].sum() / spectrum.sum()
    assert power == pytest.approx(np.mean(noise**2) * part, rel=0.15)
    assert part < 0.6


def test_road_noise_falls_by_3_db_an_octave() -> None:
    spectrum = np.abs(np.fft.rfft(road_noise(np.random.default_rng(1), 60 * RATE_HZ))) ** 2
    low, high = (spectrum[60 * hz : 60 * hz * 2].mean() for hz in (200, 1600))
    assert 10 * np.log10(low / high) == pytest.approx(9, abs=0.5)


@pytest.mark.parametrize("sound", Sound)
def test_a_cheap_loudspeaker_gives_all_of_a_sound(sound: Sound) -> None:
    assert in_band_part(sound) > 0.99


def test_the_measurement_in_the_document_is_of_these_sounds_and_good() -> None:
    measured = msgspec.json.decode((ROOT / MEASURED).read_bytes(), type=Measured)
    assert measured.digest == cues.digest(), "run `make docs`"
    assert list(measured.by_snr_db) == [str(snr) for snr in SNRS_DB]
    right = {snr: min(row[sound.value] for sound, row in rows.items()) for snr, rows in measured.by_snr_db.items()}
    assert right["0"] >= 0.97 * measured.noises
    assert right["-6"] >= 0.95 * measured.noises
    assert measured.false_alarms <= 0.02 * measured.noises


def test_a_picture_is_drawn_alike_twice_and_another_for_each_sound() -> None:
    drawn = {sound: cues.picture(sound) for sound in Sound}
    assert drawn == {sound: cues.picture(sound) for sound in Sound}
    assert len(set(drawn.values())) == len(Sound)
    assert cue_hearing.LISTEN_S > 0.5
