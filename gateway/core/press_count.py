"""How this vehicle's presses were answered, and how fast, since the daemon's start."""

from collections import Counter, deque
from collections.abc import Iterable

from gateway.core.told import Told
from gateway.core.words import Effect, Tell
from protocol.messages import PressCounts

KEPT_MAX = 100
"""So many of the last answers are in the percentiles."""


class PressCount:
    """Sees every press and all that is told; the first thing told of a press is its answer.

    An emergency's number has no edge of the talk button: it is neither a press nor an answer here.
    """

    def __init__(self) -> None:
        """Nothing was pressed yet."""
        self._edge_at: float | None = None
        self._answered_no = 0
        self._presses = 0
        self._answers: Counter[str] = Counter()
        self._times_s: deque[float] = deque(maxlen=KEPT_MAX)

    def pressed(self, at: float) -> None:
        """The button went down, at the edge's time."""
        self._presses += 1
        self._edge_at = at

    def look(self, effects: Iterable[Effect], now: float) -> None:
        """Find the answers among the effects of one event."""
        for effect in effects:
            if isinstance(effect, Tell) and effect.press_no > self._answered_no:
                self._answered_no = effect.press_no
                if self._edge_at is not None:
                    self._answers[effect.what.value] += 1
                    self._times_s.append(max(0.0, now - self._edge_at))
                    self._edge_at = None

    def counts(self) -> PressCounts:
        """Give them as they are published."""
        times_ms = sorted(1000 * time_s for time_s in self._times_s)
        others = {what: count for what, count in self._answers.items() if what != Told.GRANTED}
        return PressCounts(
            presses=self._presses,
            granted=self._answers[Told.GRANTED.value],
            denied=others,
            answer_ms_p50=_percentile(times_ms, 0.5),
            answer_ms_p99=_percentile(times_ms, 0.99),
        )


def _percentile(ordered: list[float], part: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None
