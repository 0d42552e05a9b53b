"""The vehicle's presence and heartbeats: ordered, spread out, and put right where the retained one is wrong."""

from msgspec.structs import replace

from gateway.core.context import Context, Timers
from protocol.ids import JSON_INT_MAX, ConnectionId
from protocol.messages import Heartbeat, Presence, PresenceState, VoiceHealth, VoicePath
from protocol.timers import HEARTBEAT_ACK_S, HEARTBEAT_RETRY_S, HEARTBEAT_S, JOIN_SPREAD_S
from protocol.topics import Kind

CORRECT_EVERY_S = 1.0


class PresenceKeeper:
    """Publishes presence on change and heartbeats by the clock."""

    def __init__(self, ctx: Context, who: Presence) -> None:
        """`who` has the name, app_type, device_info and hardware; the rest is filled in here."""
        self._ctx = ctx
        self._mine = who
        self._timers = Timers()
        self._beat_no = 0
        self._token = 0
        self._in_channel: str | None = None
        self._over = VoicePath.MQTT
        self._state = PresenceState.ONLINE
        self._state_token = 0
        self.said = False
        """Whether the broker has acknowledged the last change of state."""
        self._corrected_at = float("-inf")
        self.newer_elsewhere = 0
        self.burst = 0
        self.voice = VoiceHealth()

    def will(self, connection_id: ConnectionId) -> Presence:
        """Give the last will of a connection: later than anything it says itself."""
        return replace(
            self._mine,
            state=PresenceState.LOST,
            connection_id=connection_id,
            presence_no=JSON_INT_MAX,
            in_channel=None,
            voice=VoicePath.MQTT,
            reason="connection lost",
        )

    def connected(self, now: float, wall_ms: int) -> None:
        """Say hello on a new connection, and beat from now on."""
        self._mine = replace(self._mine, connection_id=self._ctx.connection_id, presence_no=0, joined_at=wall_ms)
        self._beat_no = 0
        self._timers.stop()
        self._say_state(now)
        self._timers.set("beat", now + HEARTBEAT_S * (0.5 + self._ctx.chance() / 2))

    def be(self, state: PresenceState, now: float) -> None:
        """Be online, sleeping (present, and heard and told as before) or offline from now on; told where it changed."""
        if state is not self._state:
            self._state = state
            self._say_state(now)

    def disconnected(self) -> None:
        """Nothing can be said."""
        self._timers.stop()

    def channel(self, event_id: str | None, now: float, over: VoicePath = VoicePath.MQTT) -> None:
        """The voice channel was joined, `over` a network, or left; told within JOIN_SPREAD_S, at random."""
        self._in_channel = event_id
        self._over = over
        if self._ctx.link_up and not self._timers.running("channel"):
            self._timers.set("channel", now + JOIN_SPREAD_S * self._ctx.chance())

    def retained(self, seen: Presence, now: float) -> bool:
        """Look at the broker's copy: an older one or a dead one of this connection is replaced.

        Another unit's newer connection is left alone; True where it is dead or this unit's own, so that it may be
        outdone by one newer still. So it is with a last will under our own number: nothing this connection says comes
        behind that.
        """
        mine = self._mine
        dead = seen.state in (PresenceState.LOST, PresenceState.OFFLINE)
        if seen.connection_id == mine.connection_id and seen.presence_no == JSON_INT_MAX:
            return dead
        if seen.connection_id > mine.connection_id:
            self.newer_elsewhere += 1
            over = dead or self._own(seen)
            text = "a newer unit was online under this user" if over else "another unit is online under this user"
            self._ctx.note(text, warning=True, connection_id=seen.connection_id)
            return over
        order_seen, order_mine = (seen.connection_id, seen.presence_no), (mine.connection_id, mine.presence_no)
        if order_seen == order_mine and seen.state is mine.state:
            return False
        if order_seen <= order_mine and not dead and order_seen[0] == order_mine[0]:
            return False  # an earlier one of this connection, on its way while the newest was sent
        if self._timers.running("correct"):
            return False
        if seen.connection_id == mine.connection_id:
            self._mine = replace(mine, presence_no=max(mine.presence_no, seen.presence_no))
        self._timers.set("correct", max(now, self._corrected_at + CORRECT_EVERY_S))
        return False

    def _own(self, seen: Presence) -> bool:
        """Whether a newer connection that is said to live can only be an earlier one of this unit, before its card was
        replaced: the broker has one connection of a user, and that is this one."""
        same_enrolment = seen.connection_id[0] == self._mine.connection_id[0]
        return same_enrolment and (seen.hardware is None or self._mine.hardware in (None, seen.hardware))

    def goodbye(self) -> None:
        """Say offline before a clean disconnection."""
        self._in_channel, self._over = None, VoicePath.MQTT
        self._say(PresenceState.OFFLINE)
        self._timers.stop()

    def acked(self, token: int) -> None:
        """The broker has the heartbeat."""
        if token == self._state_token:
            self.said = True
        if token == self._token:
            self._timers.stop("unacked")

    def tick(self, now: float) -> None:
        """Do what is due."""
        while (name := self._timers.expire(now)) is not None:
            match name:
                case "channel":
                    if (self._in_channel, self._over) != (self._mine.in_channel, self._mine.voice):
                        self._say(self._state)
                case "correct":
                    self._corrected_at = now
                    self._say(self._state)
                case "unacked":
                    self._ctx.note("heartbeat unacknowledged", warning=True)
                    self._timers.set("beat", now + HEARTBEAT_RETRY_S)
                case "beat":
                    self._beat(now)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        return self._timers.next()

    def _say_state(self, now: float) -> None:
        self.said = False
        self._state_token = self._ctx.round_trips.sent(now)
        self._say(self._state, self._state_token)

    def _say(self, state: PresenceState, token: int | None = None) -> None:
        self._mine = replace(
            self._mine,
            state=state,
            presence_no=self._mine.presence_no + 1,
            in_channel=self._in_channel,
            voice=self._over,
            reason=None,
        )
        self._ctx.publish(Kind.PRESENCE, self._mine, token=token)

    def _beat(self, now: float) -> None:
        if self._state is PresenceState.OFFLINE:
            self._timers.set("beat", now + HEARTBEAT_S)  # said good-bye: a sign of life would contradict it
            return
        self._beat_no += 1
        self._token = self._ctx.round_trips.sent(now)
        beat = Heartbeat(
            connection_id=self._ctx.connection_id, beat_no=self._beat_no, burst=self.burst, voice=self.voice
        )
        self._ctx.publish(Kind.HEARTBEAT, beat, token=self._token)
        self._timers.set("beat", now + HEARTBEAT_S)
        self._timers.set("unacked", now + HEARTBEAT_ACK_S)
