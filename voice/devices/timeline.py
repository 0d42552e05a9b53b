"""When a frame was really captured, from callbacks that come late by chance and device times that may be missing."""

LATENCY_S_MAX = 0.5
"""A device that claims an older sample than this has no usable clock."""
WINDOW_FRAMES = 200
"""The earliest of so many callbacks, and as many before them, is taken for punctual."""
JUMP_S = 0.06
JUMP_FRAMES = 10
"""So many callbacks in a row that are late by JUMP_S are no stall that was caught up: samples were lost."""
SLEW_S = 0.0005
"""Start times move by no more than this from frame to frame, so that speech has neither holes nor overlaps."""


class Timeline:
    """Smooth start times of consecutive frames of `frame_s`: counted in samples, anchored to the punctual callbacks.

    A callback can only be late, never early; a clock that drifts is followed by the window.
    """

    def __init__(self, frame_s: float) -> None:
        self._frame_s = frame_s
        self._count = 0
        self._least = (float("inf"), float("inf"))
        self._late_run = 0
        self._next_s: float | None = None

    def start_of(self, now: float, age_s: float) -> float:
        """Give the time of a frame's first sample; `age_s` is its age by the device, 0 where it knows nothing."""
        age_s = age_s if self._frame_s <= age_s <= LATENCY_S_MAX else self._frame_s
        offset_s = now - age_s - self._count * self._frame_s
        if self._count % WINDOW_FRAMES == 0:
            self._least = (self._least[1], offset_s)
        self._least = (self._least[0], min(self._least[1], offset_s))
        self._late_run = self._late_run + 1 if offset_s > min(self._least) + JUMP_S else 0
        if self._late_run >= JUMP_FRAMES:
            self._least = (float("inf"), offset_s)
            self._next_s = None
        target_s = min(self._least) + self._count * self._frame_s
        if self._next_s is not None:
            target_s = min(max(target_s, self._next_s - SLEW_S), self._next_s + SLEW_S)
        self._count += 1
        self._next_s = target_s + self._frame_s
        return target_s
