"""Making speech shorter without clipping a word: pauses go whole, voiced sound loses single periods.

Plain Python on `array("h")`: it works on a few hundred samples of a thinned-out signal, in about a millisecond.
"""

from __future__ import annotations

import math
from array import array
from operator import mul

PERIOD_S_MIN = 0.0025
PERIOD_S_MAX = 0.0125
"""Pitch periods looked for: 400 Hz down to 80 Hz."""
LONGER = 0.2
"""How much less alike sound may be for leaving out more of it at a time: two periods instead of one."""
JOIN_S = 0.0025
_THIN_HZ = 4000
QUIET_PEAK = 320
"""Sound that never exceeds this (-40 dBFS) is a pause."""


def is_quiet(pcm: array[int]) -> bool:
    """Say whether nobody speaks here."""
    return not pcm or (max(pcm) < QUIET_PEAK and min(pcm) > -QUIET_PEAK)


def shorten(pcm: array[int], rate_hz: int, most_s: float) -> array[int]:
    """Leave out up to `most_s`: the period from PERIOD_S_MIN to _MAX that is missed least, by fading over its length.

    Of less than PERIOD_S_MIN all is left out, which nobody hears. At most half of `pcm` goes. Its first and last
    samples stay, so that it joins its neighbours as before.
    """
    most = min(int(min(most_s, PERIOD_S_MAX) * rate_hz), len(pcm) // 2)
    lag = _best_lag(pcm, rate_hz, most) if most > PERIOD_S_MIN * rate_hz else most
    if lag < 2:
        return pcm
    begin = (len(pcm) - 2 * lag) // 2
    out = pcm[:begin]
    before, after = pcm[begin : begin + lag], pcm[begin + lag : begin + 2 * lag]
    out.extend([a + (b - a) * i // (lag - 1) for i, (a, b) in enumerate(zip(before, after, strict=True))])
    out.extend(pcm[begin + 2 * lag :])
    return out


def lengthen(pcm: array[int], rate_hz: int) -> array[int]:
    """Put in, once, the period from PERIOD_S_MIN to _MAX that is noticed least, by fading; a pause is said twice."""
    if is_quiet(pcm):
        return pcm + pcm
    most = min(int(PERIOD_S_MAX * rate_hz), len(pcm) // 2)
    lag = _best_lag(pcm, rate_hz, most) if most > PERIOD_S_MIN * rate_hz else 0
    if lag < 2:
        return pcm
    begin = (len(pcm) - 2 * lag) // 2
    before, after = pcm[begin : begin + lag], pcm[begin + lag : begin + 2 * lag]
    out = pcm[: begin + lag]
    out.extend([b + (a - b) * i // (lag - 1) for i, (a, b) in enumerate(zip(before, after, strict=True))])
    out.extend(pcm[begin + lag :])
    return out


def joined(last: int, pcm: array[int], rate_hz: int) -> array[int]:
    """Make `pcm` begin where sound of another source ended, at the sample `last`, so that nothing clicks."""
    count = min(len(pcm), round(JOIN_S * rate_hz))
    step = last - pcm[0] if pcm else 0
    for i in range(count):
        pcm[i] = max(-32768, min(32767, pcm[i] + step * (count - i) // count))
    return pcm


def faded(pcm: array[int], part: float) -> array[int]:
    """Say sound again, `part` (0 to 1) as loud at its beginning and four fifths of that at its end."""
    count = max(1, len(pcm))
    return array("h", [int(x * part * (1 - 0.2 * i / count)) for i, x in enumerate(pcm)])


def _best_lag(pcm: array[int], rate_hz: int, most: int) -> int:
    """Find the lag, in samples, at which the sound resembles itself most: coarse on a thinned signal, then fine."""
    thin = max(1, rate_hz // _THIN_HZ)
    coarse = pcm[::thin].tolist()
    low = int(PERIOD_S_MIN * rate_hz / thin)
    high = max(low, most // thin)
    span = max(1, min(high, len(coarse) - high))
    best = thin * max(range(low, high + 1), key=lambda lag: _likeness(coarse, lag, span) * (1 + LONGER * lag / high))
    fine = pcm.tolist()
    fine_span = min(thin * span, len(fine) - best - thin)
    if fine_span < thin:
        return min(best, most)
    middle = fine[:fine_span:3]
    candidates = range(max(1, best - thin + 1), min(best + thin, most) + 1, max(1, thin // 6))
    return max(
        candidates, key=lambda lag: sum(map(mul, middle, fine[lag : lag + fine_span : 3])), default=min(best, most)
    )


def _likeness(sound: list[int], lag: int, span: int) -> float:
    other = sound[lag : lag + span]
    energy = sum(map(mul, other, other))
    product = sum(map(mul, sound[:span], other))
    return float(product / (math.sqrt(energy) + 1.0))
