"""The last bursts heard, piece by piece as they were played, in memory and bounded. Pure; pieces are opaque."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

P = TypeVar("P")


class Kept(Generic[P]):
    """At most `count` bursts and `seconds` of sound; the oldest burst goes first, then the newest's beginning."""

    def __init__(self, count: int, seconds: float) -> None:
        """`count` 0 keeps nothing."""
        self._count = count
        self._seconds_max = seconds
        self._bursts: OrderedDict[int, deque[tuple[P, float]]] = OrderedDict()
        self.seconds = 0.0
        """How much is kept."""

    def add(self, burst: int, piece: P, seconds: float) -> None:
        """Keep what is played next of a burst."""
        if not self._count:
            return
        if burst not in self._bursts:
            self._bursts[burst] = deque()
            while len(self._bursts) > self._count:
                self._drop_oldest()
        self._bursts[burst].append((piece, seconds))
        self.seconds += seconds
        while self.seconds > self._seconds_max and len(self._bursts) > 1:
            self._drop_oldest()
        pieces = self._bursts[burst]
        while self.seconds > self._seconds_max and pieces:
            self.seconds -= pieces.popleft()[1]

    def pieces(self, burst: int) -> tuple[P, ...]:
        """Give a burst's pieces in the order they were played; empty where it is not kept (any more)."""
        return tuple(piece for piece, _ in self._bursts.get(burst, ()))

    @property
    def bursts(self) -> tuple[int, ...]:
        """Those that are kept, oldest first."""
        return tuple(self._bursts)

    def _drop_oldest(self) -> None:
        _, pieces = self._bursts.popitem(last=False)
        self.seconds -= sum(seconds for _, seconds in pieces)
