"""The bridge's control connection: link events to core events, the core's publications to the broker."""

from __future__ import annotations

import time
from collections.abc import Callable

from dispatch.bridge.core.words import (
    Acked,
    BridgeEvent,
    Dial,
    GotPresence,
    GotSession,
    LinkDown,
    LinkUp,
    Publish,
)
from protocol.codec import Malformed, decode, encode
from protocol.ids import OfficeId
from protocol.messages import Presence, Session
from protocol.topics import BadTopic, Kind, everyone, parse, topic
from service import mqtt
from service.logs import Log
from service.loop import Loop, Timer

SUBSCRIBE_S = 10.0
"""A broker that does not acknowledge the subscriptions within this time is hung up on."""

_log = Log(__name__)


class BridgeLink:
    """Drives one MqttLink for the core. All in the loop's thread; events go to `feed`."""

    def __init__(
        self,
        loop: Loop,
        broker: mqtt.BrokerSettings,
        client_id: str,
        office: OfficeId,
        user: str,
        feed: Callable[[BridgeEvent], None],
    ) -> None:
        """Raise SettingsError where the TLS files are not usable."""
        self._loop = loop
        self._client_id = client_id
        self._office = office
        self._user = user
        self._feed = feed
        self._link = mqtt.MqttLink(loop, broker, self._on_event)
        self._subscription: int | None = None
        self._timer: Timer | None = None
        self.malformed = 0
        """Messages dropped since start because they could not be read."""

    def dial(self, effect: Dial) -> None:
        """Begin a connection; its will says that it was lost."""
        will = mqtt.Will(topic=topic(self._office, Kind.PRESENCE, self._user), payload=encode(effect.will))
        self._link.dial(self._client_id, will)

    def publish(self, effect: Publish) -> None:
        """Publish with QoS 1, now or never."""
        payload = b"" if effect.message is None else encode(effect.message)
        name = topic(self._office, effect.kind, *effect.ids)
        if not self._link.publish(name, payload, 1, effect.retain, None, effect.token):
            _log.warning("publication not taken", topic=name)

    def drop(self, reason: str) -> None:
        """Close without a word: the will speaks."""
        self._link.drop(reason)

    def close(self, timeout_s: float) -> bool:
        """Send what is queued, and part; False where the will has to speak. Blocks at most `timeout_s`."""
        return self._link.close(timeout_s)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _on_event(self, event: mqtt.LinkEvent) -> None:
        match event:
            case mqtt.Received():
                self._received(event)
            case mqtt.Acked(token=token, ok=True):
                self._feed(Acked(token=token))
            case mqtt.Acked(detail=detail):
                _log.warning("the broker refused a publication", detail=detail)
            case mqtt.Connected():
                self._subscribe()
            case mqtt.Subscribed():
                self._subscribed(event)
            case mqtt.Disconnected(reason=reason) | mqtt.DialFailed(reason=reason):
                self._stop_timer()
                self._feed(LinkDown(reason=reason))

    def _subscribe(self) -> None:
        self._timer = self._loop.call_at(
            time.monotonic() + SUBSCRIBE_S,
            lambda: self._link.drop("the broker does not acknowledge the subscriptions"),
        )
        # Presence first: who a speaker is should be known when the session says that it speaks.
        self._subscription = self._link.subscribe(
            [(everyone(self._office, Kind.PRESENCE), 1), (topic(self._office, Kind.SESSION), 1)]
        )

    def _subscribed(self, event: mqtt.Subscribed) -> None:
        if event.mid != self._subscription:
            return
        if not event.ok:
            self._link.drop(f"the broker refuses subscriptions ({event.detail}): is this user's role bridge?")
            return
        self._stop_timer()
        self._feed(LinkUp())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _received(self, event: mqtt.Received) -> None:
        try:
            where = parse(event.topic)
            if where.kind is Kind.PRESENCE and not event.payload:
                self._feed(GotPresence(user=where.user, presence=None))
                return
            message = decode(event.payload, where.kind) if event.payload else None
        except (BadTopic, Malformed) as error:
            self.malformed += 1
            _log.warning("message dropped", topic=event.topic[:200], why=str(error)[:200])
            return
        match message:
            case Session():
                self._feed(GotSession(session=message))
            case Presence():
                self._feed(GotPresence(user=where.user, presence=message))
            case _:
                return  # a cleared session: the server publishes it again
