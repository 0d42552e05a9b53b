"""Tokens of publications, and how long the broker took to acknowledge them."""

from collections import deque
from statistics import median

KEPT_MAX = 20
"""So many of the last times count."""
PENDING_MAX = 16
"""So many acknowledgements are waited for at most."""


class RoundTrips:
    """Hands out tokens; a token is never used twice."""

    def __init__(self) -> None:
        """Nothing is on its way."""
        self._last = 0
        self._sent: dict[int, float] = {}
        self._times_s: deque[float] = deque(maxlen=KEPT_MAX)

    def sent(self, now: float) -> int:
        """Give a new token, for what is published now."""
        self._last += 1
        self._sent[self._last] = now
        if len(self._sent) > PENDING_MAX:
            del self._sent[next(iter(self._sent))]
        return self._last

    def acked(self, token: int, now: float) -> None:
        """The broker acknowledged it; late, repeated or foreign ones count nothing."""
        at = self._sent.pop(token, None)
        if at is not None:
            self._times_s.append(now - at)

    def lost(self) -> None:
        """The connection is gone, and every acknowledgement with it."""
        self._sent.clear()

    def median_ms(self) -> float | None:
        """Give the median in ms; None where nothing was acknowledged yet."""
        return 1000 * median(self._times_s) if self._times_s else None
