"""Procedures of the floor participant that ask: from the button's edge to an answer."""

from typing import Any

from gateway.core.participant_base import ParticipantBase
from gateway.core.participant_words import State, Word
from gateway.core.talk import Talk, told_as
from gateway.core.told import Told
from protocol.messages import FloorDeny, FloorQueued, FloorRequest, Priority
from protocol.timers import QUEUED_GIVE_UP_S, QUEUED_REFRESH_S, REQUEST_RETRANSMIT_S, TAIL_S
from protocol.worker import Mute

TAIL_BEFORE_NEXT_S = 0.5
"""A driver who presses again waits at most this long for the last burst's tail."""


class Asking(ParticipantBase):
    """`U: pending Request`, `U: queued`, and a press that waits for the last tail."""

    def ask(self, now: float, edge_at: float) -> None:
        """Button down: ask for the floor and keep speech from the edge on, or say at once why that is useless."""
        talk = self._new_talk(now, edge_at)
        if talk is not None:
            self._ask_for(talk, now)

    def ask_after_tail(self, now: float, edge_at: float) -> None:
        """Button down while the last burst's tail is still being sent: keep speech, ask when the tail is out."""
        if self.talk is None or not self.talk.draining:
            self.ask(now, edge_at)
        else:
            self.waiting = self._new_talk(now, edge_at)
            self.timers.set(Word.TAIL, min(now + TAIL_BEFORE_NEXT_S, self.timers.at(Word.TAIL, now + TAIL_S)))

    def answer_press(self, what: Told) -> None:
        """Answer a press of which nothing else comes."""
        self._presses += 1
        self._ctx.tell(what, self._presses)

    def _new_talk(self, now: float, edge_at: float, priority: Priority | None = None) -> Talk | None:
        ctx = self._ctx
        self._presses += 1
        priority = priority or self.priority
        problem = self._problem(priority)
        if problem is None and priority is not Priority.EMERGENCY and not self.limit.counts(edge_at):
            problem = Told.LET_GO
        if problem is not None:
            ctx.tell(told_as(problem, priority), self._presses)
            return None
        talk = Talk((*ctx.connection_id, self._presses), edge_at, now, priority)
        if priority is not Priority.EMERGENCY:
            talk.limit_at = self.limit.runs_on(edge_at)
        self._arm(talk, edge_at)
        return talk

    def ask_again(self, now: float, _: Any) -> None:
        """Repeat the request: unanswered, or to stay in the queue."""
        talk = self._live()
        self._ctx.floor(FloorRequest(request_id=talk.request_id, priority=talk.priority), again=True)
        every = QUEUED_REFRESH_S if self.state is State.QUEUED else REQUEST_RETRANSMIT_S
        self.timers.set(Word.ASK_AGAIN, now + every)

    def give_up(self, now: float, _: Any) -> None:
        """No answer in time, or no more of them while queued: say so, and take back what may be granted unheard."""
        self._tell(Told.NO_ANSWER)
        self._abandon(now)

    def link_lost_asking(self, now: float, _: Any) -> None:
        """No answer can come: say so; the server frees what it may have granted."""
        self._tell(Told.NO_CONNECTION)
        self._abandon(now)

    def denied(self, now: float, deny: FloorDeny) -> None:
        """Say who speaks, why not you, and how long it can last."""
        if deny.request_id != self._live().request_id:
            self.discarded += 1
            return
        talk = self._live()
        denial = self._denials.judge(deny, now)
        told = told_as(denial.told, talk.priority)
        name = deny.speaker_name or deny.speaker or ""
        self._ctx.tell(told, talk.press_no, name, deny.remaining_s, short=denial.short and told is denial.told)
        self._ctx.voice(Mute(request_id=deny.request_id))
        self._end(now)

    def queued(self, now: float, position: FloorQueued) -> None:
        """Wait for the floor; speech so far is dropped, the request repeated."""
        talk = self._live()
        if position.request_id != talk.request_id:
            self.discarded += 1
            return
        if self.state is not State.QUEUED:
            talk.armed = False
            talk.limit_at = None
            self._ctx.voice(Mute(request_id=talk.request_id))
            self._enter(State.QUEUED)
            talk.waited = True
            self.timers.set(Word.ASK_AGAIN, now + QUEUED_REFRESH_S)
        self.timers.set(Word.GIVE_UP, now + QUEUED_GIVE_UP_S)
        if position.position != talk.position:
            talk.position = position.position
            self._ctx.tell(Told.QUEUED, talk.press_no, count=position.position)
