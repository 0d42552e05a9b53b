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


def user_revoked(user: str, name: str, reason: str, revoked_at: int, rev: int = 0) -> Log:
    """A user is shut out; once for each revocation (`revoked_at`, Unix ms), whoever tells it first.

    `rev`: the registry's number as of which this is so. Where the log was told as of a later one, this is no news: two
    processes that read the registry a moment apart would else tell the same change to and fro.
    """

    def tell(turn: Turn) -> None:
        member = turn.member(user)
        if rev >= member.told_rev and member.told_revoked != revoked_at:
            turn.put_member(member, told_revoked=revoked_at, told_rev=rev)
            turn.event(EventType.USER_REVOKED, user, name, reason=reason)

    return tell


def clone_found(user: str, name: str, hardware: str, rev: int = 0) -> Log:
    """Another unit came with a user's identity; once for each unit until it is cured, whoever tells it first.

    `rev`: see `user_revoked`; to be read after the registry has noted the clone.
    """

    def tell(turn: Turn) -> None:
        member = turn.member(user)
        if rev >= member.told_rev and member.told_clone != hardware:
            turn.put_member(member, told_clone=hardware, told_rev=rev)
            turn.event(EventType.CLONE_FOUND, user, name, hardware=hardware)

    return tell


def clone_cured(user: str, name: str, hardware: str, rev: int = 0) -> Log:
    """The identity is one unit's again; once, whoever tells it first. `rev`: see `user_revoked`."""

    def tell(turn: Turn) -> None:
        member = turn.member(user)
        if rev >= member.told_rev and member.told_clone is not None:
            turn.put_member(member, told_clone=None, told_rev=rev)
            turn.event(EventType.CLONE_CURED, user, name, hardware=hardware)

    return tell
