"""Louder or softer by so many dB, with a limiter that bends what would clip: one table look-up a sample, in C."""

from __future__ import annotations

import math
from array import array

KNEE = 0.5
"""What is made louder is only multiplied up to this part of full scale; above, it bends towards CEILING."""
CEILING = 0.98
_FULL = 32768


class Gain:
    """A level that may change between frames. One thread uses it; at 0 dB it costs nothing and changes nothing."""

    def __init__(self) -> None:
        """Begin at 0 dB."""
        self.level_db = 0.0
        self._table: array[int] | None = None

    def set(self, level_db: float) -> None:
        """Take a level in dB. Its table takes a hundredth of a second to make here, some hundredths on a Pi."""
        if level_db != self.level_db:
            self.level_db = level_db
            self._table = _table(10 ** (level_db / 20)) if level_db else None

    def process(self, frame: bytes) -> bytes:
        """Give a frame of 16-bit sound at that level."""
        table = self._table
        return frame if table is None else array("h", map(table.__getitem__, array("h", frame))).tobytes()


def _table(factor: float) -> array[int]:
    """Indexed by a sample: those below zero count from the table's end, as Python's indices do."""
    plain = _FULL if factor <= 1 else int(KNEE * _FULL / factor)
    room, knee, tanh = (CEILING - KNEE) * _FULL, KNEE * _FULL, math.tanh
    up = [round(sample * factor) for sample in range(plain + 1)]
    up += [round(knee + room * tanh((sample * factor - knee) / room)) for sample in range(plain + 1, _FULL + 1)]
    return array("h", [*up[:_FULL], *(-sample for sample in up[:0:-1])])
