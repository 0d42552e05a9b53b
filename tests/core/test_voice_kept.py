"""What the worker keeps of what was heard and said, and the lane that plays it."""

from __future__ import annotations

from array import array

import pytest

from protocol.burst_file import BYTES_A_SECOND_MAX, BurstFile, Packet, unpack
from protocol.burst_file import pack as packed
from protocol.worker import (
    Replayed,
    ReplayEnd,
)
from protocol.worker_settings import CodecSettings
from voice.core.kept import Kept
from voice.core.recording import BYTES_MAX, Recording
from voice.opus import Encoder
from voice.replay_lane import Pcm, ReplayLane

RATE_HZ = 16_000
SPEECH = bytes([9 << 3]) + b"opus"


# --- what was heard --------------------------------------------------------------------------------------------------


def test_the_last_bursts_are_kept_and_the_oldest_goes_first() -> None:
    kept: Kept[str] = Kept(2, 60)
    for burst in (5, 6, 7):
        kept.add(burst, f"{burst}a", 0.02)
        kept.add(burst, f"{burst}b", 0.02)

    assert (kept.bursts, kept.pieces(5), kept.pieces(7)) == ((6, 7), (), ("7a", "7b"))
    assert kept.seconds == pytest.approx(0.08)


def test_no_more_sound_is_kept_than_wanted_whole_bursts_go_first() -> None:
    kept: Kept[int] = Kept(5, 1.0)
    for number in range(4):
        kept.add(1, number, 0.2)
    for number in range(4):
        kept.add(2, number, 0.2)
    assert kept.bursts == (2,)
    assert kept.seconds == pytest.approx(0.8)

    for number in range(4, 10):
        kept.add(2, number, 0.2)

    assert kept.pieces(2) == (5, 6, 7, 8, 9)
    assert kept.seconds == pytest.approx(1.0)


def test_nothing_is_kept_where_that_is_off() -> None:
    kept: Kept[int] = Kept(0, 60)
    kept.add(1, 1, 0.02)
    assert (kept.bursts, kept.pieces(1)) == ((), ())


# --- what one said ---------------------------------------------------------------------------------------------------


def test_ones_own_burst_is_given_once_and_only_by_its_own_number() -> None:
    recording = Recording()
    for seq in range(3):
        recording.add(7, seq, SPEECH)
    recording.add(7, 3, b"")

    file = recording.take(7)

    assert file == BurstFile(7, tuple(Packet(seq, SPEECH) for seq in range(3)))
    assert recording.take(7) is None
    recording.add(8, 0, SPEECH)
    assert recording.take(9) is None
    assert recording.take(None) is None


def test_a_recording_is_bounded_and_what_it_gives_is_always_a_file() -> None:
    recording = Recording()
    opus = bytes([9 << 3]) + bytes(1000)
    for seq in range(2000):
        recording.add(7, seq, opus)

    file = recording.take(7)

    assert file is not None
    assert len(packed(file)) <= BYTES_MAX + 2000
    assert unpack(packed(file)) == file
    assert BYTES_A_SECOND_MAX > 128_000 / 8


# --- the lane --------------------------------------------------------------------------------------------------------


def lane() -> tuple[ReplayLane, list[Replayed]]:
    told: list[Replayed] = []
    return ReplayLane(RATE_HZ, told.append), told


def test_sound_and_opus_are_played_to_the_last_sample_and_that_is_told_once() -> None:
    encoder = Encoder(RATE_HZ, CodecSettings())
    opus = encoder.encode(bytes(encoder.packet_bytes))
    made, told = lane()
    made.start(3, 7, (Pcm(array("h", [5] * 250).tobytes()), opus))

    parts = []
    while (part := made.next(160)) is not None:
        parts.append(part)

    assert [len(part) for part in parts] == [160] * 4
    assert (parts[0][0], parts[1][89], parts[1][91]) == (5, 5, 0)
    assert told == [Replayed(no=3, burst=7, end=ReplayEnd.WHOLE)]


def test_a_replay_that_is_cut_is_silent_at_the_next_sample() -> None:
    made, told = lane()
    made.start(1, 7, (Pcm(bytes(3200)),))
    assert made.next(160) is not None

    made.cut()
    made.cut()

    assert made.next(160) is None
    assert told == [Replayed(no=1, burst=7, end=ReplayEnd.STOPPED)]


def test_a_newer_replay_takes_the_place_of_an_older_and_both_are_answered() -> None:
    made, told = lane()
    made.start(1, 7, (Pcm(bytes(3200)),))
    made.start(2, 6, ())

    assert told == [
        Replayed(no=1, burst=7, end=ReplayEnd.STOPPED),
        Replayed(no=2, burst=6, end=ReplayEnd.GONE),
    ]


def test_a_packet_that_cannot_be_decoded_is_left_out() -> None:
    made, told = lane()
    made.start(1, 7, (b"\xff\xff\xff", Pcm(array("h", [9] * 160).tobytes())))

    part = made.next(160)

    assert part == array("h", [9] * 160)
    assert [word.end for word in told] == [ReplayEnd.WHOLE]
