"""The virtual cab's ear and mouth on files: the tail of what is played, and sentences on the tape."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from lab.cab.ear import GIVE_BACK_BYTES, HANG_S, MISSED_S_MAX, Ear
from lab.cab.mouth import HOLD_S_MAX, PAUSE_S, TAPE_S, Mouth
from lab.demo.tape import TooLate
from lab.measure.sound import RATE_HZ, from_int16
from voice.devices.wav_files import WavReader, WavWriter

FRAME = RATE_HZ // 50
TONE = (np.arange(FRAME) % 97 + 1).astype("<i2").tobytes()
SILENCE = bytes(2 * FRAME)


@pytest.fixture
def played(tmp_path: Path) -> Path:
    return tmp_path / "ear.wav"


def test_an_ear_hears_what_is_played_as_it_is_played(played: Path) -> None:
    ear = Ear(played)
    assert ear.listen() == b""

    writer = WavWriter(played, RATE_HZ)
    writer.write(TONE)
    assert ear.listen() == TONE
    assert ear.listen() == b""
    writer.write(2 * TONE)
    assert ear.listen() == 2 * TONE


def test_silence_is_passed_on_for_a_moment_only(played: Path) -> None:
    writer, ear = WavWriter(played, RATE_HZ), Ear(played)
    writer.write(TONE)
    ear.listen()

    passed = 0
    for _ in range(100):
        writer.write(SILENCE)
        passed += len(ear.listen()) // len(SILENCE)

    assert passed == round(HANG_S / 0.02)
    writer.write(TONE)
    assert ear.listen() == TONE


def test_silence_before_the_first_sound_is_not_passed_on(played: Path) -> None:
    writer, ear = WavWriter(played, RATE_HZ), Ear(played)
    writer.write(SILENCE)

    assert ear.listen() == b""


def test_what_nobody_listened_to_in_time_is_left_out(played: Path) -> None:
    writer, ear = WavWriter(played, RATE_HZ), Ear(played)
    for _ in range(100):
        writer.write(TONE)

    assert len(ear.listen()) == 2 * round(MISSED_S_MAX * RATE_HZ)
    writer.write(TONE)
    assert ear.listen() == TONE


def test_a_worker_that_was_started_again_is_heard_from_its_new_file(played: Path) -> None:
    first, ear = WavWriter(played, RATE_HZ), Ear(played)
    first.write(TONE)
    ear.listen()

    second = WavWriter(played, RATE_HZ)
    second.write(2 * TONE)

    assert ear.listen() == 2 * TONE
    assert ear.path == second.path == played.with_name("ear-2.wav")
    ear.close()
    ear.close()


def test_a_file_that_was_listened_to_takes_no_room_and_stays_valid(played: Path) -> None:
    writer, ear = WavWriter(played, RATE_HZ), Ear(played)
    for _ in range(3 * GIVE_BACK_BYTES // len(TONE)):
        writer.write(TONE)
        ear.listen()

    os.sync()
    stat = played.stat()
    assert stat.st_size > 2.9 * GIVE_BACK_BYTES
    assert 512 * stat.st_blocks < 2 * GIVE_BACK_BYTES
    assert played.read_bytes()[:4] == b"RIFF"
    assert played.read_bytes()[-len(TONE) :] == TONE


# --- the mouth --------------------------------------------------------------------------------------------------------

SOUND = np.full(RATE_HZ // 2, 0.25, np.float32)


@pytest.fixture
def mouth(tmp_path: Path) -> Mouth:
    return Mouth(tmp_path / "mouth.wav", {"long": SOUND, "silence": np.zeros(0, np.float32)}, "long")


def began(played: Path, ago_s: float) -> float:
    """Devices that began so long ago; gives when."""
    epoch_s = time.monotonic() - ago_s
    Path(f"{played}.json").write_text(json.dumps({"epoch_s": epoch_s, "capture_epoch_s": epoch_s}))
    return epoch_s


def at_the_microphone(tape: Path, from_s: float, length_s: float) -> np.ndarray:
    reader = WavReader(tape, RATE_HZ, loop=False)
    pcm = reader.read(round(from_s * RATE_HZ), round(length_s * RATE_HZ))
    reader.close()
    return from_int16(pcm)


def test_a_sentence_is_said_at_once_and_again_and_again(mouth: Mouth, tmp_path: Path, played: Path) -> None:
    epoch_s = began(played, 10.0)
    asked_s = time.monotonic() - epoch_s

    mouth.speak(played)

    heard = at_the_microphone(tmp_path / "mouth.wav", asked_s, HOLD_S_MAX + 5)
    spoken = np.flatnonzero(heard > 0.2) / RATE_HZ
    assert 0.05 < spoken[0] < 0.5
    assert len(spoken) / RATE_HZ > 0.8 * HOLD_S_MAX * 0.5 / (0.5 + PAUSE_S)
    assert HOLD_S_MAX - PAUSE_S - 0.1 < spoken[-1] < HOLD_S_MAX + 0.5


def test_a_driver_who_lets_go_says_no_more_and_says_it_from_the_beginning_next_time(
    mouth: Mouth, tmp_path: Path, played: Path
) -> None:
    epoch_s = began(played, 10.0)
    mouth.speak(played)
    mouth.hush()
    let_go_s = time.monotonic() - epoch_s

    assert not at_the_microphone(tmp_path / "mouth.wav", let_go_s, HOLD_S_MAX + 5).any()
    mouth.hush()
    mouth.speak(played)
    again = np.flatnonzero(at_the_microphone(tmp_path / "mouth.wav", let_go_s, 0.6) > 0.2)
    assert again[0] / RATE_HZ < 0.5


def test_a_driver_may_say_nothing_and_nothing_else_than_there_is(mouth: Mouth, tmp_path: Path, played: Path) -> None:
    began(played, 10.0)
    mouth.choose("silence")
    mouth.speak(played)

    assert not at_the_microphone(tmp_path / "mouth.wav", 9.0, 10.0).any()
    with pytest.raises(ValueError, match="no sentence"):
        mouth.choose("shout")
    assert mouth.chosen == "silence"


def test_at_the_end_of_the_tape_it_is_told_that_nothing_can_be_said(mouth: Mouth, played: Path) -> None:
    began(played, TAPE_S - 5.0)

    with pytest.raises(TooLate):
        mouth.speak(played)


def test_the_tape_takes_no_room_but_for_what_is_said(mouth: Mouth, tmp_path: Path) -> None:
    stat = (tmp_path / "mouth.wav").stat()

    assert stat.st_size > 2 * TAPE_S * RATE_HZ
    assert 512 * stat.st_blocks < 1 << 20
