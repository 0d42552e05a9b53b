"""The demo's sound: any WAV that people have, clear words for what is none, and the tape before the microphone."""

from __future__ import annotations

import time
import wave
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from lab.demo.speech import recording
from lab.demo.tape import Microphone, TooLate
from lab.measure.sound import RATE_HZ, BadSound, Recording, read, write

FORMATS = {
    "8 bit": np.uint8,
    "16 bit": np.int16,
    "32 bit": np.int32,
    "float": np.float32,
}


def tone(rate_hz: int, length_s: float = 1.5, gain: float = 0.4) -> np.ndarray:
    times = np.arange(round(rate_hz * length_s)) / rate_hz
    return gain * np.sin(2 * np.pi * 440 * times) * (1 + np.sin(2 * np.pi * 3 * times)) / 2


def as_format(sound: np.ndarray, kind: type) -> np.ndarray:
    if kind is np.uint8:
        return np.round(sound * 127 + 128).astype(np.uint8)
    return (sound * np.iinfo(kind).max).astype(kind) if kind is not np.float32 else sound.astype(np.float32)


@pytest.mark.parametrize("kind", sorted(FORMATS))
@pytest.mark.parametrize("rate_hz", [8000, 11025, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_wav_of_any_width_rate_and_number_of_channels_is_read(
    tmp_path: Path, kind: str, rate_hz: int, channels: int
) -> None:
    path = tmp_path / "own.wav"
    data = as_format(tone(rate_hz), FORMATS[kind])
    wavfile.write(path, rate_hz, np.stack([data] * channels, axis=1) if channels > 1 else data)

    sound = read(path)

    assert len(sound) == pytest.approx(1.5 * RATE_HZ, rel=0.01)
    assert float(np.abs(sound).max()) == pytest.approx(0.4, abs=0.03)


def test_a_wav_of_24_bit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "own.wav"
    samples = (tone(16000) * (2**23 - 1)).astype("<i4")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 3, 16000, 0, "NONE", ""))
        file.writeframes(b"".join(int(sample).to_bytes(4, "little", signed=True)[:3] for sample in samples))

    assert float(np.abs(read(path)).max()) == pytest.approx(0.4, abs=0.03)


def test_what_is_no_recording_is_refused_with_words_that_help(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("hello")
    empty = tmp_path / "empty.wav"
    empty.write_bytes(b"")
    silent = tmp_path / "silent.wav"
    write(silent, np.zeros(RATE_HZ, np.float32))
    long = tmp_path / "long.wav"
    wavfile.write(long, 8000, tone(8000, 30).astype(np.float32))

    with pytest.raises(BadSound, match="is not there"):
        recording(tmp_path / "missing.wav", 25)
    with pytest.raises(BadSound, match="no WAV file"):
        recording(text, 25)
    with pytest.raises(BadSound, match="no WAV file"):
        recording(empty, 25)
    with pytest.raises(BadSound, match="cannot be read"):
        recording(tmp_path, 25)
    with pytest.raises(BadSound, match="is silent"):
        recording(silent, 25)
    with pytest.raises(BadSound, match="at most 25 s"):
        recording(long, 25)


def test_silence_around_a_recording_is_cut_off_and_its_level_is_brought_up(tmp_path: Path) -> None:
    path = tmp_path / "own.wav"
    word = tone(RATE_HZ, 1.0, 0.05).astype(np.float32)
    write(path, np.concatenate([np.zeros(RATE_HZ, np.float32), word, np.zeros(2 * RATE_HZ, np.float32)]))

    sound = recording(path, 25)

    assert len(sound) == pytest.approx(RATE_HZ, rel=0.05)
    assert float(np.abs(sound).max()) == pytest.approx(0.5, abs=0.01)


def test_a_sentence_laid_onto_the_tape_is_there_on_the_sample(tmp_path: Path) -> None:
    microphone = Microphone(tmp_path / "mouth.wav", 4.0)
    epoch_s = time.monotonic()
    word = tone(RATE_HZ, 0.5).astype(np.float32)

    microphone.say(word, epoch_s + 2.0, epoch_s)

    tape = Recording(read(microphone.path), epoch_s)
    assert len(tape.sound) == 4 * RATE_HZ
    assert np.allclose(tape.cut(epoch_s + 2.0, epoch_s + 2.5), word, atol=1e-4)
    assert not tape.cut(epoch_s, epoch_s + 2.0).any()
    assert not tape.cut(epoch_s + 2.5, epoch_s + 4.0).any()


def test_a_sentence_is_refused_where_the_microphone_already_is_and_behind_the_end(tmp_path: Path) -> None:
    microphone = Microphone(tmp_path / "mouth.wav", 4.0)
    now = time.monotonic()
    word = tone(RATE_HZ, 0.5).astype(np.float32)

    with pytest.raises(TooLate, match="too short"):
        microphone.say(word, now + 0.05, now)
    with pytest.raises(TooLate, match="at its end"):
        microphone.say(word, now + 3.8, now)


def test_a_recordings_cut_is_silent_where_there_is_no_recording() -> None:
    recorded = Recording(np.ones(RATE_HZ, np.float32), 10.0)

    cut = recorded.cut(9.5, 11.5)

    assert len(cut) == 2 * RATE_HZ
    assert cut[: RATE_HZ // 2].sum() == 0
    assert cut[RATE_HZ // 2 : RATE_HZ // 2 + RATE_HZ].min() == 1
    assert cut[RATE_HZ // 2 + RATE_HZ :].sum() == 0
