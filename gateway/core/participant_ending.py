"""Procedures of the floor participant that end a talk: by the driver, by the clock, by the server, by a fault."""

from typing import Any

from gateway.core.participant_base import ParticipantBase, is_mine
from gateway.core.participant_words import State, Word
from gateway.core.told import Told
from protocol.messages import Ended, FloorRelease, FloorRevoke, RevokeCause, Session
from protocol.timers import TAIL_S
from protocol.worker import Drained, KeyUp, Mute


class Ending(ParticipantBase):
    """Every way out, and `U: pending Release`."""

    def cancel(self, now: float, _: Any) -> None:
        """Button up before any answer, or while queued: nothing is sent, the request is taken back."""
        self._tell(Told.CANCELLED)
        self._abandon(now)

    def key_up_after_tail(self, now: float, at: float) -> None:
        """Button up while its own request still waits for the last tail: nothing was asked, nothing is sent."""
        if self.waiting is not None:
            waiting, self.waiting = self.waiting, None
            self._ctx.voice(Mute(request_id=waiting.request_id))
            self._ctx.tell(Told.CANCELLED, waiting.press_no)

    def key_up(self, now: float, at: float) -> None:
        """Capture ends; the floor is kept, renewed, until the last frame is written."""
        talk = self._live()
        if not talk.spoke:
            self.cancel(now, at)
            return
        if self._silenced(talk):
            self.tail_over(now, at)  # what was captured is sent or dropped already
            return
        talk.draining = True
        self.timers.stop(Word.LIMIT, Word.WARNING)
        self.timers.set(Word.TAIL, now + TAIL_S)
        self._ctx.voice(KeyUp(request_id=talk.request_id, at=at))
        self.state = State.PENDING_RELEASE

    def limit_reached(self, now: float, _: Any) -> None:
        """As key-up, by the clock; a new edge is required for the next burst."""
        self._at_limit()
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
            self._at_limit()
            self._tell(Told.LIMIT_REACHED)
        else:
            self._tell(Told.REVOKED)
        self._abandon(now)

    def session_moved(self, now: float, session: Session) -> None:
        """A newer announcement without us as its speaker ends our burst."""
        talk = self._live()
        if session.rev <= talk.granted_rev or is_mine(session, talk, self._ctx.user):
            return
        if session.burst == talk.burst:
            if session.ended is Ended.LIMIT:
                self._at_limit()
            by = {Ended.LIMIT: Told.LIMIT_REACHED, Ended.PREEMPTED: Told.PREEMPTED}
            self._tell(by.get(session.ended or Ended.LOST, Told.FLOOR_LOST))
        else:
            self._tell(Told.PREEMPTED if session.priority.rank > talk.priority.rank else Told.FLOOR_LOST)
        self._abandon(now)

    def burst_unanswered(self, now: float, _: Any) -> None:
        """Unanswered too long: give the floor up."""
        self._tell(Told.FLOOR_LOST if self._live().spoke else Told.NO_ANSWER)
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
