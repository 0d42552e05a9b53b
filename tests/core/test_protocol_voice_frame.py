"""The binary voice frame."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.ids import JSON_INT_MAX
from protocol.voice_frame import HEADER, OPUS_BYTES_MAX, BadFrame, FrameFlags, VoiceFrame, pack, unpack

frames = st.builds(
    VoiceFrame,
    burst=st.integers(0, JSON_INT_MAX),
    seq=st.integers(0, 2**32 - 1),
    capture_ms=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=OPUS_BYTES_MAX),
    flags=st.sampled_from(
        [FrameFlags.NONE, FrameFlags.LAST, FrameFlags.HANDOVER, FrameFlags.LAST | FrameFlags.HANDOVER]
    ),
)


@given(frames)
def test_what_was_packed_unpacks_to_the_same(frame: VoiceFrame) -> None:
    assert unpack(pack(frame)) == frame


def test_the_bytes_are_where_the_document_says() -> None:
    data = pack(VoiceFrame(0x0102030405060708, 0x0A0B0C0D, 0x01020304, b"opus", FrameFlags.LAST))
    assert data == bytes.fromhex("01 01 0102030405060708 0a0b0c0d 01020304") + b"opus"
    assert HEADER.size == 18


def test_a_bare_last_frame_has_no_payload() -> None:
    assert unpack(pack(VoiceFrame(1, 2, 3, b"", FrameFlags.LAST))).payload == b""


@pytest.mark.parametrize("length", [0, 1, 17, 18 + OPUS_BYTES_MAX + 1, 100_000])
def test_too_short_and_too_long_data_is_no_frame(length: int) -> None:
    with pytest.raises(BadFrame):
        unpack(b"\x01" * length)


@pytest.mark.parametrize("version", [0, 2, 255])
def test_another_version_is_no_frame_for_us(version: int) -> None:
    with pytest.raises(BadFrame, match="version"):
        unpack(bytes([version]) + pack(VoiceFrame(1, 0, 0, b"x"))[1:])


def test_flags_of_the_future_are_ignored() -> None:
    data = bytearray(pack(VoiceFrame(1, 0, 0, b"x", FrameFlags.LAST)))
    data[1] |= 0xF0
    assert unpack(bytes(data)).flags is FrameFlags.LAST


@given(st.binary(max_size=2000))
def test_no_bytes_make_unpack_raise_anything_but_bad_frame(data: bytes) -> None:
    try:
        frame = unpack(data)
    except BadFrame:
        return
    assert pack(frame)[2:] == data[2:]


@pytest.mark.parametrize(
    "frame", [VoiceFrame(-1, 0, 0, b""), VoiceFrame(2**64, 0, 0, b""), VoiceFrame(0, 2**32, 0, b"")]
)
def test_a_number_out_of_range_cannot_be_packed(frame: VoiceFrame) -> None:
    with pytest.raises(struct.error):
        pack(frame)
