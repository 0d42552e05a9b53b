"""A burst once more, below everything else that sounds. Belongs to the speaker's thread.

It is decoded packet by packet as it is played, by a decoder of its own: live voice may begin at any moment, and neither
waits for the other's sound nor hears anything of it.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from protocol.worker import Replayed, ReplayEnd
from voice.opus import BadPacket, Decoder


class Pcm(Struct, frozen=True):
    """A piece of a burst that came as sound: 16-bit samples of the devices' rate."""

    sound: bytes


Piece: TypeAlias = bytes | Pcm
"""An Opus packet, or sound."""


class ReplayLane:
    """One replay at a time; `tell` gets Replayed once for each."""

    def __init__(self, rate_hz: int, tell: Callable[[Replayed], None]) -> None:
        self._decoder = Decoder(rate_hz)
        self._tell = tell
        self._no: tuple[int, int] | None = None
        self._pieces: deque[Piece] = deque()
        self._samples: array[int] = array("h")

    def start(self, no: int, burst: int, pieces: tuple[Piece, ...]) -> None:
        """Play these pieces from now on, instead of what is replayed; without any the burst is gone."""
        self.cut()
        if not pieces:
            self._tell(Replayed(no=no, burst=burst, end=ReplayEnd.GONE))
            return
        self._no = (no, burst)
        self._pieces = deque(pieces)
        self._decoder.reset()

    def cut(self) -> None:
        """Be silent at once."""
        self._end(ReplayEnd.STOPPED)

    def next(self, count: int) -> array[int] | None:
        """Give the next `count` samples, filled up with silence; None where nothing is replayed."""
        if self._no is None:
            return None
        samples = self._samples
        while len(samples) < count and self._pieces:
            samples.frombytes(self._sound(self._pieces.popleft()))
        part = samples[:count]
        del samples[:count]
        if not samples and not self._pieces:
            self._end(ReplayEnd.WHOLE)
        part.extend([0] * (count - len(part)))
        return part

    def _sound(self, piece: Piece) -> bytes:
        if isinstance(piece, Pcm):
            return piece.sound
        try:
            return self._decoder.decode(piece)
        except BadPacket:
            return b""  # what cannot be decoded is left out, as it was when it was heard

    def _end(self, end: ReplayEnd) -> None:
        if self._no is None:
            return
        (no, burst), self._no = self._no, None
        self._pieces.clear()
        del self._samples[:]
        self._tell(Replayed(no=no, burst=burst, end=end))
