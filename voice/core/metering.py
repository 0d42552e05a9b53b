"""A meter for the microphone: peak, loudness, noise floor, clipping, and how loud the test tone is in it. Pure."""

from __future__ import annotations

import math
from array import array
from collections import deque
from operator import mul

from msgspec import Struct

NOTHING_DB = -100.0
TONE_HZ = 1000
FLOOR_S = 3.0
_FULL = 32768


class Measured(Struct, frozen=True):
    """One window; levels in dB of full scale, a full-scale sine having an rms of -3."""

    peak_db: float
    rms_db: float
    floor_db: float
    """The softest window of the last FLOOR_S."""
    clipped: int
    tone_db: float
    """The rms of what is at TONE_HZ."""


class Metering:
    """Windows of `window_s`, one after the other."""

    def __init__(self, rate_hz: int, window_s: float) -> None:
        """`rate_hz` of the frames."""
        self._rate_hz = rate_hz
        self._window = round(window_s * rate_hz)
        self._samples = array("h")
        self._clipped = 0
        self._softest: deque[float] = deque(maxlen=round(FLOOR_S / window_s))

    def clear(self) -> None:
        """Begin a new window, knowing no floor."""
        self._samples = array("h")
        self._clipped = 0
        self._softest.clear()

    def hear(self, raw: bytes, frame: bytes) -> Measured | None:
        """Take a frame as the device gave it and as it would be sent; gives a window that it fills."""
        given = array("h", raw)
        if max(given) >= 32767 or min(given) <= -32768:
            self._clipped += given.count(32767) + given.count(-32768)
        self._samples.frombytes(frame)
        if len(self._samples) < self._window:
            return None
        samples, self._samples = self._samples, array("h")
        clipped, self._clipped = self._clipped, 0
        rms_db = _db(math.sqrt(sum(map(mul, samples, samples)) / len(samples)))
        self._softest.append(rms_db)
        return Measured(
            peak_db=_db(max(max(samples), -min(samples))),
            rms_db=rms_db,
            floor_db=min(self._softest),
            clipped=clipped,
            tone_db=_db(self._tone(samples)),
        )

    def _tone(self, samples: array[int]) -> float:
        """Goertzel's algorithm."""
        turn = 2 * math.cos(2 * math.pi * TONE_HZ / self._rate_hz)
        before = last = 0.0
        for sample in samples:
            before, last = last, sample + turn * last - before
        power = max(0.0, last * last + before * before - turn * last * before)
        return math.sqrt(2 * power) / len(samples)


def tone(rate_hz: int, seconds: float, level_db: float) -> array[int]:
    """Give a sine of TONE_HZ whose peak has that level, faded in and out."""
    count, fade = round(seconds * rate_hz), round(0.02 * rate_hz)
    peak = _FULL * 10 ** (level_db / 20) - 1
    turn = 2 * math.pi * TONE_HZ / rate_hz
    return array("h", (round(peak * min(1.0, n / fade, (count - n) / fade) * math.sin(turn * n)) for n in range(count)))


def _db(level: float) -> float:
    return max(NOTHING_DB, round(20 * math.log10(min(level, _FULL) / _FULL), 1)) if level > 0 else NOTHING_DB
