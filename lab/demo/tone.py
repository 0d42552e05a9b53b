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
APART: Final = RATE_HZ // 10
"""So much, in samples, a beep may be away from where the tone as a whole fits."""
COARSE, FINE = RATE_HZ // 500, RATE_HZ // 12_000


class Tone(Struct, frozen=True, kw_only=True):
    """The tone as it was found: when it began (monotonic s), and how loud each of its beeps is (0 to 1)."""

    at_s: float
    peaks: tuple[float, ...]


def take_out(ear: Recording, told_s: float) -> tuple[Recording, Tone]:
    """Look for the tone from `told_s` on, where it fits best; give the recording without it, and what it was. Pure.

    A page that was kept waiting plays the second beep late: each is looked for anew around its place.
    """
    basis = _basis()
    first = max(0, round((told_s - ear.epoch_s) * RATE_HZ))
    rest = np.zeros(max(len(ear.sound), first + round(LATE_S_MAX * RATE_HZ) + 2 * basis.shape[1]), np.float64)
    rest[: len(ear.sound)] = ear.sound
    found = _fit(rest, basis, range(first, first + round(LATE_S_MAX * RATE_HZ), COARSE))
    peaks = []
    for beep in (basis[i : i + 2] for i in range(0, len(basis), 2)):
        inside = np.flatnonzero(np.abs(beep).sum(axis=0))
        wave = beep[:, inside[0] : inside[-1] + 1]
        near = _fit(rest, wave, range(max(0, found + inside[0] - APART), found + inside[0] + APART, COARSE))
        at = _fit(rest, wave, range(max(0, near - COARSE), near + COARSE + 1, FINE))
        weights = rest[at : at + wave.shape[1]] @ np.linalg.pinv(wave)
        rest[at : at + wave.shape[1]] -= weights @ wave
        peaks.append(float(np.hypot(*weights)))
    sound = np.asarray(rest[: len(ear.sound)], np.float32)
    return Recording(sound, ear.epoch_s), Tone(at_s=ear.epoch_s + found / RATE_HZ, peaks=tuple(peaks))


def _fit(sound: NDArray[np.float64], basis: NDArray[np.float64], places: range) -> int:
    """Give the place at which these waves explain most of the sound."""
    inverse, length = np.linalg.pinv(basis), basis.shape[1]
    return max(places, key=lambda at: float(np.square((sound[at : at + length] @ inverse) @ basis).sum()))


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
