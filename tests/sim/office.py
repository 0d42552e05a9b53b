"""The dispatch process: the real core and the real store, started, paused, killed and started again."""

from collections.abc import Callable
from random import Random

from dispatch.core.emergencies import EMERGENCY
from dispatch.core.server import (
    BrokerDown,
    BrokerUp,
    EmergencySeen,
    EventAcked,
    Fault,
    FloorControlServer,
    Received,
    RulesChanged,
    ServerEvent,
)
from dispatch.core.server import Effect as ServerEffect
from dispatch.core.state import OfficeRules
from dispatch.core.turn import Publish
from dispatch.ports import Store
from protocol.codec import decode, encode
from protocol.ids import OfficeId
from protocol.messages import FloorGranted, FloorRelease, FloorRenew, FloorRenewed, FloorRequest
from protocol.timers import ADMISSION_POLL_S
from protocol.topics import Kind, Topic, parse, topic
from tests.sim.clock import Alarm, Clock
from tests.sim.net import Broker, Connection

_WANTS = {Kind.FLOOR, Kind.FLOOR_AGAIN, Kind.PRESENCE, Kind.HEARTBEAT, Kind.SESSION}


def _wanted(topic: Topic) -> bool:
    return topic.kind in _WANTS or (topic.kind is Kind.ALERT and topic.item == EMERGENCY)


class Dispatch:
    """One process serving one office."""

    def __init__(
        self,
        clock: Clock,
        broker: Broker,
        store: Store,
        office: OfficeId,
        rules: Callable[[], OfficeRules],
        rng: Random,
        granted: Callable[[str, FloorGranted], None],
        decided: Callable[[], None],
        name: str = "dispatch",
        joined: Callable[["Dispatch", str], None] = lambda *_: None,
        read_late_s: float = 0.0,
    ) -> None:
        """`rules` reads the registry; `name` tells replicas on one store apart, which share `floor/<user>`.

        `joined`: it tells a speaker that all have joined Agora. `read_late_s`: how much later than it should it reads
        the registry, as a process does whose floor messages never cease.
        """
        self.name = name
        self.clock = clock
        self._broker = broker
        self._store = store
        self.office = office
        self._read_rules = rules
        self._rules = rules()
        self._rng = rng
        self._granted = granted
        self._decided = decided
        self._alarm = Alarm(clock, self._tick)
        self.server: FloorControlServer | None = None
        self._connection: Connection | None = None
        self._paused = False
        self._inbox: list[ServerEvent] = []
        self._joined = joined
        self._read_every_s = ADMISSION_POLL_S + read_late_s
        self._read_at = clock.now
        self.steady_since = clock.now
        """Since when it has been connected and turning."""
        self.renewed_at = clock.now
        self.faults: list[str] = []

    @property
    def serving(self) -> bool:
        """Whether a request could be answered now."""
        return self.server is not None and not self._paused and self._connection is not None

    def start(self) -> None:
        """Start the process."""
        self._rules = self._read_rules()
        self.server = FloorControlServer(
            {self.office: self._rules}, self._store, lambda: f"{self._rng.getrandbits(64):x}"
        )
        self._dial()
        self._next_read(self.server)

    def _next_read(self, server: FloorControlServer) -> None:
        self._read_at = self.clock.now + self._read_every_s
        self.clock.at(self._read_at, lambda: self._read(server))

    def _read(self, server: FloorControlServer) -> None:
        """Look at the registry, as the process's loop does once a second while it turns."""
        if self.server is not server or self._paused or self.clock.now < self._read_at:
            return
        self._next_read(server)
        rules = self._read_rules()
        if rules != self._rules:
            self._rules = rules
            self._take(RulesChanged(office=self.office, rules=rules))

    def kill(self) -> None:
        """SIGKILL."""
        self.server = None
        self._inbox.clear()
        self._alarm.set(None)
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.vanish()

    def pause(self) -> None:
        """SIGSTOP."""
        self._paused = True

    def resume(self) -> None:
        """SIGCONT: a reading of the registry so late comes first, then all that came, before anything is judged."""
        self._paused = False
        self.steady_since = self.clock.now
        if self.server is not None:
            self._read(self.server)
        inbox, self._inbox = self._inbox, []
        for event in inbox:
            self._take(event)
        if self.server is not None:
            self._tick()

    def _dial(self) -> None:
        if self.server is None or self._connection is not None:
            return
        if not self._broker.up:
            self.clock.after(0.3 + self._rng.random(), self._dial)
            return
        server = self.server
        connection = Connection(self._broker, self.name, _wanted, self._receive, self._lost, None)
        self._broker.connect(connection)
        self._connection = connection
        self._broker.give_retained(connection)
        connection._down(lambda: self._up() if self.server is server else None)

    def _up(self) -> None:
        self.steady_since = self.clock.now
        self._put(BrokerUp())

    def _lost(self, reason: str) -> None:
        if self._connection is None:
            return
        self._connection = None
        self._put(BrokerDown())
        self.clock.after(0.2 + self._rng.random(), self._dial)

    def _receive(self, at: str, payload: bytes, retained: bool) -> None:
        where = parse(at)
        if where.kind is Kind.ALERT:
            self._put(EmergencySeen(office=where.office, user=where.user, raised=bool(payload)))
        elif payload:
            self._put(
                Received(office=where.office, kind=where.kind, user=where.user, message=decode(payload, where.kind))
            )

    def _put(self, event: ServerEvent) -> None:
        if self.server is None:
            return
        if self._paused:
            self._inbox.append(event)
        else:
            self._take(event)

    def _take(self, event: ServerEvent) -> None:
        if self.server is None:
            return
        if isinstance(event, Received) and isinstance(event.message, FloorRenew | FloorRequest | FloorRelease):
            self.renewed_at = self.clock.now
        self._carry_out(self.server.handle(event, self.clock.now, self.clock.wall_ms))

    def _tick(self) -> None:
        if self.server is not None and not self._paused:
            self._carry_out(self.server.tick(self.clock.now, self.clock.wall_ms))

    def _carry_out(self, effects: tuple[ServerEffect, ...]) -> None:
        self._decided()
        for effect in effects:
            if isinstance(effect, Fault):
                self.faults.append(effect.what)
            elif isinstance(effect, Publish):
                self._publish(effect)
        if self.server is not None:
            self._alarm.set(self.server.next_deadline(self.clock.now))

    def _publish(self, effect: Publish) -> None:
        if isinstance(effect.message, FloorGranted):
            self._granted(effect.ids[0], effect.message)
        if isinstance(effect.message, FloorGranted | FloorRenewed) and effect.message.all_joined:
            self._joined(self, effect.ids[0])
        if self._connection is None:
            return
        number = effect.event_no
        acked = None if number is None else lambda: self._put(EventAcked(office=self.office, event_no=number))
        payload = b"" if effect.message is None else encode(effect.message)
        self._connection.publish(topic(effect.office, effect.kind, *effect.ids), payload, effect.retain, acked)


def topic_of(text: str) -> Topic:
    """Parse, for traces."""
    return parse(text)
