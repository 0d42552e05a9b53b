"""What the server says of its own troubles: alerts of its store, retained until cured; an office that is full."""

from dispatch.core.turn import Publish
from protocol.ids import OfficeId, RequestId
from protocol.messages import Alert, DenyCause, FloorDeny, Severity
from protocol.topics import Kind

FOREIGN = "foreign-store"
STORE = "store-unavailable"
SERVER = "dispatch"
"""User id under which the server's own alerts stand."""
MEND_CHARS_MAX = 256


def foreign_store(office: OfficeId, why: Exception | None, wall_ms: int) -> Publish:
    """Tell monitors that this store must not serve the office and why, or (None) that it does."""
    return _told(office, FOREIGN, "this store must not serve the office", why, wall_ms)


def store_away(office: OfficeId, why: str | None, wall_ms: int) -> Publish:
    """Tell monitors that the store is away and why, or (None) that it is back."""
    return _told(office, STORE, "the store is unavailable, nobody is given the floor", why, wall_ms)


def no_room(office: OfficeId, user: str, request_id: RequestId, rev: int) -> Publish:
    """Tell one who asks for the floor that the office has as many members as it can have; `rev`: of its floor."""
    deny = FloorDeny(rev=rev, request_id=request_id, cause=DenyCause.NO_RESOURCES)
    return Publish(office=office, kind=Kind.REPLY, ids=(user,), message=deny, expiry_s=2)


def _told(office: OfficeId, alert_id: str, what: str, why: object, wall_ms: int) -> Publish:
    alert = None
    if why is not None:
        mend = str(why)[:MEND_CHARS_MAX]
        alert = Alert(alert=alert_id, severity=Severity.CRITICAL, what=what, mend=mend, since=wall_ms)
    return Publish(office=office, kind=Kind.ALERT, ids=(SERVER, alert_id), message=alert, retain=True)
