"""What a unit that is gone left standing: its alerts at the broker, which nobody but the office can then take off."""

import secrets
import time
from typing import Final

from dispatch.broker.acl import SERVERS_ALERTS
from dispatch.broker.admin import ANSWER_S, CONNECT_S, BrokerRefused, BrokerUnreachable
from protocol.codec import Malformed, decode
from protocol.ids import OfficeId
from protocol.login import SERVER_LOGIN
from protocol.messages import Presence, PresenceState
from protocol.topics import Kind, own, parse, topic
from service.loop import Loop
from service.mqtt import (
    Acked,
    BrokerSettings,
    Connected,
    DialFailed,
    Disconnected,
    LinkEvent,
    MqttLink,
    Received,
    Subscribed,
)

GONE: Final = (None, PresenceState.OFFLINE, PresenceState.LOST)


class StillThere(Exception):
    """The unit is connected: it would raise again what it has, and clears an emergency itself when it is told to."""


def clear_alerts(settings: BrokerSettings, office: OfficeId, user: str) -> tuple[str, ...]:
    """Take a unit's retained alerts off the broker; gives their ids. The server's own (a clone's) stay.

    Blocks for CONNECT_S and ANSWER_S at most. Raises StillThere, BrokerUnreachable, BrokerRefused, SettingsError.
    """
    loop = Loop()
    try:
        return _Clearing(loop, settings, office, user).run()
    finally:
        loop.close()


class _Clearing:
    """One connection: it reads what is retained, then takes the alerts away, and waits until the broker has done so."""

    def __init__(self, loop: Loop, settings: BrokerSettings, office: OfficeId, user: str) -> None:
        self._loop, self._settings, self._office, self._user = loop, settings, office, user
        self._presence_topic = topic(office, Kind.PRESENCE, user)
        self._presence: PresenceState | None = None
        self._alerts: dict[str, str] = {}
        self._subscribed = 0
        self._unacked: set[int] = set()
        self._problem: Exception | None = None
        self._done = False
        self._link = MqttLink(loop, settings, self._on_link)

    def run(self) -> tuple[str, ...]:
        self._link.dial(f"{SERVER_LOGIN}-admin-{secrets.token_hex(6)}", None)
        deadline = time.monotonic() + CONNECT_S + ANSWER_S

        def step(now: float) -> float:
            if self._done or self._problem is not None or now >= deadline:
                self._loop.stop()
            return deadline

        try:
            self._loop.run(step)
        finally:
            self._link.close(0.5)
        if not self._done:
            raise self._problem or BrokerUnreachable(f"the broker {self._settings.address} does not answer")
        return tuple(sorted(self._alerts.values()))

    def _on_link(self, event: LinkEvent) -> None:
        match event:
            case Connected():
                # What is retained follows the first answer and is there before the second.
                self._link.subscribe([(own(self._office, Kind.ALERT, self._user), 0), (self._presence_topic, 0)])
                self._link.subscribe([(self._presence_topic, 0)])
            case Subscribed(ok=False, detail=detail) | Acked(ok=False, detail=detail):
                self._problem = BrokerRefused(f"the broker {self._settings.address} does not let us ({detail})")
            case Subscribed():
                self._subscribed += 1
                if self._subscribed == 2:
                    self._clear()
            case Acked(token=token):
                self._unacked.discard(token)
                self._done = not self._unacked
            case Received():
                self._received(event)
            case DialFailed(reason=reason, refused=refused):
                self._problem = BrokerRefused(reason) if refused else BrokerUnreachable(reason)
            case Disconnected(reason=reason):
                self._problem = BrokerUnreachable(reason)

    def _received(self, message: Received) -> None:
        if self._subscribed == 2 or not message.payload:
            return
        if message.topic == self._presence_topic:
            try:
                presence = decode(message.payload, Kind.PRESENCE)
            except Malformed:
                return  # no unit of ours said that
            self._presence = presence.state if isinstance(presence, Presence) else None
            return
        alert = parse(message.topic).item
        if alert and alert not in SERVERS_ALERTS:
            self._alerts[message.topic] = alert

    def _clear(self) -> None:
        if self._presence not in GONE:
            self._problem = StillThere(self._user)
            return
        self._unacked = set(range(1, len(self._alerts) + 1))
        self._done = not self._unacked
        for token, name in enumerate(self._alerts, 1):
            if not self._link.publish(name, b"", 1, retain=True, token=token):
                self._problem = BrokerUnreachable(f"the connection to {self._settings.address} was lost: try again")
