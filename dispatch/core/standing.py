"""What an office's devices say that stands, as the broker retains it, and when the broker has surely told all of it.

What was cleared while no server listened shows by what the broker does not have; but a broker may lose it, so that
counts only once every device that is present must have connected and said how it stands.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

SETTLE_S = 180.0
"""Who counts as present so long after the broker came up is connected, and has said what holds."""


class Standing(Generic[K]):
    """The keys that stand. Times are those of `handle` (s)."""

    def __init__(self) -> None:
        """Nothing was heard."""
        self.settle_at: float | None = None
        """From when on what does not stand is cleared, once; None: not known, or done."""
        self._keys: set[K] = set()

    def __contains__(self, key: K) -> bool:
        """Whether it stands."""
        return key in self._keys

    def broker_up(self, now: float) -> None:
        """The broker is telling all it has; some of it may have come already."""
        self.settle_at = now + SETTLE_S

    def broker_down(self) -> None:
        """Nothing can be heard: what stands is not known."""
        self._keys.clear()
        self.settle_at = None

    def see(self, key: K, raised: bool) -> None:
        """The broker has it, or has it no more."""
        (self._keys.add if raised else self._keys.discard)(key)

    def settled(self, now: float) -> bool:
        """Whether what does not stand is to be cleared now."""
        return self.settle_at is not None and now >= self.settle_at

    def committed(self, now: float) -> None:
        """What did not stand was cleared, if it was time."""
        if self.settled(now):
            self.settle_at = None
