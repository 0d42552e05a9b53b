"""Reports to the office what this vehicle's loudspeaker played of each burst: that is what "heard" means."""

from collections.abc import Iterable

from msgspec import Struct

from gateway.core.context import Context
from gateway.core.server_clock import ServerClock
from gateway.core.words import Effect, ToWorker
from protocol.messages import BurstPlayed
from protocol.timers import HEARD_WAIT_S, PLAYED_SPREAD_S
from protocol.topics import Kind
from protocol.worker import Heard, Join, Play, PlayedOut

REPORTS_MAX = 8
"""Reports that wait; beyond, the oldest goes. More than two need bursts shorter than the spread."""
MS_MAX = 3_600_000


class _Joining(Struct):
    """A channel being joined because of a burst; moments are monotonic seconds."""

    event_id: str
    asked_at: float
    burst: int = 0
    """0: it is joined to speak, or in a pause."""
    took_ms: int | None = None


class PlayedReports:
    """A report goes out within PLAYED_SPREAD_S at random, so that 500 listeners are no herd, and once.

    Where the link is down it waits, but no longer than the office waits for it.
    """

    def __init__(self, ctx: Context, clock: ServerClock) -> None:
        """Nothing was played. `clock`: the office's, as far as it is known."""
        self._ctx = ctx
        self._clock = clock
        self._waiting: list[tuple[float, float, PlayedOut]] = []
        self._first: dict[int, float] = {}
        self._joining: _Joining | None = None

    def look(self, effects: Iterable[Effect], now: float) -> None:
        """After every event: whether a channel is joined by it, and for which burst."""
        begun = None
        for effect in effects:
            match effect:
                case ToWorker(command=Join(event_id=event_id)):
                    begun = self._joining = _Joining(event_id, now)
                case ToWorker(command=Play(burst=burst)) if begun is not None:
                    begun.burst = burst
                case _:
                    pass

    def joined(self, event_id: str, now: float) -> None:
        """The worker is in the channel; only its first word of that counts."""
        joining = self._joining
        if joining is not None and joining.event_id == event_id and joining.took_ms is None:
            joining.took_ms = _ms(now - joining.asked_at)

    def heard(self, said: Heard) -> None:
        """The first sample of a burst was at the loudspeaker; what made no sound there was not heard."""
        if said.aloud:
            self._first[said.burst] = said.at
            while len(self._first) > REPORTS_MAX:
                del self._first[next(iter(self._first))]

    def played(self, said: PlayedOut, now: float) -> None:
        """The worker has played a burst; one of which nothing came is not reported."""
        if said.frames > 0:
            due = now + PLAYED_SPREAD_S * self._ctx.chance()
            self._waiting = [*self._waiting, (due, now + HEARD_WAIT_S, said)][-REPORTS_MAX:]

    def tick(self, now: float) -> None:
        """Send what is due, as long as it is worth something."""
        self._waiting = [one for one in self._waiting if now < one[1]]
        if not self._ctx.link_up:
            return
        due = [said for at, _, said in self._waiting if at <= now]
        self._waiting = [one for one in self._waiting if one[0] > now]
        for said in due:
            self._ctx.publish(Kind.HEARTBEAT, self._report(said))

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        up = self._ctx.link_up
        return min((due if up else worthless for due, worthless, _ in self._waiting), default=None)

    def _report(self, said: PlayedOut) -> BurstPlayed:
        first = self._first.pop(said.burst, None)
        heard_at, error_ms = (None if first is None else self._clock.at(first)) or (None, None)
        join_ms = None
        if self._joining is not None and self._joining.burst == said.burst:
            join_ms, self._joining = self._joining.took_ms, None
        return BurstPlayed(
            connection_id=self._ctx.connection_id,
            burst=said.burst,
            frames=said.frames - min(said.silent, said.frames),
            concealed=said.concealed + said.silent,
            heard_at=heard_at,
            heard_error_ms=None if error_ms is None else min(MS_MAX, error_ms),
            join_ms=join_ms,
        )


def _ms(seconds: float) -> int:
    return min(MS_MAX, max(0, round(seconds * 1000)))
