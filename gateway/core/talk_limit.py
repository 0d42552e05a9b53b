"""The talk-time limit over several presses: a pause too short to be one gives nobody a new limit.

A contact that bounces, or a driver who lets go for a moment, must not get another 30 s. After a limit a press counts
only if the button was up for RELEASE_MIN_S before it; and where a driver lets go himself and presses again sooner than
that, the limit of the talk before runs on in the new one.
"""

from math import inf

from protocol.timers import RELEASE_MIN_S


class TalkLimit:
    """Pure; times are monotonic seconds."""

    def __init__(self) -> None:
        """Nobody has talked."""
        self._up_at = -inf
        self._runs_on: float | None = None
        self._reached = False

    def let_go(self, at: float, limit_at: float | None) -> None:
        """The button was seen to go up; `limit_at`: when the talk that it ended would have come to its limit."""
        self._up_at = at
        self._runs_on = limit_at

    def reached(self) -> None:
        """A limit ended the talk, ours or the server's."""
        self._reached = True

    def counts(self, edge_at: float) -> bool:
        """Take a press; False for one that comes too early after a limit."""
        if self._reached and edge_at - self._up_at < RELEASE_MIN_S:
            return False
        self._reached = False
        return True

    def runs_on(self, edge_at: float) -> float | None:
        """Give the limit that runs on in the talk of a press; None where it has one of its own."""
        return self._runs_on if edge_at - self._up_at < RELEASE_MIN_S else None
