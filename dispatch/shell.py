"""The floor control server on its broker: bytes to inputs, effects to bytes, and the order in which both go.

The core decides; this file carries. Messages that were read together are handled floor messages first, then the
session, then presence and heartbeats; time (leases, expiry, batches) is judged only up to the moment whose input was
all handled (`Backlog`), so that a renewal that has arrived always comes before the verdict on its lease.
"""

from collections import Counter
from collections.abc import Callable
from random import Random

from dispatch.backlog import Backlog
from dispatch.core.server import (
    BrokerDown,
    BrokerUp,
    CloneSeen,
    Effect,
    EventAcked,
    Fault,
    FloorControlServer,
    Received,
    RulesChanged,
)
from dispatch.core.state import OfficeRules
from dispatch.core.turn import Publish
from dispatch.inbox import FLOOR_KINDS, Inbox
from dispatch.listening import alert_seen, filters, floor_shared
from dispatch.pace import Pace
from dispatch.ports import Doors
from dispatch.traces.store import Said
from protocol.codec import ROSTER_BYTES_MAX, Malformed, decode, encode
from protocol.ids import OfficeId
from protocol.messages import Alert, BurstPlayed, Heartbeat, PressTrace
from protocol.topics import BadTopic, Kind, Topic, parse, topic
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

REDIAL_MIN_S, REDIAL_MAX_S = 0.25, 5.0
LASTING_S = 10.0
"""A connection that held so long was a good one: after it, redialling begins anew at REDIAL_MIN_S."""
SUBSCRIBE_S = 10.0
"""A broker that does not answer a subscription within this time is dialled anew."""
WAITING_MAX = 10_000
"""Messages kept while the subscriptions are not answered yet; beyond, the oldest go (all of them are repeated)."""

LEAST_BYTES = 6
"""What MQTT adds to a message's topic and payload at the least: header, lengths of topic and properties."""

_log = Log(__name__)


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
        doors: Doors | None = None,
        traces: Callable[[OfficeId, str, Said], None] = lambda office, user, said: None,
    ) -> None:
        """`clock` is the loop's monotonic clock (s), `wall_ms` Unix time for people; `traces` keeps what it gets.

        Raises SettingsError (TLS).
        """
        self._pace = Pace()
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
        self._doors = doors
        self._traces = traces
        self._doors_mid: int | None = None
        self._coming: dict[int, RulesChanged] = {}
        """Offices that are served once their subscription is acknowledged."""
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

    # --- admission --------------------------------------------------------------------------------------------------

    @property
    def quiet(self) -> bool:
        """Whether nothing read or to be read waits."""
        return not self._inbox and self._link.unread_bytes == 0

    def change_rules(self, office: OfficeId, rules: OfficeRules) -> None:
        """Judge an office by these rules from now on; one not served yet is served once it is subscribed to."""
        change = RulesChanged(office=office, rules=rules)
        if office not in self._server.offices and self.connected:
            mid = self._subscribe_to(office)
            if mid is not None:
                self._coming = {m: c for m, c in self._coming.items() if c.office != office}
                self._coming[mid] = change
                return
        self._carry_out(self._server.handle(change, self._clock(), self._wall_ms()))

    def send(self, where: str, payload: bytes) -> None:
        """Publish a message that is none of an office's (QoS 1); lost where the broker is away."""
        if self._link.connected:
            self._link.publish(where, payload, qos=1, retain=False)

    def sweep_now(self) -> tuple[Effect, ...] | None:
        """Sweep every served office before its time; gives what that has changed.

        None, with nothing done, while input that was there already waits: what looks dead may be told alive in it.
        """
        if not self.connected or not self.quiet:
            return None
        effects = self._server.sweep_now(self._clock(), self._wall_ms())
        self._carry_out(effects)
        return effects

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
                self._link.unsubscribe([floor_shared(office_id)])
                _log.error("office refused", office=office_id, why=office.refused)
            elif office.refused is None and office_id not in self._shared:
                self._shared.add(office_id)
                self._link.subscribe([(floor_shared(office_id), 1)])
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
        self._shared = set()
        self._awaited = set()
        if self._doors is not None:
            self._doors_mid = self._link.subscribe([(where, 0) for where in self._doors.topics])
        for office in self._server.offices:
            mid = self._subscribe_to(office)
            if mid is not None:
                self._awaited.add(mid)
        if not self._server.offices:
            self._serve()

    def _subscribe_to(self, office: OfficeId) -> int | None:
        self._shared.add(office)
        return self._link.subscribe([(where, 1) for where in filters(office)])

    def _subscribed(self, mid: int, ok: bool, detail: str) -> None:
        if self._doors is not None and mid == self._doors_mid:
            if ok:
                self._doors.connected(self._clock())
            else:  # the floor goes on without; the guard says what it cannot do
                _log.error("the broker lets nobody look after its users", why=detail)
            return
        if not ok:
            self._link.drop(f"the broker refuses subscriptions ({detail}): check its access rules")
            return
        coming = self._coming.pop(mid, None)
        if coming is not None:
            _log.info("office served", office=coming.office)
            self._carry_out(self._server.handle(coming, self._clock(), self._wall_ms()))
            return
        if mid not in self._awaited:
            return
        self._awaited.discard(mid)
        if not self._awaited:
            self._serve()

    def _serve(self) -> None:
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
        self._doors_mid = None
        if self._doors is not None:
            self._doors.lost()
        if self.connected:
            self.connected = False
            self._carry_out(self._server.handle(BrokerDown(), self._clock(), self._wall_ms()))
        coming, self._coming = self._coming, {}
        for change in coming.values():
            self._carry_out(self._server.handle(change, self._clock(), self._wall_ms()))
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
        if self._doors is not None and message.topic in self._doors.topics:
            self._doors.received(message.topic, message.payload)
            return
        try:
            where = parse(message.topic)
        except BadTopic as error:
            self._drop("bad topic", message, error)
            return
        if not message.payload:
            if where.kind is Kind.ALERT:
                self._alert(where, None)
                return
            self.dropped["cleared"] += 1  # a retained message was taken away: there is nothing to read
            return
        try:
            read = decode(message.payload, where.kind)
        except Malformed as error:
            self._drop("malformed", message, error)
            return
        if isinstance(read, Alert):
            self._alert(where, read)
            return
        if isinstance(read, PressTrace):
            self._traces(where.office, where.user, read)
            return
        if isinstance(read, BurstPlayed | Heartbeat):
            self._traces(where.office, where.user, read)
        if where.kind in FLOOR_KINDS and not self._pace.allow(where.office, where.user, read, self._clock()):
            self.dropped["too fast"] += 1
            return
        if len(self._inbox) >= WAITING_MAX:
            self._inbox.drop_one()
            self.dropped["inbox full"] += 1
        self._inbox.put(Received(office=where.office, kind=where.kind, user=where.user, message=read))

    def _alert(self, where: Topic, alert: Alert | None) -> None:
        seen = alert_seen(where, alert, doors=self._doors is not None)
        if seen is not None:
            self._carry_out(self._server.handle(seen, self._clock(), self._wall_ms()))

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
                case CloneSeen(office=office, user=user, hardware=hardware):
                    _log.warning("another unit under this user", office=office, user=user, hardware=hardware)
                    if self._doors is not None:
                        self._doors.clone(office, user, hardware)

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
