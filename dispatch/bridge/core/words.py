"""Events the bridge's core is given, and effects it asks for. Times are seconds of the loop's monotonic clock."""

from typing import Any

from msgspec import Struct

from protocol.messages import Message, Presence, Session
from protocol.rest import TokenGrant
from protocol.topics import Kind
from protocol.worker import Command, WorkerEvent


class _Word(Struct, frozen=True, kw_only=True):
    """Base of both directions."""


# --- events ---------------------------------------------------------------------------------------------------------


class LinkUp(_Word, frozen=True, kw_only=True):
    """The broker is connected and all subscriptions stand; what is retained follows."""


class LinkDown(_Word, frozen=True, kw_only=True):
    """The connection, or the attempt, failed."""

    reason: str


class GotSession(_Word, frozen=True, kw_only=True):
    """The office's floor, as the server announces it."""

    session: Session


class GotPresence(_Word, frozen=True, kw_only=True):
    """What `user` is; None where its retained presence was cleared."""

    user: str
    presence: Presence | None


class Acked(_Word, frozen=True, kw_only=True):
    """The broker has the publication of this token."""

    token: int


class FromWorker(_Word, frozen=True, kw_only=True):
    """The voice worker says something."""

    event: WorkerEvent


class WorkerGone(_Word, frozen=True, kw_only=True):
    """The voice worker ended, or could not be started."""

    reason: str


class TokenCame(_Word, frozen=True, kw_only=True):
    """The token service answered."""

    grant: TokenGrant


class TokenFailed(_Word, frozen=True, kw_only=True):
    """It refused, or was not reached; `retry_after_s` is its own wish, 0 where it has none."""

    reason: str
    retry_after_s: float = 0.0


class Shutdown(_Word, frozen=True, kw_only=True):
    """The process is to end."""


BridgeEvent = (
    LinkUp | LinkDown | GotSession | GotPresence | Acked | FromWorker | WorkerGone | TokenCame | TokenFailed | Shutdown
)


# --- effects --------------------------------------------------------------------------------------------------------


class Dial(_Word, frozen=True, kw_only=True):
    """Begin a connection whose last will is this presence."""

    will: Presence


class HangUp(_Word, frozen=True, kw_only=True):
    """Drop the connection: the next one must be newer than something that is retained."""

    reason: str


class Publish(_Word, frozen=True, kw_only=True):
    """Publish with QoS 1, now or never; None clears a retained message."""

    kind: Kind
    ids: tuple[str, ...]
    message: Message | None
    retain: bool
    token: int | None = None


class ToWorker(_Word, frozen=True, kw_only=True):
    """Command the voice worker."""

    command: Command


class StartWorker(_Word, frozen=True, kw_only=True):
    """Start the voice worker."""


class KillWorker(_Word, frozen=True, kw_only=True):
    """End it at once."""

    reason: str


class FetchToken(_Word, frozen=True, kw_only=True):
    """Ask the token service; answered by TokenCame or TokenFailed."""


class Note(_Word, frozen=True, kw_only=True):
    """Write a line of the log."""

    text: str
    fields: dict[str, Any]
    warning: bool = False


BridgeEffect = Dial | HangUp | Publish | ToWorker | StartWorker | KillWorker | FetchToken | Note
