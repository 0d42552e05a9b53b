"""Working off delay: sound waits here to be played, a little faster than it was spoken where it is late.

Speech loses single periods of its pitch, which stays what it was, at most up to SPEED_MAX; pauses over PAUSE_LONG_S are
made as short as PAUSE_HEAD_S and PAUSE_TAIL_S together. No word is ever left out. Used by the ear for what arrives
late, and by the mouth's side where a way takes speech only as fast as it is spoken (ADR 0016).
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from operator import mul

from voice.stretch import PERIOD_S_MAX, is_quiet, joined, shorten

SPEED_MAX = 1.25
"""Speech played faster than this is understood with effort, the more so in a driving car; see ADR 0016."""
WINDOW_S = 2 * PERIOD_S_MAX + 0.005
"""Sound looked at to choose a period from. Only what waits anyway is decoded so far ahead."""
WORTH_S = 0.0002
"""Less is not worth a splice."""
PAUSE_LONG_S = 0.2
"""Shorter pauses are the sentence's own."""
PAUSE_HEAD_S = 0.06
PAUSE_TAIL_S = 0.04
"""What is left of a longer one: behind a word that fades, and before one that begins softly."""
OVER_FLOOR = 1.6
UNDER_LOUD = 0.12
"""In noise a pause is what is at most so much louder than the softest and so much softer than the loudest heard."""
FLOOR_RISE = 1.1
LOUD_FALL = 0.8
"""How fast the two are forgotten, per second."""
_THIN_HZ = 8000


class Hurry:
    """A queue of 16-bit mono samples. Not thread-safe.

    hurry.add(sound, spare_s)     what is to be played next; `spare_s`: how much of all that waits here may be left out
    hurry.take(count)             what is played now
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._thin = max(1, rate_hz // _THIN_HZ)
        self._sound = array("h")
        self._kept: deque[array[int]] = deque()
        self._kept_count = 0
        self._pause_s = 0.0
        self._spliced = False
        self._last = 0
        self._spare_s = 0.0
        self._credit_s = 0.0
        self._floor = math.inf
        self._loud = 0.0
        self.left_out_s = 0.0
        """Sound left out since start."""

    def begin(self) -> None:
        """Another voice, or another burst, begins: what waits is played, nothing is known of what comes."""
        self.release()
        self._pause_s = self._spare_s = self._credit_s = 0.0
        self._floor, self._loud = math.inf, 0.0

    def clear(self) -> None:
        """What waits is not played."""
        del self._sound[:]
        self._kept.clear()
        self._kept_count = 0
        self._spliced = False
        self._spare_s = 0.0

    @property
    def ready(self) -> int:
        """Samples that may be taken without asking for more; a pause that is kept back comes on top."""
        return len(self._sound)

    @property
    def ahead_s(self) -> float:
        """Length of all that waits."""
        return (len(self._sound) + self._kept_count) / self._rate_hz

    @property
    def keeps(self) -> bool:
        """A pause is kept back until it is known how long it is."""
        return bool(self._kept)

    def wanted(self, count: int) -> int:
        """How many samples should be ready before `count` are taken: more where something is about to be left out."""
        return max(count, round(WINDOW_S * self._rate_hz)) if self._due() else count

    def add(self, sound: array[int], spare_s: float) -> None:
        """Have sound played behind what waits."""
        length_s = len(sound) / self._rate_hz
        self._spare_s = spare_s
        if not self._is_pause(sound, length_s):
            self.release()
            self._pause_s = 0.0
            self._play(sound)
            return
        self._pause_s += length_s
        if self._pause_s - length_s < PAUSE_HEAD_S or spare_s < length_s:
            self.release()
            self._play(sound)
            return
        self._kept.append(sound)
        self._kept_count += len(sound)
        if self._pause_s > PAUSE_LONG_S:
            self._leave_out()

    def add_plain(self, sound: array[int]) -> None:
        """Have sound played behind what waits, of which nothing may be left out."""
        self.release()
        self._spare_s = 0.0
        self._play(sound)

    def release(self) -> bool:
        """Have the pause played that is kept back; False where none is."""
        if not self._kept:
            return False
        while self._kept:
            self._play(self._kept.popleft())
        self._kept_count = 0
        return True

    def take(self, count: int) -> array[int]:
        """Give the next `count` samples, or what there is."""
        if self._due():
            most_s = min(self._spare_s, PERIOD_S_MAX)
            shorter = shorten(self._sound, self._rate_hz, most_s)
            gone_s = (len(self._sound) - len(shorter)) / self._rate_hz
            self._sound = shorter
            self._spare_s -= gone_s
            self._credit_s -= gone_s
            self.left_out_s += gone_s
        if len(self._sound) < count:
            self.release()
        part = self._sound[:count]
        del self._sound[:count]
        self._credit_s = min(PERIOD_S_MAX, self._credit_s + (SPEED_MAX - 1) * len(part) / self._rate_hz)
        return part

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _due(self) -> bool:
        return self._spare_s > WORTH_S and self._credit_s >= min(self._spare_s, PERIOD_S_MAX) - 1e-9

    def _play(self, sound: array[int]) -> None:
        if self._spliced:
            self._spliced = False
            sound = joined(self._last, sound[:], self._rate_hz)
        if sound:
            self._last = sound[-1]
        self._sound.extend(sound)

    def _leave_out(self) -> None:
        kept, tail = self._kept, round(PAUSE_TAIL_S * self._rate_hz)
        while kept and self._kept_count - len(kept[0]) >= tail and self._spare_s >= len(kept[0]) / self._rate_hz:
            gone = kept.popleft()
            self._kept_count -= len(gone)
            self._spliced = True
            self._spare_s -= len(gone) / self._rate_hz
            self.left_out_s += len(gone) / self._rate_hz

    def _is_pause(self, sound: array[int], length_s: float) -> bool:
        part = sound[:: self._thin].tolist()
        level = math.sqrt(sum(map(mul, part, part)) / max(1, len(part)))
        self._floor = min(level, self._floor * FLOOR_RISE**length_s)
        self._loud = max(level, self._loud * LOUD_FALL**length_s)
        return is_quiet(sound) or (level < OVER_FLOOR * self._floor and level < UNDER_LOUD * self._loud)
