"""Topics, built and parsed in one place (DESIGN section 5)."""

import re
from enum import StrEnum

from msgspec import Struct

from protocol.ids import ID_PATTERN, OfficeId

ROOT = "ptt/v1"
_ID = re.compile(ID_PATTERN)


class Kind(StrEnum):
    """What a topic carries; the value is the part behind the office, with `{}` for the user and alert."""

    SESSION = "session"
    FLOOR = "floor/{}"
    FLOOR_AGAIN = "floor/{}/again"
    REPLY = "floor/{}/reply"
    PRESENCE = "presence/{}"
    ROSTER = "roster"
    HEARTBEAT = "heartbeat/{}"
    EVENTS = "events"
    VOICE = "voice/{}"
    DEVICE_STATE = "device/{}/state"
    DEVICE_INFO = "device/{}/info"
    ALERT = "device/{}/alert/{}"
    DEVICE_TELEMETRY = "device/{}/telemetry"
    DEVICE_TRACE = "device/{}/trace"
    COMMAND = "device/{}/cmd"
    COMMAND_REPLY = "device/{}/cmd/reply"

    @property
    def slots(self) -> int:
        """How many ids it takes: 0, 1 (user) or 2 (user, alert)."""
        return self.value.count("{}")


class Topic(Struct, frozen=True):
    """A parsed topic: `user` is empty where the kind has none, `item` is the alert's id."""

    office: OfficeId
    kind: Kind
    user: str = ""
    item: str = ""


class BadTopic(ValueError):
    """A topic that is not of this protocol, or an id that must not become part of one."""


def check_id(value: str, what: str = "id") -> str:
    """Return `value`, or raise BadTopic: an id can never hold a wildcard, a slash or another office."""
    if not _ID.search(value):
        raise BadTopic(f"{what} {value!r}: use 1 to 32 of a-z, 0-9 and '-', not starting with '-'")
    return value


def topic(office: OfficeId, kind: Kind, *ids: str) -> str:
    """Build a topic; raises BadTopic on a bad id or a wrong number of them."""
    if len(ids) != kind.slots:
        raise BadTopic(f"{kind.name} takes {kind.slots} ids, {len(ids)} given")
    return _build(office, kind, *(check_id(i) for i in ids))


def everyone(office: OfficeId, kind: Kind, *, share: str | None = None) -> str:
    """Build the subscription to a kind for all users of an office; `share` names a shared-subscription group."""
    tail = _build(office, kind, *["+"] * kind.slots)
    return f"$share/{check_id(share, 'share')}/{tail}" if share else tail


def own(office: OfficeId, kind: Kind, user: str, wildcard_item: bool = True) -> str:
    """Build the subscription to all items of one user (only alerts have items)."""
    ids = [check_id(user, "user")] + (["+"] if kind.slots == 2 and wildcard_item else [])
    return _build(office, kind, *ids)


def parse(text: str) -> Topic:
    """Parse a concrete topic; raises BadTopic when it is not one of ours."""
    parts = text.split("/")
    if len(parts) < 5 or "/".join(parts[:2]) != ROOT:
        raise BadTopic(f"topic {text[:200]!r} is not under {ROOT}/<region>/<office>/")
    for part in parts[2:]:
        check_id(part, "topic part")
    office = OfficeId(parts[2], parts[3])
    tail = parts[4:]
    for kind in Kind:
        pattern = kind.value.split("/")
        if len(pattern) == len(tail) and all(p in ("{}", t) for p, t in zip(pattern, tail, strict=True)):
            ids = [t for p, t in zip(pattern, tail, strict=True) if p == "{}"]
            return Topic(office, kind, *ids)
    raise BadTopic(f"topic {text[:200]!r} is of no known kind")


def _build(office: OfficeId, kind: Kind, *ids: str) -> str:
    region, name = check_id(office.region, "region"), check_id(office.office, "office")
    return f"{ROOT}/{region}/{name}/{kind.value.format(*ids)}"
