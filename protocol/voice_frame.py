"""The binary voice frame on `voice/<user>`: 18 bytes of header, then one Opus packet (or none, on a bare last frame).

| bytes | field | meaning |
|---|---|---|
| 0 | version | 1 |
| 1 | flags | bit 0 LAST: the burst's final frame; bit 1 HANDOVER: it goes on over Agora only; bit 2 ASK: see below |
| 2-9 | burst | big-endian u64 |
| 10-13 | seq | big-endian u32, from 0 within the burst; from far higher on where a bridge takes the burst up half-way |
| 14-17 | capture_ms | big-endian u32: ms from the burst's first sample to this frame's first; rises with seq |
| 18- | payload | one Opus packet, mono, RFC 6716; at most 1275 bytes |

A frame with ASK carries no speech: a listener says on its own topic that it hears nothing of `burst` over Agora, and
the speaker goes on over MQTT as well until the burst's end. seq and capture_ms are 0, the payload is empty.
"""

import struct
from enum import IntFlag

from msgspec import Struct

VERSION = 1
HEADER = struct.Struct(">BBQII")
OPUS_BYTES_MAX = 1275


class FrameFlags(IntFlag):
    """Bits of the second byte."""

    NONE = 0
    LAST = 1
    HANDOVER = 2
    ASK = 4


class VoiceFrame(Struct, frozen=True):
    """One frame of speech of one burst."""

    burst: int
    seq: int
    capture_ms: int
    payload: bytes
    flags: FrameFlags = FrameFlags.NONE


class BadFrame(ValueError):
    """Bytes that are no voice frame. Drop and count."""


def pack(frame: VoiceFrame) -> bytes:
    """Give the wire form; raises struct.error where a number is out of its range."""
    return HEADER.pack(VERSION, frame.flags, frame.burst, frame.seq, frame.capture_ms) + frame.payload


def unpack(data: bytes) -> VoiceFrame:
    """Read the wire form; raises BadFrame."""
    if len(data) < HEADER.size:
        raise BadFrame(f"{len(data)} bytes: a header alone takes {HEADER.size}")
    if len(data) > HEADER.size + OPUS_BYTES_MAX:
        raise BadFrame(f"{len(data)} bytes: more than one Opus packet holds")
    version, flags, burst, seq, capture_ms = HEADER.unpack_from(data)
    if version != VERSION:
        raise BadFrame(f"version {version}: this side reads {VERSION}")
    return VoiceFrame(burst, seq, capture_ms, data[HEADER.size :], FrameFlags(flags & 7))
