"""What a monitor knows of the fleet, from MQTT messages alone. Pure: times are passed in, nothing is fetched.

Messages may come in any order and more than once; what is kept is the newest: a session by `rev`, a presence by
(connection_id, presence_no), a burst by its number, an event by its `no`. After a new connection the broker's retained
messages count whatever their order, and what it no longer retains is forgotten once they have all come.
"""

from __future__ import annotations

from collections.abc import Sized

from msgspec import Struct, field

from monitor.bursts import Burst, Bursts
from monitor.text import clean
from protocol.codec import Malformed, decode
from protocol.ids import OfficeId
from protocol.messages import Alert, DeviceState, Event, Message, Presence, PresenceState, Roster, Session, Telemetry
from protocol.topics import BadTopic, Kind, Topic, parse

OFFICES_MAX = 1000
MEMBERS_MAX = 2000
ALERTS_MAX = 500
EVENTS_KEPT_MAX = 1000
"""Bounds per fleet, office, office and office; what exceeds them is dropped and counted as bad."""


class Kept(Struct):
    """A retained message as it was last seen."""

    link_no: int
    """Which connection to the broker it came over."""
    since_s: float
    """Monotonic time since when it says what it says now."""
    exact: bool
    """Whether we saw that change happen; otherwise it is at least so long ago."""


class Member(Kept):
    """A member's presence; `since_s` is when its state or channel last changed."""

    presence: Presence


class Floor(Kept):
    """An office's session; `since_s` is when its speaker or activity last changed."""

    session: Session


class Raised(Kept):
    """An alert that is not cured."""

    alert: Alert


class Device(Kept):
    """What a member's device says it is doing; `since_s` is when it last said so."""

    state: DeviceState


class Measured(Kept):
    """How a member's device was when it last said so; kept when the member is gone."""

    telemetry: Telemetry


class Change(Struct, frozen=True, kw_only=True):
    """One thing that changed, in the order it did; `message` is None where a retained topic was cleared."""

    kind: str
    office: OfficeId | None = None
    user: str = ""
    item: str = ""
    message: Message | None = None
    detail: str = ""


class Office(Struct):
    """All that is known of one office."""

    id: OfficeId
    floor: Floor | None = None
    roster: Roster | None = None
    roster_link_no: int = 0
    members: dict[str, Member] = {}
    alerts: dict[tuple[str, str], Raised] = {}
    devices: dict[str, Device] = {}
    measured: dict[str, Measured] = {}
    bursts: Bursts = field(default_factory=Bursts)
    event_nos: dict[tuple[int, int], None] = {}
    """Events seen lately, as (number, time): after a restored backup numbers come again, on other events."""

    def online(self) -> int:
        """Count the members that are online."""
        return sum(m.presence.state is PresenceState.ONLINE for m in self.members.values())

    def known(self) -> bool:
        """Whether there is anything to show of it."""
        retained = self.floor is not None or self.roster is not None or self.members or self.alerts or self.devices
        return bool(retained or self.bursts.newest(1))

    def burst(self) -> Burst | None:
        """Give what is known of the burst that the session names."""
        return None if self.floor is None else self.bursts.get(self.floor.session.burst)


class Link(Struct, frozen=True):
    """State of the connection to the broker."""

    up: bool
    since_s: float
    reason: str = ""
    ever: bool = False


class Model:
    """The fleet. Feed it messages and the link's state; read `offices`, `link`, `bad` and `late`."""

    def __init__(self, now: float) -> None:
        self.offices: dict[OfficeId, Office] = {}
        self.link = Link(False, now)
        self.bad = 0
        """Payloads or topics that are no message of ours, since start."""
        self.last_bad = ""
        self.late = 0
        """Messages older than what was known already, since start."""
        self._link_no = 0

    def linked(self, now: float) -> None:
        """A connection was established: what comes next is what the broker has now."""
        self._link_no += 1
        self.link = Link(True, now, ever=True)

    def unlinked(self, reason: str, now: float) -> None:
        """The connection is gone or was not made; all that is known gets stale."""
        since = self.link.since_s if not self.link.up else now
        self.link = Link(False, since, reason, self.link.ever)

    def settled(self) -> tuple[Change, ...]:
        """All retained messages of this connection have come: forget what the broker does not retain any more."""
        gone: list[Change] = []
        for office in list(self.offices.values()):
            for user in [u for u, m in office.members.items() if m.link_no != self._link_no]:
                del office.members[user]
                gone.append(Change(kind="presence", office=office.id, user=user))
            for user, item in [k for k, a in office.alerts.items() if a.link_no != self._link_no]:
                del office.alerts[user, item]
                gone.append(Change(kind="alert", office=office.id, user=user, item=item))
            for user in [u for u, d in office.devices.items() if d.link_no != self._link_no]:
                del office.devices[user]
                gone.append(Change(kind="device_state", office=office.id, user=user))
            for user in [u for u, m in office.measured.items() if m.link_no != self._link_no]:
                del office.measured[user]
                gone.append(Change(kind="device_telemetry", office=office.id, user=user))
            if office.floor is not None and office.floor.link_no != self._link_no:
                office.floor = None
                gone.append(Change(kind="session", office=office.id))
            if office.roster is not None and office.roster_link_no != self._link_no:
                office.roster = None
                gone.append(Change(kind="roster", office=office.id))
            if not office.known():
                del self.offices[office.id]
        return tuple(gone)

    def apply(self, topic: str, payload: bytes, retained: bool, now: float, wall_ms: int) -> tuple[Change, ...]:
        """Take in one message; gives what it changed, which is nothing for an old, repeated or foreign one.

        Never raises for what is received: bad input is counted, and told as a change of kind `bad`.
        """
        try:
            place = parse(topic)
            office = self._office(place.office)
            message = decode(payload, place.kind) if payload else None
            return self._take(office, place, message, retained, now, wall_ms)
        except (BadTopic, Malformed) as error:
            self.bad += 1
            self.last_bad = clean(f"{topic[:120]}: {error}")[:400]
            return (Change(kind="bad", detail=self.last_bad),)

    def _take(
        self, office: Office, place: Topic, message: Message | None, retained: bool, now: float, wall_ms: int
    ) -> tuple[Change, ...]:
        change = Change(
            kind=place.kind.name.lower(), office=office.id, user=place.user, item=place.item, message=message
        )
        match place.kind, message:
            case Kind.SESSION, Session() | None:
                changed = self._session(office, message, retained, now, wall_ms)
            case Kind.PRESENCE, Presence() | None:
                changed = self._presence(office, place.user, message, retained, now)
            case Kind.ROSTER, Roster() | None:
                changed = office.roster != message
                office.roster, office.roster_link_no = message, self._link_no
            case Kind.ALERT, Alert() | None:
                changed = self._alert(office, (place.user, place.item), message, retained, now)
            case Kind.DEVICE_STATE, DeviceState() | None:
                changed = self._device(office, place.user, message, retained, now)
            case Kind.DEVICE_TELEMETRY, Telemetry() | None:
                changed = self._measured(office, place.user, message, retained, now)
            case Kind.EVENTS, Event():
                changed = self._event(office, message, now)
            case _:
                raise Malformed(f"on {place.kind.name}: not for a monitor")
        return (change,) if changed else ()

    def _office(self, id_: OfficeId) -> Office:
        office = self.offices.get(id_)
        if office is None:
            _bound(self.offices, OFFICES_MAX, "offices")
            office = self.offices[id_] = Office(id_)
        return office

    def _session(self, office: Office, new: Session | None, retained: bool, now: float, wall_ms: int) -> bool:
        old = office.floor
        if new is None:
            office.floor = None
            return old is not None
        if old is not None and old.link_no == self._link_no and new.rev <= old.session.rev:
            self.late += new.rev < old.session.rev
            return False
        before = None if old is None else (old.session.active, old.session.burst, old.session.current_speaker)
        same = before == (new.active, new.burst, new.current_speaker)
        since_s, exact = (old.since_s, old.exact) if old is not None and same else (now, not retained)
        office.floor = Floor(self._link_no, since_s, exact, new)
        office.bursts.see_session(new, not retained, now, wall_ms)
        return old is None or old.session != new

    def _presence(self, office: Office, user: str, new: Presence | None, retained: bool, now: float) -> bool:
        old = office.members.get(user)
        if new is None:
            return office.members.pop(user, None) is not None
        order = (new.connection_id, new.presence_no)
        if old is not None and old.link_no == self._link_no:
            known = (old.presence.connection_id, old.presence.presence_no)
            if order <= known:
                self.late += order < known
                return False
        if old is None:
            _bound(office.members, MEMBERS_MAX, "members")
        same = old is not None and (old.presence.state, old.presence.in_channel) == (new.state, new.in_channel)
        since_s, exact = (old.since_s, old.exact) if old is not None and same else (now, not retained)
        office.members[user] = Member(self._link_no, since_s, exact, new)
        return old is None or old.presence != new

    def _alert(self, office: Office, key: tuple[str, str], new: Alert | None, retained: bool, now: float) -> bool:
        old = office.alerts.get(key)
        if new is None:
            return office.alerts.pop(key, None) is not None
        if old is None:
            _bound(office.alerts, ALERTS_MAX, "alerts")
        since_s, exact = (old.since_s, old.exact) if old is not None else (now, not retained)
        office.alerts[key] = Raised(self._link_no, since_s, exact, new)
        return old is None or old.alert != new

    def _device(self, office: Office, user: str, new: DeviceState | None, retained: bool, now: float) -> bool:
        old = office.devices.get(user)
        if new is None:
            return office.devices.pop(user, None) is not None
        if old is None:
            _bound(office.devices, MEMBERS_MAX, "devices")
        office.devices[user] = Device(self._link_no, now, not retained, new)
        return old is None or old.state != new

    def _measured(self, office: Office, user: str, new: Telemetry | None, retained: bool, now: float) -> bool:
        old = office.measured.get(user)
        if new is None:
            return office.measured.pop(user, None) is not None
        if old is None:
            _bound(office.measured, MEMBERS_MAX, "devices")
        same = old is not None and old.telemetry == new
        since_s, exact = (old.since_s, old.exact) if old is not None and same else (now, not retained)
        office.measured[user] = Measured(self._link_no, since_s, exact, new)
        return not same

    def _event(self, office: Office, event: Event, now: float) -> bool:
        seen = (event.no, event.at)
        if seen in office.event_nos:
            return False
        office.event_nos[seen] = None
        if len(office.event_nos) > EVENTS_KEPT_MAX:
            del office.event_nos[next(iter(office.event_nos))]
        office.bursts.see_event(event, now)
        return True


def _bound(held: Sized, limit: int, what: str) -> None:
    if len(held) >= limit:
        raise Malformed(f"more than {limit} {what}")
