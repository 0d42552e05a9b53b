"""The floor control server on its broker: bytes to inputs, effects to bytes, and the order in which both go.

The core decides; this file carries. Messages that were read together are handled floor messages first, then the
session, then presence and heartbeats; time (leases, expiry, batches) is judged only up to the moment whose input was
all handled (`Backlog`), so that a renewal that has arrived always comes before the verdict on its lease.
"""

from collections import Counter, deque
from collections.abc import Callable
from random import Random

from dispatch.backlog import Backlog
from dispatch.core.server import (
    BrokerDown,
    BrokerUp,
    Effect,
    EventAcked,
    Fault,
    FloorControlServer,
    Received,
)
from dispatch.core.turn import Publish
from protocol.codec import ROSTER_BYTES_MAX, Malformed, decode, encode
from protocol.ids import OfficeId
from protocol.topics import BadTopic, Kind, everyone, parse, topic
from service.logs import Log
from service.loop import Loop
from service.mqtt import (
    Acked,
    Backoff,
    BrokerSettings,
    Connected,
    DialFailed,
    Disconnected,
    LinkEvent,
    MqttLink,
    Subscribed,
)
from service.mqtt import Received as Arrived

SHARE = "ptt-dispatch"
"""Shared-subscription group: one replica of all handles a floor message; what it swallows comes `again` to all."""
REDIAL_MIN_S, REDIAL_MAX_S = 0.25, 5.0
LASTING_S = 10.0
"""A connection that held so long was a good one: after it, redialling begins anew at REDIAL_MIN_S."""
SUBSCRIBE_S = 10.0
"""A broker that does not answer a subscription within this time is dialled anew."""
WAITING_MAX = 10_000
"""Messages kept while the subscriptions are not answered yet; beyond, the oldest go (all of them are repeated)."""

LEAST_BYTES = 6
"""What MQTT adds to a message's topic and payload at the least: header, lengths of topic and properties."""

_FIRST = (Kind.FLOOR, Kind.FLOOR_AGAIN)
_log = Log(__name__)


class Inbox:
    """Messages read and not yet handled, in the order in which they are to be handled."""

    def __init__(self) -> None:
        self._lanes: tuple[deque[Received], ...] = (deque(), deque(), deque())

    def __len__(self) -> int:
        return sum(map(len, self._lanes))

    def put(self, message: Received) -> None:
        """Add one."""
        self._lanes[0 if message.kind in _FIRST else 1 if message.kind is Kind.SESSION else 2].append(message)

    def take(self) -> Received | None:
        """Take the next: the oldest floor message, else the oldest session, else the oldest of the rest."""
        lane = next((lane for lane in self._lanes if lane), None)
        return None if lane is None else lane.popleft()

    def drop_one(self) -> None:
        """Throw away the oldest of the least urgent."""
        lane = next(lane for lane in reversed(self._lanes) if lane)
        lane.popleft()

    def clear(self) -> None:
        """Throw all away."""
        for lane in self._lanes:
            lane.clear()


class DispatchShell:
    """Drives a FloorControlServer. All of it runs in the loop's thread; `step` is to be called once every turn."""

    def __init__(
        self,
        loop: Loop,
        broker: BrokerSettings,
        client_id: str,
        server: FloorControlServer,
        wall_ms: Callable[[], int],
        clock: Callable[[], float],
        rng: Random,
    ) -> None:
        """`clock` is the loop's monotonic clock (s), `wall_ms` Unix time for people. Raises SettingsError (TLS)."""
        self.dropped: Counter[str] = Counter()
        """Messages dropped since start, by reason."""
        self.dialled = False
        """Whether the first attempt to connect has come to an end, good or bad."""
        self.connected = False
        """Whether the broker is connected and all subscriptions stand."""
        self.reason = "connecting"
        """Why it is not connected."""
        self._loop = loop
        self._client_id = client_id
        self._server = server
        self._wall_ms = wall_ms
        self._clock = clock
        self._backoff = Backoff(REDIAL_MIN_S, REDIAL_MAX_S, rng)
        self._link = MqttLink(loop, broker, self._on_link, inflight_max=200, queued_max=5000, out_bytes_max=16 << 20)
        self._inbox = Inbox()
        self._backlog = Backlog()
        self._awaited: set[int] = set()
        self._subscribe_by = 0.0
        self._connected_at = 0.0
        self._tokens: dict[int, tuple[OfficeId, int]] = {}
        self._token = 0
        self._shared: set[OfficeId] = set()
        self._was_ok = True
        self._closing = False

    def start(self) -> None:
        """Dial for the first time."""
        self._link.dial(self._client_id, None)

    def close(self) -> None:
        """Send what is queued, at most 1 s long, and part from the broker."""
        self._closing = True
        self._link.close()

    # --- every turn -------------------------------------------------------------------------------------------------

    def step(self, now: float) -> float | None:
        """Handle what was read; judge time as far as that goes. Gives when to be called again, or None."""
        if self._awaited:
            if now >= self._subscribe_by:
                self._link.drop("no answer to the subscriptions: is the broker stuck?")
            return self._subscribe_by
        while (message := self._inbox.take()) is not None:
            self._carry_out(self._server.handle(message, self._clock(), self._wall_ms()))
        behind_s = self._backlog.behind_s(self._clock(), self._link.unread_bytes)
        if behind_s is not None:
            self._carry_out(self._server.tick(self._clock(), self._wall_ms(), behind_s))
        self._watch_store()
        self._watch_refusals()
        return self._server.next_deadline(self._clock())

    def _watch_store(self) -> None:
        if self._server.store_ok and not self._was_ok:
            self._was_ok = True
            _log.info("store is back")

    def _watch_refusals(self) -> None:
        """An office refused (a foreign store) must not take floor messages away from those who may serve it."""
        if not self.connected:
            return
        for office_id, office in self._server.offices.items():
            if office.refused is not None and office_id in self._shared:
                self._shared.discard(office_id)
                self._link.unsubscribe([everyone(office_id, Kind.FLOOR, share=SHARE)])
                _log.error("office refused", office=office_id, why=office.refused)
            elif office.refused is None and office_id not in self._shared:
                self._shared.add(office_id)
                self._link.subscribe([(everyone(office_id, Kind.FLOOR, share=SHARE), 1)])
                _log.info("office served again", office=office_id)

    # --- the link ---------------------------------------------------------------------------------------------------

    def _on_link(self, event: LinkEvent) -> None:
        match event:
            case Arrived():
                self._arrived(event)
            case Acked(token=token, ok=ok, detail=detail):
                self._acked(token, ok, detail)
            case Connected():
                self._subscribe()
            case Subscribed(mid=mid, ok=ok, detail=detail):
                self._subscribed(mid, ok, detail)
            case Disconnected(reason=reason):
                self._down(reason)
            case DialFailed(reason=reason):
                self._redial(reason)

    def _subscribe(self) -> None:
        self._connected_at = self._clock()
        self._subscribe_by = self._connected_at + SUBSCRIBE_S
        self._inbox.clear()
        self._shared = set(self._server.offices)
        self._awaited = set()
        for office in self._server.offices:
            mid = self._link.subscribe(
                [
                    (everyone(office, Kind.FLOOR, share=SHARE), 1),
                    (everyone(office, Kind.FLOOR_AGAIN), 1),
                    (everyone(office, Kind.SESSION), 1),
                    (everyone(office, Kind.PRESENCE), 1),
                    (everyone(office, Kind.HEARTBEAT), 1),
                ]
            )
            if mid is not None:
                self._awaited.add(mid)

    def _subscribed(self, mid: int, ok: bool, detail: str) -> None:
        if not ok:
            self._link.drop(f"the broker refuses subscriptions ({detail}): check its access rules")
            return
        if mid not in self._awaited:
            return
        self._awaited.discard(mid)
        if not self._awaited:
            self.dialled = self.connected = True
            self.reason = ""
            _log.info("serving", offices=len(self._server.offices))
            self._carry_out(self._server.handle(BrokerUp(), self._clock(), self._wall_ms()))

    def _down(self, reason: str) -> None:
        if self._clock() - self._connected_at >= LASTING_S:
            self._backoff.reset()
        self._inbox.clear()
        self._awaited.clear()
        self._tokens.clear()
        if self.connected:
            self.connected = False
            self._carry_out(self._server.handle(BrokerDown(), self._clock(), self._wall_ms()))
        self._redial(reason)

    def _redial(self, reason: str) -> None:
        self.dialled = True
        if reason != self.reason:
            _log.warning("no broker", why=reason)
        self.reason = reason
        self._loop.call_at(self._clock() + self._backoff.next_delay(), self._dial)

    def _dial(self) -> None:
        if not self._closing:
            self._link.dial(self._client_id, None)

    def _arrived(self, message: Arrived) -> None:
        self._backlog.handled(len(message.topic) + len(message.payload) + LEAST_BYTES)
        try:
            where = parse(message.topic)
        except BadTopic as error:
            self._drop("bad topic", message, error)
            return
        if not message.payload:
            self.dropped["cleared"] += 1  # a retained message was taken away: there is nothing to read
            return
        try:
            read = decode(message.payload, where.kind)
        except Malformed as error:
            self._drop("malformed", message, error)
            return
        if len(self._inbox) >= WAITING_MAX:
            self._inbox.drop_one()
            self.dropped["inbox full"] += 1
        self._inbox.put(Received(office=where.office, kind=where.kind, user=where.user, message=read))

    def _drop(self, why: str, message: Arrived, error: Exception) -> None:
        self.dropped[why] += 1
        _log.warning("message dropped", why=why, topic=message.topic, error=error, bytes=len(message.payload))

    def _acked(self, token: int, ok: bool, detail: str) -> None:
        known = self._tokens.pop(token, None)
        if known is None:
            return
        if not ok:
            _log.warning("event refused by the broker, kept for later", office=known[0], no=known[1], why=detail)
            return
        self._server.handle(EventAcked(office=known[0], event_no=known[1]), self._clock(), self._wall_ms())

    # --- effects ----------------------------------------------------------------------------------------------------

    def _carry_out(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            match effect:
                case Publish():
                    self._publish(effect)
                case Fault(office=office, what=what):
                    self._was_ok = False
                    _log.error("store unavailable", office=office, why=what)

    def _publish(self, effect: Publish) -> None:
        if not self._link.connected:
            return  # the core gives it again once the broker is back, or it is not worth anything then
        token = None
        if effect.event_no is not None:
            self._token += 1
            token = self._token
            self._tokens[token] = (effect.office, effect.event_no)
        payload = b"" if effect.message is None else encode(effect.message)
        where = topic(effect.office, effect.kind, *effect.ids)
        if len(payload) > ROSTER_BYTES_MAX:  # nobody would take it, and connecting anew would not help
            self.dropped["too large"] += 1
            _log.error("message too large to be published", topic=where, bytes=len(payload))
            return
        if not self._link.publish(where, payload, qos=1, retain=effect.retain, expiry_s=effect.expiry_s, token=token):
            self.dropped["not sent"] += 1
            self._link.drop("the broker takes nothing more: connecting anew")
