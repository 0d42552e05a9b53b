"""What the floor participant's procedures share: its state, its talk, and how a talk begins and is forgotten."""

from gateway.core.context import Context, Timers
from gateway.core.denials import Denials
from gateway.core.participant_words import State, Word
from gateway.core.releases import Releases
from gateway.core.talk import Talk, told_as
from gateway.core.talk_limit import TalkLimit
from gateway.core.told import Told
from protocol.messages import AudioFocus, FloorRelease, FloorRequest, Priority, Session
from protocol.timers import NAVIGATION_HOLDS_S, REQUEST_GIVE_UP_S, REQUEST_RETRANSMIT_S
from protocol.worker import Arm, Mute


class ParticipantBase:
    """State and the moves that asking, holding and ending have in common."""

    def __init__(self, ctx: Context, releases: Releases, priority: Priority = Priority.NORMAL) -> None:
        """Start without permission. `priority` is what the talk button asks with; the server clamps it."""
        self._ctx = ctx
        self._releases = releases
        self.timers = Timers()
        self.priority = priority
        self._denials = Denials()
        self._presses = 0
        self.state = State.NO_PERMISSION
        self.talk: Talk | None = None
        self.waiting: Talk | None = None
        self.limit = TalkLimit()
        self.discarded = 0

    @property
    def transmitting(self) -> bool:
        """Whether the worker has permission now."""
        return self.talk is not None and self.talk.permitted

    @property
    def press_no(self) -> int:
        """The number of the last press, 0 if there was none."""
        return self._presses

    def let_go(self, at: float) -> None:
        """The button went up, whatever it held."""
        limit_at = None if self.talk is None or self.talk.priority is Priority.EMERGENCY else self.talk.limit_at
        self.limit.let_go(at, limit_at)

    def _at_limit(self) -> None:
        """The talk is ended by its limit; an emergency's is none of the button's."""
        if self._live().priority is not Priority.EMERGENCY:
            self.limit.reached()

    def _problem(self, priority: Priority) -> Told | None:
        """What makes asking useless at once; the telephone does not for an emergency."""
        if self._ctx.problem is None and self._ctx.focus is AudioFocus.PHONE and priority is not Priority.EMERGENCY:
            return Told.PHONE_BUSY
        return self._ctx.problem

    def _silenced(self, talk: Talk) -> bool:
        """Whether navigation keeps this talk from being captured now."""
        return (
            self._ctx.focus is AudioFocus.NAVIGATION and talk.priority is not Priority.EMERGENCY and not talk.draining
        )

    def _arm(self, talk: Talk, edge_at: float) -> None:
        """Keep speech from `edge_at` on, unless it is kept already or navigation speaks."""
        if not talk.armed and not self._silenced(talk):
            talk.armed = True
            self._ctx.voice(Arm(request_id=talk.request_id, edge_at=edge_at))

    def _wait_for_navigation(self, talk: Talk, now: float) -> None:
        """The floor is ours and nothing is captured: say so, and do not keep it from others for long."""
        if not self.timers.running(Word.PAUSED_LONG):
            talk.told_unheard = True
            self._tell(Told.NAVIGATION_HOLDS)
            self.timers.set(Word.PAUSED_LONG, now + NAVIGATION_HOLDS_S)

    def _ask_for(self, talk: Talk, now: float) -> None:
        self.talk = talk
        talk.baseline = now
        self._enter(State.PENDING_REQUEST)
        self._ctx.floor(FloorRequest(request_id=talk.request_id, priority=talk.priority))
        self.timers.set(Word.ASK_AGAIN, now + REQUEST_RETRANSMIT_S)
        self.timers.set(Word.GIVE_UP, talk.asked_at + REQUEST_GIVE_UP_S)

    def _abandon(self, now: float) -> None:
        """Mute, and give back the request with whatever it may have been granted."""
        talk = self._live()
        self._ctx.voice(Mute(request_id=talk.request_id))
        self._releases.send(FloorRelease(request_id=talk.request_id, burst=talk.burst or None), now)
        self._end(now)

    def _end(self, now: float, state: State = State.NO_PERMISSION) -> None:
        """Forget the talk; a press that waited for its tail is asked for now."""
        self.talk = None
        waiting, self.waiting = self.waiting, None
        self._enter(state)
        if waiting is not None:
            self._ask_waiting(waiting, now)

    def _ask_waiting(self, waiting: Talk, now: float) -> None:
        problem = self._problem(waiting.priority)
        if problem is None:
            self._ask_for(waiting, now)
        else:
            self._ctx.voice(Mute(request_id=waiting.request_id))
            self._ctx.tell(problem, waiting.press_no)

    def _enter(self, state: State) -> None:
        self.timers.stop()
        self.state = state

    def _tell(self, what: Told) -> None:
        talk = self._live()
        self._ctx.tell(told_as(what, talk.priority), talk.press_no)

    def _live(self) -> Talk:
        if self.talk is None:
            raise RuntimeError(f"{self.state} without a talk")
        return self.talk


def is_mine(session: Session, talk: Talk, user: str) -> bool:
    """Whether an announcement names this talk as the one that is heard."""
    return session.burst == talk.burst and session.current_speaker == user
