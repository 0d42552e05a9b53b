"""What was said while this vehicle had no link: asked for once it is back, told once, played at a press.

Bursts are numbered, so a gap is two numbers: the last burst that could be heard, and the newest one known when the
link is back. What of it can be played the office says, where it keeps bursts at all; what it does not keep is not
claimed to have been missed. A speaker uploads after its release and may itself be late, so the office is asked again
for a while. A burst that runs when the link comes back is asked for once it has ended: its beginning was missed.
"""

from gateway.core.context import Context, Timers
from gateway.core.replay import Replays
from gateway.core.told import Told
from protocol.messages import Session
from protocol.worker import CatchUp as AskOffice
from protocol.worker import Missed, OfficeKeeps

ASK_S = (1.0, 5.0, 20.0, 60.0, 180.0)
"""When the office is asked, after the link is back or the burst that ran then has ended."""
SPREAD_S = 1.0
"""A whole office may come back at once: the first question is put within this time more, at random."""


class CatchingUp:
    """Follows link and session; hands what can be played to `replays`."""

    def __init__(self, ctx: Context, replays: Replays) -> None:
        """Nothing was missed before the first session is known: a vehicle that starts catches up with nothing."""
        self._ctx = ctx
        self._replays = replays
        self._timers = Timers()
        self._keeps = False
        self._newest = 0
        self._store = ""
        self._after: int | None = None
        self._gap: tuple[int, int] | None = None
        self._running = False
        self._tries = 0

    def office(self, keep_s: int) -> None:
        """Take for how long the office keeps bursts; 0 is not at all."""
        if self._keeps == (keep_s > 0):
            return
        self._keeps = keep_s > 0
        self._ctx.note("whether the office keeps what is said", keep_s=keep_s)
        self._ctx.voice(OfficeKeeps(keeps=self._keeps))
        if not self._keeps:
            self._over()

    def worker_ready(self) -> None:
        """A (new) worker must know whether to upload."""
        if self._keeps:
            self._ctx.voice(OfficeKeeps(keeps=True))

    def link_down(self, hearing: int) -> None:
        """Take that the link is gone while burst `hearing` (0: none) was heard, which so is missed in part."""
        if self._after is None and self._newest:
            self._after = self._newest - 1 if hearing == self._newest else self._newest

    def session(self, session: Session, now: float) -> None:
        """Take a newer session; the first one behind a gap tells how wide it is."""
        if session.store != self._store:  # another store numbers anew: nothing can be said of a gap
            self._store, self._after = session.store, None
            self._over()
        self._newest = session.burst
        running = session.current_speaker is not None
        if self._after is not None:
            after, self._after = self._after, None
            if session.burst > after and self._keeps and self._replays.on:
                earliest = after if self._gap is None else min(after, self._gap[0])
                self._gap = (earliest, session.burst)
                self._running = running
                self._begin(now)
        elif self._gap is not None and self._running and (not running or session.burst > self._gap[1]):
            self._running = False
            self._begin(now)

    def found(self, said: Missed, now: float) -> None:
        """Take what the office has of it."""
        gap = self._gap
        if gap is None or said.after != gap[0]:
            return
        waiting = self._replays.waiting
        if self._replays.missed(said.bursts, now) and not waiting:
            self._ctx.tell(Told.MISSED, count=self._replays.waiting)
        if said.ok and len(said.bursts) >= gap[1] - gap[0]:
            self._over()

    def tick(self, now: float) -> None:
        """Ask where it is time."""
        while self._timers.expire(now) is not None:
            if self._gap is not None and self._ctx.link_up:
                self._ctx.voice(AskOffice(after=self._gap[0], upto=self._gap[1]))
            if self._tries < len(ASK_S):
                self._timers.set("ask", now + ASK_S[self._tries])
                self._tries += 1
            elif not self._running:
                self._over()

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        return self._timers.next()

    def stop(self) -> None:
        """Ask no more."""
        self._over()

    def _begin(self, now: float) -> None:
        self._tries = 1
        self._timers.set("ask", now + ASK_S[0] + SPREAD_S * self._ctx.chance())

    def _over(self) -> None:
        self._gap = None
        self._timers.stop()
