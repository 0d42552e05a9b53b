"""A voice that never pauses, and where each piece of it is heard again. Pure.

What is heard is searched for pieces of what was said: a piece found tells by how much later it came, a piece not found
was lost, or changed beyond recognition. The voice being without pauses, each silence in what is heard is a hole.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Samples = NDArray[np.float64]

PIECE_S = 0.1
HOP_S = 0.02
LAG_S_MAX = 0.6
LIKE_MIN = 0.6
"""Likeness (1 is equal up to loudness) from which on a piece is found: the codec leaves 0.64 in 99 of 100 pieces, and
another piece of the voice reaches 0.62 in one of 100."""
KNOT_S = (0.02, 0.06)
"""Pitch and timbre change so often..."""
SYLLABLE_S = (0.05, 0.15)
"""...and loudness, as in speech."""
JUMP_S = 0.2
"""A rise of the lag within so short a time is a jump; stretching is slower."""
SILENT = 0.004
"""Samples under this (of 1) are silence: the voice is never softer than a tenth, its zero crossings aside."""
BEGIN_S = 0.1
"""A burst's first instants are not judged."""


class Gap(Struct, frozen=True, kw_only=True):
    """What a change of ways did to a listener, in ms."""

    silence_ms: float
    """The longest hole."""
    holes_ms: float
    """All holes of 3 ms and more together."""
    lag_before_ms: float
    lag_after_ms: float
    jump_ms: float
    """The most that the lag rises within JUMP_S: holes and invented sound together."""
    unlike_ms: float
    """Speech whose pieces are found nowhere: lost, or stretched beyond recognition."""

    @property
    def stretch_ms(self) -> float:
        """How much later than before all is heard afterwards."""
        return self.lag_after_ms - self.lag_before_ms


def voice(seed: int, for_s: float, rate_hz: int) -> Samples:
    """Give a buzz of wandering pitch, timbre and loudness (20 dB), peaks under 1, that resembles itself nowhere."""
    chance = np.random.default_rng(seed)
    count = round(for_s * rate_hz)
    times = np.arange(count) / rate_hz

    def wander(low: float, high: float) -> Samples:
        some = round(for_s / KNOT_S[0])
        knots = np.cumsum(chance.uniform(*KNOT_S, some))
        return np.interp(times, knots, chance.uniform(low, high, some))

    syllables = np.cumsum(chance.uniform(*SYLLABLE_S, round(for_s / SYLLABLE_S[0])))
    loud_db = np.interp(times, syllables, chance.uniform(-20, 0, len(syllables)))
    phase = 2 * np.pi * np.cumsum(wander(90, 350)) / rate_hz
    buzz = np.sum([np.sin(number * phase) / number * wander(0.1, 1.0) for number in range(1, 9)], axis=0)
    made: Samples = 0.4 * buzz * 10 ** (loud_db / 20) + chance.normal(0, 0.01, count)
    return made


def lags(said: Samples, heard: Samples, rate_hz: int) -> list[tuple[float, float | None]]:
    """Where each piece of `said` (s) is heard, and how much later (s); None where it is not. Both begin together."""
    size, hop, most = round(PIECE_S * rate_hz), round(HOP_S * rate_hz), round(LAG_S_MAX * rate_hz)
    found: list[tuple[float, float | None]] = []
    for first in range(0, len(said) - size + 1, hop):
        piece, area = said[first : first + size], heard[first : first + most + size]
        if len(area) < size:
            break
        sums = np.cumsum(np.concatenate(([0.0], area**2)))
        power = sums[size:] - sums[:-size]
        length = 2 ** int(np.ceil(np.log2(len(area) + size)))
        product = np.fft.irfft(np.fft.rfft(area, length) * np.conj(np.fft.rfft(piece, length)), length)[: len(power)]
        like = product / np.sqrt(np.maximum(power, 1e-3) * float(np.dot(piece, piece)))
        best = int(np.argmax(like))
        found.append((first / rate_hz, best / rate_hz if like[best] >= LIKE_MIN else None))
    return found


def holes_s(heard: Samples, rate_hz: int, least_s: float = 0.003) -> list[float]:
    """Length of each silence of at least `least_s`, in s."""
    loud = np.flatnonzero(np.abs(heard) >= SILENT)
    edges = np.concatenate(([-1], loud, [len(heard)]))
    return [float(each) / rate_hz for each in np.diff(edges) - 1 if each >= least_s * rate_hz]


def gap(said: Samples, heard: Samples, rate_hz: int, both_s: float, settled_s: float) -> Gap:
    """Judge a change of ways that begins with what is said at `both_s` and is over with what is said at `settled_s`.

    Times are s since the begin of both sounds. Raises ValueError where too little of what
    was said before or afterwards is heard to tell.
    """
    found = lags(said, heard, rate_hz)
    before = [lag for at, lag in found if lag is not None and BEGIN_S < at < both_s - PIECE_S]
    after = [lag for at, lag in found if lag is not None and settled_s <= at]
    if not before or not after:
        raise ValueError(f"{len(before)} pieces were heard before the change, {len(after)} afterwards")
    lag_before, lag_after = float(np.median(before)), float(np.median(after))
    between = [lag for at, lag in found if both_s - PIECE_S <= at < settled_s]
    course = [lag_before, *(lag for lag in between if lag is not None), lag_after]
    steady = [float(np.median(course[max(0, place - 2) : place + 3])) for place in range(len(course))]
    steps = round(JUMP_S / HOP_S)
    rises = [late - min(steady[max(0, place - steps) : place + 1]) for place, late in enumerate(steady)]
    first, last = both_s + lag_before, settled_s + lag_after
    holes = holes_s(heard[round(first * rate_hz) : round(last * rate_hz)], rate_hz)
    return Gap(
        silence_ms=1000 * max(holes, default=0.0),
        holes_ms=1000 * sum(holes),
        lag_before_ms=1000 * lag_before,
        lag_after_ms=1000 * lag_after,
        jump_ms=1000 * max(rises),
        unlike_ms=1000 * HOP_S * sum(lag is None for lag in between),
    )
