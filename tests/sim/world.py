"""One simulated office: built, disturbed and judged from a seed. `python -m tests.sim SEED` replays one."""

from random import Random

from msgspec.structs import replace

from dispatch.admission import LATE_S
from dispatch.core.state import Entry, Floor, FloorState, OfficeRules
from dispatch.store.sql import SqlStore
from gateway.core.participant_words import State
from protocol.codec import decode
from protocol.ids import OfficeId
from protocol.messages import Lifecycle, Presence, PresenceState, Priority
from protocol.topics import Kind, topic
from tests.sim.car import Car
from tests.sim.clock import Clock
from tests.sim.invariants import Invariants, Violated
from tests.sim.net import Broker, Weather
from tests.sim.office import Dispatch

RUN_S = 40.0
CALM_S = 25.0
OFFICE = OfficeId("sim", "office")


class World:
    """An office of cars with a dispatch, a broker and bad luck."""

    def __init__(self, seed: int, fair: bool = False, replicas: int = 0) -> None:
        """`fair`: a good network and no faults at all. `replicas` of dispatch on one store; 0: by the seed."""
        self.seed = seed
        self.fair = fair
        rng = self.rng = Random(seed)
        self.clock = Clock()
        self.weather = Weather(Random(rng.getrandbits(32)))
        if fair:
            self.weather.calm()
        self.broker = Broker(self.clock, self.weather)
        self.store = SqlStore("sqlite://")
        self.watch = Invariants(self.clock, self.store)
        seeds = self._seeds = Random(seed + 1)  # of its own: what a seed was before there was this, it still is
        urgent = {} if fair or seeds.random() < 0.7 else {"car-1": Priority.EMERGENCY, "car-2": Priority.HIGH}
        self._doors = Random(seed + 2)  # likewise
        self._agora = Random(seed + 3)  # likewise
        self._urgent = Random(seed + 4)  # likewise
        self._day = Random(seed + 5)  # likewise
        self._cab = Random(seed + 6)  # likewise
        self.rules = OfficeRules(
            talk_limit_s=rng.choice((5.0, 8.0, 30.0)),
            hang_s=rng.choice((0.0, 2.0, 5.0)),
            queue=rng.random() < 0.25,
            priorities=urgent,
        )
        self.cars = [
            Car(self.clock, self.broker, OFFICE, f"car-{i}", Random(rng.getrandbits(32)), self.watch)
            for i in range(1, rng.randint(3, 6))
        ]
        self.watch.cars = self.cars
        roll = {car.user: Entry(uid=number, generation=1) for number, car in enumerate(self.cars, 1)}
        self.rules = replace(self.rules, roll=roll)
        for car in self.cars:
            car.priority = min(urgent.get(car.user, Priority.NORMAL), Priority.HIGH, key=lambda p: p.rank)
        replicas = replicas or (2 if not fair and seeds.random() < 0.35 else 1)
        self.replicas = [
            Dispatch(
                self.clock,
                self.broker,
                self.store,
                OFFICE,
                lambda: self.rules,
                Random(rng.getrandbits(32) if n == 1 else seeds.getrandbits(32)),
                self.watch.granted,
                self.watch.decided,
                name=f"dispatch-{n}",
                joined=self.watch.joined,
                read_late_s=0.0 if fair else self._doors.choice((0.0, LATE_S)),
            )
            for n in range(1, replicas + 1)
        ]
        self.story: list[str] = []
        self._mended = False
        self._talks: list[tuple[float, float, Car]] = []

    def run(self) -> None:
        """Live through it; raises Violated."""
        for replica in self.replicas:
            replica.start()
        for car in self.cars:
            self.clock.after(self.rng.random(), car.start)
        self._drivers()
        if not self.fair:
            self._bad_luck()
            self._revocations()
            self._others_in_the_cab()
            self._emergencies()
            self._ignitions()
        if self._agora.random() < 0.5:
            self._over_agora()
        self.clock.run(self.clock.now + RUN_S, self._step)
        self._mend()
        self.clock.run(self.clock.now + CALM_S, self._step)
        self._settled()
        self.store.close()

    def _step(self) -> None:
        self.watch.serving = self.broker.up and any(r.serving for r in self.replicas)
        self.watch.step()

    def _say(self, text: str) -> None:
        self.story.append(f"{self.clock.now:9.3f} {text}")

    def _do(self, at: float, text: str, fn) -> None:  # type: ignore[no-untyped-def]
        def act() -> None:
            if self._mended:
                return
            self._say(text)
            fn()

        self.clock.at(at, act)

    # --- drivers ----------------------------------------------------------------------------------------------------

    def _drivers(self) -> None:
        rng = self.rng
        at = self.clock.now + 1.5
        end = self.clock.now + RUN_S - 6
        while at < end:
            length = rng.choice((0.02, 0.2, 1.0, 2.5, 4.0, 6.0, 12.0)) * (0.5 + rng.random())
            for car in rng.sample(self.cars, rng.choice((1, 1, 1, 2))):
                self._do(at, f"{car.user} down", car.press)
                self._do(at + length, f"{car.user} up", car.release)
                self._talks.append((at, length, car))
            at += length * rng.choice((0.3, 1.0, 1.1)) + rng.choice((0.0, 0.1, 1.0, 4.0)) * rng.random()

    # --- bad luck ---------------------------------------------------------------------------------------------------

    def _bad_luck(self) -> None:
        rng = self.rng
        start = self.clock.now + 2
        self._do(start, "broker snapshot", self.broker.snapshot)
        for _ in range(rng.randint(0, 7)):
            at = start + rng.random() * (RUN_S - 6)
            lasts = rng.choice((0.1, 0.8, 3.0, 8.0)) * (0.5 + rng.random())
            car = rng.choice(self.cars)
            replica = rng.choice(self.replicas) if len(self.replicas) > 1 else self.replicas[0]
            if rng.random() < 0.6:  # aimed: bad luck strikes while somebody has the button down
                pressed_at, length, car = rng.choice(self._talks)
                at = pressed_at + rng.random() * length
            match rng.randrange(9):
                case 0:
                    new_card = self._seeds.random() < 0.3
                    self._do(at, f"{car.user} killed", car.crash)
                    self._do(at + lasts, f"{car.user} starts", lambda c=car, n=new_card: self._restart(c, n))
                case 1:
                    self._do(at, f"{car.user} loop stops", lambda c=car: (c.pause(), self.watch.paused(c)))
                    self._do(at + lasts, f"{car.user} loop turns", car.resume)
                case 2:
                    self._do(at, f"{car.user} cut off", car.cut_network)
                case 3 | 4:
                    self._do(at, f"{car.user} black hole", car.stall_network)
                    self._do(at + lasts, f"{car.user} network back", car.resume_network)
                case 5:
                    self._do(at, f"{car.user} worker dies", car.kill_worker)
                case 6:
                    self._do(at, f"{replica.name} killed", replica.kill)
                    self._do(
                        at + lasts, f"{replica.name} starts", lambda r=replica: r.start() if not r.server else None
                    )
                case 7:
                    self._do(at, f"{replica.name} stops", replica.pause)
                    self._do(at + lasts, f"{replica.name} goes on", replica.resume)
                case 8:
                    self._do(at, "broker killed", self.broker.crash)
                    self._do(at + lasts, "broker starts", self.broker.restart)

    def _revocations(self) -> None:
        """Users are revoked, most of them while they speak, and restored; not always does the broker hear of it."""
        rng = self._doors
        for _ in range(rng.choice((0, 1, 1, 2))):
            at, length, car = max(rng.choices(self._talks, k=3), key=lambda talk: talk[1])
            at += rng.choice((0.2, 1.0)) * rng.random() * length
            guarded = rng.random() < 0.3
            self._do(at, f"{car.user} revoked", lambda c=car, g=guarded: self._revoke(c, g))
            self._do(at + rng.choice((0.5, 2.0, 8.0, 12.0)), f"{car.user} restored", lambda c=car: self._let_in(c))

            self._outage_about(at, rng)

    def _emergencies(self) -> None:
        """Emergency buttons are held, most of them while somebody talks; some too briefly, some are pressed again."""
        rng = self._urgent
        for _ in range(rng.choice((0, 0, 1, 2, 3))):
            at, length, _ = rng.choice(self._talks)
            car = rng.choice(self.cars)
            at = max(self.clock.now + 1.5, at + rng.random() * length - rng.choice((0.0, 1.0)))
            held = rng.choice((0.02, 0.9, 1.1, 1.5, 3.0))
            self._do(at, f"{car.user} emergency down", car.hold_emergency)
            self._do(at + held, f"{car.user} emergency up", car.let_go_emergency)
            if rng.random() < 0.3:
                self._do(at + 1.5 + rng.random() * 3, f"{car.user} cut off", car.cut_network)
            if rng.random() < 0.4:
                again = at + held + rng.choice((0.3, 1.0, 4.0)) * (0.5 + rng.random())
                self._do(again, f"{car.user} emergency down", car.hold_emergency)
                self._do(again + 0.2, f"{car.user} emergency up", car.let_go_emergency)

    def _ignitions(self) -> None:
        """Some vehicles have a key: it is turned off for moments and for long, most of all while somebody talks."""
        rng = self._day
        for car in rng.sample(self.cars, rng.choice((0, 1, 1, 2))):
            car.ignition = True
            for _ in range(rng.choice((1, 2, 3))):
                at, length, _ = rng.choice(self._talks)
                at = max(self.clock.now + 1.5, at + rng.random() * length - 1.0)
                back = at + rng.choice((0.5, 1.5, 3.0, 9.0, 14.0)) * (0.5 + rng.random())
                self._do(at, f"{car.user} ignition off", lambda c=car: c.turn_ignition(False))
                self._do(back, f"{car.user} ignition on", lambda c=car: c.turn_ignition(True))

    def _others_in_the_cab(self) -> None:
        """Telephones ring and navigations speak, most of them while somebody talks."""
        rng = self._cab
        for _ in range(rng.choice((0, 1, 3, 5))):
            at, length, car = max(rng.choices(self._talks, k=2), key=lambda talk: talk[1])
            at += (rng.random() * 1.2 - 0.2) * length
            lasts = rng.choice((0.02, 0.5, 3.0, 8.0)) * (0.5 + rng.random())
            signal = rng.choice(("phone_busy", "nav_busy", "nav_busy"))
            self._do(at, f"{car.user} {signal}", lambda c=car, s=signal: c.input(s, True))
            self._do(at + lasts, f"{car.user} {signal} over", lambda c=car, s=signal: c.input(s, False))

    def _outage_about(self, at: float, rng: Random) -> None:
        """The office is away, in part, while somebody is revoked: it happens before, and ends after."""
        begins, ends = at - rng.random(), at + rng.choice((0.3, 3.0)) * rng.random()
        replica = rng.choice(self.replicas)
        match rng.randrange(6):
            case 0:
                self._do(begins, "broker killed", self.broker.crash)
                self._do(ends, "broker starts", self.broker.restart)
            case 1:
                self._do(begins, f"{replica.name} killed", replica.kill)
                self._do(ends, f"{replica.name} starts", lambda: replica.start() if not replica.server else None)
            case 2:
                self._do(begins, f"{replica.name} stops", replica.pause)
                self._do(ends, f"{replica.name} goes on", replica.resume)

    def _over_agora(self) -> None:
        """Some or all have Agora, and join and lose it as it comes."""
        rng = self._agora
        chance = rng.choice((0.7, 1.0, 1.0))
        for car in self.cars:
            car.agora = Random(rng.getrandbits(32)) if rng.random() < chance else None
        for _ in range(0 if self.fair else rng.randint(0, 5)):
            at, length, speaker = max(rng.choices(self._talks, k=3), key=lambda talk: talk[1])
            car = rng.choice([each for each in self.cars if each is not speaker])
            at += rng.random() * length / 2  # aimed at listeners, while there is something to be missed
            self._do(at, f"{car.user} loses Agora", car.lose_agora)
            self._do(at + rng.choice((0.2, 4.0, 12.0)) * rng.random(), f"{car.user} finds Agora", car.find_agora)

    def _revoke(self, car: Car, guarded: bool) -> None:
        at = self.clock.wall_ms
        self._know(car, Entry(uid=0, generation=1, admitted=False, revoked_at=at))
        self.watch.revoke(car.user)
        if guarded:
            self.clock.after(self._doors.random(), lambda: self._disable(car))

    def _disable(self, car: Car) -> None:
        if car.user in self.watch.revoked:
            self.broker.disable(car.user)

    def _let_in(self, car: Car) -> None:
        self._know(car, Entry(uid=1, generation=1))
        self.watch.restore(car.user)
        self.broker.disabled.discard(car.user)

    def _know(self, car: Car, entry: Entry) -> None:
        self.rules = replace(self.rules, roll={**(self.rules.roll or {}), car.user: entry})

    def _restart(self, car: Car, new_card: bool) -> None:
        if car.vehicle is None:
            if new_card:  # its counter begins anew, and nobody knows any more what it kept
                car.boot, car.emergency_since, car.raised = 0, None, False
            car.start()

    # --- the end ----------------------------------------------------------------------------------------------------

    def _mend(self) -> None:
        """All faults end, all buttons go up; then everything must come to rest by itself."""
        self._say("all is mended")
        self._mended = True
        self.weather.calm()
        self.broker.restart()
        for replica in self.replicas:
            if replica.server is None:
                replica.start()
            replica.resume()
        for car in self.cars:
            self._let_in(car)
            car.resume()
            car.resume_network()
            car.release()
            car.let_go_emergency()
            for signal in ("phone_busy", "nav_busy"):
                car.input(signal, False)
            if car.ignition is not None:
                car.turn_ignition(True)
            if car.vehicle is None:
                car.start()

    def _settled(self) -> None:
        floor = self._floor()
        if floor is None or floor.state is not FloorState.IDLE or floor.active:
            raise Violated(f"at rest the floor is {floor}")
        for car in self.cars:
            vehicle = car.vehicle
            if vehicle is None or not vehicle.link_up or vehicle.participant.state is not State.NO_PERMISSION:
                raise Violated(f"at rest {car.user} is {vehicle and (vehicle.link_up, vehicle.participant.state)}")
            if vehicle.status().lifecycle is not Lifecycle.DRIVING or car.shutdown_asked:
                raise Violated(f"at rest {car.user} is {vehicle.status().lifecycle}, asked off: {car.shutdown_asked}")
            if vehicle.session is None or vehicle.session.rev != floor.rev:
                raise Violated(f"at rest {car.user} knows session {vehicle.session}, the store has rev {floor.rev}")
            seen = decode(self.broker.retained[topic(OFFICE, Kind.PRESENCE, car.user)], Kind.PRESENCE)
            stands = bool(self.broker.retained.get(topic(OFFICE, Kind.ALERT, car.user, "emergency")))
            if stands is not (car.emergency_since is not None) or (car.raised and not stands):
                raise Violated(
                    f"invariant 12 at rest: {car.user} raised {car.raised}, keeps {car.emergency_since}, shows {stands}"
                )
            if not isinstance(seen, Presence) or seen.state is not PresenceState.ONLINE or seen.in_channel is not None:
                raise Violated(f"at rest the retained presence of {car.user} is {seen}")
        members = self.store.transact(OFFICE, lambda tx: tx.members(), durable=False)
        wrong = [m for m in members if not m.present or m.in_channel is not None]
        if wrong:
            raise Violated(f"at rest the store has members {wrong}")
        if self.store.unpublished(OFFICE, 10):
            raise Violated("at rest events are unpublished")

    def _floor(self) -> Floor | None:
        return self.store.transact(OFFICE, lambda tx: tx.floor(), durable=False)


def run_seed(seed: int) -> str | None:
    """Run one seed; gives what was violated, with the story so far, or None."""
    world = World(seed)
    try:
        world.run()
    except Violated as error:
        tail = "\n".join(world.story[-40:])
        return f"seed {seed}: {error}\n{tail}"
    return None
