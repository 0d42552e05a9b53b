"""The bridge as a user of its office: dials for ever, says that it is there, beats. It is never a participant."""

from msgspec.structs import replace

from dispatch.bridge.core.context import Context
from dispatch.bridge.core.words import Dial, HangUp
from protocol.ids import JSON_INT_MAX
from protocol.messages import AppType, Heartbeat, Presence, PresenceState, VoiceHealth
from protocol.timers import HEARTBEAT_ACK_S, HEARTBEAT_RETRY_S, HEARTBEAT_S
from protocol.topics import Kind

FIRST_WAIT_S = 0.25
WAIT_S_MAX = 15.0
STEADY_S = 30.0
"""A connection that lived so long starts the back-off anew."""
CORRECT_S = 1.0
CORRECT_S_MAX = 60.0
"""Its presence is put right this seldom where somebody keeps contradicting it."""


class Member:
    """Link, presence and heartbeats. connection_id is (0, seconds of the start, n): a later start is a newer one."""

    def __init__(self, ctx: Context, *, name: str, device_info: str, boot: int) -> None:
        """`boot`: Unix seconds of this start."""
        self._ctx = ctx
        self._boot = boot
        self._n = 0
        self._mine = Presence(
            state=PresenceState.ONLINE,
            connection_id=(0, boot, 0),
            presence_no=0,
            app_type=AppType.BRIDGE,
            name=name,
            device_info=device_info,
        )
        self._failures = 0
        self._dial_at: float | None = None
        self._up_since = 0.0
        self._beat_at: float | None = None
        self._unacked_at: float | None = None
        self._beat_no = 0
        self._token = 0
        self._correct_at: float | None = None
        self._corrections = 0
        self._foreign = False
        self.reason = "connecting"
        """Why there is no connection; empty while there is one."""
        self.health = VoiceHealth()
        """What the heartbeats say of the worker."""
        self.burst = 0
        """The burst being relayed, for the heartbeats; 0 is none."""

    def start(self, now: float) -> None:
        """Dial at once."""
        self._dial_at = now

    def up(self, now: float) -> None:
        """The connection is ready for use: say so, and beat from now on."""
        ctx = self._ctx
        ctx.link_up = True
        self.reason = ""
        self._up_since = now
        self._beat_no = 0
        self._corrections = 0
        self._mine = replace(self._mine, connection_id=self._connection, presence_no=0, joined_at=ctx.wall_ms)
        ctx.note("link up", connection_id=self._connection)
        self._say(PresenceState.ONLINE)
        self._beat_at = now + HEARTBEAT_S * (0.5 + ctx.chance() / 2)

    def down(self, now: float, reason: str) -> None:
        """The connection or the attempt failed: wait, and dial again."""
        ctx = self._ctx
        was_up, ctx.link_up = ctx.link_up, False
        if was_up and now - self._up_since >= STEADY_S:
            self._failures = 0
        if was_up or reason != self.reason:
            ctx.note("link down", warning=True, reason=reason)
        self.reason = reason
        self._beat_at = self._unacked_at = self._correct_at = None
        ceiling_s = min(WAIT_S_MAX, FIRST_WAIT_S * 2 ** min(self._failures, 10))
        self._failures += 1
        self._dial_at = now + ceiling_s * (0.5 + ctx.chance() / 2)

    def retained(self, seen: Presence | None, now: float) -> None:
        """Look at the broker's copy of our presence: one that is not our newest is put right."""
        mine = self._mine
        if seen is not None:
            if seen.connection_id[0] > mine.connection_id[0]:
                if not self._foreign:
                    self._foreign = True
                    self._ctx.note("another enrolment is known of this user", warning=True, known=seen.connection_id)
                return
            if seen.connection_id > mine.connection_id:
                self._boot = max(self._boot, min(seen.connection_id[1], JSON_INT_MAX - 1) + 1)
                self._ctx.note("a newer connection is known of this bridge", warning=True, known=seen.connection_id)
                self._ctx.emit(HangUp(reason="dialling anew under a newer connection id"))
                return
            if seen.connection_id == mine.connection_id and seen.state is PresenceState.ONLINE:
                return
        if self._correct_at is None:
            wait_s = min(CORRECT_S_MAX, CORRECT_S * 2 ** min(self._corrections, 6))
            self._corrections += 1
            self._correct_at = now + wait_s

    def acked(self, token: int) -> None:
        """The broker has the heartbeat."""
        if token == self._token:
            self._unacked_at = None

    def goodbye(self) -> None:
        """Say offline before a clean end, and dial no more."""
        self._say(PresenceState.OFFLINE)
        self._dial_at = self._beat_at = self._unacked_at = self._correct_at = None

    def tick(self, now: float) -> None:
        """Do what is due."""
        if self._dial_at is not None and now >= self._dial_at:
            self._dial_at = None
            self._n += 1
            self._ctx.emit(Dial(will=self._will()))
        if self._correct_at is not None and now >= self._correct_at:
            self._correct_at = None
            self._say(PresenceState.ONLINE)
        if self._unacked_at is not None and now >= self._unacked_at:
            self._unacked_at = None
            self._ctx.note("heartbeat unacknowledged", warning=True)
            self._beat_at = now + HEARTBEAT_RETRY_S
        if self._beat_at is not None and now >= self._beat_at:
            self._beat(now)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        times = (self._dial_at, self._correct_at, self._unacked_at, self._beat_at)
        return min((at for at in times if at is not None), default=None)

    @property
    def _connection(self) -> tuple[int, int, int]:
        return (0, self._boot, self._n)

    def _will(self) -> Presence:
        return replace(
            self._mine,
            state=PresenceState.LOST,
            connection_id=self._connection,
            presence_no=JSON_INT_MAX,
            reason="connection lost",
        )

    def _say(self, state: PresenceState) -> None:
        self._mine = replace(self._mine, state=state, presence_no=self._mine.presence_no + 1)
        self._ctx.publish(Kind.PRESENCE, self._mine)

    def _beat(self, now: float) -> None:
        self._beat_no += 1
        self._token += 1
        beat = Heartbeat(
            connection_id=self._mine.connection_id, beat_no=self._beat_no, burst=self.burst, voice=self.health
        )
        self._ctx.publish(Kind.HEARTBEAT, beat, token=self._token)
        self._beat_at = now + HEARTBEAT_S
        self._unacked_at = now + HEARTBEAT_ACK_S
