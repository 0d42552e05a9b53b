"""Events that the doors tell the office's log: enrolments, refusals, revocations, clones.

Each is one turn of its own, so any process that has the store can log it: the REST service and the command line as well
as the floor control server, which publishes whatever it finds unpublished.
"""

from collections.abc import Callable

from dispatch.core.state import OfficeRules
from dispatch.core.turn import Turn
from dispatch.ports import OfficeTx, Store
from protocol.ids import OfficeId
from protocol.messages import EventType

Log = Callable[[Turn], None]


def log(store: Store, office: OfficeId, wall_ms: int, what: Log) -> None:
    """Write one of the notices below into the office's log, durably. Raises StoreUnavailable."""

    def turn(tx: OfficeTx) -> None:
        made = Turn(tx, office, OfficeRules(), wall_ms, str)
        what(made)
        made.close()

    store.transact(office, turn, durable=True)


def enrolled(user: str, name: str, generation: int, hardware: str, replaced: str | None) -> Log:
    """A unit was enrolled."""
    return lambda turn: turn.event(
        EventType.ENROLLED, user, name, generation=generation, hardware=hardware, replaced=replaced
    )


def enrol_refused(user: str | None, reason: str, count: int) -> Log:
    """Somebody was refused; `count` tries since the last such event."""
    return lambda turn: turn.event(EventType.ENROL_REFUSED, user, reason=reason, count=count)


def user_revoked(user: str, name: str, reason: str) -> Log:
    """Every door was shut to a user."""
    return lambda turn: turn.event(EventType.USER_REVOKED, user, name, reason=reason)


def clone_found(user: str, name: str, hardware: str) -> Log:
    """Another unit came with a user's identity."""
    return lambda turn: turn.event(EventType.CLONE_FOUND, user, name, hardware=hardware)


def clone_cured(user: str, name: str, hardware: str) -> Log:
    """The identity is one unit's again."""
    return lambda turn: turn.event(EventType.CLONE_CURED, user, name, hardware=hardware)
