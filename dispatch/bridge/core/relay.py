"""Which way a burst is carried, and when: from the broker to Agora, from Agora to the broker, or not at all.

The session alone decides. Every TRANSMIT_REPEAT_S the worker is told again what it may carry; it forgets that after
TRANSMIT_LEASE_S, so that a bridge that stands still is silent on both sides.
"""

from enum import StrEnum

from msgspec import Struct

from dispatch.bridge.core.context import Context
from protocol.ids import RequestId
from protocol.messages import AppType, Ended, Presence, PresenceState, Session, VoicePath
from protocol.timers import TAIL_HEARD_S, TRANSMIT_REPEAT_S
from protocol.worker import Arm, Hold, Join, Leave, Mute, Play, Stop, Transmit

LEAVE_AFTER_S = TAIL_HEARD_S + 0.2
"""The channel is left so long after the session's end: the tail of its last burst is still being played into it."""
BLIND_S = 10.0
"""Without the broker for so long, the channel is left: whether anybody still talks is not known."""
SEQ_MS = 10
"""Frames of a burst taken up half-way are numbered by the clock, one each 10 ms, which is faster than they come: so
they are newer than any that another worker or bridge sent of it."""
SEQ_SPAN = 1 << 27


class Direction(StrEnum):
    """Where voice goes."""

    TO_AGORA = "to_agora"
    FROM_AGORA = "from_agora"


class Way(Struct, frozen=True, kw_only=True):
    """How one burst is carried; decided once for each. `uid`: whose Agora stream it is."""

    burst: int
    speaker: str
    direction: Direction
    uid: int


class Relay:
    """Keeps the worker in step with the newest session known."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._session: Session | None = None
        self._presences: dict[str, Presence] = {}
        self._uid = 0
        self._ready = False
        self._joined: tuple[str, str] | None = None
        self._leave_at: float | None = None
        self._blind_at: float | None = None
        self._way: Way | None = None
        self._held = False
        self._repeat_at: float | None = None
        self._request_no = 0
        self._from_seq = 0
        self._led = False
        self._half_way = -1
        """Of bursts up to this one, another worker or bridge may have sent frames."""
        self._left_out: tuple[int, str] = (0, "")

    # --- inputs ---------------------------------------------------------------------------------------------------

    def session(self, session: Session, now: float) -> None:
        """Take a session; the one with the lower rev loses."""
        known = self._session
        if known is None:
            self._half_way = session.burst
        if known is None or session.rev > known.rev or session.store != known.store:
            self._session = session
        elif not self._held:
            return
        self._held = False
        self._blind_at = None
        self._follow(now)

    def presence(self, user: str, presence: Presence | None, now: float) -> None:
        """Learn what a user of the office is."""
        if presence is None:
            self._presences.pop(user, None)
        else:
            self._presences[user] = presence
        self._follow(now)

    def uid(self, uid: int, now: float) -> None:
        """Learn the bridge's own Agora uid."""
        self._uid = uid
        self._follow(now)

    def link_up(self) -> None:
        """The broker is back: presences are told anew, and the session decides once it has arrived."""
        self._presences.clear()

    def link_down(self, now: float) -> None:
        """What happens in the office is not known any more: carry nothing, until the session is known again."""
        if self._blind_at is None:
            self._blind_at = now + BLIND_S
        self._held = True
        self._repeat_at = None
        if self._way is not None and self._way.direction is Direction.FROM_AGORA:
            self._ctx.voice(Hold(burst=self._way.burst))

    def worker_ready(self, now: float) -> None:
        """A (new) worker knows nothing: tell it channel and burst."""
        self._ready = True
        if self._session is not None:
            self._half_way = max(self._half_way, self._session.burst)
        self._follow(now)

    def worker_gone(self) -> None:
        """Nothing is carried, and no channel joined, without a worker."""
        self._ready = False
        self._joined = self._way = self._repeat_at = self._leave_at = None

    def close(self) -> None:
        """Carry nothing any more."""
        self._end_way(None)
        self._repeat_at = None
        self._ready = False

    def tick(self, now: float) -> None:
        """Do what is due."""
        if self._blind_at is not None and now >= self._blind_at:
            self._blind_at = None
            self._end_way(None)
            self._leave()
        if self._leave_at is not None and now >= self._leave_at:
            self._leave()
        if self._repeat_at is not None and now >= self._repeat_at:
            self._permit(now)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        times = (self._blind_at, self._leave_at, self._repeat_at)
        return min((at for at in times if at is not None), default=None)

    # --- what others may ask --------------------------------------------------------------------------------------

    @property
    def way(self) -> Way | None:
        """What is being carried now."""
        return None if self._held else self._way

    @property
    def joined(self) -> bool:
        """Whether the worker is to be in a channel."""
        return self._joined is not None

    # --- inside ---------------------------------------------------------------------------------------------------

    def _follow(self, now: float) -> None:
        session = self._session
        if session is None or self._held or not self._ready:
            return
        leads = self._leads
        if leads and not self._led:
            self._half_way = max(self._half_way, session.burst)
        self._led = leads
        wanted = self._decide(session)
        if self._way is not None and self._way != wanted:
            self._end_way(session)
        self._channel(session, now)
        if wanted is not None and self._way is None:
            self._begin_way(wanted, now)
        elif wanted is not None and self._repeat_at is None:
            self._permit(now)

    def _channel(self, session: Session, now: float) -> None:
        if not session.active or session.event_id is None:
            if self._joined is not None and self._leave_at is None:
                self._leave_at = now + LEAVE_AFTER_S
            return
        self._leave_at = None
        wanted = (session.event_id, session.channel_name)
        if wanted != self._joined:
            self._joined = wanted
            self._ctx.voice(Join(event_id=session.event_id, channel=session.channel_name))

    def _leave(self) -> None:
        self._leave_at = None
        if self._joined is not None:
            self._joined = None
            self._ctx.voice(Leave())

    def _decide(self, session: Session) -> Way | None:
        """Say how the burst of this session is to be carried; one that is carried already stays as it is."""
        speaker, burst = session.current_speaker, session.burst
        if speaker is None or session.ended is not None or speaker == self._ctx.user:
            return None
        way, leads = self._way, self._leads
        if way is not None and (way.burst, way.speaker) == (burst, speaker):
            return way if leads or way.direction is Direction.TO_AGORA else None
        if self._uid and session.speaker_uid == self._uid:
            return Way(burst=burst, speaker=speaker, direction=Direction.TO_AGORA, uid=self._uid)
        presence = self._presences.get(speaker)
        if presence is None or presence.voice is not VoicePath.AGORA or not leads:
            return None
        if presence.app_type is AppType.VEHICLE_GATEWAY:
            self._leave_out(
                burst, "the vehicle uses Agora itself", "is a bridge needed? else set the office's voice to mqtt"
            )
            return None
        if session.speaker_uid == 0:
            self._leave_out(burst, "the session gives no Agora uid for it", "is the server's admission the registry?")
            return None
        return Way(burst=burst, speaker=speaker, direction=Direction.FROM_AGORA, uid=session.speaker_uid)

    def _leave_out(self, burst: int, why: str, mend: str) -> None:
        if self._left_out != (burst, why):
            self._left_out = (burst, why)
            self._ctx.note("burst not relayed", warning=True, burst=burst, why=why, mend=mend)

    @property
    def _leads(self) -> bool:
        """Of several bridges in an office only the first by id relays what comes from Agora."""
        return not any(
            user < self._ctx.user and presence.app_type is AppType.BRIDGE and presence.state is PresenceState.ONLINE
            for user, presence in self._presences.items()
        )

    def _begin_way(self, way: Way, now: float) -> None:
        self._way = way
        self._ctx.note("relay begins", burst=way.burst, speaker=way.speaker, direction=way.direction.value)
        if way.direction is Direction.FROM_AGORA:
            self._request_no += 1
            self._from_seq = 0
            if way.burst <= self._half_way:
                self._from_seq = self._ctx.wall_ms // SEQ_MS % SEQ_SPAN
            self._ctx.voice(Arm(request_id=self._request, edge_at=now, uid=way.uid))
        self._permit(now)

    def _end_way(self, session: Session | None) -> None:
        """End what is carried; `session` says how the burst ended, where it is still about that one."""
        way, self._way = self._way, None
        self._repeat_at = None
        if way is None or not self._ready:
            return
        if way.direction is Direction.FROM_AGORA:
            self._ctx.voice(Mute(request_id=self._request))
        else:
            drain = session is not None and session.burst == way.burst and session.ended is Ended.RELEASED
            last_seq = session.last_seq if drain and session is not None else None
            self._ctx.voice(Stop(burst=way.burst, drain=drain, last_seq=last_seq))
        self._ctx.note("relay ends", burst=way.burst)

    def _permit(self, now: float) -> None:
        way = self._way
        if way is None:
            self._repeat_at = None
            return
        if way.direction is Direction.TO_AGORA:
            self._ctx.voice(Play(burst=way.burst, user=way.speaker, uid=0))
        else:
            self._ctx.voice(
                Transmit(request_id=self._request, burst=way.burst, as_user=way.speaker, from_seq=self._from_seq)
            )
        self._repeat_at = now + TRANSMIT_REPEAT_S

    @property
    def _request(self) -> RequestId:
        return (0, 0, 0, self._request_no)
