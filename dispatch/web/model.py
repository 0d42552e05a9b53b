"""One office as its pages show it, from MQTT messages and the registry alone. Pure: times are passed in.

Messages may come in any order and more than once; the newest counts: a session by `rev`, a presence by
(connection_id, presence_no), an event by its `no`. What the broker no longer retains after a new connection is
forgotten (`settled`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from dispatch.registry.words import User
from dispatch.web.board import Board, Value
from protocol.messages import (
    Alert,
    DeviceInfo,
    DeviceState,
    Event,
    EventType,
    Message,
    Presence,
    PresenceState,
    Session,
    Telemetry,
)
from protocol.topics import Kind

MEMBERS_MAX = 2000
ALERTS_MAX = 500
BURSTS_SHOWN = 30
"""Bounds of one office; what exceeds the first two is dropped and counted in `dropped`."""


class OfficeModel:
    """Its board has: `floor`, `today`, `user/<user>` (registry), `member/<user>`, `state/<user>`, `info/<user>`,
    `telemetry/<user>`, `alert/<user>/<alert>`, `burst/<number>`."""

    def __init__(self) -> None:
        self.board = Board()
        self.dropped = 0
        self.news = 0
        """Rises with every event of the log: figures of today are to be read again."""
        self._link_no = 0
        self._seen: dict[str, int] = {}  # retained key -> the connection it last came over
        self._held: Counter[str] = Counter()  # keys of a kind in there
        self._rev = -1
        self._event_no = self._event_at = 0

    def linked(self, link_no: int) -> None:
        """A new connection: what comes next counts, whatever was known."""
        self._link_no, self._rev = link_no, -1

    def settled(self) -> None:
        """All that the broker retains has come over this connection: forget the rest."""
        for key in [key for key, link_no in self._seen.items() if link_no != self._link_no]:
            self._forget(key)

    def users(self, users: Iterable[User]) -> None:
        """The office's members as the registry has them now."""
        now = {user.user: user for user in users if user.role.member}
        for key in self.board.keys("user"):
            if key.partition("/")[2] not in now:
                self.board.drop(key)
        for name, user in now.items():
            said = {"name": user.name, "role": user.role.value, "revoked": user.revoked_at is not None}
            self.board.put(f"user/{name}", said | {"enrolled": user.generation, "clone": user.clone is not None})

    def take(self, kind: Kind, user: str, item: str, message: Message | None, wall_ms: int) -> None:
        """Take in one message; None is a retained topic that was cleared."""
        match kind, message:
            case Kind.SESSION, Session():
                self._session(message, wall_ms)
            case Kind.PRESENCE, Presence():
                self._presence(user, message, wall_ms)
            case Kind.ALERT, Alert():
                self._put(f"alert/{user}/{item}", _alert(user, message), ALERTS_MAX)
            case Kind.DEVICE_STATE, DeviceState():
                self._put(f"state/{user}", msgspec.to_builtins(message), MEMBERS_MAX)
            case Kind.DEVICE_INFO, DeviceInfo():
                self._put(f"info/{user}", msgspec.to_builtins(message), MEMBERS_MAX)
            case Kind.DEVICE_TELEMETRY, Telemetry():
                self._put(f"telemetry/{user}", msgspec.to_builtins(message), MEMBERS_MAX)
            case Kind.EVENTS, Event():
                self.event(message)
            case _, None:
                self._forget(_key(kind, user, item))
            case _:
                self.dropped += 1

    def event(self, event: Event) -> None:
        """One line of the log: of bursts it says when they began and how they ended."""
        if event.no > self._event_no or event.at > self._event_at:  # numbers go back with a restored backup
            self._event_no, self._event_at = event.no, event.at
            self.news += 1
        number = event.metadata.get("burst")
        if not isinstance(number, int) or number <= 0:
            return
        if event.event is EventType.SPEAKER_CHANGED:
            priority = event.metadata.get("priority")
            self._burst(number, user=event.user, name=event.name, started_at=event.at, priority=priority)
        elif event.event is EventType.BURST_ENDED:
            ended = event.metadata.get("ended")
            self._burst(number, user=event.user, name=event.name, ended_at=event.at, ended=ended)
        elif event.event is EventType.BURST_HEARD:
            by, of = event.metadata.get("heard_by"), event.metadata.get("heard_of")
            self._burst(number, user=event.user, name=event.name, heard_by=by, heard_of=of)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _session(self, new: Session, wall_ms: int) -> None:
        if new.rev <= self._rev:
            return
        self._rev = new.rev
        old = self.board.get("floor")
        same = old is not None and (old["burst"], old["speaker"]) == (new.burst, new.current_speaker)
        said = {
            "active": new.active,
            "event_id": new.event_id,
            "started_at": new.started_at,
            "burst": new.burst,
            "speaker": new.current_speaker,
            "name": new.speaker_name,
            "priority": new.priority.value,
            "since": old["since"] if same and old is not None else wall_ms,
            "ended": None if new.ended is None else new.ended.value,
        }
        self._put("floor", said, 1)
        if new.heard_by is not None and new.burst:
            self._burst(new.burst, heard_by=new.heard_by, heard_of=new.heard_of)

    def _presence(self, user: str, new: Presence, wall_ms: int) -> None:
        key = f"member/{user}"
        old = self.board.get(key)
        order = [*new.connection_id, new.presence_no]
        if old is not None and self._seen.get(key) == self._link_no and order <= old["order"]:
            return
        same = old is not None and old["state"] == new.state.value
        said = {
            "state": new.state.value,
            "order": order,
            "name": new.name,
            "app": new.app_type.value,
            "channel": new.in_channel,
            "voice": new.voice.value,
            "reason": new.reason,
            "joined_at": new.joined_at,
            "since": old["since"] if same and old is not None else wall_ms,
        }
        self._put(key, said, MEMBERS_MAX)

    def _put(self, key: str, value: Value, most: int) -> None:
        kind = key.partition("/")[0]
        if key not in self._seen:
            if self._held[kind] >= most:
                self.dropped += 1
                return
            self._held[kind] += 1
        self._seen[key] = self._link_no
        self.board.put(key, value)

    def _forget(self, key: str) -> None:
        if self._seen.pop(key, None) is not None:
            self._held[key.partition("/")[0]] -= 1
        self.board.drop(key)

    def _burst(self, number: int, **said: Any) -> None:
        key = f"burst/{number}"
        known = self.board.get(key)
        if known is None:
            held = sorted(int(one.partition("/")[2]) for one in self.board.keys("burst"))
            if len(held) >= BURSTS_SHOWN:
                if number < held[0]:
                    return
                self.board.drop(f"burst/{held[0]}")
            known = {"burst": number}
        self.board.put(key, known | {name: value for name, value in said.items() if value is not None})


def online(model: OfficeModel) -> int:
    """Count the members that are online."""
    members = (model.board.get(key) for key in model.board.keys("member"))
    return sum(1 for member in members if member is not None and member["state"] == PresenceState.ONLINE.value)


def _alert(user: str, alert: Alert) -> Value:
    said = {"severity": alert.severity.value, "what": alert.what, "mend": alert.mend, "since": alert.since}
    return {"user": user, "alert": alert.alert, **said}


_KEYS = {
    Kind.SESSION: "floor",
    Kind.PRESENCE: "member",
    Kind.ALERT: "alert",
    Kind.DEVICE_STATE: "state",
    Kind.DEVICE_INFO: "info",
    Kind.DEVICE_TELEMETRY: "telemetry",
}


def _key(kind: Kind, user: str, item: str) -> str:
    return "/".join(part for part in (_KEYS.get(kind, ""), user, item) if part)
