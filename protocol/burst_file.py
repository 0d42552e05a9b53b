"""The file of one burst: its Opus packets in order, as a speaker uploads it and a listener fetches it. Pure.

| bytes | field | meaning |
|---|---|---|
| 0-3 | magic | `PTTB` |
| 4 | version | 1 |
| 5-12 | burst | big-endian u64 |
| 13-14 | count | big-endian u16: how many packets follow, 1 to 6000 |
| then, for each packet | seq | big-endian u32: its number in the burst; rises strictly |
| | length | big-endian u16: 1 to 1275 |
| | packet | that many bytes: one Opus packet, mono, RFC 6716 |

Nothing follows the last packet. A file is at most BURST_FILE_BYTES_MAX long and holds at most BURST_S_MAX of speech.
"""

import struct

from msgspec import Struct

from protocol.opus_packet import NoOpus, duration_s
from protocol.voice_frame import OPUS_BYTES_MAX

MAGIC = b"PTTB"
VERSION = 1
MEDIA_TYPE = "application/octet-stream"
PACKETS_MAX = 6000
"""A minute of 10 ms packets, two of 20 ms."""
BURST_S_MAX = 120.0
BURST_FILE_BYTES_MAX = 1 << 20
BYTES_A_SECOND_MAX = 17_000
"""128 kb/s, the highest bitrate that can be set, and the heads of 100 packets."""
_HEAD = struct.Struct(">4sBQH")
_PACKET = struct.Struct(">IH")
PACKET_HEAD_BYTES = _PACKET.size


class BadBurstFile(ValueError):
    """Bytes that are no burst file; says why, and never fatal."""


class Packet(Struct, frozen=True):
    """One Opus packet and its number in the burst."""

    seq: int
    opus: bytes


class BurstFile(Struct, frozen=True):
    """What was said in one burst."""

    burst: int
    packets: tuple[Packet, ...]

    @property
    def seconds(self) -> float:
        """How much speech it holds; raises BadBurstFile where a packet is no Opus."""
        try:
            return sum(duration_s(packet.opus) for packet in self.packets)
        except NoOpus as error:
            raise BadBurstFile(f"a packet is no Opus: {error}") from None


def pack(file: BurstFile) -> bytes:
    """Give the bytes; raises ValueError where they would be no burst file."""
    parts = [_HEAD.pack(MAGIC, VERSION, file.burst, len(file.packets))]
    for packet in file.packets:
        parts += (_PACKET.pack(packet.seq, len(packet.opus)), packet.opus)
    data = b"".join(parts)
    unpack(data)
    return data


def unpack(data: bytes) -> BurstFile:
    """Read a file; raises BadBurstFile."""
    if len(data) > BURST_FILE_BYTES_MAX:
        raise BadBurstFile(f"{len(data)} bytes, the limit is {BURST_FILE_BYTES_MAX}")
    if len(data) < _HEAD.size:
        raise BadBurstFile("it is shorter than its head")
    magic, version, burst, count = _HEAD.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        raise BadBurstFile("its first bytes are not those of a burst file of version 1")
    if not 1 <= count <= PACKETS_MAX:
        raise BadBurstFile(f"{count} packets, not 1 to {PACKETS_MAX}")
    at, packets, before = _HEAD.size, [], -1
    for _ in range(count):
        if at + _PACKET.size > len(data):
            raise BadBurstFile("it ends inside a packet")
        seq, length = _PACKET.unpack_from(data, at)
        at += _PACKET.size
        if not 1 <= length <= OPUS_BYTES_MAX or at + length > len(data):
            raise BadBurstFile(f"a packet of {length} bytes is none, or not whole")
        if seq <= before:
            raise BadBurstFile("its packets are not in order")
        packets.append(Packet(seq, data[at : at + length]))
        at, before = at + length, seq
    if at != len(data):
        raise BadBurstFile("bytes follow its last packet")
    file = BurstFile(burst, tuple(packets))
    if file.seconds > BURST_S_MAX:
        raise BadBurstFile(f"more than {BURST_S_MAX:.0f} s of speech")
    return file
