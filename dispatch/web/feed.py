"""The live state of all offices, over a read-only connection of the dashboard's own. A thread with a loop of its own.

The login's secret is made at every start and whenever the broker does not know it any more: the floor control server's
login sets it, and it is kept nowhere.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from dispatch.broker.admin import BrokerAdmin, BrokerError
from dispatch.registry.secrets import new_secret
from protocol.codec import Malformed, decode
from protocol.login import WEB_LOGIN
from protocol.messages import Message
from protocol.topics import ROOT, BadTopic, Kind, Topic, parse
from service.logs import Log
from service.loop import Loop, Timer
from service.mqtt import (
    Backoff,
    BrokerSettings,
    Connected,
    DialFailed,
    Disconnected,
    LinkEvent,
    MqttLink,
    Received,
    Subscribed,
)

RETRY_MIN_S, RETRY_MAX_S = 0.5, 10.0
SUBSCRIBE_S = 10.0
SETTLE_S = 3.0
"""What the broker retains has come so long after it acknowledged the subscriptions."""
CLOSE_S = 8.0
READ = (
    Kind.PRESENCE,
    Kind.SESSION,
    Kind.DEVICE_STATE,
    Kind.DEVICE_INFO,
    Kind.DEVICE_TELEMETRY,
    Kind.ALERT,
    Kind.EVENTS,
)
"""What is subscribed to, of every office."""

_log = Log(__name__)


class Linked(Struct, frozen=True):
    """Connected: what is retained comes now."""

    link_no: int


class Settled(Struct, frozen=True):
    """All that is retained has come."""


class Unlinked(Struct, frozen=True):
    """Not connected, and why."""

    reason: str


class Told(Struct, frozen=True):
    """One message; None where a retained topic was cleared."""

    topic: Topic
    message: Message | None


class Died(Struct, frozen=True):
    """The thread ended by a fault of our own."""

    error: Exception


FeedEvent = Linked | Settled | Unlinked | Told | Died


class Feed:
    """`tell` is called in the feed's thread; it must only hand over. Raises SettingsError for unusable TLS files."""

    def __init__(self, broker: BrokerSettings, replica: str, tell: Callable[[FeedEvent], None]) -> None:
        self.malformed = 0
        """Messages that could not be read, since the start."""
        self._broker = broker
        self._login = f"{WEB_LOGIN}-{replica}"
        self._tell = tell
        self._loop = Loop()
        self._link: MqttLink | None = None
        self._backoff = Backoff(RETRY_MIN_S, RETRY_MAX_S, random.Random())
        self._timer: Timer | None = None
        self._subscription: int | None = None
        self._link_no = 0
        self._known = False
        self._thread = threading.Thread(target=self._run, name="web-feed", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def close(self) -> None:
        """Disconnect and end the thread; waits CLOSE_S at most."""
        self._loop.stop()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        try:
            self._again(0.0)
            self._loop.run(lambda _now: None)
            if self._link is not None:
                self._link.close(0.5)
        except Exception as error:  # noqa: BLE001  the thread's top: the process ends by it
            self._tell(Died(error))

    def _again(self, delay_s: float) -> None:
        self._after(delay_s, self._dial)

    def _after(self, delay_s: float, do: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(time.monotonic() + delay_s, do)

    def _dial(self) -> None:
        if not self._known:
            settings = self._broker
            if settings.username is not None:
                secret = new_secret()
                try:
                    with BrokerAdmin(self._broker) as admin:
                        admin.put_web(self._login, secret)
                except BrokerError as error:
                    self._failed(str(error))
                    return
                settings = replace(self._broker, username=self._login, password=secret)
            self._link = MqttLink(self._loop, settings, self._on_link)
            self._known = True
        if self._link is not None:
            self._link.dial(self._login, None)

    def _failed(self, reason: str) -> None:
        self._tell(Unlinked(reason))
        self._again(self._backoff.next_delay())

    def _on_link(self, event: LinkEvent) -> None:
        match event:
            case Received(topic=topic, payload=payload):
                self._received(topic, payload)
            case Connected():
                self._connected()
            case Subscribed(mid=mid, ok=ok, detail=detail) if mid == self._subscription:
                if ok:
                    self._backoff.reset()
                    self._after(SETTLE_S, lambda: self._tell(Settled()))
                elif self._link is not None:
                    self._known = False  # its role is not what it should be: set it again
                    self._link.drop(f"the broker refuses subscriptions ({detail})")
            case DialFailed(reason=reason, refused=refused):
                self._known = self._known and not refused
                self._failed(reason)
            case Disconnected(reason=reason):
                _log.warning("broker lost", why=reason)
                self._failed(reason)
            case _:
                pass

    def _connected(self) -> None:
        if self._link is None:
            return
        self._link_no += 1
        self._tell(Linked(self._link_no))
        link = self._link
        self._after(SUBSCRIBE_S, lambda: link.drop("the broker does not acknowledge the subscriptions"))
        places = [f"{ROOT}/+/+/{kind.value.replace('{}', '+')}" for kind in READ]
        self._subscription = link.subscribe([(place, 1) for place in places])

    def _received(self, name: str, payload: bytes) -> None:
        try:
            topic = parse(name)
            message = decode(payload, topic.kind) if payload else None
        except (BadTopic, Malformed) as error:
            self.malformed += 1
            _log.debug("message dropped", why=str(error)[:200])
            return
        self._tell(Told(topic, message))
