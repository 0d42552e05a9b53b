"""The office's wall clock as this machine's monotonic clock can tell it: an offset, measured, with its error.

Moments of different machines can be compared by it. No lease is judged by it, and nothing of the floor.
"""

DRIFT = 100e-6
"""So much may two clocks drift apart, as a part of the time since they were compared."""
READING_MS = 2.0
"""The office tells its clock in whole ms, and so is what is made of it."""


class ServerClock:
    """The offset of the last round of probes that was answered: of its probes the shortest round trip counts."""

    def __init__(self) -> None:
        """Nothing was measured."""
        self._best: tuple[float, float, float] | None = None
        """Half of the round trip (ms), the offset (ms), when it was measured (s)."""
        self._anew = True

    @property
    def measured(self) -> bool:
        """Whether a server ever told its time."""
        return self._best is not None

    def begin(self) -> None:
        """Begin a new round: its first answer takes the place of what is known."""
        self._anew = True

    def probed(self, sent_at: float, answered_at: float, server_ms: int) -> None:
        """Take one answer: `server_ms` was the office's time at some moment between the other two (s)."""
        half_ms = max(0.0, (answered_at - sent_at) * 500)
        if self._anew or self._best is None or half_ms < self._best[0]:
            middle = (sent_at + answered_at) / 2
            self._best = (half_ms, server_ms - middle * 1000, middle)
            self._anew = False

    def at(self, moment: float) -> tuple[int, int] | None:
        """Give the office's time (Unix ms) at a monotonic moment (s), and how wrong that can be (ms); None: unknown."""
        if self._best is None:
            return None
        half_ms, offset_ms, measured_at = self._best
        error_ms = half_ms + READING_MS + abs(moment - measured_at) * 1000 * DRIFT
        return max(0, round(moment * 1000 + offset_ms)), int(error_ms) + 1
