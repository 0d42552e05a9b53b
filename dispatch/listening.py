"""What the floor control server reads of an office: its subscriptions, and what an alert there means to it. Pure."""

from typing import TypeAlias

from dispatch.broker.acl import SHARE_GROUP
from dispatch.core.admission import CLONE
from dispatch.core.alert_log import AlertWord
from dispatch.core.emergencies import EMERGENCY
from dispatch.core.server import AlertSeen, DeviceAlertSeen, EmergencySeen
from dispatch.core.trouble import SERVER
from protocol.ids import OfficeId
from protocol.messages import Alert
from protocol.topics import Kind, Topic, everyone

Seen: TypeAlias = AlertSeen | EmergencySeen | DeviceAlertSeen
_ALL_READ = (Kind.FLOOR_AGAIN, Kind.SESSION, Kind.PRESENCE, Kind.HEARTBEAT, Kind.ALERT, Kind.DEVICE_TRACE)


def floor_shared(office: OfficeId) -> str:
    """Give where first sendings of floor messages are shared out among the server's replicas."""
    return everyone(office, Kind.FLOOR, share=SHARE_GROUP)


def filters(office: OfficeId) -> tuple[str, ...]:
    """Give everything to subscribe to, QoS 1."""
    return (floor_shared(office), *(everyone(office, kind) for kind in _ALL_READ))


def alert_seen(where: Topic, alert: Alert | None, *, doors: bool) -> Seen | None:
    """Give what the server is told of an alert (None: cleared); None: it is nothing to it.

    `doors`: whether anybody here says who is a clone.
    """
    if where.user == SERVER:
        return None  # our own
    if where.item == EMERGENCY:
        return EmergencySeen(office=where.office, user=where.user, raised=alert is not None)
    if where.item == CLONE:
        return AlertSeen(office=where.office, user=where.user, alert=alert) if doors else None
    return DeviceAlertSeen(office=where.office, word=AlertWord(user=where.user, id=where.item, alert=alert))
