"""Marks in sound: short chirps, the signal that carries them, and where they are found again. Pure.

A chirp's matched filter has a peak a fraction of a millisecond wide, whatever a speech codec does to its wave form.
Where delays may exceed the gap between two marks, each mark is of another kind than its neighbours.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

LENGTH_S = 0.030
LEVEL = 0.6
BED_LEVEL = 0.002
"""Noise under the marks: real microphones are never digitally silent."""
THRESHOLD = 0.4
"""A mark is found where the filter's answer is over this share of its strongest answers."""
APART_S = 0.2
WIDE = ((500.0, 3000.0),)
"""One kind, for delays shorter than the gap between marks: the sharpest peak."""
KINDS = tuple(pair for low in (400.0, 1000.0, 1600.0, 2200.0) for pair in ((low, low + 600.0), (low + 600.0, low)))
"""Eight kinds that do not answer to each other's filter."""

Sweep = tuple[float, float]
"""First and last frequency of a chirp, in Hz."""


class Marks(Struct, frozen=True, kw_only=True):
    """A signal with marks: 16-bit mono samples, where each mark begins (s) and of which kind it is."""

    pcm: bytes
    starts_s: tuple[float, ...]
    kinds: tuple[int, ...]


def chirp(sweep: Sweep, rate_hz: int) -> NDArray[np.float64]:
    """Give one chirp of LENGTH_S (longer for the narrow ones), peak 1."""
    low, high = sweep
    length_s = LENGTH_S if abs(high - low) > 1000 else 2 * LENGTH_S
    t = np.arange(int(length_s * rate_hz)) / rate_hz
    wave: NDArray[np.float64] = np.sin(2 * np.pi * (low * t + (high - low) / (2 * length_s) * t * t))
    return wave * np.sqrt(np.hanning(len(t)))


def signal(sweeps: Sequence[Sweep], count: int, gap_s: float, lead_s: float, rate_hz: int, seed: int = 7) -> Marks:
    """Give `count` marks, kinds in turn, about `gap_s` apart (up to a tenth of a second more), after `lead_s`."""
    chance = random.Random(seed)
    starts, at = [], lead_s
    for _ in range(count):
        starts.append(at)
        at += gap_s + 0.1 * chance.random()
    wave = np.random.default_rng(seed).standard_normal(int((at + 1.0) * rate_hz)) * BED_LEVEL
    shapes = [chirp(sweep, rate_hz) for sweep in sweeps]
    kinds = tuple(index % len(sweeps) for index in range(count))
    for start_s, kind in zip(starts, kinds, strict=True):
        first = int(start_s * rate_hz)
        wave[first : first + len(shapes[kind])] += LEVEL * shapes[kind]
    pcm = (np.clip(wave, -1, 1) * 32767).astype("<i2").tobytes()
    return Marks(pcm=pcm, starts_s=tuple(starts), kinds=kinds)


def find(samples: NDArray[np.float64], sweep: Sweep, rate_hz: int) -> list[int]:
    """Give the sample numbers at which chirps of this sweep begin, in order."""
    shape = chirp(sweep, rate_hz)
    size = 1 << (len(samples) + len(shape)).bit_length()
    answer = np.fft.irfft(np.fft.rfft(samples, size) * np.conj(np.fft.rfft(shape, size)), size)[: len(samples)]
    strength = np.abs(answer)
    if not len(strength) or strength.max() <= 0:
        return []
    strongest = np.sort(strength)[-max(1, int(len(strength) * 1e-4)) :]
    over = np.flatnonzero(strength > THRESHOLD * np.median(strongest))
    found: list[int] = []
    for group in np.split(over, np.flatnonzero(np.diff(over) > APART_S * rate_hz) + 1):
        if len(group):
            found.append(int(group[0] + np.argmax(strength[group[0] : group[-1] + 1])))
    return found


def pair(
    said_s: Sequence[float], heard_s: Sequence[float], most_s: float, least_s: float = -0.02
) -> list[tuple[float, float | None]]:
    """Give for each mark said the delay (s) after which it was heard first, or None where it was not in `most_s`."""
    delays: list[tuple[float, float | None]] = []
    for said in said_s:
        after = [heard - said for heard in heard_s if least_s < heard - said < most_s]
        delays.append((said, min(after) if after else None))
    return delays
