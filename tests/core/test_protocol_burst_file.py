"""The file of one burst: what was packed is read back, and nothing else is."""

from __future__ import annotations

import random

import pytest

from protocol.burst_file import (
    BURST_FILE_BYTES_MAX,
    PACKETS_MAX,
    BadBurstFile,
    BurstFile,
    Packet,
    pack,
    unpack,
)
from protocol.voice_frame import OPUS_BYTES_MAX

SPEECH_20_MS = bytes([9 << 3]) + b"opus"
SPEECH_60_MS = bytes([11 << 3]) + b"opus"


def file_of(count: int, burst: int = 2**40 + 7, opus: bytes = SPEECH_20_MS) -> BurstFile:
    return BurstFile(burst, tuple(Packet(2 * number, opus) for number in range(count)))


def test_what_is_packed_is_read_back_with_its_length_in_seconds() -> None:
    file = file_of(50)

    assert unpack(pack(file)) == file
    assert file.seconds == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "shorter than its head"),
        (b"PTTB", "shorter than its head"),
        (b"WAVE" + pack(file_of(1))[4:], "first bytes"),
        (pack(file_of(1))[:4] + b"\x02" + pack(file_of(1))[5:], "version 1"),
        (pack(file_of(2))[:13] + b"\x00\x00", "0 packets"),
        (pack(file_of(2))[:-1], "not whole"),
        (pack(file_of(2))[:-11], "ends inside"),
        (pack(file_of(2)) + b"x", "follow its last"),
        (pack(file_of(1))[:19] + b"\x00\x00", "a packet of 0 bytes"),
        (pack(file_of(1))[:19] + (OPUS_BYTES_MAX + 1).to_bytes(2, "big") + bytes(2000), "none, or not whole"),
        (bytes(BURST_FILE_BYTES_MAX + 1), "the limit is"),
    ],
)
def test_broken_files_are_told_apart(data: bytes, why: str) -> None:
    with pytest.raises(BadBurstFile, match=why):
        unpack(data)


def test_packets_out_of_order_or_twice_are_no_file() -> None:
    for numbers in ((1, 0), (3, 3)):
        with pytest.raises(BadBurstFile, match="not in order"):
            pack(BurstFile(1, tuple(Packet(number, SPEECH_20_MS) for number in numbers)))


def test_a_packet_that_is_no_opus_is_no_speech() -> None:
    with pytest.raises(BadBurstFile, match="no Opus"):
        pack(file_of(1, opus=b"\x03"))


def test_more_than_two_minutes_of_speech_or_too_many_packets_are_no_burst() -> None:
    with pytest.raises(BadBurstFile, match="more than 120 s"):
        pack(file_of(2001, opus=SPEECH_60_MS))
    with pytest.raises(BadBurstFile, match="packets, not 1 to"):
        pack(file_of(PACKETS_MAX + 1))


def test_whatever_comes_is_a_file_or_refused() -> None:
    rng = random.Random(5)
    good = pack(file_of(20))
    for _ in range(2000):
        data = bytearray(good[: rng.randrange(len(good) + 1)])
        for _ in range(rng.randrange(4) if data else 0):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            again = pack(unpack(bytes(data)))
        except BadBurstFile:
            continue
        assert again == bytes(data)
