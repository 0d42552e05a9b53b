"""The vehicle's control connection: link events to core events, and the core's publications to the broker.

Up means: connected, and every subscription acknowledged. A vehicle subscribes to the session, its own presence, its
own replies and commands on this connection, and to nothing else; voice has a connection of its own, the worker's.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Literal, assert_never

from gateway.core.words import Acked, CoreEvent, Dial, LinkDown, LinkUp, Publish
from gateway.core.words import Received as CoreReceived
from gateway.settings import GatewaySettings
from protocol.codec import Malformed, decode, encode
from protocol.messages import FloorGranted, Presence, PresenceState
from protocol.topics import Kind, topic
from service import mqtt
from service.logs import Log
from service.loop import Loop, Timer

SUBSCRIBE_S = 5.0
"""A broker that does not acknowledge the subscriptions within this time is hung up on."""
DIAL_S_MAX = 200.0
"""By now the link itself has given up any dial (three times its longest timeout)."""

_log = Log("gateway.link")


class BrokerLink:
    """Drives one MqttLink for the core. All in the loop's thread; events go to `feed`."""

    def __init__(self, loop: Loop, settings: GatewaySettings, feed: Callable[[CoreEvent], None]) -> None:
        """Raise SettingsError where the TLS files are not usable."""
        self._loop = loop
        self._feed = feed
        self._client_id = settings.vehicle.client_id
        self._office = settings.vehicle.office_id
        self._user = settings.vehicle.user
        self._link = mqtt.MqttLink(loop, settings.broker, self._on_event)
        self._kinds = {
            topic(self._office, Kind.SESSION): Kind.SESSION,
            topic(self._office, Kind.PRESENCE, self._user): Kind.PRESENCE,
            topic(self._office, Kind.REPLY, self._user): Kind.REPLY,
            topic(self._office, Kind.COMMAND, self._user): Kind.COMMAND,
        }
        self._topics: dict[tuple[Kind, tuple[str, ...]], str] = {}
        self._state: Literal["down", "dialling", "subscribing", "up"] = "down"
        self._since = 0.0
        self._subscription: int | None = None
        self._timer: Timer | None = None
        self.granted_at: float | None = None
        """When the last Floor Granted was read from the socket, on the monotonic clock."""
        self.dials = 0
        self.counts: Counter[str] = Counter()
        """malformed, unexpected: dropped messages; unsent: publications nobody took; refused: by the broker."""

    @property
    def state(self) -> str:
        """down, dialling, subscribing or up."""
        return self._state

    def sane(self, now: float, waits_to_dial: bool) -> bool:
        """Whether the connection is up, or somebody is still going to bring it up."""
        match self._state:
            case "down":
                return waits_to_dial
            case "dialling":
                return now - self._since < DIAL_S_MAX
            case "subscribing":
                return now - self._since < 2 * SUBSCRIBE_S
            case "up":
                return self._link.connected
        assert_never(self._state)

    def dial(self, effect: Dial) -> None:
        """Begin a connection; its will says that it was lost."""
        self.dials += 1
        will = mqtt.Will(
            topic=topic(self._office, Kind.PRESENCE, self._user), payload=encode(effect.will), qos=1, retain=True
        )
        self._enter("dialling")
        self._link.dial(self._client_id, will)

    def publish(self, effect: Publish) -> bool:
        """Publish with QoS 1, now or never; False, counted, where it is never."""
        key = (effect.kind, effect.ids)
        name = self._topics.get(key)
        if name is None:
            name = self._topics[key] = topic(self._office, effect.kind, *effect.ids)
        payload = b"" if effect.message is None else encode(effect.message)
        taken = self._link.publish(name, payload, 1, effect.retain, effect.expiry_s, effect.token)
        if not taken:
            self.counts["unsent"] += 1
        return taken

    def close(self, timeout_s: float) -> bool:
        """Send what is queued, and say good-bye; False where the will has to speak. Blocks at most `timeout_s`."""
        clean = self._link.close(timeout_s)
        self._enter("down")
        return clean

    def hang_up(self) -> None:
        """Close without a word, so that the will speaks; nothing where it is closed already."""
        self._link.drop("the process ends")

    @property
    def queue_bytes(self) -> int:
        """What the broker's machine has not acknowledged yet."""
        return self._link.outq_bytes()

    def counters(self) -> dict[str, int]:
        """Give every count of this connection since start."""
        told = {name: self.counts[name] for name in ("malformed", "unexpected", "unsent")}
        return told | {
            "dials": self.dials,
            "unreadable": self._link.unreadable,
            "refused": self.counts["refused"] + self._link.refused,
        }

    # --- inside ------------------------------------------------------------------------------------------------------

    def _enter(self, state: Literal["down", "dialling", "subscribing", "up"]) -> None:
        self._state = state
        self._since = time.monotonic()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_event(self, event: mqtt.LinkEvent) -> None:
        match event:
            case mqtt.Received():
                self._received(event)
            case mqtt.Acked(token=token, ok=True):
                self._feed(Acked(token=token))
            case mqtt.Acked():
                self.counts["refused"] += 1
                _log.warning("the broker refused a publication", detail=event.detail)
            case mqtt.Connected():
                self._subscribe()
            case mqtt.Subscribed():
                self._subscribed(event)
            case mqtt.Disconnected(reason=reason):
                self._enter("down")
                self._feed(LinkDown(reason=reason))
            case mqtt.DialFailed(reason=reason, refused=refused):
                self._enter("down")
                self._feed(LinkDown(reason=reason, refused=refused))
            case _:
                assert_never(event)

    def _subscribe(self) -> None:
        self._enter("subscribing")
        self._timer = self._loop.call_at(
            time.monotonic() + SUBSCRIBE_S,
            lambda: self._link.drop("the broker does not acknowledge the subscriptions"),
        )
        self._subscription = self._link.subscribe([(name, 1) for name in self._kinds])

    def _subscribed(self, event: mqtt.Subscribed) -> None:
        if event.mid != self._subscription:
            return
        if not event.ok:
            self._link.drop(f"the broker refused a subscription ({event.detail}): check its access rules")
            return
        self._enter("up")
        self._feed(LinkUp())

    def _received(self, event: mqtt.Received) -> None:
        # The button first: many messages can be read in one turn, and an edge may have come since it began.
        self._loop.run_foreign_calls()
        kind = self._kinds.get(event.topic)
        if kind is None:
            self.counts["unexpected"] += 1
            _log.warning("message on a topic nobody subscribed to", topic=event.topic[:200])
            return
        if not event.payload and kind is Kind.COMMAND:
            return  # somebody cleared a retained one
        if not event.payload and kind is Kind.PRESENCE:
            # Somebody cleared the retained presence: it is older than anything of ours, and is put right.
            cleared = Presence(state=PresenceState.OFFLINE, connection_id=(0, 0, 0), presence_no=0)
            self._feed(CoreReceived(kind=kind, message=cleared))
            return
        try:
            message = decode(event.payload, kind)
        except Malformed as error:
            self.counts["malformed"] += 1
            _log.warning("malformed message dropped", why=str(error)[:200])
            return
        if isinstance(message, FloorGranted):
            self.granted_at = event.at_s
        self._feed(CoreReceived(kind=kind, message=message, retained=event.retain))
