"""One office as a dispatch process serves it: opening, floor, members, roster, sweep; every change a transaction."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

from dispatch.core.admission import enforce, held_by_stranger
from dispatch.core.alert_log import AlertLog, AlertWord
from dispatch.core.audience import Audience
from dispatch.core.cleaner import Cleaner
from dispatch.core.door import Door
from dispatch.core.emergencies import EmergencyLog
from dispatch.core.floor import decide
from dispatch.core.hearing import Hearing, Verdict, count
from dispatch.core.inputs import Asked, Input
from dispatch.core.judge import Clock, Expired, Judge
from dispatch.core.opening import Refused, open_office
from dispatch.core.presence import Sign, expire, note_sign
from dispatch.core.roster import roster_of
from dispatch.core.state import Floor, Member, OfficeRules
from dispatch.core.steps import Step, as_far_as_possible
from dispatch.core.trouble import foreign_store, no_room, store_away
from dispatch.core.turn import Publish, Turn, session_of
from dispatch.ports import OfficeTx, Store
from protocol.ids import OfficeId
from protocol.messages import FloorRenew, FloorRequest, FromMember, Roster, Session
from protocol.timers import CLEANER_SWEEP_S
from protocol.topics import Kind

T = TypeVar("T")

OPENING_WAIT_S = 0.3
"""How long an opening waits for the broker's retained session, and batches nothing meanwhile."""
BATCH_S = 0.02
"""Presence and heartbeats are committed together this long after the first of them, behind floor messages."""
SIGNS_MAX = 5000
MEMBERS_MAX = 1000
"""Users an office has at most; those beyond are told so. Their roster is one packet, which the broker bounds."""
HELD_MAX = 1000
ROSTER_EVERY_S = 1.0
REFRESH_EVERY_S = 0.5
"""How often the row is read again; also the most the judge's clock is late for what another replica changed."""


class Office:
    """Serves one office. What gives effects may raise StoreUnavailable, with nothing committed and nothing lost."""

    def __init__(
        self, office: OfficeId, rules: OfficeRules, store: Store, clock: Clock, new_id: Callable[[], str], adopt: bool
    ) -> None:
        """`clock` is the judge's, shared by the process's offices."""
        self.id = office
        self.rules = rules
        self.opened = False
        self.refused: str | None = None
        self.discarded = 0
        self.cleaned = 0
        self.clones: dict[str, str] = {}
        """Users under whom another unit came -> its hardware; whoever tells the registry takes them out."""
        self.door = Door(office, rules)
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._adopt = adopt
        self._judge = Judge(rules, clock)
        self._cleaner = Cleaner(max(rules.hang_s * 2, 30.0))
        self._retained: Session | None = None
        self._open_at: float | None = None
        self._held: list[tuple[str, FromMember]] = []
        self._signs: list[Sign] = []
        self._flush_at: float | None = None
        self._emergencies = EmergencyLog()
        self._alert_log = AlertLog()
        self._logs: tuple[EmergencyLog | AlertLog, ...] = (self._emergencies, self._alert_log)
        self._members: dict[str, Member] = {}
        self._users: set[str] = set()
        self._seen: Floor | None = None
        self._audience = Audience(rules)
        self._hearing = Hearing(clock)
        self._enforce = True
        self._roster: Roster | None = None
        self._roster_at = 0.0
        self._refresh_at = 0.0
        self._sweep_at: float | None = None

    @property
    def events_logged(self) -> int:
        """Number of the newest event in the log, as last read: at most REFRESH_EVERY_S ago while it is served."""
        return 0 if self._seen is None else self._seen.event_no

    # --- connection -------------------------------------------------------------------------------------------------

    def broker_up(self, now: float) -> None:
        """Subscribed at the broker: its retained session may come now."""
        self._open_at = now + OPENING_WAIT_S
        self._retained = None
        self._roster = None
        self.door.broker_up()
        for log in self._logs:
            log.standing.broker_up(now)
        self._judge.back()

    def change_rules(self, rules: OfficeRules, now: float) -> None:
        """Judge by these from now on; `tick` brings into line what they no longer allow."""
        self.rules = rules
        self._judge.change_rules(rules)
        self._audience = Audience(rules)
        for member in self._members.values():
            self._audience.see(member)
        self._enforce = True
        for sign in self.door.change_rules(rules):
            self.sign(sign, now)

    def store_back(self) -> None:
        """Give holders the time they need after the store was away."""
        self._judge.back()

    def broker_down(self) -> None:
        """Nothing can be heard; held floor messages are too old by the time they could be answered."""
        self._held.clear()
        for log in self._logs:
            log.standing.broker_down()
        self._open_at = None

    def see_session(self, session: Session, now: float, wall_ms: int) -> tuple[Publish, ...]:
        """Take notice of the session as the broker has it: another's, an older or (a restored store) a newer one."""
        before, self._retained = self._retained, session
        if not self.opened:
            return self._open(now, wall_ms)
        if self._seen is not None and (session.store, session.rev) == (self._seen.store, self._seen.rev):
            return ()
        floor = self._read()
        if session.store != floor.store or session.rev > floor.rev:
            self.opened = False
            return self._open(now, wall_ms)
        # Own announcements come back late and in order while newer ones are on their way: answering each of those would
        # make ever more of them. Only one that goes back behind what the broker had before was restored or overtaken.
        restored = before is None or session.rev < before.rev
        return (session_of(self.id, floor),) if restored and session.rev < floor.rev else ()

    def _open(self, now: float, wall_ms: int) -> tuple[Publish, ...]:
        retained = self._retained

        def opening(turn: Turn) -> tuple[Member, ...]:
            open_office(turn, retained, self._adopt)
            return turn.tx.members()

        self._open_at = now  # tried again should the store be away
        held, self._held = self._held, []  # too old by then: members send them again
        try:
            members, out = self._transact(wall_ms, opening)
        except Refused as error:
            self._open_at = None
            told, self.refused = self.refused, str(error)
            return () if told == self.refused else (foreign_store(self.id, error, wall_ms),)
        self._open_at = None
        self._adopt = False  # once: two servers that adopt would take the office from each other for ever
        self.opened, self.refused = True, None
        self._judge.back()
        self._see_members(members)
        self._users = {m.user for m in members}
        if self._seen is not None:
            self._hearing.begin(self._seen, self.rules, self._members)
        self._enforce = True
        self._sweep_at = self._clock.time_s + CLEANER_SWEEP_S
        self._refresh_at = now + REFRESH_EVERY_S
        # Alerts may stand there from before a crash, or from a start with the wrong store.
        out += (foreign_store(self.id, None, wall_ms), self.store_alert(None, wall_ms))
        return out + as_far_as_possible(
            partial(self.floor_message, user, message, wall_ms, again=True) for user, message in held
        )

    def store_alert(self, error: str | None, wall_ms: int) -> Publish:
        """Tell monitors that the store is away and why, or (None) that it is back."""
        return store_away(self.id, error, wall_ms)

    # --- floor ------------------------------------------------------------------------------------------------------

    def floor_message(self, user: str, message: FromMember, wall_ms: int, *, again: bool) -> tuple[Publish, ...]:
        """Judge one floor message of a member."""
        if not self.opened:
            if self.refused is None and len(self._held) < HELD_MAX:
                self._held.append((user, message))
            return ()
        answer = self.door.answer(user, message, self._members.get(user), self._seen)
        if answer is not None:
            return (answer,)
        if not self._has_room(user):
            rev = 0 if self._seen is None else self._seen.rev
            return (no_room(self.id, user, message.request_id, rev),) if isinstance(message, FloorRequest) else ()
        if again and isinstance(message, FloorRequest):
            self._judge.see_waiting(user)
        return self._decide(message, user, wall_ms)

    def _decide(self, message: Input, user: str, wall_ms: int) -> tuple[Publish, ...]:
        seen = 0 if self._seen is None else self._seen.burst
        asked = Asked(input=message, user=user, remaining_s=self._judge.remaining_s(), remaining_of=seen)
        durable = not isinstance(message, FloorRenew)
        known, out = self._transact(wall_ms, lambda turn: decide(turn, asked), durable=durable)
        self.discarded += not known
        return out

    # --- members ----------------------------------------------------------------------------------------------------

    def _has_room(self, user: str) -> bool:
        if user not in self._users:
            if len(self._users) >= MEMBERS_MAX:
                self.discarded += 1
                return False
            self._users.add(user)
        return True

    def sign(self, sign: Sign, now: float) -> None:
        """Put a presence or heartbeat into the next batch; past SIGNS_MAX the oldest are dropped (they repeat)."""
        if len(self._signs) >= SIGNS_MAX:
            del self._signs[0]
            self.discarded += 1
        self._signs.append(sign)
        if self._flush_at is None:
            self._flush_at = now + BATCH_S

    def see_emergency(self, user: str, raised: bool, now: float) -> None:
        """Take notice of a member's emergency alert as the broker has it; logged with the next batch."""
        if self._has_room(user):
            self._emergencies.see(user, raised, now + BATCH_S)

    def see_device_alert(self, word: AlertWord, now: float) -> None:
        """Take notice of an alert of a member's device as the broker has it; logged with the next batch."""
        if self._has_room(word.user) and not self._alert_log.see(word, now + BATCH_S):
            self.discarded += 1

    def _log(self, log: EmergencyLog | AlertLog, now: float, wall_ms: int) -> tuple[Publish, ...]:
        _, out = self._transact(wall_ms, lambda turn: log.log(turn, now))
        log.committed(now)
        return out

    def _flush(self, now: float, wall_ms: int) -> tuple[Publish, ...]:
        self._flush_at = now + 1.0
        batch = len(self._signs)
        signs = tuple(sign for sign in self._signs if self._has_room(sign.user))
        touched: dict[str, Member] = {}

        def commit(turn: Turn) -> Turn:
            touched.clear()
            for sign in signs:
                note_sign(turn, sign)
                member = turn.tx.member(sign.user)
                if member is not None:  # a heartbeat of somebody never heard of makes no member
                    touched[sign.user] = member
            return turn

        turn, out = self._transact(wall_ms, commit)
        del self._signs[:batch]
        self.door.judged(signs, turn.refused)
        self.clones.update(turn.clones)
        self._hearing.see_played(turn.played)
        self._flush_at = now + BATCH_S if self._signs else None
        self._see_members(touched.values())
        for member in touched.values():
            if not member.present:
                self._judge.see_will(member.user)
        return out

    def _see_members(self, members: Iterable[Member]) -> None:
        listed = tuple(members)
        self._judge.see_members(listed)
        self._members.update({m.user: m for m in listed})
        for member in listed:
            self._audience.see(member)

    # --- time -------------------------------------------------------------------------------------------------------

    def tick(self, now: float, wall_ms: int, behind_s: float = 0.0) -> tuple[Publish, ...]:
        """Do what is due: opening, batch, verdicts, refresh, sweep, roster. All input of `behind_s` ago is handled."""
        if not self.opened:
            due = self._open_at is not None and now >= self._open_at
            return self._open(now, wall_ms) if due else ()
        return as_far_as_possible(self._due(now, wall_ms, behind_s))

    def _due(self, now: float, wall_ms: int, behind_s: float) -> Iterator[Step]:
        if self._enforce:
            yield partial(self._bring_into_line, wall_ms)
        if self._flush_at is not None and now >= self._flush_at:
            yield partial(self._flush, now, wall_ms)
        for log in self._logs:
            if log.due(now):
                yield partial(self._log, log, now, wall_ms)
        for verdict in self._judge.due(behind_s):
            if isinstance(verdict, Expired):
                yield partial(self._expire, verdict, wall_ms)
            else:
                yield partial(self._decide, verdict, "", wall_ms)
        for counted in self._hearing.due(self.rules, self._members, behind_s):
            yield partial(self._count, counted, wall_ms)
        if now >= self._refresh_at:
            self._refresh_at = now + REFRESH_EVERY_S
            yield self._refresh
        if self._sweep_at is not None and self._clock.time_s >= self._sweep_at:
            yield partial(self._sweep, wall_ms)
        if now >= self._roster_at:
            yield partial(self._publish_roster, now)

    def sweep_now(self, wall_ms: int) -> tuple[Publish, ...]:
        """Sweep before its time: what the next sweep would remove by now is removed. For an office that is opened."""
        return self._sweep(wall_ms)

    def next_deadline(self, now: float) -> float | None:
        """Give when `tick` has something to do, on the process's clock."""
        if not self.opened:
            return self._open_at
        if self._enforce:
            return now
        times = [self._refresh_at]
        if self._flush_at is not None:
            times.append(self._flush_at)
        times += [at for log in self._logs if (at := log.next_deadline()) is not None]
        for due_s in (self._judge.next_s(), self._hearing.next_s()):
            if self._clock.running and due_s is not None:
                times.append(now + max(0.0, due_s - self._clock.time_s))
        return min(times)

    def _bring_into_line(self, wall_ms: int) -> tuple[Publish, ...]:
        gone, out = self._transact(wall_ms, enforce)
        self._enforce = False
        self._see_members(gone)
        return out

    def _expire(self, verdict: Expired, wall_ms: int) -> tuple[Publish, ...]:
        found: list[Member] = []

        def commit(turn: Turn) -> None:
            expire(turn, verdict.user, verdict.beats, "heartbeat_timeout")
            found[:] = [turn.member(verdict.user)]

        _, out = self._transact(wall_ms, commit)
        self._see_members(found)
        return out

    def _count(self, verdict: Verdict, wall_ms: int) -> tuple[Publish, ...]:
        return self._transact(wall_ms, lambda turn: count(turn, verdict))[1]

    def _refresh(self) -> tuple[Publish, ...]:
        """Read the row again (another replica may have changed it) and mend the broker's copy where it differs."""
        floor = self._read()
        alerts = self.door.alerts()
        if self._retained is not None and self._retained.rev == floor.rev:
            return alerts
        return (session_of(self.id, floor), *alerts)

    def _sweep(self, wall_ms: int) -> tuple[Publish, ...]:
        def sweeping(turn: Turn) -> tuple[int, tuple[Member, ...]]:
            return self._cleaner.sweep(turn, self._clock.time_s), turn.tx.members()

        (cleaned, members), out = self._transact(wall_ms, sweeping)
        self._sweep_at = self._clock.time_s + CLEANER_SWEEP_S
        self._cleaner.committed()
        self.cleaned += cleaned
        self._see_members(members)
        self._users = {m.user for m in members}
        self._enforce = True  # what a replica with an older reading of the registry let in, and did not put out again
        return out

    def _publish_roster(self, now: float) -> tuple[Publish, ...]:
        roster = roster_of(self._members.values(), self.rules, self._seen)
        if roster == self._roster:
            return ()
        self._roster, self._roster_at = roster, now + ROSTER_EVERY_S
        return (Publish(office=self.id, kind=Kind.ROSTER, message=roster, retain=True),)

    # --- the store --------------------------------------------------------------------------------------------------

    def _transact(
        self, wall_ms: int, fn: Callable[[Turn], T], *, durable: bool = True
    ) -> tuple[T, tuple[Publish, ...]]:
        def run(tx: OfficeTx) -> tuple[T, Floor, tuple[Publish, ...]]:
            turn = Turn(tx, self.id, self.rules, wall_ms, self._new_id, self._audience)
            result = fn(turn)
            return result, turn.floor, turn.close()

        result, floor, out = self._store.transact(self.id, run, durable=durable)
        self._see_floor(floor)
        return result, out

    def _read(self) -> Floor:
        floor = self._store.transact(self.id, lambda tx: tx.floor(), durable=False)
        if floor is None:
            raise LookupError(f"office {self.id} vanished from the store while it was being served")
        self._see_floor(floor)
        return floor

    def _see_floor(self, floor: Floor) -> None:
        if self._seen is None or (floor.burst, floor.queue) != (self._seen.burst, self._seen.queue):
            # A replica that has not read the registry yet may have granted what it does not live to take back.
            self._enforce = self._enforce or held_by_stranger(self.rules, floor)
        self._seen = floor
        self._judge.see_floor(floor)
        self._hearing.see_floor(floor, self.rules, self._members)
