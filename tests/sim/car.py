"""A vehicle: the real core, its disk, driver and connection; a loop that can stall, a worker that can die."""

from random import Random

from gateway.core.ignition import IgnitionRules
from gateway.core.told import Told
from gateway.core.vehicle import Vehicle
from gateway.core.who import Who
from gateway.core.words import (
    Acked,
    AskShutdown,
    CoreEvent,
    Dial,
    Effect,
    Flag,
    InputChanged,
    Keep,
    KeepEmergency,
    Kept,
    KillWorker,
    LinkDown,
    LinkUp,
    Machine,
    Measure,
    Measured,
    Note,
    Pressed,
    Publish,
    Received,
    Released,
    Show,
    ShutdownAsked,
    StartWorker,
    Tell,
    ToWorker,
    WorkerGone,
)
from protocol.codec import decode, encode
from protocol.ids import OfficeId
from protocol.messages import DeviceInfo, FloorHeard, Presence, PresenceState, Priority
from protocol.topics import Kind, parse, topic
from tests.sim.clock import Alarm, Clock
from tests.sim.driver import EMERGENCY, Driver
from tests.sim.net import Broker, Connection, member_wants
from tests.sim.watch import Watch
from tests.sim.worker import Speech, Worker
from voice.core.jitter import Packet
from voice.core.talk import Send

IGNITION = IgnitionRules(off_s=2.0, shutdown_after_s=8.0)


class Car(Driver):
    """One vehicle with its driver."""

    def __init__(self, clock: Clock, broker: Broker, office: OfficeId, user: str, rng: Random, watch: "Watch") -> None:
        super().__init__(clock)
        self.broker = broker
        self.office = office
        self.user = user
        self._rng = rng
        self.watch = watch
        self.boot = 0
        self.agora: Random | None = None
        """Where it has an Agora account: how long joins take."""
        self.agora_reachable = True
        self.unlike_since: float | None = None
        """Since when it has been connected to the broker, its loop turning, and not on the session's Agora channel."""
        self._alarm = Alarm(clock, self._tick)
        self.worker: Worker | None = None
        self._connection: Connection | None = None
        self._paused = False
        self._inbox: list[CoreEvent] = []
        self.voice_link = False
        self.emergency_since: int | None = None
        """What is on its disk."""
        self.priority = Priority.NORMAL
        """What its talk button asks for."""
        self.stopped_at: float | None = None
        self.flags: frozenset[Flag] = frozenset()
        """What is on its disk."""
        self.shutdown_asked = False

    # --- the process ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Power on."""
        self.boot += 1
        self.stopped_at = None
        who = Who(
            user=self.user,
            generation=1,
            boot=self.boot,
            presence=Presence(
                state=PresenceState.ONLINE, connection_id=(0, 0, 0), presence_no=0, name=f"{self.user}호"
            ),
            info=DeviceInfo(version="sim", python="sim", board="sim", pins="sim", capture="sim", playback="sim"),
            priority=self.priority,
            emergency=EMERGENCY,
            emergency_since=self.emergency_since,
            flags=self.flags,
            ignition=IGNITION,
        )
        self.shutdown_asked = False
        self.vehicle = Vehicle(who, self._rng.random)
        self._carry_out(self.vehicle.start(self.clock.now, self.clock.wall_ms))
        for signal in self.busy:
            self.put(InputChanged(signal=signal, active=True, at=self.clock.now, at_start=True))
        if self.ignition is not None:
            self.put(InputChanged(signal="ignition", active=self.ignition, at=self.clock.now, at_start=True))

    def crash(self) -> None:
        """SIGKILL of daemon and, by its closed pipe, of the worker."""
        self.close_window()
        self.vehicle = None
        self._paused = False
        self._inbox.clear()
        self._alarm.set(None)
        self._kill_worker()
        self.voice_link = False
        self.stopped_at = self.clock.now
        self.watch.crashed(self)
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.vanish()

    def pause(self) -> None:
        """The daemon's loop stops turning; the worker lives on."""
        if self.vehicle is not None and not self._paused:
            self._paused = True
            self.stopped_at = self.clock.now

    def resume(self) -> None:
        """It turns again and finds all that waited."""
        if not self._paused:
            return
        self._paused = False
        self.stopped_at = None
        inbox, self._inbox = self._inbox, []
        button = (Pressed, Released, InputChanged)
        for event in sorted(inbox, key=lambda e: not isinstance(e, button)):  # as the daemon's loop: edges first
            self._take(event)
        self._tick()

    def kill_worker(self) -> None:
        """The worker crashes."""
        if self.worker is not None and self.worker.alive:
            self._kill_worker()
            self.put(WorkerGone(reason="killed"))

    def stall_network(self) -> None:
        """Black hole."""
        if self._connection is not None:
            self._connection.stall()

    def resume_network(self) -> None:
        """It passes again."""
        if self._connection is not None and self._connection.stalled:
            self._connection.resume()

    def cut_network(self) -> None:
        """Reset."""
        if self._connection is not None:
            self._connection.cut()

    def _kill_worker(self) -> None:
        if self.worker is not None:
            self.worker.alive = False
            self.worker = None

    # --- Agora ------------------------------------------------------------------------------------------------------

    def join_agora(self, worker: Worker) -> None:
        """Be in the channel of the session its worker takes part in, some time later, if nothing comes between."""
        if self.agora is not None and worker.joined is not None:
            event_id = worker.joined
            wait_s = self.agora.choice((0.1, 0.4, 1.5, 6.0)) * (0.5 + self.agora.random())
            self.clock.after(wait_s, lambda: self._agora_up(worker, event_id))

    def _agora_up(self, worker: Worker, event_id: str) -> None:
        if worker.alive and worker is self.worker and worker.joined == event_id and self.agora_reachable:
            worker.agora(True)

    def lose_agora(self) -> None:
        """Agora cannot be reached."""
        self.agora_reachable = False
        if self.worker is not None and self.worker.on_agora is not None:
            self.worker.agora(False)

    def find_agora(self) -> None:
        """It can be reached again."""
        self.agora_reachable = True
        if self.worker is not None and self.worker.on_agora is None:
            self.join_agora(self.worker)

    def look(self, event_id: str | None) -> None:
        """Keep `unlike_since` for this session; to be called after every event."""
        link = self._connection
        heard = self.vehicle is not None and self.vehicle.link_up and not self._paused
        heard = heard and link is not None and link.open_here and link.open_there and not link.stalled
        on_agora = self.worker is not None and event_id is not None and self.worker.on_agora == event_id
        if not heard or on_agora:
            self.unlike_since = None
        elif self.unlike_since is None:
            self.unlike_since = self.clock.now

    # --- events -----------------------------------------------------------------------------------------------------

    @property
    def turning(self) -> bool:
        """Whether the daemon's loop turns."""
        return not self._paused

    def button_down(self) -> None:
        """The talk button's edge, as its pin tells it."""
        if self.vehicle is not None:
            if self.turning:
                self.watch.pressed(self, self.vehicle)
            self.put(Pressed(at=self.clock.now))

    # --- effects ----------------------------------------------------------------------------------------------------

    def put(self, event: CoreEvent, by: Worker | None = None) -> None:
        """Enqueue an event, as every callback does."""
        if self.vehicle is None or (by is not None and by is not self.worker):
            return
        if self._paused:
            self._inbox.append(event)
        else:
            self._take(event)

    def _take(self, event: CoreEvent) -> None:
        if self.vehicle is not None:
            self._carry_out(self.vehicle.handle(event, self.clock.now, self.clock.wall_ms))

    def _tick(self) -> None:
        if self.vehicle is not None and not self._paused:
            self._carry_out(self.vehicle.tick(self.clock.now, self.clock.wall_ms))

    def _carry_out(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            match effect:
                case Dial():
                    self._dial(effect)
                case Publish():
                    self._publish(effect)
                case ToWorker(command=command):
                    if self.worker is not None:
                        self.worker.command(command)
                case StartWorker():
                    self.clock.after(0.1 + self._rng.random() * 0.3, self._start_worker)
                case KillWorker():
                    self.kill_worker()
                case Tell(what=what):
                    if what in (Told.GRANTED, Told.TURN_CAME):
                        self.window_granted()
                    elif what in (Told.EMERGENCY_FAILED, Told.EMERGENCY_OFFLINE, Told.EMERGENCY_CANCELLED):
                        self.close_window()
                    self.raised = self.raised and what is not Told.EMERGENCY_CANCELLED
                    self.watch.told(self, effect)
                case KeepEmergency(since=since):
                    self.emergency_since = since
                case Keep(flag=flag, on=on):
                    self.flags = self.flags | {flag} if on else self.flags - {flag}
                    self._later(Kept(flag=flag, on=on))
                case AskShutdown(wanted=wanted):
                    self.shutdown_asked = wanted
                    self.watch.shutdown_asked(self, wanted)
                    self._later(ShutdownAsked(wanted=wanted))
                case Measure():
                    self._later(Measured(machine=Machine(temperature_c=50.0)))
                case Show() | Note():
                    pass
        if self.vehicle is not None:
            self._alarm.set(self.vehicle.next_deadline())

    def _later(self, answer: CoreEvent) -> None:
        """What the daemon's own thread has done, it tells."""
        vehicle = self.vehicle
        self.clock.after(0.01, lambda: self._only(vehicle, answer))

    def _start_worker(self) -> None:
        if self.vehicle is not None and self.worker is None:
            self.worker = Worker(self)
            self.worker.say_hello()

    def _dial(self, dial: Dial) -> None:
        vehicle = self.vehicle
        if self._connection is not None:
            self._connection.vanish()
            self._connection = None
        if not self.broker.up:
            self.clock.after(0.05, lambda: self._only(vehicle, LinkDown(reason="connection refused")))
            return
        will = (topic(self.office, Kind.PRESENCE, self.user), encode(dial.will))
        connection = Connection(self.broker, self.user, member_wants(self.user), self._receive, self._lost, will)
        self._connection = connection
        self.clock.after(self.broker.weather.delay() * 2, lambda: self._accepted(connection, vehicle))

    def _accepted(self, connection: Connection, vehicle: Vehicle | None) -> None:
        if self._connection is not connection or not self.broker.up or self.user in self.broker.disabled:
            self._lost_now(connection, vehicle)
            return
        self.broker.connect(connection)
        self.broker.give_retained(connection)
        connection._down(lambda: self._subscribed(connection, vehicle))

    def _lost_now(self, connection: Connection, vehicle: Vehicle | None) -> None:
        if self._connection is connection:
            self._connection = None
            connection.open_here = connection.open_there = False
            self._only(vehicle, LinkDown(reason="connection refused"))

    def _subscribed(self, connection: Connection, vehicle: Vehicle | None) -> None:
        if self._connection is connection:
            self.voice_link = True
            if self.worker is not None:
                self.worker.link(True)
            self._only(vehicle, LinkUp())

    def _only(self, vehicle: Vehicle | None, event: CoreEvent) -> None:
        if self.vehicle is vehicle:
            self.put(event)

    def _lost(self, reason: str) -> None:
        self._connection = None
        self.voice_link = False
        if self.worker is not None:
            self.worker.link(False)
        self.put(LinkDown(reason=reason))
        self.close_window()

    def _receive(self, at: str, payload: bytes, retained: bool) -> None:
        where = parse(at)
        if where.kind is Kind.VOICE:
            if self.worker is not None:
                self.worker.hear(where.user, payload)  # type: ignore[arg-type]
        elif payload:
            message = decode(payload, where.kind)
            if isinstance(message, FloorHeard):
                self.watch.counted(self, message)
            self.put(Received(kind=where.kind, message=message, retained=retained))

    def _publish(self, effect: Publish) -> None:
        if self._connection is not None:
            token = effect.token
            acked = None if token is None else lambda: self.put(Acked(token=token))
            message = effect.message
            payload = b"" if message is None else encode(message)
            self._connection.publish(topic(self.office, effect.kind, *effect.ids), payload, effect.retain, acked)

    # --- what the worker does to the world --------------------------------------------------------------------------

    def sent(self, send: Send[Speech]) -> None:
        """A voice frame leaves the vehicle."""
        self.watch.sent(self, send)
        if self._connection is not None:
            self._connection.voice(topic(self.office, Kind.VOICE, self.user), send)

    def heard(self, burst: int, user: str, packet: Packet[Speech]) -> None:
        """A voice frame sounds in the cabin."""
        self.watch.heard(self, burst, user, packet)
