"""Procedures of the floor participant (TS 24.380 6.2.4, profile of docs/protocol.md); floor_machine has their table.

`U: has permission` transmits only while `talk.permitted`; permission is a lease counted from the sending of the last
answered message. Every doubt unkeys: an unanswered lease, a lost link, worker or microphone mutes at once.
"""

from typing import Any

from gateway.core.context import Context, Timers
from gateway.core.participant_words import State, Word
from gateway.core.releases import Releases
from gateway.core.talk import Talk
from gateway.core.words import Told
from protocol.messages import (
    DenyCause,
    Ended,
    FloorDeny,
    FloorGranted,
    FloorQueued,
    FloorRelease,
    FloorRenew,
    FloorRenewed,
    FloorRequest,
    FloorRevoke,
    Priority,
    RevokeCause,
    Session,
)
from protocol.timers import (
    FIRST_RENEW_S,
    LOST_S,
    QUEUED_REFRESH_S,
    RENEW_S,
    REQUEST_GIVE_UP_S,
    REQUEST_RETRANSMIT_S,
    TAIL_S,
    TALK_WARNING_S,
    TRANSMIT_REPEAT_S,
    VOICE_THROUGH_S,
)
from protocol.worker import Arm, Drained, Hold, KeyUp, Mute, Through, Transmit

_DENIED_AS = {
    DenyCause.INTERNAL_ERROR: Told.NO_ANSWER,
    DenyCause.NO_RESOURCES: Told.NO_ANSWER,
    DenyCause.RECEIVE_ONLY: Told.NOT_ALLOWED,
}
TAIL_BEFORE_NEXT_S = 0.5
"""A driver who presses again waits at most this long for the last burst's tail."""


class Participant:
    """The vehicle's floor participant: one procedure for each cell of the table in floor_machine."""

    def __init__(self, ctx: Context, releases: Releases) -> None:
        """Start without permission."""
        self._ctx = ctx
        self._releases = releases
        self.timers = Timers()
        self._presses = 0
        self.state = State.NO_PERMISSION
        self.talk: Talk | None = None
        self.waiting: Talk | None = None
        self.discarded = 0

    @property
    def transmitting(self) -> bool:
        """Whether the worker has permission now."""
        return self.talk is not None and self.talk.permitted

    # --- asking -----------------------------------------------------------------------------------------------------

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

    def _new_talk(self, now: float, edge_at: float) -> Talk | None:
        ctx = self._ctx
        self._presses += 1
        if ctx.problem is not None:
            ctx.tell(ctx.problem, self._presses)
            return None
        talk = Talk((*ctx.connection_id, self._presses), edge_at, now, Priority.NORMAL)
        ctx.voice(Arm(request_id=talk.request_id, edge_at=edge_at))
        return talk

    def _ask_for(self, talk: Talk, now: float) -> None:
        self.talk = talk
        talk.baseline = now
        self._enter(State.PENDING_REQUEST)
        self._ctx.floor(FloorRequest(request_id=talk.request_id, priority=talk.priority))
        self.timers.set(Word.ASK_AGAIN, now + REQUEST_RETRANSMIT_S)
        self.timers.set(Word.GIVE_UP, talk.asked_at + REQUEST_GIVE_UP_S)

    def ask_again(self, now: float, _: Any) -> None:
        """Repeat the request: unanswered, or to stay in the queue."""
        talk = self._live()
        self._ctx.floor(FloorRequest(request_id=talk.request_id, priority=talk.priority), again=True)
        every = QUEUED_REFRESH_S if self.state is State.QUEUED else REQUEST_RETRANSMIT_S
        self.timers.set(Word.ASK_AGAIN, now + every)

    def give_up(self, now: float, _: Any) -> None:
        """No answer in time: say so, and take the request back in case it was granted unheard."""
        self._tell(Told.NO_ANSWER)
        self._abandon(now)

    def cancel(self, now: float, _: Any) -> None:
        """Button up before any answer, or while queued: nothing is sent, the request is taken back."""
        self._tell(Told.CANCELLED)
        self._abandon(now)

    def denied(self, now: float, deny: FloorDeny) -> None:
        """Say who speaks, why not you, and how long it can last."""
        if deny.request_id != self._live().request_id:
            self.discarded += 1
            return
        told = _DENIED_AS.get(deny.cause, Told.DENIED)
        self._ctx.tell(told, self._live().press_no, deny.speaker_name or deny.speaker or "", deny.remaining_s)
        self._ctx.voice(Mute(request_id=deny.request_id))
        self._end(now)

    def queued(self, now: float, position: FloorQueued) -> None:
        """Wait for the floor; speech so far is dropped, the request repeated."""
        talk = self._live()
        if position.request_id != talk.request_id:
            self.discarded += 1
            return
        if self.state is not State.QUEUED:
            self._ctx.voice(Mute(request_id=talk.request_id))
            self._tell(Told.QUEUED)
            self._enter(State.QUEUED)
            self.timers.set(Word.ASK_AGAIN, now + QUEUED_REFRESH_S)

    # --- holding ----------------------------------------------------------------------------------------------------

    def granted(self, now: float, grant: FloorGranted) -> None:
        """Take the floor: renew at once, transmit as soon as the grant is certain to be still ours."""
        talk = self._live()
        if grant.request_id != talk.request_id:
            self.release_stray(now, grant)
            return
        session = self._ctx.session
        talk.burst, talk.granted_rev = grant.burst, grant.rev
        if session is not None and session.rev > grant.rev and not _is_mine(session, talk, self._ctx.user):
            self._tell(Told.FLOOR_LOST)
            self._abandon(now)
            return
        if self.state is State.QUEUED:
            talk.asked_at = now
            talk.baseline = now - FIRST_RENEW_S
            self._ctx.voice(Arm(request_id=talk.request_id, edge_at=now))
        talk.duration_s, talk.lease_s = grant.duration_s, grant.lease_s
        talk.all_joined = grant.all_joined
        talk.through_at = now
        certain = now < talk.lease_ends
        self._enter(State.HAS_PERMISSION)
        self.timers.set(Word.LIMIT, now + talk.duration_s)
        self.timers.set(Word.WARNING, now + max(0.0, talk.duration_s - TALK_WARNING_S))
        self.timers.set(Word.LOST, now + LOST_S if certain else talk.asked_at + REQUEST_GIVE_UP_S)
        if certain:
            self._permit(now)
        self._renew(now)

    def release_stray(self, now: float, grant: FloorGranted) -> None:
        """A grant nobody wants (any more): give it back at once."""
        talk = self.talk
        if talk is not None and talk.request_id == grant.request_id and talk.burst == grant.burst:
            return
        if grant.request_id not in self._releases:
            self._releases.send(FloorRelease(request_id=grant.request_id, burst=grant.burst), now)

    def _permit(self, now: float) -> None:
        talk = self._live()
        talk.permitted = True
        talk.told_unheard = False
        talk.through_at = now
        self._transmit(talk, now)
        self.timers.set(Word.LEASE, talk.lease_ends)
        if not talk.spoke:
            talk.spoke = True
            self._tell(Told.GRANTED)
        else:
            self._tell(Told.HEARD_AGAIN)

    def transmit(self, now: float, _: Any) -> None:
        """Repeat the worker's permission, which is a lease of its own."""
        talk = self._live()
        if talk.permitted:
            self._transmit(talk, now)

    def _transmit(self, talk: Talk, now: float) -> None:
        until, joined = talk.lease_ends, talk.all_joined
        self._ctx.voice(Transmit(request_id=talk.request_id, burst=talk.burst, until=until, all_joined=joined))
        self.timers.set(Word.TRANSMIT, now + TRANSMIT_REPEAT_S)

    def renew(self, now: float, _: Any) -> None:
        """Renew the lease, unless voice does not get through: then the floor must not be kept from others."""
        self._renew(now)

    def _renew(self, now: float) -> None:
        """One behind an unanswered one goes to every replica: a stopped one may swallow what is shared among them."""
        talk = self._live()
        self.timers.set(Word.RENEW, now + (RENEW_S if talk.confirmed else REQUEST_RETRANSMIT_S))
        through = now - talk.through_at <= VOICE_THROUGH_S
        again = bool(talk.sent)
        unanswered = again and not talk.permitted
        if self._ctx.link_up and (through or unanswered or not talk.confirmed):
            talk.renew_no += 1
            talk.sent[talk.renew_no] = now
            self._ctx.floor(FloorRenew(burst=talk.burst, renew_no=talk.renew_no), again=again)

    def renewed(self, now: float, answer: FloorRenewed) -> None:
        """The burst is still ours: the lease runs from when that renewal was sent."""
        talk = self._live()
        first = not talk.confirmed
        if answer.burst != talk.burst or not talk.renewed(answer.renew_no):
            self.discarded += 1
            return
        talk.all_joined = answer.all_joined
        if first:
            self.timers.set(Word.RENEW, max(talk.baseline + RENEW_S, now))
        if now >= talk.lease_ends:
            return
        self.timers.set(Word.LOST, max(talk.baseline + LOST_S, now))
        if talk.permitted:
            self.timers.set(Word.LEASE, talk.lease_ends)
        else:
            self._permit(now)

    def lease_unanswered(self, now: float, _: Any) -> None:
        """The server may have given the floor away by now: mute, tell, resume if the same burst is answered."""
        self._hold()

    def _hold(self) -> None:
        talk = self._live()
        if not talk.permitted:
            return
        talk.permitted = False
        self.timers.stop(Word.TRANSMIT, Word.LEASE)
        self._ctx.voice(Hold(burst=talk.burst))
        if not talk.told_unheard:
            talk.told_unheard = True
            self._tell(Told.NOT_HEARD)

    def link_lost_holding(self, now: float, _: Any) -> None:
        """Mute; the floor is kept for a reconnection within the lease."""
        self._hold()

    def link_back_holding(self, now: float, _: Any) -> None:
        """Renew over the new connection at once: the answer says whether the burst is still ours."""
        talk = self._live()
        talk.through_at = now
        self._renew(now)

    def burst_unanswered(self, now: float, _: Any) -> None:
        """Unanswered too long: give the floor up."""
        self._tell(Told.FLOOR_LOST if self._live().spoke else Told.NO_ANSWER)
        self._abandon(now)

    def through(self, now: float, report: Through) -> None:
        """Voice really left."""
        talk = self._live()
        if report.burst == talk.burst:
            talk.through_at = report.at
            talk.through_seq = report.seq

    def limit_near(self, now: float, _: Any) -> None:
        """Warn the driver."""
        self._tell(Told.LIMIT_NEAR)

    # --- ending -----------------------------------------------------------------------------------------------------

    def key_up(self, now: float, at: float) -> None:
        """Capture ends; the floor is kept, renewed, until the last frame is written."""
        talk = self._live()
        if not talk.spoke:
            self.cancel(now, at)
            return
        talk.draining = True
        self.timers.stop(Word.LIMIT, Word.WARNING)
        self.timers.set(Word.TAIL, now + TAIL_S)
        self._ctx.voice(KeyUp(request_id=talk.request_id, at=at))
        self.state = State.PENDING_RELEASE

    def limit_reached(self, now: float, _: Any) -> None:
        """As key-up, by the clock; a new edge is required for the next burst."""
        self._tell(Told.LIMIT_REACHED)
        self.key_up(now, now)

    def drained(self, now: float, report: Drained) -> None:
        """All was sent: release with the number of the last frame."""
        talk = self._live()
        if not talk.draining or report.request_id != talk.request_id:
            self.discarded += 1
            return
        talk.last_seq = report.last_seq
        self._release(now)

    def tail_over(self, now: float, _: Any) -> None:
        """The tail takes too long: release with what got through."""
        talk = self._live()
        talk.last_seq = talk.through_seq
        self._ctx.voice(Mute(request_id=talk.request_id))
        self._release(now)

    def _release(self, now: float) -> None:
        """Send the release; in `U: pending Release` without a talk only its acknowledgement is awaited."""
        talk = self._live()
        self._tell(Told.TALK_ENDED)
        self._releases.send(FloorRelease(request_id=talk.request_id, burst=talk.burst, last_seq=talk.last_seq), now)
        self._end(now, State.PENDING_RELEASE)

    def key_up_after_tail(self, now: float, at: float) -> None:
        """Button up while its own request still waits for the last tail: nothing was asked, nothing is sent."""
        if self.waiting is not None:
            waiting, self.waiting = self.waiting, None
            self._ctx.voice(Mute(request_id=waiting.request_id))
            self._ctx.tell(Told.CANCELLED, waiting.press_no)

    def release_answered(self) -> None:
        """The release is acknowledged, or its burst announced over."""
        if self.state is State.PENDING_RELEASE and self.talk is None:
            self.state = State.NO_PERMISSION

    def revoked(self, now: float, revoke: FloorRevoke) -> None:
        """Stop at once: nothing more of this burst is heard anyway. A new edge is required."""
        talk = self._live()
        if revoke.burst != talk.burst:
            self.discarded += 1
            return
        if revoke.cause is RevokeCause.PREEMPTED:
            self._tell(Told.PREEMPTED)
        elif revoke.cause is RevokeCause.BURST_TOO_LONG:
            self._tell(Told.LIMIT_REACHED)
        else:
            self._tell(Told.REVOKED)
        self._abandon(now)

    def session_moved(self, now: float, session: Session) -> None:
        """A newer announcement without us as its speaker ends our burst."""
        talk = self._live()
        if session.rev <= talk.granted_rev or _is_mine(session, talk, self._ctx.user):
            return
        if session.burst == talk.burst:
            by = {Ended.LIMIT: Told.LIMIT_REACHED, Ended.PREEMPTED: Told.PREEMPTED}
            self._tell(by.get(session.ended or Ended.LOST, Told.FLOOR_LOST))
        else:
            self._tell(Told.PREEMPTED if session.priority.rank > talk.priority.rank else Told.FLOOR_LOST)
        self._abandon(now)

    def link_lost_asking(self, now: float, _: Any) -> None:
        """No answer can come: say so; the server frees what it may have granted."""
        self._tell(Told.NO_CONNECTION)
        self._abandon(now)

    def voice_lost(self, now: float, told: Told) -> None:
        """Nothing can be sent any more: release, tell."""
        self._tell(told)
        self._abandon(now)

    def stop(self, now: float) -> None:
        """The service stops: unkey and release whatever is held or asked for; what waits is not asked for any more."""
        if self.waiting is not None:
            self.key_up_after_tail(now, now)
        if self.talk is not None:
            self._abandon(now)

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
        problem = self._ctx.problem
        if problem is None:
            self._ask_for(waiting, now)
        else:
            self._ctx.voice(Mute(request_id=waiting.request_id))
            self._ctx.tell(problem, waiting.press_no)

    def _enter(self, state: State) -> None:
        self.timers.stop()
        self.state = state

    def _tell(self, what: Told) -> None:
        self._ctx.tell(what, self._live().press_no)

    def _live(self) -> Talk:
        if self.talk is None:
            raise RuntimeError(f"{self.state} without a talk")
        return self.talk


def _is_mine(session: Session, talk: Talk, user: str) -> bool:
    return session.burst == talk.burst and session.current_speaker == user
