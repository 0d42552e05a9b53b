"""How much speech an Opus packet holds, from its first bytes (RFC 6716, 3.1 and 3.2): no codec is needed for it."""

FRAME_S_MAX = 0.12


class NoOpus(ValueError):
    """Bytes that are no Opus packet."""


def duration_s(packet: bytes) -> float:
    """Give the seconds of speech in a packet; raises NoOpus."""
    if not packet:
        raise NoOpus("an empty packet")
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        frame_s = (0.01, 0.02, 0.04, 0.06)[config & 3]
    elif config < 16:
        frame_s = (0.01, 0.02)[config & 1]
    else:
        frame_s = (0.0025, 0.005, 0.01, 0.02)[config & 3]
    if code == 3 and len(packet) < 2:
        raise NoOpus("its second byte is missing")
    count = (1, 2, 2, packet[1] & 63 if code == 3 else 0)[code]
    if not count or count * frame_s > FRAME_S_MAX:
        raise NoOpus(f"{count} frames of {frame_s * 1000:g} ms")
    return count * frame_s
