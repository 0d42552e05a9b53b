"""The invariants of DESIGN section 6 that a whole simulated office is held to, at every step."""

from dispatch.core.office import BATCH_S
from dispatch.core.state import Floor, FloorState
from dispatch.ports import Store
from gateway.core.told import Told
from gateway.core.vehicle import Vehicle
from gateway.core.words import Tell
from protocol.messages import Ended, FloorGranted, FloorHeard, Priority
from protocol.timers import JOIN_SPREAD_S, LEASE_S, OUTAGE_GRACE_S
from tests.sim.car import Car, Speech, Watch
from tests.sim.clock import Clock
from tests.sim.office import Dispatch
from voice.core.jitter import Packet
from voice.core.talk import Send

EPS_S = 0.01
ANSWER_S = 2.0
IDLE_S = 5.0
TAIL_S = 2.0
PREEMPTED_S = 3.0
REVOKED_S = 2.5
"""Half of what is promised (REVOKE_S): the registry is read once a second, the broker may be late."""
LOOP_STOPPED_S = 0.5
SETTLED_S = 0.06
"""Telephone and navigation count from then on."""
ONE_WAY_S = 0.7
"""The longest a message is on its way in the worst of this world's weathers."""
KNOWN_S = JOIN_SPREAD_S + 2 * ONE_WAY_S + BATCH_S + 0.1
"""From when a member is not in the Agora channel to when the server knows: its presence is told within a second."""


class Violated(AssertionError):
    """An invariant does not hold; the text names it, the time and what was seen."""


class Invariants(Watch):
    """Checks 1, 2, 3, 4, 6 and 8, and 9: a revoked user is without the floor within 2.5 s; 10: nobody is told that
    all have joined Agora while one that is there has not, longer than messages are on their way; 11: nobody is said to
    have heard a burst who has not; 12: an emergency that was raised stays an alert until it is taken back.

    `outage_s` grows while broker or dispatch are not serving.
    """

    def __init__(self, clock: Clock, store: Store) -> None:
        self.clock = clock
        self._store = store
        self.cars: list[Car] = []
        self.serving = True
        self._outage_s = 0.0
        self._outages = 0
        self._was_serving = True
        self._looked_at = clock.now
        self._floor: Floor | None = None
        self._held_since: tuple[object, float, float, int] | None = None
        self._bursts: dict[int, tuple[str, object]] = {}
        self._requests: dict[object, int] = {}
        self._preempted: dict[int, float] = {}
        self.revoked: dict[str, tuple[float, float]] = {}
        """User -> when it was revoked, and the outage until then."""
        self.taken_back = 0
        self._taken_back: dict[int, float] = {}
        self.restored: dict[str, float] = {}
        """User -> when it belonged again."""
        self.all_joined = self.spared = 0
        self._steady_since = clock.now
        self._waiting: dict[tuple[str, int], float] = {}
        self._pressed: dict[str, float] = {}
        self._revs: dict[tuple[str, int], int] = {}
        self.tells: dict[Told, int] = {}
        self.frames_sent = self.frames_heard = self.grants = 0
        self.shutdowns = 0
        self.sent_by_burst: dict[int, list[int]] = {}
        self.heard_by: dict[tuple[str, int], list[int]] = {}
        self.counts: dict[int, tuple[int, int]] = {}
        """Burst -> by how many of how many it was heard, as its speaker was told."""

    # --- 1 ----------------------------------------------------------------------------------------------------------

    def granted(self, user: str, grant: FloorGranted) -> None:
        """1, 6: bursts strictly rise, one burst has one holder, one request has one burst."""
        known = self._bursts.get(grant.burst)
        if known is not None:
            if known != (user, grant.request_id):
                self._fail(1, f"burst {grant.burst} granted to {user} after {known}")
            return
        if self._bursts and grant.burst <= max(self._bursts):
            self._fail(1, f"burst {grant.burst} does not rise")
        if (user, grant.request_id) in self._requests:
            self._fail(6, f"request {grant.request_id} was granted twice")
        self.grants += 1
        self._bursts[grant.burst] = (user, grant.request_id)
        self._requests[user, grant.request_id] = grant.burst

    def decided(self) -> None:
        """1, 6: what the store holds only moves forward. To be called after every commit."""
        floor = self._read()
        before, self._floor = self._floor, floor
        if floor is None or before is None:
            return
        if floor.rev < before.rev or floor.burst < before.burst or floor.event_no < before.event_no:
            self._fail(6, f"the store moved back from {before} to {floor}")
        if before.holder is not None and floor.burst > before.burst and floor.priority.rank > before.priority.rank:
            self._preempted[before.burst] = self.clock.now
        if before.holder in self.revoked and floor.holder != before.holder:
            self._taken_back[before.burst] = self.clock.now  # unheard, for as long as if it was pre-empted
            self.taken_back += floor.ended is Ended.CLEANED
        if floor.burst == before.burst and before.holder is None and floor.holder is not None:
            self._fail(6, f"burst {floor.burst} lives again")

    def step(self) -> None:
        """Look at the whole office; to be called after every event."""
        now = self.clock.now
        if not self.serving:
            self._outage_s += now - self._looked_at
        self._outages += self._was_serving and not self.serving
        self._was_serving = self.serving
        self._looked_at = now
        for car in self.cars:
            car.look(self._floor.event_id if self._floor is not None else None)
        permitted = [
            c.user
            for c in self.cars
            if c.worker is not None and c.voice_link and any(not self._excused(b, now) for b in c.worker.permitted)
        ]
        if len(permitted) > 1:
            self._fail(1, f"{permitted} may transmit at once")
        self._idle_in_time(now)
        self._without_the_revoked(now)
        for key, since in self._waiting.items():
            if now - since > ANSWER_S + EPS_S:
                self._fail(4, f"press {key} unanswered for {now - since:.2f} s")
        for car in self.cars:
            if car.vehicle is not None and car.vehicle.session is not None:
                key = (car.user, car.boot)
                rev = car.vehicle.session.rev
                if rev < self._revs.get(key, 0):
                    self._fail(6, f"{car.user} went back to session rev {rev}")
                self._revs[key] = rev

    def _excused(self, burst: int, now: float) -> bool:
        """Whether a burst may still be transmitted, unheard: it was pre-empted or taken back a moment ago."""
        lost = (self._preempted.get(burst), self._taken_back.get(burst))
        return any(at is not None and now <= at + PREEMPTED_S for at in lost)

    # --- 3 ----------------------------------------------------------------------------------------------------------

    def _idle_in_time(self, now: float) -> None:
        floor = self._floor
        if floor is None or floor.state is FloorState.IDLE:
            self._held_since = None
            return
        key = (floor.burst, floor.renew_no)
        if self._held_since is None or self._held_since[0] != key:
            self._held_since = (key, now, self._outage_s, self._outages)
        _, since, outage_then, outages_then = self._held_since
        silent_s = now - since - (self._outage_s - outage_then)
        # The bound is for one outage. At the end of each the holder, which has to connect anew too, is given its grace.
        more = max(0, self._outages - outages_then - 1)
        if silent_s > IDLE_S + more * OUTAGE_GRACE_S:
            self._fail(3, f"burst {floor.burst} of {floor.holder} unrenewed for {silent_s:.2f} s and not idle")

    # --- 9 ----------------------------------------------------------------------------------------------------------

    def revoke(self, user: str) -> None:
        """9: from here on its time to hold the floor runs out."""
        self.revoked[user] = (self.clock.now, self._outage_s)

    def restore(self, user: str) -> None:
        """It belongs again."""
        if self.revoked.pop(user, None) is not None:
            self.restored[user] = self.clock.now

    def _without_the_revoked(self, now: float) -> None:
        holder = self._floor.holder if self._floor is not None else None
        if holder in self.revoked:
            since, outage_then = self.revoked[holder]
            late_s = now - since - (self._outage_s - outage_then)
            if late_s > REVOKED_S:
                self._fail(9, f"{holder} holds the floor {late_s:.2f} s after it was revoked")

    # --- 10 ---------------------------------------------------------------------------------------------------------

    def joined(self, replica: Dispatch, speaker: str) -> None:
        """10: a replica tells a speaker that all others have joined Agora."""
        self.all_joined += 1
        self._steady_since = max(self._steady_since, replica.steady_since)
        self._all_joined(speaker, replica.steady_since, KNOWN_S)

    def spares_mqtt(self, car: Car) -> None:
        """10: a worker has that word; its permission ends with the lease in which it came."""
        self.spared += 1
        self._all_joined(car.user, self._steady_since, KNOWN_S + ONE_WAY_S + LEASE_S)

    def _all_joined(self, speaker: str, steady_since: float, known_s: float) -> None:
        for car in self.cars:
            if car.user == speaker or car.user in self.revoked or car.unlike_since is None:
                continue
            belongs_since = self.restored.get(car.user, 0.0) + REVOKED_S
            for_s = self.clock.now - max(car.unlike_since, steady_since, belongs_since)
            if for_s > known_s:
                self._fail(10, f"{speaker} is told that all have joined, {car.user} has not for {for_s:.2f} s")

    # --- 4 ----------------------------------------------------------------------------------------------------------

    def pressed(self, car: Car, vehicle: Vehicle) -> None:
        """4: from here on the driver waits for an answer; at once, where the link is known to be down."""
        self._pressed[car.user] = self.clock.now
        number = vehicle.participant._presses + 1
        self._waiting[car.user, number] = self.clock.now
        if not vehicle.link_up:
            self.clock.after(0.1, lambda: self._known_down(car.user, number))

    def _known_down(self, user: str, number: int) -> None:
        if (user, number) in self._waiting:
            self._fail(4, f"press {number} of {user} on a link known down unanswered after 0.1 s")

    def told(self, car: Car, tell: Tell) -> None:
        """4: an answer."""
        self.tells[tell.what] = self.tells.get(tell.what, 0) + 1
        self._waiting.pop((car.user, tell.press_no), None)

    def shutdown_asked(self, car: Car, wanted: bool) -> None:
        """13: only a vehicle whose ignition is off and that nobody talks in asks to be switched off."""
        self.shutdowns += wanted
        vehicle = car.vehicle
        if wanted and (car.ignition is not False or vehicle is None or vehicle.participant.talk is not None):
            self._fail(13, f"{car.user} asks to be switched off; its ignition: {car.ignition}")

    def crashed(self, car: Car) -> None:
        """Nobody answers for a dead process; the next one knows no session yet, whatever its boot number."""
        self._forget(car)
        self._revs = {key: rev for key, rev in self._revs.items() if key[0] != car.user}

    def paused(self, car: Car) -> None:
        """Nor for one whose loop does not turn."""
        self._forget(car)

    def _forget(self, car: Car) -> None:
        for key in [k for k in self._waiting if k[0] == car.user]:
            del self._waiting[key]

    # --- 8 and 2 ----------------------------------------------------------------------------------------------------

    def sent(self, car: Car, send: Send[Speech]) -> None:
        """8: what leaves was said while keyed, not long ago, and while the loop turned."""
        now = self.clock.now
        self.frames_sent += 1
        if car.stopped_at is not None and now > car.stopped_at + LOOP_STOPPED_S + EPS_S:
            self._fail(8, f"{car.user} sends {now - car.stopped_at:.2f} s after its loop stopped")
        if send.packet is None:
            return
        self.sent_by_burst.setdefault(send.burst, []).append(send.seq)
        _, start_s, end_s = send.packet
        self._while_others_speak(car, start_s)
        span = next((s for s in car.keyed_spans if s[0] - EPS_S <= start_s and end_s <= s[1] + EPS_S), None)
        if span is None and car.stopped_at is None:  # a loop that stands still cannot tell of a key-up: 0.5 s, above
            self._fail(8, f"{car.user} sends speech of {start_s:.3f}-{end_s:.3f} said while unkeyed")
        elif span is not None and now > span[1] + TAIL_S + EPS_S:
            self._fail(8, f"{car.user} sends {now - span[1]:.2f} s after key-up")
        holder = self._bursts.get(send.burst)
        if holder is None or holder[0] != car.user:
            self._fail(1, f"{car.user} sends in burst {send.burst} granted to {holder}")

    def _while_others_speak(self, car: Car, start_s: float) -> None:
        """8: nothing of a call or of navigation leaves, but in an emergency, or while the loop stands still."""
        talk = car.vehicle.participant.talk if car.vehicle is not None else None
        urgent = talk is not None and talk.priority is Priority.EMERGENCY
        for signal, since in car.busy.items():
            if start_s > since + SETTLED_S and not urgent and car.stopped_at is None:
                self._fail(8, f"{car.user} sends speech of {start_s:.3f}, {signal} is active since {since:.3f}")

    def heard(self, car: Car, burst: int, user: str, packet: Packet[Speech]) -> None:
        """2: what sounds belongs to the newest burst this vehicle knows of, or is a released one's tail."""
        self.frames_heard += 1
        self.heard_by.setdefault((car.user, burst), []).append(packet.seq)
        if packet.packet is not None and packet.packet[0] != user:
            self._fail(2, f"{car.user} hears {packet.packet[0]} in a burst of {user}")
        session = car.vehicle.session if car.vehicle is not None else None
        if session is None or burst > session.burst:
            self._fail(2, f"{car.user} hears burst {burst} before its announcement")
        elif burst in self._preempted and session.burst > burst:
            self._fail(2, f"{car.user} hears burst {burst} although it knows what pre-empted it")
        elif burst == session.burst and session.ended not in (None, Ended.RELEASED):
            self._fail(2, f"{car.user} hears burst {burst} that ended as {session.ended}")

    # --- 11 ---------------------------------------------------------------------------------------------------------

    def counted(self, car: Car, said: FloorHeard) -> None:
        """11: who is told of as having heard has heard; and nobody is told of another's burst."""
        holder = self._bursts.get(said.burst)
        if holder is None or holder[0] != car.user:
            self._fail(11, f"{car.user} is told who heard burst {said.burst} of {holder}")
        others = [other.user for other in self.cars if other is not car]
        heard = sum((user, said.burst) in self.heard_by for user in others)
        if not said.heard_by <= said.heard_of <= len(others) or said.heard_by > heard:
            what = f"{said.heard_by} of {said.heard_of}, of {len(others)} there are and {heard} that heard any of it"
            self._fail(11, f"{car.user} is told that burst {said.burst} was heard by {what}")
        self.counts[said.burst] = (said.heard_by, said.heard_of)

    def _read(self) -> Floor | None:
        return self._store.transact(self.cars[0].office, lambda tx: tx.floor(), durable=False)

    def _fail(self, number: int, what: str) -> None:
        raise Violated(f"invariant {number} at {self.clock.now:.3f} s: {what}")
