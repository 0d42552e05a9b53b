"""Procedures of the floor participant that hold the floor: permission, renewals, and muting on every doubt."""

from typing import Any

from gateway.core.participant_base import ParticipantBase, is_mine
from gateway.core.participant_words import State, Word
from gateway.core.talk import Talk
from gateway.core.told import Told
from protocol.messages import FloorGranted, FloorRelease, FloorRenew, FloorRenewed
from protocol.timers import (
    FIRST_RENEW_S,
    LOST_S,
    RENEW_S,
    REQUEST_GIVE_UP_S,
    REQUEST_RETRANSMIT_S,
    TALK_WARNING_S,
    TRANSMIT_REPEAT_S,
    VOICE_THROUGH_S,
)
from protocol.worker import Hold, Through, Transmit


class Holding(ParticipantBase):
    """`U: has permission`, and the tail's share of it in `U: pending Release`."""

    def granted(self, now: float, grant: FloorGranted) -> None:
        """Take the floor: renew at once, transmit as soon as the grant is certain to be still ours."""
        talk = self._live()
        if grant.request_id != talk.request_id:
            self.release_stray(now, grant)
            return
        session = self._ctx.session
        talk.burst, talk.granted_rev = grant.burst, grant.rev
        if session is not None and session.rev > grant.rev and not is_mine(session, talk, self._ctx.user):
            self._tell(Told.FLOOR_LOST)
            self._abandon(now)
            return
        if self.state is State.QUEUED:
            talk.asked_at = now
            talk.baseline = now - FIRST_RENEW_S
        self._arm(talk, now)
        talk.lease_s = grant.lease_s
        runs_on_s = grant.duration_s if talk.limit_at is None else talk.limit_at - now
        talk.duration_s = max(0.0, min(grant.duration_s, runs_on_s))
        talk.limit_at = now + talk.duration_s
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
        if self._silenced(talk):
            self._wait_for_navigation(talk, now)
            return
        talk.permitted = True
        talk.told_unheard = False
        talk.through_at = now
        self._transmit(talk, now)
        self.timers.set(Word.LEASE, talk.lease_ends)
        if not talk.spoke:
            talk.spoke = True
            self._tell(Told.TURN_CAME if talk.waited else Told.GRANTED)
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
        through = now - talk.through_at <= VOICE_THROUGH_S or self._silenced(talk)
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
        talk.doubted = False
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
        talk.doubted = True
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

    def through(self, now: float, report: Through) -> None:
        """Voice really left."""
        talk = self._live()
        if report.burst == talk.burst:
            talk.through_at = report.at
            talk.through_seq = report.seq

    def limit_near(self, now: float, _: Any) -> None:
        """Warn the driver: felt, and shown as long as it lasts."""
        self._live().ending = True
        self._tell(Told.LIMIT_NEAR)
