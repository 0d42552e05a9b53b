"""Cutting the microphone's frames to what was keyed, and filling encoder packets with it."""

from msgspec import Struct

JUMP_S = 0.005
"""Sound that does not follow what came before by more than this begins a new packet: the clocks of sound devices are
followed smoothly, so a larger step is a hole (the burst was held meanwhile)."""


class Filled(Struct, frozen=True):
    """Sound of exactly one packet; its first sample was captured at `start_s`."""

    pcm: bytes
    start_s: float


class Packer:
    """Packets of `packet_samples` mono 16-bit samples; `tail_samples` of silence follow the last of a request.

    A stretch of speech that begins inside a device frame is led by silence from that frame's start. Packets so go on
    ending where frames end; otherwise the rest of every frame would wait for the next one.
    """

    def __init__(self, rate_hz: int, packet_samples: int, tail_samples: int) -> None:
        self._rate_hz = rate_hz
        self._packet_bytes = 2 * packet_samples
        self._tail_bytes = 2 * tail_samples
        self._held = bytearray()
        self._start_s = 0.0
        self._expected_s: float | None = None

    def clear(self) -> None:
        """Drop what does not fill a packet; what comes next begins a new stretch."""
        self._held.clear()
        self._expected_s = None

    def add(self, frame: bytes, frame_start_s: float, start_s: float, end_s: float) -> list[Filled]:
        """Add the part [start_s, end_s) of a device frame; gives the packets it fills."""
        first = 2 * max(0, round((start_s - frame_start_s) * self._rate_hz))
        last = 2 * max(0, round((end_s - frame_start_s) * self._rate_hz))
        part = frame[first:last]
        if not part:
            return []
        if self._expected_s is None or abs(self._expected_s - start_s) > JUMP_S:
            self._held[:] = bytes(first)
            self._start_s = frame_start_s
        elif not self._held:
            self._start_s = start_s
        self._held += part
        self._expected_s = end_s
        return self._take()

    def finish(self, end_s: float) -> list[Filled]:
        """Give what is left of a request up to `end_s`, padded with silence, the tail included."""
        if self._held:
            del self._held[2 * max(0, round((end_s - self._start_s) * self._rate_hz)) :]
        else:
            self._start_s = end_s if self._expected_s is None else self._expected_s
        self._held += bytes(self._tail_bytes)
        self._held += bytes(-len(self._held) % self._packet_bytes)
        self._expected_s = None
        return self._take()

    def _take(self) -> list[Filled]:
        filled = []
        while len(self._held) >= self._packet_bytes:
            filled.append(Filled(bytes(self._held[: self._packet_bytes]), self._start_s))
            del self._held[: self._packet_bytes]
            self._start_s += self._packet_bytes / 2 / self._rate_hz
        return filled
