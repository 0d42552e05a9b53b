"""Patterns in time for motor, lights and buzzer, and the pure player the gateway's one loop drives.

A level is 0-255 for the motor and the lights, and a pitch in Hz (0 = silent) for the buzzer. The four
vibration patterns are the plan's (DESIGN section 8); they are logical, and `with_kick` fits them to a motor.
"""

from __future__ import annotations

from typing import Final

import msgspec

STEPS_MAX: Final = 64
STEP_MS_MAX: Final = 60_000


class Pattern(msgspec.Struct, frozen=True):
    """Steps of (ms, level), played once and then 0; or again and again with a gap of level 0 between.

    `repeat_after_ms` is that gap, None for once. Raises ValueError for no steps or more than `STEPS_MAX`, for a
    step or gap outside 1-60000 ms (a gap may be 0), and for a negative level.
    """

    steps: tuple[tuple[int, int], ...]
    repeat_after_ms: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.steps) <= STEPS_MAX:
            raise ValueError(f"a pattern has 1 to {STEPS_MAX} steps")
        if any(not 1 <= ms <= STEP_MS_MAX or level < 0 for ms, level in self.steps):
            raise ValueError(f"a step lasts 1 to {STEP_MS_MAX} ms at a level of 0 or more")
        if self.repeat_after_ms is not None and not 0 <= self.repeat_after_ms <= STEP_MS_MAX:
            raise ValueError(f"a repeated pattern pauses 0 to {STEP_MS_MAX} ms")

    @property
    def is_steady(self) -> bool:
        """Whether the level never changes again: repeated without a gap, all steps alike."""
        return self.repeat_after_ms == 0 and len({level for _, level in self.steps}) == 1


def steady(level: int) -> Pattern:
    """A level that stays until something else is started."""
    return Pattern(((1000, level),), repeat_after_ms=0)


def blink(on_ms: int, off_ms: int, level: int = 255) -> Pattern:
    """On and off, again and again."""
    return Pattern(((on_ms, level),), repeat_after_ms=off_ms)


START_SUCCESS: Final = Pattern(((100, 255),))
"""The floor was granted: one short strong push."""

START_FAIL: Final = Pattern(((80, 200), (80, 0), (80, 200)))
"""The floor was refused: two short ones."""

SESSION_NOTIFICATION: Final = Pattern(((300, 150),))
"""A session began: one long soft one."""

HOLD: Final = Pattern(((50, 100), (200, 0), (50, 100), (200, 0), (50, 100)), repeat_after_ms=200)
"""While transmitting: faint ticks, repeated after 200 ms."""


COUNTING: Final = Pattern(((60, 200), (60, 0)) * 7 + ((60, 200),))
"""The emergency button is held and counts: a tremble of 0.9 s, cut by what comes of it."""

EMERGENCY: Final = Pattern(((200, 255), (80, 0)) * 2 + ((200, 255),))
"""An emergency, one's own or another's: three strong ones."""

YOUR_TURN: Final = Pattern(((100, 255), (80, 0), (300, 255)))
"""The floor came after waiting for it: short, long, both strong. The button is still held, nobody looks for it."""


DENIED: Final = Pattern(((300, 255), (150, 0), (80, 200), (80, 0), (80, 200)))
"""The office refused, and says why: one long strong push, then two short ones. None of the plan's begins so."""


def with_kick(pattern: Pattern, kick_ms: int) -> Pattern:
    """Start each pulse that follows silence at full level (255) for `kick_ms`; the pattern keeps its length."""
    steps: list[tuple[int, int]] = []
    before = 0
    for ms, level in pattern.steps:
        kicked = min(kick_ms, ms) if level > 0 and before == 0 else 0
        steps += [(part, at) for part, at in ((kicked, 255), (ms - kicked, level)) if part > 0]
        before = level
    return Pattern(tuple(steps), pattern.repeat_after_ms)


class PatternPlayer:
    """Plays one pattern at a time; all times are `now`, seconds on one monotonic clock.

    `tick` after `start`, `stop` and whenever `next_deadline` has come; it returns a level when that changed, else
    None. A late tick goes to where the pattern is by then and does not play what was missed.
    """

    def __init__(self) -> None:
        self._pattern: Pattern | None = None
        self._index = 0
        self._ends_at = 0.0
        self._level = 0
        self._told = 0

    @property
    def playing(self) -> Pattern | None:
        """The pattern under way, or None."""
        return self._pattern

    @property
    def level(self) -> int:
        """The level the pattern is at, told or not."""
        return self._level

    def start(self, pattern: Pattern, now: float) -> None:
        """Begin a pattern at once in place of the one under way, if any."""
        self._pattern = pattern
        self._enter(0, now)

    def stop(self) -> None:
        """End the pattern under way; the level becomes 0 at the next tick."""
        self._pattern = None
        self._level = 0

    def tick(self, now: float) -> int | None:
        """Move on to `now`; returns the new level, or None where it stays as it was last told."""
        while self._pattern is not None and not self._pattern.is_steady and now >= self._ends_at:
            self._next(self._pattern, now)
        if self._level == self._told:
            return None
        self._told = self._level
        return self._level

    def next_deadline(self) -> float | None:
        """When to tick again; None while nothing will change by itself."""
        if self._level != self._told:
            return float("-inf")
        if self._pattern is None or self._pattern.is_steady:
            return None
        return self._ends_at

    def _next(self, pattern: Pattern, now: float) -> None:
        """Leave the step that has ended: for the next one, for the gap (one past the last), or for the end."""
        gap_ms = pattern.repeat_after_ms
        if self._index + 1 < len(pattern.steps) or (self._index + 1 == len(pattern.steps) and gap_ms):
            self._enter(self._index + 1, self._ends_at)
        elif gap_ms is None:
            self.stop()
        else:
            cycle_s = (sum(ms for ms, _ in pattern.steps) + gap_ms) / 1000
            missed = max(0.0, (now - self._ends_at) // cycle_s)
            self._enter(0, self._ends_at + missed * cycle_s)

    def _enter(self, index: int, at: float) -> None:
        assert self._pattern is not None
        steps = self._pattern.steps
        ms, self._level = steps[index] if index < len(steps) else (self._pattern.repeat_after_ms or 0, 0)
        self._index = index
        self._ends_at = at + ms / 1000
