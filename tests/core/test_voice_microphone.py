"""What becomes of the microphone's sound: levels, the meter, noise suppression, half-duplex."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from typing import Final

import numpy as np
import pytest

from protocol.worker import Cleaning, Metered
from protocol.worker_settings import AudioSettings, CleaningSettings
from voice.cleaning import CleaningMissing, WebrtcCleaner
from voice.core.metering import Metering, tone
from voice.gain import CEILING, Gain
from voice.half_duplex import HalfDuplex
from voice.microphone import Microphone

RATE: Final = 16000
FRAME = RATE // 100
SETTINGS = AudioSettings(device_rate_hz=RATE)


def sine(level_db: float, hz: float = 440.0, seconds: float = 1.0) -> bytes:
    t = np.arange(round(seconds * RATE)) / RATE
    return (32767 * 10 ** (level_db / 20) * np.sin(2 * np.pi * hz * t)).astype(np.int16).tobytes()


def frames(sound: bytes) -> list[bytes]:
    return [sound[at : at + 2 * FRAME] for at in range(0, len(sound), 2 * FRAME)]


def rms_db(sound: bytes) -> float:
    samples = np.frombuffer(sound, np.int16).astype(float)
    return float(20 * np.log10(np.sqrt(np.mean(samples**2)) / 32768))


def microphone(
    tell: Callable[[Cleaning], object] = lambda _: None, settings: AudioSettings = SETTINGS
) -> tuple[Microphone, HalfDuplex]:
    half_duplex = HalfDuplex(settings)
    return Microphone(settings, half_duplex, tell), half_duplex


# --- levels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level_db", [-20.0, -6.0, 3.0, 12.0])
def test_a_level_changes_soft_sound_by_exactly_that(level_db: float) -> None:
    gain = Gain()
    gain.set(level_db)
    assert rms_db(gain.process(sine(-30.0))) == pytest.approx(-33.0 + level_db, abs=0.05)


@pytest.mark.parametrize("level_db", [6.0, 20.0])
def test_loud_sound_is_bent_and_never_clips(level_db: float) -> None:
    gain = Gain()
    gain.set(level_db)
    out = np.frombuffer(gain.process(sine(0.0)), np.int16)
    assert CEILING - 0.1 < np.abs(out.astype(int)).max() / 32768 <= CEILING + 1e-4


def test_what_is_made_softer_is_not_bent() -> None:
    gain = Gain()
    gain.set(-1.0)
    assert rms_db(gain.process(sine(-0.1))) == pytest.approx(-4.1, abs=0.02)


def test_every_sample_keeps_its_sign_and_order_at_the_highest_level() -> None:
    gain = Gain()
    gain.set(20.0)
    out = np.frombuffer(gain.process(np.arange(-32768, 32768, dtype=np.int16).tobytes()), np.int16).astype(int)
    assert (np.diff(out) >= 0).all()
    assert (out[:32768] < 0).all()
    assert out[32768] == 0


def test_at_0_db_not_a_bit_is_changed() -> None:
    gain = Gain()
    gain.set(6.0)
    gain.set(0.0)
    assert gain.process(b"\xff\x7f\x00\x80") == b"\xff\x7f\x00\x80"


# --- the meter --------------------------------------------------------------------------------------------------------


def test_the_meter_says_peak_loudness_and_how_loud_the_test_tone_is() -> None:
    metering = Metering(RATE, 0.1)
    found = [metering.hear(frame, frame) for frame in frames(tone(RATE, 1.0, -12.0).tobytes())][9::10]
    middle = found[5]
    assert middle is not None
    assert (middle.peak_db, middle.rms_db, middle.clipped) == (-12.0, -15.0, 0)
    assert middle.tone_db == pytest.approx(-15.0, abs=0.2)


def test_the_meter_finds_no_tone_in_another_one_and_counts_clipped_samples() -> None:
    metering = Metering(RATE, 0.1)
    loud = array("h", [32767, -32768] * (FRAME // 2)).tobytes()
    found = [metering.hear(loud, frame) for frame in frames(sine(-12.0, hz=400.0, seconds=0.1))]
    assert found[-1] is not None
    assert found[-1].tone_db < -50
    assert found[-1].clipped == 10 * FRAME


def test_the_meters_floor_is_the_softest_moment_of_the_last_seconds() -> None:
    metering = Metering(RATE, 0.1)
    sound = sine(-50.0, seconds=0.2) + sine(-10.0, seconds=1.0)
    found = [measured for frame in frames(sound) if (measured := metering.hear(frame, frame)) is not None]
    assert found[-1].floor_db == pytest.approx(-53.0, abs=0.2)


def test_silence_is_measured_too() -> None:
    metering = Metering(RATE, 0.1)
    found = [metering.hear(bytes(320), bytes(320)) for _ in range(10)][-1]
    assert found is not None
    assert (found.peak_db, found.rms_db, found.tone_db) == (-100.0, -100.0, -100.0)


def test_nothing_is_measured_unless_somebody_watches() -> None:
    mic, _ = microphone()
    said = [mic.take(frame, n / 100, keyed=False)[1] for n, frame in enumerate(frames(sine(-20.0)))]
    assert said == [None] * 100
    mic.meter(until=2.0, now=1.0, tone=False)
    told = [mic.take(frame, 1.0 + n / 100, keyed=False)[1] for n, frame in enumerate(frames(sine(-20.0) + sine(-20.0)))]
    words = [word for word in told if word is not None]
    assert len(words) == 9
    assert all(isinstance(word, Metered) and word.rms_db == pytest.approx(-23.0, abs=0.1) for word in words)
    assert words[-1].at < 2.0


def test_the_meter_measures_behind_the_microphones_level() -> None:
    mic, _ = microphone()
    mic.level.set(6.0)
    mic.meter(until=9.0, now=0.0, tone=False)
    words = [mic.take(frame, n / 100, keyed=False)[1] for n, frame in enumerate(frames(sine(-30.0)))]
    assert [word.rms_db for word in words if word is not None] == pytest.approx([-27.0] * 10, abs=0.1)


def test_metering_an_unkeyed_microphone_is_no_speech_of_the_drivers() -> None:
    mic, _ = microphone()
    mic.meter(until=9.0, now=0.0, tone=False)
    for n, frame in enumerate(frames(bytes(RATE) + sine(-20.0, hz=1500.0))):
        mic.take(frame, n / 100, keyed=False)
    assert mic.speech_at is None


# --- noise suppression ------------------------------------------------------------------------------------------------


class Halved:
    """A cleaner that makes half as loud, 6 ms late, and fails when told to."""

    delay_s = 0.006

    def __init__(self) -> None:
        self.fails = False

    def process(self, frame: bytes) -> bytes:
        if self.fails:
            raise RuntimeError("the library broke")
        return (np.frombuffer(frame, np.int16) // 2).astype(np.int16).tobytes()


def test_what_is_cleaned_bears_the_time_it_was_at_the_microphone() -> None:
    said: list[Cleaning] = []
    mic = Microphone(SETTINGS, HalfDuplex(SETTINGS), said.append, lambda _: Halved())
    mic.start()
    frame, start_s = mic.capture(array("h", [100] * FRAME).tobytes(), 5.0)
    assert array("h", frame)[0] == 50
    assert start_s == pytest.approx(4.994)
    assert said == [Cleaning(ok=True)]


def test_a_cleaner_that_fails_is_told_once_and_voice_goes_on_without() -> None:
    said: list[Cleaning] = []
    cleaner = Halved()
    mic = Microphone(SETTINGS, HalfDuplex(SETTINGS), said.append, lambda _: cleaner)
    mic.start()
    cleaner.fails = True
    frame = array("h", [100] * FRAME).tobytes()
    assert mic.capture(frame, 5.0) == (frame, 5.0)
    assert mic.capture(frame, 5.01) == (frame, 5.01)
    assert [word.ok for word in said] == [True, False]
    assert "the library broke" in said[-1].detail


def test_a_missing_library_is_told_with_what_mends_it_and_voice_goes_on() -> None:
    def missing(_: AudioSettings) -> None:
        raise CleaningMissing("noise suppression is off: no such module -> install webrtc-noise-gain")

    said: list[Cleaning] = []
    mic = Microphone(SETTINGS, HalfDuplex(SETTINGS), said.append, missing)
    mic.start()
    assert mic.capture(b"\x01\x00" * FRAME, 5.0) == (b"\x01\x00" * FRAME, 5.0)
    assert [(word.ok, "install webrtc-noise-gain" in word.detail) for word in said] == [(False, True)]


def test_a_library_that_does_not_load_says_how_to_mend_it() -> None:
    def broken(auto_gain_dbfs: int, noise_suppression: int) -> object:
        raise OSError("wrong ELF class")

    with pytest.raises(CleaningMissing, match="wrong ELF class -> install webrtc-noise-gain"):
        WebrtcCleaner(CleaningSettings(noise_suppression=2), broken)


def test_cleaning_is_refused_at_rates_that_the_library_does_not_take() -> None:
    with pytest.raises(ValueError, match="set device_rate_hz = 16000"):
        AudioSettings(cleaning=CleaningSettings(noise_suppression=1))
    AudioSettings(cleaning=CleaningSettings(noise_suppression=1), device_rate_hz=16000, frame_ms=20)


@pytest.mark.parametrize("frame_ms", [10, 20])
def test_the_real_library_takes_noise_away_and_is_6_ms_late(frame_ms: int) -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 300, 4 * RATE)
    t = np.arange(RATE // 10) / RATE
    chirp = 8000 * np.sin(2 * np.pi * (500 + 8000 * t) * t)
    noise[3 * RATE : 3 * RATE + len(chirp)] += chirp
    cleaner = WebrtcCleaner(CleaningSettings(noise_suppression=2))
    size = 2 * RATE * frame_ms // 1000
    given = noise.astype(np.int16).tobytes()
    out = b"".join(cleaner.process(given[at : at + size]) for at in range(0, len(given), size))
    assert len(out) == len(given)
    cleaned = np.frombuffer(out, np.int16).astype(float)
    late = int(np.argmax(np.correlate(cleaned[3 * RATE - 500 :], chirp, "valid"))) - 500
    assert late / RATE == pytest.approx(cleaner.delay_s, abs=0.0005)
    assert math.log10(np.std(noise[:RATE]) / np.std(cleaned[RATE : 2 * RATE])) * 20 > 10


# --- half-duplex ------------------------------------------------------------------------------------------------------

LOUD = array("h", [3000, -3000] * (FRAME // 2)).tobytes()
SAID = array("h", [1000, -1000] * (FRAME // 2)).tobytes()


def test_the_speaker_is_silent_while_the_microphone_is_open_and_goes_on_after() -> None:
    half_duplex = HalfDuplex(SETTINGS)
    half_duplex.microphone_open = True
    assert not any(half_duplex.played(LOUD, 1.0))
    half_duplex.microphone_open = False
    assert half_duplex.played(LOUD, 1.01) == LOUD


def test_what_the_speaker_sounded_and_its_echo_are_silence_to_whoever_listens() -> None:
    # given a speaker that sounds from 1.00 to 1.10
    mic, half_duplex = microphone()
    for n in range(10):
        half_duplex.played(LOUD, 1.0 + n / 100)
    half_duplex.microphone_open = True
    half_duplex.played(LOUD, 1.1)
    # when the microphone hears from 0.98 to 1.20
    kept = {
        round(start, 2): mic.take(SAID, start, keyed=True)[0]
        for start in (0.98, 0.99, 1.0, 1.05, 1.1, 1.14, 1.15, 1.16, 1.2)
    }
    # then all is silence from the first sound to 60 ms after the last
    assert [start for start, frame in kept.items() if not any(frame)] == [1.0, 1.05, 1.1, 1.14, 1.15]
    assert [kept[start] for start in (0.98, 0.99, 1.16, 1.2)] == [SAID] * 4


def test_only_the_part_of_a_frame_that_the_speaker_reaches_is_cut() -> None:
    half_duplex = HalfDuplex(SETTINGS)
    half_duplex.played(LOUD, 1.0)
    frame = half_duplex.heard(SAID, 1.065)
    assert frame == bytes(FRAME) + SAID[FRAME:]


def test_a_speaker_that_plays_silence_or_faint_hiss_takes_nothing_from_the_microphone() -> None:
    half_duplex = HalfDuplex(SETTINGS)
    half_duplex.played(bytes(2 * FRAME), 1.0)
    half_duplex.played(array("h", [40, -40] * (FRAME // 2)).tobytes(), 1.0)
    assert half_duplex.heard(SAID, 1.0) == SAID


def test_a_guard_of_0_sends_what_is_heard() -> None:
    half_duplex = HalfDuplex(AudioSettings(device_rate_hz=RATE, echo_guard_ms=0))
    half_duplex.played(LOUD, 1.0)
    assert half_duplex.heard(SAID, 1.0) == SAID


def test_a_bridges_two_sides_go_on_at_once() -> None:
    half_duplex = HalfDuplex(SETTINGS, apart=True)
    half_duplex.microphone_open = True
    assert half_duplex.played(LOUD, 1.0) == LOUD
    assert half_duplex.heard(SAID, 1.0) == SAID


def test_the_speakers_level_changes_what_it_plays() -> None:
    half_duplex = HalfDuplex(SETTINGS)
    half_duplex.speaker.set(-6.0)
    assert array("h", half_duplex.played(LOUD, 1.0))[0] == pytest.approx(1504, abs=1)


def test_what_the_speaker_says_is_no_speech_of_the_drivers() -> None:
    mic, half_duplex = microphone()
    for n in range(200):
        half_duplex.played(LOUD, n / 100)
    heard = frames(bytes(RATE) + sine(-20.0, hz=1500.0, seconds=1.4))
    for n, frame in enumerate(heard[:200]):
        mic.take(frame, n / 100, keyed=True)
    assert mic.speech_at is None
    for n, frame in enumerate(heard[:200]):
        mic.take(frame, 3.0 + n / 100, keyed=True)
    assert mic.speech_at is not None
