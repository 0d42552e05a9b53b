"""The tone by which the console's page tells a refusal: found in what its loudspeaker played, and taken out of it.

A vehicle of the demo plays no cues (its driver feels them), a page always does: what is left of the ear is speech.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from lab.measure.sound import RATE_HZ, Recording, Sound

DENIED: Final = ((330.0, 0.16), (0.0, 0.06), (330.0, 0.16))
"""As dispatch/web/static/console/sounds.js has it: Hz and seconds, one after the other; 0 Hz is a pause."""
EDGE_S: Final = 0.008
LATE_S_MAX: Final = 0.8
"""So late it may sound."""
COARSE, FINE = RATE_HZ // 500, RATE_HZ // 12_000


class Tone(Struct, frozen=True, kw_only=True):
    """The tone as it was found: when it began (monotonic s), and how loud each of its beeps is (0 to 1)."""

    at_s: float
    peaks: tuple[float, ...]


def take_out(ear: Recording, told_s: float) -> tuple[Recording, Tone]:
    """Look for the tone from `told_s` on, where it fits best; give the recording without it, and what it was. Pure."""
    basis = _basis()
    length = basis.shape[1]
    first = max(0, round((told_s - ear.epoch_s) * RATE_HZ))
    place = np.zeros(round(LATE_S_MAX * RATE_HZ) + length, np.float64)
    there = ear.sound[first : first + len(place)]
    place[: len(there)] = there
    inverse = np.linalg.pinv(basis)

    def explained(begin: int) -> float:
        piece = place[begin : begin + length]
        return float(np.square((piece @ inverse) @ basis).sum())

    last = len(place) - length
    near = max(range(0, last + 1, COARSE), key=explained)
    begin = max(range(max(0, near - COARSE), min(last, near + COARSE) + 1, FINE), key=explained)
    weights = place[begin : begin + length] @ inverse
    rest = ear.sound.copy()
    room = max(0, min(length, len(rest) - first - begin))
    rest[first + begin : first + begin + room] -= (weights @ basis)[:room].astype(np.float32)
    peaks = tuple(float(np.hypot(*weights[i : i + 2])) for i in range(0, len(weights), 2))
    return Recording(rest, ear.epoch_s), Tone(at_s=ear.epoch_s + (first + begin) / RATE_HZ, peaks=peaks)


def made(volume: float) -> Sound:
    """Give the tone itself. Pure."""
    return np.asarray(volume * _basis()[::2].sum(axis=0), np.float32)


def _basis() -> NDArray[np.float64]:
    """Sine and cosine of each beep, with its edges, in rows over the length of the whole tone."""
    total = round(sum(length for _, length in DENIED) * RATE_HZ)
    rows, at_s = [], 0.0
    times = np.arange(total) / RATE_HZ
    for hz, length in DENIED:
        if hz:
            inside = times - at_s
            edges = np.clip(np.minimum(inside, length - inside) / EDGE_S, 0.0, 1.0)
            rows += [edges * wave(2 * np.pi * hz * inside) for wave in (np.sin, np.cos)]
        at_s += length
    return np.array(rows)
