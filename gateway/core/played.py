"""Reports to the office what this vehicle's loudspeaker played of each burst: that is what "heard" means."""

from gateway.core.context import Context
from protocol.messages import BurstPlayed
from protocol.timers import HEARD_WAIT_S, PLAYED_SPREAD_S
from protocol.topics import Kind
from protocol.worker import PlayedOut

REPORTS_MAX = 8
"""Reports that wait; beyond, the oldest goes. More than two need bursts shorter than the spread."""


class PlayedReports:
    """A report goes out within PLAYED_SPREAD_S at random, so that 500 listeners are no herd, and once.

    Where the link is down it waits, but no longer than the office waits for it.
    """

    def __init__(self, ctx: Context) -> None:
        """Nothing was played."""
        self._ctx = ctx
        self._waiting: list[tuple[float, float, PlayedOut]] = []

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
            report = BurstPlayed(
                connection_id=self._ctx.connection_id,
                burst=said.burst,
                frames=said.frames - min(said.silent, said.frames),
                concealed=said.concealed + said.silent,
            )
            self._ctx.publish(Kind.HEARTBEAT, report)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        up = self._ctx.link_up
        return min((due if up else worthless for due, worthless, _ in self._waiting), default=None)
