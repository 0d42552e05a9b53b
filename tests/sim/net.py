"""A broker and the links to it: delayed, cut, black-holed; floor messages also lost, doubled and late.

Control messages travel as the bytes the real codec makes. TCP keeps their order and drops none while a connection
lives; to be harder than TCP, floor messages and replies may be lost, repeated or overtaken as well.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from protocol.topics import Kind, Topic, parse
from tests.sim.clock import Clock

KEEPALIVE_LOST_S = 15.0
"""A broker notices a black hole after one and a half keep-alives of 10 s; so does the client, of its own."""


class Weather:
    """How bad the network is in this run; rolled from the seed."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.delay_s = rng.choice((0.001, 0.02, 0.04, 0.08, 0.15, 0.3))
        self.jitter_s = rng.choice((0.0, 0.01, 0.03, 0.1, 0.4))
        self.loss = rng.choice((0.0, 0.0, 0.02, 0.1))
        self.again = rng.choice((0.0, 0.05, 0.2))
        self.late_s = rng.choice((0.0, 0.5, 4.0))

    def delay(self) -> float:
        """One way, seconds."""
        return self.delay_s + self.rng.random() * self.jitter_s

    def calm(self) -> None:
        """From here on a good network, so that the end of a run can be judged."""
        self.delay_s, self.jitter_s, self.loss, self.again, self.late_s = 0.02, 0.01, 0.0, 0.0, 0.0


class Connection:
    """One client's connection: two queues in order, and what becomes of them when it is cut or swallowed."""

    def __init__(
        self,
        broker: "Broker",
        name: str,
        wants: Callable[[Topic], bool],
        receive: Callable[..., None],
        lost: Callable[[str], None],
        will: tuple[str, bytes] | None,
    ) -> None:
        self.broker = broker
        self.name = name
        self.wants = wants
        self.will = will
        self._receive = receive
        self._lost = lost
        self._clock = broker.clock
        self._up_free = self._down_free = self._clock.now
        self.open_here = self.open_there = True
        self.stalled = False
        self._waiting: list[Callable[[], None]] = []

    # --- client's side ------------------------------------------------------------------------------------------

    def publish(
        self, topic: str, payload: bytes, retain: bool = False, acked: Callable[[], None] | None = None
    ) -> None:
        """QoS 1: `acked` is called when the acknowledgement is back."""
        if not self.open_here:
            return

        def arrive() -> None:
            if self.open_there:
                self.broker.publish(topic, payload, retain)
                if acked is not None:
                    self._down(acked)

        for copy in range(self._copies(topic)):
            self._up(arrive, extra=self._lateness(topic, copy))

    def voice(self, topic: str, frame: Any) -> None:
        """QoS 0."""
        if self.open_here:
            self._up(lambda: self.open_there and self.broker.voice(topic, frame, self))

    def leave(self) -> None:
        """Disconnect cleanly: the will is dropped."""
        if self.open_here:
            self.open_here = False
            self._up(lambda: self._close_there(with_will=False))

    def vanish(self) -> None:
        """The client's process died: its machine closes the socket at once."""
        self.open_here = False
        self._up(lambda: self._close_there(with_will=True))

    # --- broker's side ------------------------------------------------------------------------------------------

    def deliver(self, topic: str, payload: bytes, retained: bool) -> None:
        """Send one message to the client."""
        if not self.open_there:
            return
        for copy in range(self._copies(topic)):
            self._down(lambda: self._receive(topic, payload, retained), extra=self._lateness(topic, copy))

    def deliver_voice(self, topic: str, frame: Any) -> None:
        """Send one voice frame to the client."""
        if self.open_there:
            self._down(lambda: self._receive(topic, frame, False))

    # --- faults ---------------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """Both ends see the connection reset."""
        self._close_there(with_will=True)
        if self.open_here:
            self._clock.after(self.broker.weather.delay(), lambda: self._close_here("connection reset"))

    def stall(self) -> None:
        """Black hole: nothing passes, nobody is told; keep-alives find it in the end."""
        self.stalled = True
        self._clock.after(KEEPALIVE_LOST_S, self._keepalive)

    def resume(self) -> None:
        """What TCP kept in flight arrives now, late, in order."""
        self.stalled = False
        waiting, self._waiting = self._waiting, []
        for fn in waiting:
            fn()

    def _keepalive(self) -> None:
        if self.stalled:
            self._close_there(with_will=True)
            self._close_here("keep-alive unanswered")

    def _close_there(self, with_will: bool) -> None:
        if self.open_there:
            self.open_there = False
            self.broker.gone(self, with_will)

    def _close_here(self, reason: str) -> None:
        if self.open_here:
            self.open_here = False
            self._lost(reason)

    # --- queues -----------------------------------------------------------------------------------------------------

    def _copies(self, topic: str) -> int:
        weather = self.broker.weather
        if "/floor/" not in topic:
            return 1
        if weather.rng.random() < weather.loss:
            return 0
        return 2 if weather.rng.random() < weather.again else 1

    def _lateness(self, topic: str, copy: int) -> float:
        weather = self.broker.weather
        out_of_order = "/floor/" in topic and weather.late_s and weather.rng.random() < 0.1
        return weather.rng.random() * weather.late_s if copy or out_of_order else 0.0

    def _up(self, fn: Callable[[], object], extra: float = 0.0) -> None:
        at = self._clock.now + self.broker.weather.delay()
        self._up_free = at = max(at, self._up_free)
        self._clock.at(at + extra, lambda: self._pass(fn))

    def _down(self, fn: Callable[[], object], extra: float = 0.0) -> None:
        at = self._clock.now + self.broker.weather.delay()
        self._down_free = at = max(at, self._down_free)
        self._clock.at(at + extra, lambda: self._pass(lambda: self.open_here and fn()))

    def _pass(self, fn: Callable[[], object]) -> None:
        if self.stalled:
            self._waiting.append(lambda: fn() and None)
        else:
            fn()


class Broker:
    """Retained messages, subscriptions, wills. A crash forgets what is newer than the last snapshot."""

    def __init__(self, clock: Clock, weather: Weather) -> None:
        self.clock = clock
        self.weather = weather
        self.up = True
        self.disabled: set[str] = set()
        """Users that may not connect."""
        self.connections: dict[str, Connection] = {}
        self.retained: dict[str, bytes] = {}
        self._snapshot: dict[str, bytes] = {}
        self._turn = 0

    def connect(self, connection: Connection) -> None:
        """Accept; an older connection of the same name is taken over, its will published."""
        old = self.connections.get(connection.name)
        if old is not None:
            old._close_there(with_will=True)
            self.clock.after(self.weather.delay(), lambda: old._close_here("session taken over"))
        self.connections[connection.name] = connection

    def disable(self, name: str) -> None:
        """Cut a user's connection and take no other, as the guard has the broker do."""
        self.disabled.add(name)
        if name in self.connections:
            self.connections[name].cut()

    def give_retained(self, connection: Connection) -> None:
        """Send what is retained on the topics it wants."""
        for topic, payload in tuple(self.retained.items()):
            if connection.wants(parse(topic)):
                connection.deliver(topic, payload, True)

    def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        """Route a message."""
        if retain:
            if payload:
                self.retained[topic] = payload
            else:
                self.retained.pop(topic, None)
        parsed = parse(topic)
        wanting = [c for c in self.connections.values() if c.wants(parsed)]
        if parsed.kind is Kind.FLOOR and wanting:  # a shared subscription: one of them gets it, be it stopped or not
            self._turn += 1
            wanting = [wanting[self._turn % len(wanting)]]
        for connection in wanting:
            connection.deliver(topic, payload, False)

    def voice(self, topic: str, frame: Any, by: Connection) -> None:
        """Route a voice frame to all others."""
        parsed = parse(topic)
        for connection in tuple(self.connections.values()):
            if connection is not by and connection.wants(parsed):
                connection.deliver_voice(topic, frame)

    def gone(self, connection: Connection, with_will: bool) -> None:
        """Forget a connection; publish its will."""
        if self.connections.get(connection.name) is connection:
            del self.connections[connection.name]
        if with_will and connection.will is not None and self.up:
            topic, payload = connection.will
            self.publish(topic, payload, True)

    def snapshot(self) -> None:
        """Persist, as mosquitto does now and then."""
        self._snapshot = dict(self.retained)

    def crash(self) -> None:
        """SIGKILL: every connection is reset, no will is published, retained falls back to the snapshot."""
        self.up = False
        for connection in tuple(self.connections.values()):
            connection.cut()
        self.connections.clear()
        self.retained = dict(self._snapshot)

    def restart(self) -> None:
        """Accept again."""
        self.up = True


def member_wants(user: str) -> Callable[[Topic], bool]:
    """What a vehicle's two connections subscribe to."""

    def wants(topic: Topic) -> bool:
        match topic.kind:
            case Kind.SESSION:
                return True
            case Kind.PRESENCE | Kind.REPLY:
                return topic.user == user
            case Kind.VOICE:
                return topic.user != user
        return False

    return wants
