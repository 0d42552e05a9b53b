"""The measuring of the demo, seen to fail: every fault it is there for is put in on purpose."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import numpy as np
import pytest

from lab.demo.script import PARTS
from lab.demo.speech import speak
from lab.measure.align import Alignment, align
from lab.measure.search import score
from lab.measure.sound import RATE_HZ, Sound, as_int16
from protocol.worker_settings import CodecSettings
from voice.opus import Decoder, Encoder
from voice.stretch import is_quiet, lengthen

MS = RATE_HZ // 1000
LAG = 30 * MS


def coded(sound: Sound) -> Sound:
    """What a listener's decoder gives, 30 ms later, with a second of silence behind it."""
    encoder, decoder = Encoder(RATE_HZ, CodecSettings()), Decoder(RATE_HZ)
    pcm = as_int16(np.concatenate([sound, np.zeros(RATE_HZ // 20, np.float32)]))
    size = encoder.packet_bytes
    out = b"".join(decoder.decode(encoder.encode(pcm[i : i + size])) for i in range(0, len(pcm) - size + 1, size))
    return np.concatenate([silence(LAG), np.frombuffer(out, "<i2").astype(np.float32) / 32768, silence(RATE_HZ)])


def silence(count: int) -> Sound:
    return np.zeros(count, np.float32)


def part(name: str) -> Sound:
    voice, text = PARTS[name]
    return speak(text, voice)


@pytest.fixture(scope="module")
def said() -> Sound:
    return part("first")


@pytest.fixture(scope="module")
def heard(said: Sound) -> Sound:
    return coded(said)


@pytest.fixture(scope="module")
def foreign() -> Sound:
    return part("refused")


def without(sound: Sound, at_ms: int, length_ms: int) -> Sound:
    return np.concatenate([sound[: at_ms * MS], sound[(at_ms + length_ms) * MS :]])


def muted(sound: Sound, at_ms: int, length_ms: int) -> Sound:
    out = sound.copy()
    out[at_ms * MS : (at_ms + length_ms) * MS] = 0
    return out


def doubled(sound: Sound, at_ms: int, length_ms: int) -> Sound:
    return np.concatenate([sound[: at_ms * MS], sound[(at_ms - length_ms) * MS :]])


def mixed(sound: Sound, other: Sound, at_ms: int, gain_db: float) -> Sound:
    out = sound.copy()
    begin = at_ms * MS
    room = min(len(other), len(out) - begin)
    out[begin : begin + room] += other[:room] * np.float32(10 ** (gain_db / 20))
    return out


def problems(alignment: Alignment) -> str:
    return "; ".join(alignment.problems)


def loudest_ms(said: Sound, length_ms: int) -> int:
    """Where the most voice lies in `length_ms` of the middle of what was said."""
    blocks = np.abs(said[: len(said) // MS * MS].reshape(-1, MS)).max(axis=1) > 0.03
    full = np.convolve(blocks, np.ones(length_ms), "valid")
    return int(np.argmax(full[800:-800])) + 800


@pytest.mark.parametrize("name", sorted(PARTS))
def test_speech_that_went_through_the_codec_is_found_whole_at_its_lag(name: str) -> None:
    sound = part(name)

    result = align(sound, coded(sound))

    assert result.problems == ()
    assert result.lag_start_ms == pytest.approx(37, abs=15)  # 30 and the codec's own 6.5
    assert result.lag_end_ms == pytest.approx(37, abs=15)
    assert result.first_found > 0.9
    assert result.last_found > 0.9


@pytest.mark.parametrize("noise_dbfs", [-50, -36, -30])
def test_a_recording_with_noise_in_its_pauses_is_found_whole(said: Sound, noise_dbfs: int) -> None:
    hiss = np.random.default_rng(3).normal(0, 10 ** (noise_dbfs / 20) / 2, len(said))
    noisy = (said + hiss).astype(np.float32)

    assert align(noisy, coded(noisy)).problems == ()


@pytest.mark.parametrize("length_ms", [100, 150, 300])
def test_a_cut_first_syllable_is_caught(said: Sound, heard: Sound, length_ms: int) -> None:
    result = align(said, muted(heard, 0, LAG // MS + length_ms))

    assert "first syllable" in problems(result)


@pytest.mark.parametrize("length_ms", [150, 300])
def test_a_cut_last_syllable_is_caught(said: Sound, heard: Sound, length_ms: int) -> None:
    end_ms = (LAG + len(said)) // MS

    result = align(said, muted(heard, end_ms - length_ms, 400))

    assert "last syllable" in problems(result)


@pytest.mark.parametrize("away", [without, muted])
@pytest.mark.parametrize("name", ["first", "answer", "last"])
def test_a_dropped_tenth_of_a_second_in_the_middle_is_caught(name: str, away: object) -> None:
    sound = part(name)
    assert callable(away)

    result = align(sound, away(coded(sound), LAG // MS + 6 + loudest_ms(sound, 100), 100))

    assert "were not heard" in problems(result)


@pytest.mark.parametrize("at_ms", [900, 1300, 1700, 2100, 2500, 2900])
def test_a_fifth_of_a_second_heard_twice_is_caught(said: Sound, heard: Sound, at_ms: int) -> None:
    result = align(said, doubled(heard, at_ms, 200))

    assert "heard twice" in problems(result)


@pytest.mark.parametrize("gain_db", [0.0, -6.0, -12.0])
def test_foreign_speech_mixed_in_is_caught(said: Sound, heard: Sound, foreign: Sound, gain_db: float) -> None:
    result = align(said, mixed(heard, foreign, 1000, gain_db))

    assert "not said" in problems(result)


def test_foreign_speech_instead_of_what_was_said_is_caught(said: Sound, foreign: Sound) -> None:
    result = align(said, coded(foreign))

    assert "do not sound like what was said" in problems(result)


def test_foreign_speech_behind_what_was_said_is_caught(said: Sound, heard: Sound, foreign: Sound) -> None:
    result = align(said, mixed(heard, foreign, (LAG + len(said)) // MS + 50, 0.0))

    assert "never said" in problems(result)


def test_silence_is_caught(said: Sound, heard: Sound) -> None:
    assert problems(align(said, np.zeros_like(heard))) == "nothing was heard"
    assert problems(align(silence(RATE_HZ), heard)) == "nothing was said"
    assert problems(align(said, silence(0))) == "nothing was heard"


def test_a_wrong_level_is_caught(said: Sound, heard: Sound) -> None:
    assert "level" in problems(align(said, heard * np.float32(0.4)))


def test_catching_up_by_single_periods_passes_and_its_lag_is_followed(said: Sound, heard: Sound) -> None:
    late = np.concatenate([silence(150 * MS), heard])
    kept = [late[: LAG + 150 * MS]]
    rest = late[LAG + 150 * MS :]
    for begin in range(20):
        kept.append(rest[begin * 108 * MS : begin * 108 * MS + 100 * MS])  # 8 ms of each 108 are left out
    kept.append(rest[20 * 108 * MS :])

    result = align(said, np.concatenate(kept))

    assert result.problems == ()
    assert result.lag_start_ms > 120
    assert result.lag_end_ms < 70


def lengthened(sound: Sound, from_ms: int) -> Sound:
    """Put in a period of the voice in each 40 ms until that makes SLOWER_S, as a listener does for a slower way."""
    pcm = array("h", as_int16(sound))
    begin, out = from_ms * MS, pcm[: from_ms * MS]
    while len(out) - begin < SLOWER_S * RATE_HZ - 2 * MS:
        piece = pcm[begin : begin + 40 * MS]
        out += piece if is_quiet(piece) else lengthen(piece, RATE_HZ)
        begin += len(piece)
    return (np.array(out + pcm[begin:]) / 32768).astype(np.float32)


SLOWER_S = 0.12


@pytest.mark.parametrize("name", sorted(PARTS))
def test_lengthening_to_reach_a_slower_way_passes(name: str) -> None:
    sound = part(name)
    heard = lengthened(coded(sound), 1000)

    result = align(sound, heard, slower_s=SLOWER_S)

    assert result.problems == ()
    assert result.lag_rise_ms > 80


@pytest.mark.parametrize("at_ms", [900, 1300, 1700, 2100, 2500, 2900])
@pytest.mark.parametrize("length_ms", [150, 200])
def test_what_is_heard_twice_is_caught_on_the_way_to_a_slower_way_too(
    said: Sound, heard: Sound, at_ms: int, length_ms: int
) -> None:
    result = align(said, doubled(lengthened(heard, 1000), at_ms, length_ms), slower_s=SLOWER_S)

    assert "heard twice" in problems(result)


def test_what_was_on_its_way_at_a_kill_may_be_missing_and_no_more(said: Sound) -> None:
    sound = said[: 2500 * MS]
    heard = coded(sound)
    end_ms = LAG // MS + 2500

    in_flight = align(sound, muted(heard, end_ms - 120, 400), tail_s=0.15)
    more = align(sound, muted(heard, end_ms - 400, 700), tail_s=0.15)

    assert in_flight.problems == ()
    assert "last syllable" in problems(more)


@pytest.mark.parametrize("at_ms", [100, 1000, 2000])
def test_a_sentence_twenty_decibels_under_another_voice_is_found(heard: Sound, foreign: Sound, at_ms: int) -> None:
    leaked = coded(foreign)[LAG:]

    clean = score(foreign, heard)
    planted = score(foreign, mixed(heard, leaked, at_ms, -20.0))

    assert clean < 0.65 * planted


def test_a_second_of_a_sentence_is_found_in_silence(foreign: Sound) -> None:
    leaked = coded(foreign)[LAG : LAG + RATE_HZ]
    place = np.concatenate([silence(3 * RATE_HZ), leaked, silence(3 * RATE_HZ)])

    assert score(foreign, np.zeros_like(place)) < 0.65 * score(foreign, place)


# --- a way that may stand still once ----------------------------------------------------------------------------------


@pytest.mark.parametrize("away", [without, muted])
def test_one_short_stall_passes_where_the_way_may_stand_still_and_nowhere_else(
    said: Sound, heard: Sound, away: Callable[[Sound, int, int], Sound]
) -> None:
    spoilt = away(heard, loudest_ms(said, 90) + 30, 90)

    assert align(said, spoilt).problems != ()
    assert align(said, spoilt, stall_s=0.1).problems == ()


def test_a_longer_stall_or_a_second_one_is_caught_there_too(said: Sound, heard: Sound) -> None:
    at_ms = loudest_ms(said, 90)
    elsewhere_ms = loudest_ms(muted(said, at_ms - 600, 1200), 90)
    twice = muted(muted(heard, at_ms + 30, 90), elsewhere_ms + 30, 90)

    assert align(said, muted(heard, at_ms - 75, 300), stall_s=0.1).problems != ()
    assert align(said, twice, stall_s=0.1).problems != ()


def test_a_lost_first_syllable_is_caught_there_too(said: Sound, heard: Sound) -> None:
    late = LAG + 200 * MS
    first = np.concatenate([silence(late), heard[late:]])

    assert "first syllable" in problems(align(said, first, stall_s=0.1))
