"""What was said against what was heard, over the whole length.

Both are cut into steps of STEP_S, each described by its levels in mel bands. The cheapest way to turn the one into the
other is looked for: a step is either found again (at the cost of how different it sounds), or missing, or there is
sound that nobody said. A jitter buffer leaves out pauses and single periods of the voice to catch up, and a codec
changes the waveform: both leave short traces, well below the bounds here, while a lost syllable, a lost or doubled
packet or foreign speech do not. What each bound catches is held by tests/core/test_lab_align.py.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from scipy.signal import stft

from lab.measure.sound import RATE_HZ, Sound, resample

STEP_S = 0.005
WINDOW_S = 0.02
BANDS = 26
LOW_HZ, HIGH_HZ = 120.0, 7000.0
ANALYSIS_HZ = 16_000

FLOOR_DB = 45.0
"""Under the loudest step by this much, everything is silence."""
VOICED_DB = 33.0
"""A step is voiced when it is at most so much softer than the loudest."""
NOISE_PERCENT = 10
OVER_NOISE_DB = 4.0
VOICED_OVER_NOISE_DB = 12.0
LEAST_DB = 15.0
"""Where a recording has noise in its pauses, floor and voice begin so much above it; within LEAST_DB of the loudest
step everything counts."""
FAR_DB = 14.0
"""Mean difference over the bands at which two steps have nothing to do with each other."""

NEAR_S = 0.15
MISSING_NEAR_S_MAX = 0.05
"""Voiced sound missing within NEAR_S. Hurrying leaves out a quarter, in single periods of at most 12.5 ms."""
EXTRA_RUN_S_MAX = 0.080
"""Sound in one piece that nobody said."""
MISSING_SHARE_MAX = 0.12
EXTRA_SHARE_MAX = 0.06
LAG_RISE_S_MAX = 0.12
"""What is heard twice pushes all that follows back; so does a stall of the link, and neither may go unnoticed."""
EDGE_S = 0.2
EDGE_FOUND_MIN = 0.75
"""The first and the last voiced syllable, and what must be found of each."""
SPAN_S = 0.3
"""Length of the windows whose likeness is judged each for itself."""
LIKENESS_MIN = 0.60
STALLED_LIKENESS_MIN = 0.30
"""Of a window in which the way stood still."""
LEVEL_DB_MAX = 4.0

Matrix = NDArray[np.float64]


class Window(Struct, frozen=True, kw_only=True):
    """One stretch of what was said. `lag_ms`: how much later it was heard; `likeness` 1 is equal, 0 unrelated."""

    at_ms: float
    lag_ms: float
    likeness: float
    found: float
    """Share of its voiced steps found again."""


class Alignment(Struct, frozen=True, kw_only=True):
    """How what was heard follows what was said. Lags are from the mouth to the ear."""

    said_ms: float
    voiced_ms: float
    lag_start_ms: float
    lag_end_ms: float
    lag_max_ms: float
    lag_rise_ms: float
    likeness_mean: float
    likeness_min: float
    missing_ms: float
    missing_near_ms: float
    missing_places: int
    """In so many places more is missing than may be."""
    extra_ms: float
    extra_run_ms: float
    first_found: float
    last_found: float
    heard_until_ms: float
    """Place, in what was said, of the last voiced step that was heard."""
    level_db: float
    windows: tuple[Window, ...]
    problems: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Everything said was heard, once, and nothing else."""
        return not self.problems


def align(
    said: Sound,
    heard: Sound,
    *,
    lag_s: float = 0.0,
    tail_s: float = 0.0,
    slower_s: float = 0.0,
    faster_s: float = 0.0,
    stall_s: float = 0.0,
) -> Alignment:
    """Follow `said` through `heard`; both RATE_HZ. `lag_s`: how much later `heard` began on the clock.

    `tail_s`: so much of the end of `said` need not have been heard (its speaker was killed). `slower_s`: in its middle
    the speech may have gone over to a way that takes so much longer. A listener lengthens speech by as much to get
    there, in single periods of the voice, and what it puts in is found as extra; nothing may be heard twice even so.
    `faster_s`: so much delay was there to be worked off, in single periods all over the speech; in one place no more
    than ever may be missing. `stall_s`: in one place the way may have stood still for so long, as a browser does on a
    busy machine: a listener invents sound for it there, and works it off.
    """
    a, b = bands(said), bands(heard)
    if not len(a) or a.max() < -70 or not len(b) or b.max() < -70:
        return _nothing(said, "nothing was said" if not len(a) or a.max() < -70 else "nothing was heard")
    top = max(float(a.max()), float(b.max()))
    floor = np.clip(np.percentile(a, NOISE_PERCENT, axis=0) + OVER_NOISE_DB, top - FLOOR_DB, top - LEAST_DB)
    loudness_a, loudness_b = (m.max(axis=1) for m in (a, b))
    noise = float(np.percentile(loudness_a, NOISE_PERCENT))
    voiced = float(np.clip(noise + VOICED_OVER_NOISE_DB, top - VOICED_DB, top - LEAST_DB))
    loud_a, loud_b = loudness_a > voiced, loudness_b > voiced
    a, b = (np.maximum(m, floor) - (top - FLOOR_DB) for m in (a, b))
    match, extra = _path(a, b, loud_a, loud_b)
    return _judge(said, a, b, loud_a, loud_b, match, extra, lag_s, tail_s, slower_s, faster_s, stall_s)


def bands(sound: Sound) -> Matrix:
    """Levels (dB) of the mel bands, one row each STEP_S."""
    slow = resample(sound, RATE_HZ, ANALYSIS_HZ)
    width, step = round(WINDOW_S * ANALYSIS_HZ), round(STEP_S * ANALYSIS_HZ)
    if len(slow) < width:
        return np.zeros((0, BANDS))
    spectrum = stft(slow, ANALYSIS_HZ, "hann", width, width - step, 512, boundary=None, padded=False)[2]
    power: Matrix = (np.abs(spectrum.T) ** 2) @ _mel().T
    levels: Matrix = 10 * np.log10(power + 1e-10)
    return levels


@lru_cache(maxsize=1)
def _mel() -> Matrix:
    def mel(hz: float) -> float:
        return float(2595 * np.log10(1 + hz / 700))

    points = 700 * (10 ** (np.linspace(mel(LOW_HZ), mel(HIGH_HZ), BANDS + 2) / 2595) - 1)
    bins = np.arange(257) * ANALYSIS_HZ / 512
    rows = []
    for low, middle, high in zip(points, points[1:], points[2:], strict=False):
        rows.append(np.clip(np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)), 0, None))
    return np.array(rows)


def _distance(row: Matrix, b: Matrix) -> Matrix:
    """0 for the same sound, 1 for an unrelated one, of one step of what was said to every step heard."""
    weight = np.maximum(row, b) + 3.0  # bands in which one of the two is loud count most
    apart: Matrix = (np.abs(row - b) * weight).sum(axis=1) / weight.sum(axis=1) / FAR_DB
    return np.minimum(apart, 1.5)


def _path(
    a: Matrix, b: Matrix, loud_a: NDArray[np.bool_], loud_b: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where each step of `a` is found in `b` (-1: missing), and which steps of `b` are extra."""
    missing = np.where(loud_a, 0.55, 0.12)
    extra = np.concatenate(([0.0], np.cumsum(np.where(loud_b, 0.55, 0.04))))
    n, m = len(a), len(b)
    cost = extra.copy()
    choice = np.zeros((n + 1, m + 1), np.int8)  # 0: b's step is extra, 1: found, 2: a's step is missing
    choice[0, :] = 0
    for i in range(n):
        down = cost + missing[i]
        diagonal = np.concatenate(([np.inf], cost[:-1] + _distance(a[i], b)))
        best = np.minimum(down, diagonal)
        took = np.where(diagonal <= down, 1, 2).astype(np.int8)
        base = best - extra
        along = np.minimum.accumulate(base)
        cost = along + extra
        choice[i + 1] = np.where(base <= along, took, 0)
    match = np.full(n, -1, np.int64)
    unsaid = np.zeros(m, np.bool_)
    i, j = n, m
    while i or j:
        step = 2 if not j else 0 if not i else int(choice[i, j])
        if step == 1:
            i, j = i - 1, j - 1
            match[i] = j
        elif step == 2:
            i -= 1
        else:
            j -= 1
            unsaid[j] = True
    return match, unsaid


def _judge(
    said: Sound,
    a: Matrix,
    b: Matrix,
    loud_a: NDArray[np.bool_],
    loud_b: NDArray[np.bool_],
    match: NDArray[np.int64],
    unsaid: NDArray[np.bool_],
    lag_s: float,
    tail_s: float,
    slower_s: float,
    faster_s: float,
    stall_s: float,
) -> Alignment:
    voiced = np.flatnonzero(loud_a)
    needed = voiced[voiced < len(a) - round(tail_s / STEP_S)] if tail_s else voiced
    found = match >= 0
    apart = np.array([_distance(a[i], b[match[i] : match[i] + 1])[0] if found[i] else 1.0 for i in range(len(a))])
    lost = ~found & loud_a
    lost[needed[-1] + 1 if len(needed) else 0 :] = False
    added = unsaid & loud_b
    windows = _windows(needed, match, found, apart, lag_s)
    level_db = _level(a, b, loud_a, match)
    edge = max(1, round(EDGE_S / STEP_S))
    first, last = (float(found[part].mean()) if len(part) else 0.0 for part in (needed[:edge], needed[-edge:]))
    starts = [w.lag_ms for w in windows if w.found > 0.5]
    likeness = [w.likeness for w in windows] or [0.0]
    result = Alignment(
        said_ms=len(said) / RATE_HZ * 1000,
        voiced_ms=len(voiced) * STEP_S * 1000,
        lag_start_ms=starts[0] if starts else 0.0,
        lag_end_ms=starts[-1] if starts else 0.0,
        lag_max_ms=max(starts, default=0.0),
        lag_rise_ms=float(max(starts - np.minimum.accumulate(starts))) if starts else 0.0,
        likeness_mean=float(np.mean(likeness)),
        likeness_min=min(likeness),
        missing_ms=float(lost.sum()) * STEP_S * 1000,
        missing_near_ms=_most_near(lost) * STEP_S * 1000,
        missing_places=_places(lost),
        extra_ms=float(added.sum()) * STEP_S * 1000,
        extra_run_ms=_run(added) * STEP_S * 1000,
        first_found=first,
        last_found=last,
        heard_until_ms=float(voiced[found[voiced]].max(initial=0)) * STEP_S * 1000,
        level_db=level_db,
        windows=windows,
        problems=(),
    )
    return _with_problems(result, slower_s + stall_s, faster_s, stall_s)


def _with_problems(r: Alignment, slower_s: float, faster_s: float, stall_s: float) -> Alignment:
    problems = []
    if r.first_found < EDGE_FOUND_MIN:
        problems.append(f"of the first syllable only {r.first_found:.0%} was heard")
    if r.last_found < EDGE_FOUND_MIN:
        problems.append(f"of the last syllable only {r.last_found:.0%} was heard")
    if r.missing_near_ms > (MISSING_NEAR_S_MAX + stall_s) * 1000:
        problems.append(f"{r.missing_near_ms:.0f} ms of speech in one place were not heard")
    if stall_s and r.missing_places > 1:
        problems.append(f"speech is missing in {r.missing_places} places")
    if r.missing_ms > MISSING_SHARE_MAX * r.voiced_ms + faster_s * 1000:
        problems.append(f"{r.missing_ms:.0f} of {r.voiced_ms:.0f} ms of speech were not heard")
    if r.extra_run_ms > (EXTRA_RUN_S_MAX + stall_s) * 1000:
        problems.append(f"{r.extra_run_ms:.0f} ms in one piece were heard twice or were never said")
    if r.extra_ms > EXTRA_SHARE_MAX * r.voiced_ms + slower_s * 1000:
        problems.append(f"{r.extra_ms:.0f} ms were heard that were not said, for {r.voiced_ms:.0f} ms of speech")
    if r.lag_rise_ms > (LAG_RISE_S_MAX + slower_s) * 1000:
        problems.append(
            f"what followed came {r.lag_rise_ms:.0f} ms later: something was heard twice, or a hole was left"
        )
    bad = [w for w in r.windows if w.likeness < LIKENESS_MIN]
    if bad and not _one_stall(bad, stall_s):
        places = ", ".join(f"{w.at_ms:.0f} ms ({w.likeness:.2f})" for w in bad[:5])
        problems.append(f"{len(bad)} of {len(r.windows)} windows do not sound like what was said: {places}")
    if abs(r.level_db) > LEVEL_DB_MAX:
        problems.append(f"the level changed by {r.level_db:+.1f} dB")
    return replace(r, problems=tuple(problems))


def _one_stall(bad: list[Window], stall_s: float) -> bool:
    """Whether one stall explains windows that do not sound as they should: they lie around it, and no further."""
    near = bad[-1].at_ms - bad[0].at_ms <= (SPAN_S + stall_s) * 1000
    return stall_s > 0 and near and all(w.likeness >= STALLED_LIKENESS_MIN for w in bad)


def _windows(
    needed: NDArray[np.int64],
    match: NDArray[np.int64],
    found: NDArray[np.bool_],
    apart: Matrix,
    lag_s: float,
) -> tuple[Window, ...]:
    """Judge stretches of SPAN_S of voiced sound, the last one included whole."""
    span = round(SPAN_S / STEP_S)
    begins = list(range(0, max(1, len(needed) - span), span // 2))
    begins.append(max(0, len(needed) - span))
    windows = []
    for begin in sorted(set(begins)):
        steps = needed[begin : begin + span]
        if not len(steps):
            continue
        there = steps[found[steps]]
        lags = (match[there] - there) * STEP_S + lag_s
        windows.append(
            Window(
                at_ms=float(steps[0]) * STEP_S * 1000,
                lag_ms=float(np.median(lags)) * 1000 if len(there) else 0.0,
                likeness=float(1 - np.minimum(apart[steps], 1.0).mean()),
                found=len(there) / len(steps),
            )
        )
    return tuple(windows)


def _level(a: Matrix, b: Matrix, loud_a: NDArray[np.bool_], match: NDArray[np.int64]) -> float:
    steps = np.flatnonzero(loud_a & (match >= 0))
    if not len(steps):
        return 0.0
    return float(np.median(b[match[steps]].max(axis=1) - a[steps].max(axis=1)))


def _run(flags: NDArray[np.bool_]) -> int:
    """Length of the longest run."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def _places(flags: NDArray[np.bool_]) -> int:
    """In how many places more than MISSING_NEAR_S_MAX of flags lie within NEAR_S."""
    if not len(flags):
        return 0
    near = np.convolve(flags, np.ones(round(NEAR_S / STEP_S), np.int64)) > round(MISSING_NEAR_S_MAX / STEP_S)
    return int(near[0]) + int((np.diff(near.astype(np.int8)) > 0).sum())


def _most_near(flags: NDArray[np.bool_]) -> int:
    """Most flags within NEAR_S."""
    return int(np.convolve(flags, np.ones(round(NEAR_S / STEP_S), np.int64)).max()) if len(flags) else 0


def _nothing(said: Sound, what: str) -> Alignment:
    fields: dict[str, Any] = dict.fromkeys(Alignment.__struct_fields__, 0.0)
    fields |= {"said_ms": len(said) / RATE_HZ * 1000, "windows": (), "problems": (what,)}
    return Alignment(**fields)
