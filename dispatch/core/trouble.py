"""Alerts of the server itself: a store that must not serve an office, or that is away. Retained until cured."""

from dispatch.core.turn import Publish
from protocol.ids import OfficeId
from protocol.messages import Alert, Severity
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


def _told(office: OfficeId, alert_id: str, what: str, why: object, wall_ms: int) -> Publish:
    alert = None
    if why is not None:
        mend = str(why)[:MEND_CHARS_MAX]
        alert = Alert(alert=alert_id, severity=Severity.CRITICAL, what=what, mend=mend, since=wall_ms)
    return Publish(office=office, kind=Kind.ALERT, ids=(SERVER, alert_id), message=alert, retain=True)
