"""Follows the office's session: joins and leaves the voice channel, tells the worker which burst may be heard."""

from gateway.core.context import Context
from gateway.core.presence import PresenceKeeper
from gateway.core.told import Told
from protocol.messages import Ended, Priority, Session, VoicePath
from protocol.worker import Join, Leave, Play, Stop


class Listener:
    """Keeps the worker in step with the newest session known; the one with the lower rev loses."""

    def __init__(self, ctx: Context, presence: PresenceKeeper) -> None:
        """Start in no channel."""
        self._ctx = ctx
        self._presence = presence
        self._asked: str | None = None
        self._joined: str | None = None
        self._playing = 0
        self._ended = 0
        self._last_speaker: str | None = None

    @property
    def playing(self) -> int:
        """The burst that may be heard now; 0 is none."""
        return self._playing

    @property
    def joined(self) -> bool:
        """Whether the voice channel of the running session is joined."""
        return self._joined is not None and self._joined == self._asked

    def session(self, session: Session) -> bool:
        """Take a session; False where a newer one is known."""
        known = self._ctx.session
        if known is not None and session.rev <= known.rev and session.store == known.store:
            return False
        self._ctx.session = session
        self._channel(session)
        self._burst(session)
        return True

    def worker_ready(self) -> None:
        """A (new) worker knows nothing: tell it the channel and the burst again."""
        self._asked = self._joined = None
        self._playing = 0
        if self._ctx.session is not None:
            self._channel(self._ctx.session)
            self._burst(self._ctx.session)

    def worker_gone(self, now: float) -> None:
        """No channel without a worker."""
        self._asked = self._joined = None
        self._playing = 0
        self._presence.channel(None, now)

    def forget(self) -> None:
        """This unit is a member no more: nothing known of the office counts."""
        self._ctx.session = None
        self._asked = self._joined = self._last_speaker = None
        self._playing = 0

    def joined_channel(self, event_id: str, now: float, over: VoicePath = VoicePath.MQTT) -> None:
        """The worker joined, or hears the channel `over` another network: a participant from now on."""
        if event_id == self._asked:
            self._joined = event_id
            self._presence.channel(event_id, now, over)

    def left_channel(self, now: float) -> None:
        """The worker left."""
        self._joined = None
        self._presence.channel(None, now)

    def _channel(self, session: Session) -> None:
        wanted = session.event_id if session.active else None
        if wanted == self._asked:
            return
        self._asked, before = wanted, self._asked
        if wanted is None:
            self._ctx.voice(Leave())
            self._last_speaker = None
            self._ctx.tell(Told.SESSION_LEFT)
        else:
            self._ctx.voice(Join(event_id=wanted, channel=session.channel_name))
            if before is None:
                self._ctx.tell(Told.SESSION_JOINED, name=session.speaker_name or session.current_speaker or "")

    def _burst(self, session: Session) -> None:
        speaker = session.current_speaker
        heard = speaker is not None and speaker != self._ctx.user
        now_playing = session.burst if heard else 0
        if self._playing and self._playing != now_playing:
            over = session.burst == self._playing
            drain = over and session.ended is Ended.RELEASED
            self._ctx.voice(Stop(burst=self._playing, drain=drain, last_seq=session.last_seq if drain else None))
            self._ended = self._playing if drain else 0
        if heard and speaker is not None and now_playing != self._playing:
            urgent = session.priority is Priority.EMERGENCY and speaker != self._last_speaker
            if urgent and self._ended:  # it waits for nobody else's tail
                self._ctx.voice(Stop(burst=self._ended, drain=False))
            self._ended = 0
            self._ctx.voice(Play(burst=session.burst, user=speaker, uid=session.speaker_uid))
            if session.priority is Priority.EMERGENCY:
                self._ctx.tell(Told.EMERGENCY_HEARD, name=session.speaker_name or speaker)
            elif speaker != self._last_speaker:
                self._ctx.tell(Told.SOMEONE_SPEAKS, name=session.speaker_name or speaker)
            self._last_speaker = speaker
        self._playing = now_playing
