"""One's own speech as it went out, until its burst is over: what an office that keeps bursts is given. Pure."""

from protocol.burst_file import (
    BURST_FILE_BYTES_MAX,
    BURST_S_MAX,
    PACKET_HEAD_BYTES,
    PACKETS_MAX,
    BurstFile,
    Packet,
)
from protocol.opus_packet import duration_s

BYTES_MAX = BURST_FILE_BYTES_MAX // 2
"""Half a minute at the highest bitrate, nearly three at the usual one; what a longer burst says then is not kept."""


class Recording:
    """The burst that is being spoken; a newer one takes its place."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._burst = 0
        self._packets: list[Packet] = []
        self._bytes = 0
        self._seconds = 0.0

    def add(self, burst: int, seq: int, opus: bytes) -> None:
        """Keep a packet; an empty one, as a bare last frame has, is none."""
        if burst != self._burst:
            self._burst, self._packets, self._bytes, self._seconds = burst, [], 0, 0.0
        late = bool(self._packets) and seq <= self._packets[-1].seq
        if not opus or late or len(self._packets) >= PACKETS_MAX or self._bytes + len(opus) > BYTES_MAX:
            return
        seconds = duration_s(opus)
        if self._seconds + seconds <= BURST_S_MAX:
            self._packets.append(Packet(seq, opus))
            self._bytes += len(opus) + PACKET_HEAD_BYTES
            self._seconds += seconds

    def take(self, burst: int | None) -> BurstFile | None:
        """Give, once, what was said in this burst; None where that is nothing."""
        packets, mine = self._packets, burst == self._burst
        self._packets, self._bytes, self._seconds = [], 0, 0.0
        return BurstFile(self._burst, tuple(packets)) if mine and packets else None
