"""Link state of the vehicle: dials for ever, with back-off and jitter, each connection under a newer id."""

from gateway.core.context import Context
from gateway.core.presence import PresenceKeeper
from gateway.core.told import Told
from gateway.core.words import Dial
from protocol.ids import JSON_INT_MAX, ConnectionId

FIRST_WAIT_S = 0.25
WAIT_S_MAX = 15.0
WAIT_REFUSED_S_MAX = 60.0
"""A broker that lets this user in no more is asked seldom: it is for people to mend."""
STEADY_S = 30.0
"""A connection that lived this long starts the back-off anew."""
TOLD_AFTER_S = 2.0
"""A link that is back sooner is not worth a word to the driver, unless he presses meanwhile."""
BACK_AFTER_S = 3.0
"""A link that was told as lost is told as back once it has held so long: one that flaps is told once, not each time."""


class Link:
    """One connection at a time. connection_id = (enrolment generation, boot counter, n)."""

    def __init__(self, ctx: Context, presence: PresenceKeeper, generation: int, boot: int) -> None:
        """`boot` was raised on disk before this process connected for the first time."""
        self._ctx = ctx
        self._presence = presence
        self._generation = generation
        self._boot = boot
        self._n = 0
        self._failures = 0
        self._ups = 0
        self._dial_at: float | None = None
        self._dialling = False
        self._up_since = 0.0
        self._down_since: float | None = None
        self._back_at: float | None = None
        self._told_lost = False
        self.lost = False
        """Whether the connection is away, and has been for so long that it is no blip."""
        self.reason = "not connected yet"

    def start(self, now: float) -> None:
        """Dial at once."""
        self._dial_at = now
        self._failures = 0
        self._down_since = now

    def up(self, now: float) -> None:
        """The connection is ready for use."""
        ctx = self._ctx
        self._dialling = False
        ctx.refused = False
        ctx.link_up = True
        self._ups += 1
        self._up_since = now
        self._down_since = None
        self.lost = False
        self._back_at = now + BACK_AFTER_S if self._told_lost else None
        ctx.note("link up", connection_id=ctx.connection_id)

    def down(self, now: float, reason: str, refused: bool = False) -> None:
        """The connection or the attempt failed: wait and dial again, `refused` ones ever more seldom."""
        ctx = self._ctx
        was_up, ctx.link_up = ctx.link_up, False
        ctx.round_trips.lost()
        self._dialling = False
        self._back_at = None
        if was_up:
            self._down_since = now
            if now - self._up_since >= STEADY_S:
                self._failures = 0
        if was_up or reason != self.reason:
            ctx.note("link down", warning=True, reason=reason)
        self.reason = reason
        ctx.refused = refused
        longest_s = WAIT_REFUSED_S_MAX if refused else WAIT_S_MAX
        ceiling = min(longest_s, FIRST_WAIT_S * 2 ** min(self._failures, 10))
        self._failures += 1
        self._dial_at = now + ceiling * (0.5 + ctx.chance() / 2)

    def outdo(self, dead: ConnectionId) -> bool:
        """Make the connections to come newer than a dead one; False where that is not ours to do, or not possible.

        A new card whose clock is not set counts its starts from below what the old one had, and everything it says
        loses against what is known. A later enrolment is another unit's: it stays above.
        """
        generation, boot, _ = dead
        if generation != self._generation or boot >= JSON_INT_MAX:
            return False
        self._boot = boot + 1
        return True

    @property
    def reconnects(self) -> int:
        """How often the connection came up, the first time apart."""
        return max(0, self._ups - 1)

    def up_s(self, now: float) -> float:
        """How long it has been up; 0 where it is not."""
        return max(0.0, now - self._up_since) if self._ctx.link_up else 0.0

    @property
    def refused(self) -> bool:
        """Whether the last attempt ended with the broker not letting this user in."""
        return self._ctx.refused

    def pressed(self) -> None:
        """The driver presses: by the answer he knows whether there is a connection, and need not be told again."""
        self._told_lost = self._down_since is not None
        self._back_at = None

    @property
    def waits_to_dial(self) -> bool:
        """Whether another attempt is going to be made by itself."""
        return self._dial_at is not None

    def down_s(self, now: float) -> float | None:
        """How long it has been away; None while it is up, or is not wanted."""
        return None if self._down_since is None else max(0.0, now - self._down_since)

    def stop(self) -> None:
        """Dial no more, and tell the driver nothing of a lost link."""
        self._dial_at = None
        self._dialling = False
        self._down_since = self._back_at = None

    def tick(self, now: float) -> None:
        """Dial when due; tell the driver once of a link that stays away."""
        if self._dial_at is not None and now >= self._dial_at and not self._dialling:
            self._dial_at = None
            self._dialling = True
            self._n += 1
            self._ctx.connection_id = (self._generation, self._boot, self._n)
            will = self._presence.will(self._ctx.connection_id)
            self._ctx.emit(Dial(connection_id=self._ctx.connection_id, will=will))
        if self._lost_at is not None and now >= self._lost_at:
            self.lost = True
            if not self._told_lost:
                self._told_lost = True
                self._ctx.tell(Told.NOT_ADMITTED if self.refused else Told.LINK_LOST)
        if self._back_at is not None and now >= self._back_at:
            self._back_at = None
            self._told_lost = False
            self._ctx.tell(Told.LINK_BACK)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        times = (self._dial_at, self._lost_at, self._back_at)
        return min((t for t in times if t is not None), default=None)

    @property
    def _lost_at(self) -> float | None:
        if self._down_since is None or self.lost:
            return None
        return self._down_since + TOLD_AFTER_S
