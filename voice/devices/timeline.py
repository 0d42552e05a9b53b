"""When a frame was really captured, from callbacks that come late by chance and device times that may be missing."""

LATENCY_S_MAX = 0.5
"""A device that claims an older sample than this has no usable clock."""
JUMP_S = 0.06
_FASTER, _SLOWER = 0.3, 0.002


class Timeline:
    """Smooth, never overlapping start times of consecutive frames of `frame_s`.

    A callback can only be late, never early: an earlier estimate is followed quickly, a later one slowly (the device's
    clock may be slower than ours), one that is off by more than JUMP_S at once (samples were lost).
    """

    def __init__(self, frame_s: float) -> None:
        self._frame_s = frame_s
        self._next_s: float | None = None

    def start_of(self, now: float, age_s: float) -> float:
        """Give the time of a frame's first sample; `age_s` is its age by the device, 0 where it knows nothing."""
        age_s = age_s if self._frame_s <= age_s <= LATENCY_S_MAX else self._frame_s
        estimate_s = now - age_s
        expected_s = self._next_s
        if expected_s is None:
            start_s = estimate_s
        elif abs(estimate_s - expected_s) > JUMP_S:
            start_s = max(estimate_s, expected_s)  # samples were lost, or late callbacks come in one go
        else:
            error_s = estimate_s - expected_s
            start_s = expected_s + error_s * (_FASTER if error_s < 0 else _SLOWER)
        self._next_s = start_s + self._frame_s
        return start_s
