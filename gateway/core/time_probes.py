"""Asks the office for its time: some probes after each connection and every ten minutes, never while a talk is on.

Its answers are the one sign that a server is there, and not the broker alone: until one comes, it is asked again soon.
"""

from collections.abc import Callable

from gateway.core.context import Context
from gateway.core.server_clock import ServerClock
from protocol.messages import TimeAnswer, TimeProbe
from protocol.topics import Kind

PROBES = 5
APART_S = 0.4
ROUND_EVERY_S = 600.0
AGAIN_S = 10.0
"""After a round that nobody answered."""
SPREAD_S = 1.0
"""A round begins so much later at most, at random: after a broker's restart all vehicles come at once."""
OPEN_MAX = 2 * PROBES
"""Unanswered probes that are remembered."""


class TimeProbes:
    """Writes what is answered into the clock."""

    def __init__(self, ctx: Context, clock: ServerClock, talking: Callable[[], bool]) -> None:
        """`talking`: whether a press is being asked for or holds the floor; probes wait for its end."""
        self.waiting_since: float | None = None
        """Since when a server is asked and has not answered; None: it has."""
        self._ctx = ctx
        self._clock = clock
        self._talking = talking
        self._last_no = 0
        self._left = 0
        self._at: float | None = None
        self._sent: dict[int, float] = {}

    def connected(self, now: float) -> None:
        """A new connection: its server may be another one, with another clock."""
        self.ask_anew(now)

    def ask_anew(self, now: float) -> None:
        """Whether a server is there is not known any more: a new connection, or a press that nobody answered."""
        if not self._ctx.link_up:
            return  # the next connection asks
        self._sent.clear()
        self.waiting_since = now
        self._begin(now)

    def disconnected(self) -> None:
        """Nothing can be asked."""
        self._at = None
        self._left = 0
        self._sent.clear()

    def answered(self, answer: TimeAnswer, now: float) -> None:
        """Take an answer; the first one to each probe counts."""
        sent_at = self._sent.pop(answer.probe_no, None)
        if sent_at is not None:
            self.waiting_since = None
            self._clock.probed(sent_at, now, answer.at)

    def tick(self, now: float) -> None:
        """Send the probe that is due."""
        if self._at is None or now < self._at or not self._ctx.link_up or self._talking():
            return
        if self._left == 0:
            self._clock_round()
            self.waiting_since = now if self.waiting_since is None else self.waiting_since
        self._last_no += 1
        self._left -= 1
        self._sent[self._last_no] = now
        while len(self._sent) > OPEN_MAX:
            del self._sent[next(iter(self._sent))]
        self._ctx.publish(Kind.HEARTBEAT, TimeProbe(probe_no=self._last_no))
        self._at = now + (APART_S if self._left else ROUND_EVERY_S if self.waiting_since is None else AGAIN_S)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        return None if self._talking() else self._at

    def _begin(self, now: float) -> None:
        self._clock_round()
        self._at = now + SPREAD_S * self._ctx.chance()

    def _clock_round(self) -> None:
        self._left = PROBES
        self._clock.begin()
