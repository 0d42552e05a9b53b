"""Who may publish and read what at the broker: one table, out of which roles and documentation are made.

No rule of a user ends in `#` or gives anything of another office (the server's and the dashboard's do): an id holds no
slash and no wildcard, so a rule cannot be stretched by a name. What no rule allows is denied; receiving is checked as
well as subscribing, so that a rule taken away holds for subscriptions that stand already.
"""

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from dispatch.broker.dynsec import AclEntry, AclType
from dispatch.registry.words import CONSOLE_ROLES
from protocol.ids import OfficeId
from protocol.login import Login
from protocol.rest import Role
from protocol.topics import ROOT, check_id

DYNSEC_TOPIC = "$CONTROL/dynamic-security/v1"
BIRTH_TOPIC, CONFIGS = "homeassistant/status", "homeassistant/device/+/+/config"
"""Where Home Assistant says that it begins, and where it is told of vehicles."""
SHARE_GROUP = "ptt-dispatch"
"""The one group of a shared subscription: the floor control server's replicas'."""


class Connection(StrEnum):
    """Which of a user's connections."""

    CONTROL = "control"
    VOICE = "voice"


class Place(StrEnum):
    """A kind of topic behind `ptt/v1/<region>/<office>/`; `{}` is the user's."""

    SESSION = "session"
    FLOOR = "floor/{}"
    FLOOR_AGAIN = "floor/{}/again"
    REPLY = "floor/{}/reply"
    PRESENCE = "presence/{}"
    ROSTER = "roster"
    HEARTBEAT = "heartbeat/{}"
    EVENTS = "events"
    VOICE = "voice/{}"
    STATE = "device/{}/state"
    INFO = "device/{}/info"
    TELEMETRY = "device/{}/telemetry"
    ALERT = "device/{}/alert/+"
    TRACE = "device/{}/trace"
    COMMAND = "device/{}/cmd"
    COMMAND_REPLY = "device/{}/cmd/reply"


class Whose(StrEnum):
    """How far a rule reaches; places without a user are the office's."""

    OWN = "own"
    OFFICE = "office"


class Rule(Struct, frozen=True):
    """What one connection may do at one place; None is nothing."""

    place: Place
    publish: Whose | None = None
    read: Whose | None = None


_OWN, _ALL = Whose.OWN, Whose.OFFICE
_DEVICE = (Place.STATE, Place.INFO, Place.TELEMETRY, Place.ALERT, Place.TRACE, Place.COMMAND_REPLY)

_MEMBER = (
    Rule(Place.SESSION, read=_ALL),
    Rule(Place.PRESENCE, publish=_OWN, read=_ALL),
    Rule(Place.REPLY, read=_OWN),
    Rule(Place.FLOOR, publish=_OWN),
    Rule(Place.FLOOR_AGAIN, publish=_OWN),
    Rule(Place.HEARTBEAT, publish=_OWN),
    Rule(Place.COMMAND, read=_OWN),
    Rule(Place.ROSTER, read=_ALL),
    Rule(Place.EVENTS, read=_ALL),
    *(Rule(place, publish=_OWN) for place in _DEVICE),
)
_MANAGER = (
    *(rule for rule in _MEMBER if rule.place not in (*_DEVICE, Place.COMMAND)),
    *(Rule(place, publish=_OWN, read=_ALL) for place in _DEVICE),
    Rule(Place.COMMAND, publish=_ALL, read=_OWN),
)
_SPEAKER = (Rule(Place.VOICE, publish=_OWN, read=_ALL),)
_WATCHED = (Place.SESSION, Place.PRESENCE, Place.ROSTER, Place.EVENTS, Place.HEARTBEAT, *_DEVICE)
_MONITOR = (*(Rule(place, read=_ALL) for place in (*_WATCHED, Place.COMMAND)),)
_TECHNICIAN = (*(Rule(place, read=_ALL) for place in _WATCHED), Rule(Place.COMMAND, publish=_ALL, read=_ALL))
_BRIDGE = (
    Rule(Place.SESSION, read=_ALL),
    Rule(Place.PRESENCE, publish=_OWN, read=_ALL),
    Rule(Place.HEARTBEAT, publish=_OWN),
    *(Rule(place, publish=_OWN) for place in (Place.STATE, Place.INFO, Place.ALERT)),
)
_RELAY = (Rule(Place.VOICE, publish=_ALL, read=_ALL),)

TABLE: dict[tuple[Role, Connection], tuple[Rule, ...]] = {
    (Role.VEHICLE_GATEWAY, Connection.CONTROL): _MEMBER,
    (Role.VEHICLE_GATEWAY, Connection.VOICE): _SPEAKER,
    (Role.CALL_MANAGER, Connection.CONTROL): _MANAGER,
    (Role.CALL_MANAGER, Connection.VOICE): _SPEAKER,
    (Role.PICKUP_DRIVER, Connection.CONTROL): _MEMBER,
    (Role.PICKUP_DRIVER, Connection.VOICE): _SPEAKER,
    (Role.MONITOR, Connection.CONTROL): _MONITOR,
    (Role.TECHNICIAN, Connection.CONTROL): _TECHNICIAN,
    (Role.ADMIN, Connection.CONTROL): _TECHNICIAN,
    (Role.BRIDGE, Connection.CONTROL): _BRIDGE,
    (Role.BRIDGE, Connection.VOICE): _RELAY,
}
"""A role without an entry for a connection has no login for it."""

SERVERS_ALERTS = ("clone",)
"""Alerts of a device that only the server raises and clears, although they lie among the device's own."""


def logins(user: Login, role: Role) -> Iterator[tuple[str, Connection]]:
    """Give each login of a user, and which connection it is for."""
    for connection in Connection:
        if (role, connection) in TABLE:
            yield str(replace(user, voice=connection is Connection.VOICE)), connection


def console_logins(user: Login, role: Role) -> Iterator[tuple[str, Connection]]:
    """Give each login of a user's page, and which connection it is for: it may what the user's own may."""
    if role in CONSOLE_ROLES:
        yield from logins(replace(user, console=True), role)


def entries(user: Login, role: Role, connection: Connection) -> tuple[AclEntry, ...]:
    """Give the broker's rules of one login; raises BadTopic for an id that must not become part of a topic."""
    root = f"{ROOT}/{check_id(user.office.region, 'region')}/{check_id(user.office.office, 'office')}/"
    own = check_id(user.user, "user")
    made = []
    for rule in TABLE[role, connection]:
        if rule.publish is not None:
            if rule.place is Place.ALERT:
                for alert in SERVERS_ALERTS:
                    name = root + _fill(rule.place, own, rule.publish).replace("+", alert)
                    made.append(AclEntry(acltype=AclType.PUBLISH, topic=name, allow=False, priority=1))
            made.append(AclEntry(acltype=AclType.PUBLISH, topic=root + _fill(rule.place, own, rule.publish)))
        if rule.read is not None:
            made += _reading(root + _fill(rule.place, own, rule.read))
    if role is Role.MONITOR:
        made += home_assistant_entries(user.office)
    return tuple(made)


def home_assistant_entries(office: OfficeId) -> tuple[AclEntry, ...]:
    """Give what a monitor may besides, so that Home Assistant can log in as one: it subscribes to every discovery topic
    and is given its own office's alone; it says that it begins."""
    return (
        *(AclEntry(acltype=AclType.SUBSCRIBE, topic=f"homeassistant/+/{way}config") for way in ("+/", "+/+/")),
        AclEntry(acltype=AclType.RECEIVE, topic=f"homeassistant/device/{office.region}_{office.office}/+/config"),
        *_reading(BIRTH_TOPIC),
        AclEntry(acltype=AclType.PUBLISH, topic=BIRTH_TOPIC),
    )


def web_entries() -> tuple[AclEntry, ...]:
    """Give the rules of the dashboard's login: it reads what a monitor reads, of every office; it publishes nothing."""
    pattern = f"{ROOT}/+/+/"
    return tuple(entry for rule in _MONITOR for entry in _reading(pattern + rule.place.value.replace("{}", "+")))


def server_entries() -> tuple[AclEntry, ...]:
    """Give the rules of the floor control server's own login: every office, and the broker's users."""
    return (
        *_reading(f"{ROOT}/#"),
        AclEntry(acltype=AclType.SUBSCRIBE, topic=f"$share/{SHARE_GROUP}/{ROOT}/#"),
        AclEntry(acltype=AclType.PUBLISH, topic=f"{ROOT}/#"),
        AclEntry(acltype=AclType.PUBLISH, topic=DYNSEC_TOPIC),
        *_reading(f"{DYNSEC_TOPIC}/#"),
        AclEntry(acltype=AclType.PUBLISH, topic=CONFIGS),
        *_reading(CONFIGS),
        *_reading(BIRTH_TOPIC),
    )


def _fill(place: Place, own: str, whose: Whose) -> str:
    return place.value.format(own if whose is Whose.OWN else "+")


def _reading(pattern: str) -> tuple[AclEntry, AclEntry]:
    return AclEntry(acltype=AclType.SUBSCRIBE, topic=pattern), AclEntry(acltype=AclType.RECEIVE, topic=pattern)
