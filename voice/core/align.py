"""How much later the same speech comes over Agora than over MQTT, found by laying the loudness of both over each other.

Agora's sound carries no number. Its loudness in steps of STEP_S has the same shape as that of the MQTT frames of the
same speech, whatever codec, level or jitter buffer lie between. Pure Python on a few dozen numbers; see ADR 0008.
"""

from __future__ import annotations

import math
from array import array
from operator import mul

from msgspec import Struct

STEP_S = 0.01
LAG_MIN, LAG_MAX = -5, 100
"""Lags looked for, in steps: Agora may be a little faster than MQTT, or up to a second slower."""
WINDOW = 80
"""The newest so many steps of Agora's sound are looked at."""
PAIRS_MIN = 36
"""Fewer steps heard over both ways say nothing."""
COVERED_MIN = 0.6
"""...nor does a lag by which less of what is looked at was heard over MQTT: the overlap is over, or it is far off."""
LIKENESS_MIN = 0.88
"""Correlation of the loudness, in dB, from which on a lag is believed..."""
DISTINCT_MIN = 0.05
"""...where it is so much better than any lag more than NEIGHBOURS steps away..."""
NEIGHBOURS = 6
DYNAMIC_DB_MIN = 1.2
"""...and the sound has a shape at all: the deviation of its loudness."""
KEPT = 250
_FLOOR = 100.0
_THIN_HZ = 8000


class Lag(Struct, frozen=True):
    """Agora's sound is this many steps behind where MQTT's would be; `likeness` is the correlation there."""

    steps: int
    likeness: float


def levels_db(pcm: bytes, rate_hz: int) -> list[float]:
    """Give the loudness of each whole step of 16-bit mono sound, in dB."""
    step = round(STEP_S * rate_hz)
    thin = max(1, rate_hz // _THIN_HZ)
    sound = array("h", pcm)
    out = []
    for begin in range(0, len(sound) - step + 1, step):
        part = sound[begin : begin + step : thin].tolist()
        out.append(10.0 * math.log10(sum(map(mul, part, part)) / len(part) + _FLOOR))
    return out


class Aligner:
    """The loudness of one burst over both ways by step number: MQTT's of its own beginning, Agora's of any."""

    def __init__(self) -> None:
        self._mqtt: dict[int, float] = {}
        self._agora: dict[int, float] = {}

    def mqtt(self, step: int, levels: list[float]) -> None:
        """Take the loudness of MQTT's speech from `step` on."""
        _keep(self._mqtt, step, levels)

    def agora(self, step: int, levels: list[float]) -> None:
        """Take the loudness of Agora's sound from `step` on."""
        _keep(self._agora, step, levels)

    def lag(self, base: int = 0) -> Lag | None:
        """Find the lag, Agora's steps being counted from its step `base` on.

        None where there is not enough of both, no shape to go by, or more than one place fits.
        """
        if len(self._agora) < PAIRS_MIN or len(self._mqtt) < PAIRS_MIN:
            return None
        newest = next(reversed(self._agora))
        theirs = {step - base: level for step, level in self._agora.items() if step > newest - WINDOW}
        needed = max(PAIRS_MIN, round(COVERED_MIN * len(theirs)))
        found: dict[int, float] = {}
        for lag in range(LAG_MIN, LAG_MAX + 1, 2):
            found[lag] = self._likeness(theirs, lag, needed)
        coarse = max(found, key=lambda lag: found[lag])
        for lag in (coarse - 1, coarse + 1):
            if LAG_MIN <= lag <= LAG_MAX:
                found[lag] = self._likeness(theirs, lag, needed)
        best = max(found, key=lambda lag: found[lag])
        other = max((likeness for lag, likeness in found.items() if abs(lag - best) > NEIGHBOURS), default=0.0)
        if found[best] < LIKENESS_MIN or found[best] - other < DISTINCT_MIN:
            return None
        return Lag(best, found[best])

    def _likeness(self, sound: dict[int, float], lag: int, needed: int) -> float:
        mqtt = self._mqtt
        pairs = [(mqtt[step - lag], level) for step, level in sound.items() if step - lag in mqtt]
        count = len(pairs)
        if count < needed:
            return 0.0
        ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
        our_sum, their_sum = sum(ours), sum(theirs)
        ours_square = sum(map(mul, ours, ours)) - our_sum * our_sum / count
        theirs_square = sum(map(mul, theirs, theirs)) - their_sum * their_sum / count
        least = count * DYNAMIC_DB_MIN * DYNAMIC_DB_MIN
        if ours_square < least or theirs_square < least:
            return 0.0
        product = sum(map(mul, ours, theirs)) - our_sum * their_sum / count
        return float(product / math.sqrt(ours_square * theirs_square))


def _keep(kept: dict[int, float], step: int, levels: list[float]) -> None:
    for number, level in enumerate(levels, step):
        kept[number] = level
    while len(kept) > KEPT:
        del kept[next(iter(kept))]
