"""What the office says, handed to the parts of the core it concerns: sessions, replies, this user's presence."""

from gateway.core.context import Context
from gateway.core.floor_machine import FloorMachine
from gateway.core.heard import Heard
from gateway.core.hearing_again import HearingAgain
from gateway.core.link import Link
from gateway.core.listener import Listener
from gateway.core.participant_words import Word
from gateway.core.presence import PresenceKeeper
from gateway.core.releases import Releases
from gateway.core.tokens import Tokens
from protocol.messages import (
    FloorAck,
    FloorDeny,
    FloorGranted,
    FloorHeard,
    FloorQueued,
    FloorRenewed,
    FloorRevoke,
    Message,
    Presence,
    Session,
)
from protocol.topics import Kind


class OfficeWords:
    """Everything that comes of this vehicle's own topics but commands."""

    def __init__(
        self,
        ctx: Context,
        floor: FloorMachine,
        releases: Releases,
        presence: PresenceKeeper,
        link: Link,
        listener: Listener,
        tokens: Tokens,
        again: HearingAgain,
        heard: Heard,
    ) -> None:
        """The parts that are told."""
        self._ctx = ctx
        self._floor = floor
        self._releases = releases
        self._presence = presence
        self._link = link
        self._listener = listener
        self._tokens = tokens
        self._again = again
        self._heard = heard

    def said(self, kind: Kind, message: Message, now: float) -> bool:
        """Take a message; True where the connection is to be made anew, above a newer one of this user."""
        if isinstance(message, Session):
            self._session(message, now)  # a retained one may come before the subscriptions are all acknowledged
            return False
        if not self._ctx.link_up:
            return False
        participant = self._floor.participant
        match message:
            case Presence() if kind is Kind.PRESENCE:
                return self._presence.retained(message, now) and self._link.outdo(message.connection_id)
            case FloorGranted():
                self._floor.take(Word.GRANTED, now, message)
                if participant.talk is not None and participant.talk.burst == message.burst:
                    self._heard.granted(message.burst)
            case FloorDeny():
                self._floor.take(Word.DENY, now, message)
            case FloorQueued():
                self._floor.take(Word.POSITION, now, message)
            case FloorRenewed():
                self._floor.take(Word.RENEWED, now, message)
            case FloorRevoke():
                self._floor.take(Word.REVOKE, now, message)
            case FloorHeard():
                self._heard.take(message)
            case FloorAck(request_id=request_id):
                if self._releases.acked(request_id):
                    participant.release_answered()
            case _:
                participant.discarded += 1
        return False

    def settle_release(self) -> None:
        """`U: pending Release` ends with the last release answered, announced over, or given up."""
        if self._releases.next_deadline() is None:
            self._floor.participant.release_answered()

    def _session(self, session: Session, now: float) -> None:
        if not self._listener.session(session):
            return
        self._presence.burst = self._listener.playing
        self._again.session(session, now)
        self._tokens.session(session, now)
        self._floor.take(Word.SESSION, now, session)
        self._releases.burst_over(session.burst - (session.current_speaker == self._ctx.user))
        self.settle_release()
