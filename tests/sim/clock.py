"""Virtual time: a heap of calls, run in order; ties in the order they were made."""

import heapq
from collections.abc import Callable

SPIN_MAX = 5000
"""So many calls at one instant are a loop that does not sleep."""


class Clock:
    """The simulation's only clock, in seconds."""

    def __init__(self) -> None:
        self.now = 100.0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._n = 0

    def at(self, when: float, fn: Callable[[], None]) -> None:
        """Call `fn` at `when`, or next if that has passed."""
        self._n += 1
        heapq.heappush(self._heap, (max(when, self.now), self._n, fn))

    def after(self, delay_s: float, fn: Callable[[], None]) -> None:
        """Call `fn` in `delay_s`."""
        self.at(self.now + delay_s, fn)

    def run(self, until: float, check: Callable[[], None]) -> int:
        """Run every call up to `until`, with `check` after each; gives how many there were."""
        steps = here = 0
        while self._heap and self._heap[0][0] <= until:
            before = self.now
            self.now, _, fn = heapq.heappop(self._heap)
            here = here + 1 if self.now == before else 0
            if here > SPIN_MAX:
                raise RuntimeError(f"time stands still at {before}: {fn}")
            fn()
            check()
            steps += 1
        self.now = until
        return steps

    @property
    def wall_ms(self) -> int:
        """Unix ms that goes with it."""
        return 1_700_000_000_000 + round(self.now * 1000)


class Alarm:
    """One pending call that can be moved: a later setting makes the earlier one void."""

    def __init__(self, clock: Clock, fn: Callable[[], None]) -> None:
        self._clock = clock
        self._fn = fn
        self._turn = 0
        self._at: float | None = None

    def set(self, when: float | None) -> None:
        """Call the function at `when` and not before; None for not at all."""
        if when is not None and self._at == when and when > self._clock.now:
            return
        self._at = when
        self._turn += 1
        if when is not None:
            turn = self._turn
            self._clock.at(when, lambda: self._fire(turn))

    def _fire(self, turn: int) -> None:
        if turn == self._turn:
            self._at = None
            self._fn()
