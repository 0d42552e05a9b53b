"""Whether somebody speaks: how far the sound stands out of a noise floor that follows the noise. Pure.

A car's noise lies low and is steady; a voice comes in syllables and reaches higher. So each step is looked at through
a filter that leaves the rumble out, and is compared with the softest steps of the last second: noise that stays is
the floor, a voice has pauses in which the floor is seen again. Loud music is taken for speech; a horn for less than
FLOOR_S. The choices are measured in lab.measure.speech_detection.
"""

import math
from array import array
from collections import deque
from operator import add, mul, sub

STEP_S = 0.02
"""What is judged at a time."""
POINTS_HZ = 8000
"""So many points a second are looked at, whatever the device's rate."""
FLOOR_S = 1.0
"""The floor is the softest part of so long a time: a voice dips within it, a gust of wind rises in more..."""
FLOOR_PART_S = 0.2
"""...kept in parts of this length."""
SMOOTH_STEPS = 3
"""The floor is sought in means over so many steps, which are steadier than one."""
OVER_DB = 4.0
"""A step so far above the floor may be speech..."""
WITHIN_STEPS, STEPS = 15, 4
"""...and is, where so many of the last ones are."""
SILENCE_DB = -70.0
"""Softer than this, in dB of full scale behind the filter, nothing is speech."""
NOTHING_DB = -100.0


class Voiced:
    """Feed it all frames of one microphone, in order."""

    def __init__(self, rate_hz: int) -> None:
        """`rate_hz`: a multiple of POINTS_HZ."""
        self._every = rate_hz // POINTS_HZ
        self._step = round(STEP_S * POINTS_HZ)
        self._points: list[int] = []
        self._last = 0
        self._smooth: deque[float] = deque(maxlen=SMOOTH_STEPS)
        self._parts: deque[float] = deque(maxlen=round(FLOOR_S / FLOOR_PART_S))
        self._part_steps = 0
        self._over: deque[bool] = deque(maxlen=WITHIN_STEPS)
        self.speech = False
        """Whether the sound up to now is speech."""

    @property
    def floor_db(self) -> float:
        """The noise floor in dB of full scale, behind the filter; NOTHING_DB before anything was heard."""
        return min(self._parts, default=NOTHING_DB)

    def hear(self, frame: bytes) -> bool:
        """Take a frame of 16-bit sound; gives whether it ends in speech."""
        samples, every = array("h", frame), self._every
        if every > 1:
            half = every // 2
            points = list(map(add, samples[::every], samples[half::every]))
        else:
            points = [2 * sample for sample in samples]
        self._points += points
        while len(self._points) >= self._step:
            step = self._points[: self._step]
            del self._points[: self._step]
            self._judge(step)
        return self.speech

    def _judge(self, step: list[int]) -> None:
        rises = list(map(sub, step, [self._last, *step]))
        self._last = step[-1]
        power = sum(map(mul, rises, rises)) / len(rises)
        level_db = max(NOTHING_DB, 10 * math.log10(power / 65536**2)) if power else NOTHING_DB
        self._smooth.append(level_db)
        self._follow(sum(self._smooth) / len(self._smooth))
        self._over.append(level_db > max(self.floor_db + OVER_DB, SILENCE_DB))
        self.speech = sum(self._over) >= STEPS

    def _follow(self, level_db: float) -> None:
        if not self._parts or self._part_steps >= round(FLOOR_PART_S / STEP_S):
            self._parts.append(level_db)
            self._part_steps = 0
        self._parts[-1] = min(self._parts[-1], level_db)
        self._part_steps += 1
