"""The vehicle's core on a bench: put into any situation, fed any input, its effects read as short words."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway.core.context import Context
from gateway.core.floor_machine import FloorMachine
from gateway.core.participant import Participant
from gateway.core.participant_words import State, Word
from gateway.core.releases import Releases
from gateway.core.told import Told
from gateway.core.words import (
    Dial,
    Effect,
    KillWorker,
    Note,
    Publish,
    Show,
    StartWorker,
    Tell,
    ToWorker,
)
from protocol.messages import (
    AudioFocus,
    DenyCause,
    FloorDeny,
    FloorGranted,
    FloorQueued,
    FloorRenewed,
    FloorRevoke,
    RevokeCause,
    Session,
)
from protocol.topics import Kind
from protocol.worker import Drained, Through

CONNECTION = (0, 7, 1)
REQUEST = (*CONNECTION, 1)
BURST = 5
_FOCUS = {
    Word.FOCUS_LOST: AudioFocus.PHONE,
    Word.PAUSED: AudioFocus.NAVIGATION,
    Word.RESUMED: AudioFocus.RADIO,
}


def words(effects: Iterable[Effect]) -> tuple[str, ...]:
    """Each effect in a word or two; notes are left out."""
    found = []
    for effect in effects:
        match effect:
            case Tell(what=what):
                found.append(f"tell {what.value}")
            case ToWorker(command=command):
                found.append(type(command).__name__)
            case Publish(kind=kind, message=message):
                again = " again" if kind is Kind.FLOOR_AGAIN else ""
                found.append(("cleared" if message is None else type(message).__name__) + again)
            case Dial():
                found.append("dial")
            case StartWorker():
                found.append("start worker")
            case KillWorker():
                found.append("kill worker")
            case Show(look=look):
                found.append(f"show {look.value}")
            case Note():
                pass
    return tuple(found)


class Bench:
    """A floor participant with its machine, releases and context; everything works until told otherwise."""

    def __init__(self) -> None:
        self.ctx = Context("car-1", lambda: 0.5)
        self.ctx.link_up = True
        self.ctx.voice_problem = None
        self.ctx.connection_id = CONNECTION
        self.releases = Releases(self.ctx)
        self.participant = Participant(self.ctx, self.releases)
        self.machine = FloorMachine(self.participant, self.releases)
        self.now = 100.0
        self.rev = 10

    @property
    def state(self) -> State:
        return self.participant.state

    def said(self) -> tuple[str, ...]:
        """What it did since it was last asked."""
        return words(self.ctx.take())

    def effects(self) -> tuple[Effect, ...]:
        return self.ctx.take()

    def take(self, *inputs: Word, after_s: float = 0.01) -> Bench:
        """Feed inputs, each `after_s` later, with the data that fits the talk under way."""
        for word in inputs:
            self.now += after_s
            self.ctx.focus = _FOCUS.get(word, self.ctx.focus)
            self.machine.take(word, self.now, self.fitting(word))
        return self

    def run(self, seconds: float, each: Callable[[], None] = lambda: None, step_s: float = 0.01) -> None:
        """Let time pass, ticking when something is due; `each` is called every step."""
        end = self.now + seconds
        while self.now < end:
            self.now = round(self.now + step_s, 6)
            each()
            due = self.machine.next_deadline()
            if due is not None and due <= self.now:
                self.machine.tick(self.now)

    def renew_answered(self, number: int) -> None:
        self.machine.take(Word.RENEWED, self.now, FloorRenewed(rev=self.rev, burst=BURST, renew_no=number))

    def voice_through(self, seq: int = 1) -> None:
        self.machine.take(Word.THROUGH, self.now, Through(burst=BURST, seq=seq, at=self.now))

    def grant(self, duration_s: float = 30.0, request: tuple[int, int, int, int] = REQUEST) -> FloorGranted:
        return FloorGranted(rev=self.rev, request_id=request, burst=BURST, duration_s=duration_s, lease_s=3.0)

    def fitting(self, word: Word) -> object:
        talk = self.participant.talk
        request = REQUEST if talk is None else talk.request_id
        self.rev += 1
        match word:
            case Word.PRESS | Word.KEY_UP | Word.EMERGENCY:
                return self.now
            case Word.GRANTED:
                return self.grant(request=request)
            case Word.DENY:
                return FloorDeny(
                    rev=self.rev,
                    request_id=request,
                    cause=DenyCause.ANOTHER_HAS_PERMISSION,
                    speaker="car-2",
                    speaker_name="two",
                    remaining_s=9.0,
                )
            case Word.POSITION:
                return FloorQueued(rev=self.rev, request_id=request, position=1)
            case Word.RENEWED:
                return FloorRenewed(rev=self.rev, burst=BURST, renew_no=1)
            case Word.REVOKE:
                return FloorRevoke(rev=self.rev, burst=BURST, cause=RevokeCause.NO_PERMISSION)
            case Word.SESSION:
                return session(self.rev, BURST + 1, "car-2")
            case Word.THROUGH:
                return Through(burst=BURST, seq=4, at=self.now)
            case Word.DRAINED:
                return Drained(request_id=request, burst=BURST, last_seq=9)
            case Word.VOICE_LOST:
                return Told.NO_VOICE
        return None


def session(rev: int, burst: int = 0, speaker: str | None = None, **fields: object) -> Session:
    """An active session of the office."""
    given: dict[str, object] = {"store": "s", "active": True, "channel_name": "c", "event_id": "e-1"}
    return Session(rev=rev, burst=burst, current_speaker=speaker, **(given | fields))  # type: ignore[arg-type]
