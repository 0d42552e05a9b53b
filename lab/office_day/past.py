"""Days that never were, by the real server: its core, its store's code and the traces' own, on a clock that is ours.

Nothing is written by hand. Members say what they would say over a network of some milliseconds; the floor control
server is handed each word as its shell would hand it over, judges and commits; the broker is a list of who is there.
The server is ticked finely wherever something can be due (a session, a silent member, a batch), and not at all while
an office only sends heartbeats: two days of nothing but those take as long as one talk.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Final, TypeVar

from dispatch.core.alert_log import AlertWord
from dispatch.core.server import (
    BrokerUp,
    DeviceAlertSeen,
    Effect,
    EmergencySeen,
    EventAcked,
    Fault,
    FloorControlServer,
    Received,
    ServerEvent,
)
from dispatch.core.state import OfficeRules
from dispatch.core.turn import Publish
from dispatch.ports import OfficeTx, Store
from dispatch.traces.book import Keeper, TraceBook
from lab.office_day.member import BEAT_EVERY_S, EMERGENCY, Member
from lab.office_day.pattern import DAY_S, Day
from lab.office_day.people import Person
from lab.office_day.player import Player
from lab.office_day.world import Say
from lab.process import LabFailed
from protocol.codec import decode, encode
from protocol.ids import OfficeId
from protocol.messages import Alert, BurstPlayed, Event, Heartbeat, PressTrace, Session
from protocol.topics import Kind

T = TypeVar("T")

AWAKE_S: Final = 0.3
"""After each word that came, so long the server is ticked whenever it wants to."""
SILENCE_S: Final = 200.0
"""A silent member is looked after for so long: it is given up after 170 s."""
STALL_S: Final = 45.0
"""How long a server that judges nothing is stalled; a session is swept away after 30 s."""
END_S: Final = 8.0
"""At the end, for what is due: batches, events and traces."""
DELAY_S: Final = (0.006, 0.028)
"""One way through the network."""
FIRST_SAMPLE_S: Final = (0.045, 0.12)
"""From the speaker's permission to a listener's loudspeaker."""
FRAME_S: Final = 0.02
MISSED_PART: Final = 0.01
"""Of the listeners of a burst, those for whom so much is missing that they have not heard it."""
CLOCK_ERROR_MS: Final = 6
SPIN_MAX: Final = 10_000


class Unsynced:
    """A store none of whose commits waits for the disk: should the machine die now, the days are made up anew."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def transact(self, office: OfficeId, fn: Callable[[OfficeTx], T], *, durable: bool) -> T:
        """As the store's, not synced."""
        return self._store.transact(office, fn, durable=False)

    def unpublished(self, office: OfficeId, limit: int) -> tuple[Event, ...]:
        """As the store's."""
        return self._store.unpublished(office, limit)

    def mark_published(self, office: OfficeId, numbers: tuple[int, ...]) -> None:
        """As the store's."""
        self._store.mark_published(office, numbers)


class _Speech:
    """What a member says in the past: silence by the frame, which others hear unless too much of it is missing."""

    def __init__(self, past: Past, user: str) -> None:
        self._past, self._user = past, user
        self._began: tuple[int, float] | None = None

    def begin(self, burst: int) -> None:
        """Speak from now on."""
        self._began = burst, self._past.now
        self._past.speaks(self._user, burst)

    def end(self) -> int:
        """Be silent; gives how many frames were sent."""
        if self._began is None:
            return 0
        (burst, since_s), self._began = self._began, None
        frames = max(1, round((self._past.now - since_s) / FRAME_S))
        self._past.spoken(self._user, burst, frames)
        return frames


class Past:
    """One office's made-up past in `store`; it is the members' world and the player's stage."""

    def __init__(
        self,
        office: OfficeId,
        rules: OfficeRules,
        people: Sequence[Person],
        store: Store,
        traces: Keeper,
        since_ms: int,
        seed: int,
    ) -> None:
        """`since_ms`: when it begins, Unix ms; `now` counts seconds from then."""
        self.now = 0.0
        self.clock_error_ms = CLOCK_ERROR_MS
        self.faults: list[str] = []
        self._office, self._since_ms = office, since_ms
        self._store = Unsynced(store)
        self._rng = Random(seed)
        ids = Random(seed + 1)
        self._server = FloorControlServer({office: rules}, self._store, lambda: f"{ids.getrandbits(128):032x}")
        self._book = TraceBook(traces)
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._awake_until = self._stalled_until = self._deadline = 0.0
        self._session: Session | None = None
        self._stall_next = False
        self.members: Mapping[str, Member] = {
            person.user: Member(person, self, _Speech(self, person.user), Random(seed + 2 + place), 1)
            for place, person in enumerate(people)
            if person.virtual
        }
        self._player = Player(self, self.members, Random(seed + 1000))

    @property
    def wall_ms(self) -> int:
        """Unix ms that goes with `now`."""
        return self._since_ms + round(self.now * 1000)

    # --- running ------------------------------------------------------------------------------------------------------

    def run(self, days: Sequence[Day], until_s: float, told: Callable[[float], object] = lambda part: None) -> None:
        """Play the days one after the other up to `until_s`; `told` gets how far it is, 0 to 1.

        Raises LabFailed where the server could not do something: then the past is not whole.
        """
        self._hand(BrokerUp())
        for place, day in enumerate(days):
            begin = place * DAY_S
            if begin < until_s:
                end = min(until_s - begin, DAY_S)
                self.at(begin, partial(self._begin_day, day, end))
        self.at(BEAT_EVERY_S, self._beat)
        self._turn(until_s, told)
        for member in self.members.values():
            member.goodbye()
        self._awake_until = until_s + END_S
        self._turn(until_s + END_S, lambda part: None)
        self._write_traces()
        left = self._store.unpublished(self._office, 1)
        if self.faults or left or self._book.dropped:
            why = self.faults[0] if self.faults else f"{len(left)} events, {self._book.dropped} traces are left"
            raise LabFailed(f"the past could not be made up: {why}")

    def _begin_day(self, day: Day, until_s: float) -> None:
        self._player.play(day, 0.0, until_s)

    def _turn(self, until_s: float, told: Callable[[float], object]) -> None:
        step = 0
        here = 0
        while True:
            due = self._heap[0][0] if self._heap else until_s
            if self.now < self._stalled_until:
                due = min(due, self.now + 1.0)
            elif self._awake:
                due = min(due, max(self._deadline, self.now))
            if due > until_s:
                self.now = until_s
                return
            here = here + 1 if due == self.now else 0
            if here > SPIN_MAX:
                raise LabFailed(f"time stands still at {self.now:.3f} s: nothing that is due gets done")
            self._advance(due)
            step += 1
            if step % 5000 == 0:
                told(min(1.0, self.now / until_s))
            if not self._heap and not self._awake:
                self.now = until_s
                return

    @property
    def _awake(self) -> bool:
        running = self._session is not None and self._session.active
        return running or self.now < self._awake_until

    def _advance(self, due: float) -> None:
        self.now = due
        while self._heap and self._heap[0][0] <= due:
            heapq.heappop(self._heap)[2]()
        if self.now < self._stalled_until:
            self._carry_out(self._server.sweep_now(self.now, self.wall_ms))
        elif self._awake and self._deadline <= self.now:
            self._carry_out(self._server.tick(self.now, self.wall_ms))
        if self.now >= self._book.next_at:
            self._book.step(self.now)

    def _write_traces(self) -> None:
        for _ in range(SPIN_MAX):
            if self._book.next_at == float("inf"):
                return
            self._book.step(self._book.next_at)
        raise LabFailed("traces cannot be written: the store refuses them")

    def at(self, when_s: float, fn: Callable[[], None]) -> None:
        """Call `fn` then."""
        self._number += 1
        heapq.heappush(self._heap, (max(when_s, self.now), self._number, fn))

    def _beat(self) -> None:
        for member in self.members.values():
            member.beat()
        self.at(self.now + BEAT_EVERY_S, self._beat)

    # --- the server ---------------------------------------------------------------------------------------------------

    def _hand(self, event: ServerEvent) -> None:
        self._awake_until = max(self._awake_until, self.now + AWAKE_S)
        self._carry_out(self._server.handle(event, self.now, self.wall_ms))

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Fault):
                self.faults.append(effect.what)
            elif isinstance(effect, Publish):
                self._publish(effect)
        deadline = self._server.next_deadline(self.now)
        self._deadline = float("inf") if deadline is None else deadline

    def _publish(self, effect: Publish) -> None:
        if effect.event_no is not None:
            self.at(self.now + 0.01, partial(self._acked, effect.event_no))
        message = None if effect.message is None else decode(encode(effect.message), effect.kind)
        if effect.kind is Kind.REPLY and message is not None:
            member = self.members.get(effect.ids[0])
            if member is not None:
                self.at(self.now + self._delay(), partial(member.reply, message))
        elif isinstance(message, Session):
            self._announce(message)

    def _acked(self, number: int) -> None:
        self._hand(EventAcked(office=self._office, event_no=number))
        self._awake_until = max(self._awake_until, self.now + 1.5)  # marked together, a second later

    def _announce(self, session: Session) -> None:
        self._session = session
        for member in self.members.values():
            if member.online:
                self.at(self.now + self._delay(), partial(member.session, session))
        if self._stall_next and session.active and session.current_speaker is None:
            self._stall_next = False
            self._stalled_until = self.now + STALL_S

    def _delay(self) -> float:
        return self._rng.uniform(*DELAY_S)

    # --- the members' world and the player's stage --------------------------------------------------------------------

    def say(self, user: str, word: Say) -> None:
        """Publish: it is with the server some milliseconds later."""
        self.at(self.now + self._delay(), partial(self._arrive, user, word))

    def _arrive(self, user: str, word: Say) -> None:
        message = None if word.message is None else decode(encode(word.message), word.kind)
        if word.kind is Kind.ALERT:
            if word.item == EMERGENCY:
                self._hand(EmergencySeen(office=self._office, user=user, raised=message is not None))
            else:
                alert = message if isinstance(message, Alert) else None
                self._hand(DeviceAlertSeen(office=self._office, word=AlertWord(user=user, id=word.item, alert=alert)))
            return
        if isinstance(message, PressTrace | BurstPlayed | Heartbeat):
            self._book.take(self._office, user, message, self.now, self.wall_ms)
        if message is not None and not isinstance(message, PressTrace):
            self._hand(Received(office=self._office, kind=word.kind, user=user, message=message))

    def speaks(self, user: str, burst: int) -> None:
        """A burst begins: the others hear its first sample soon."""
        for member in self.members.values():
            if member.person.user != user:
                self.at(self.now + self._rng.uniform(*FIRST_SAMPLE_S), partial(member.hear_first, burst))

    def spoken(self, user: str, burst: int, frames: int) -> None:
        """A burst is over: let the others hear it."""
        for member in self.members.values():
            if member.person.user != user and member.in_channel is not None:
                missing = frames if self._rng.random() < MISSED_PART else 0
                member.hear(burst, frames - missing, missing)

    def connect(self, member: Member) -> None:
        """Give it a connection, and the retained session."""
        member.next_will()
        member.connected()
        if self._session is not None:
            self.at(self.now + self._delay(), partial(member.session, self._session))

    def part(self, member: Member) -> None:
        """Nothing is left to do."""

    def cut(self, member: Member) -> None:
        """The broker notices at once, and tells the will."""
        will = member.will
        member.lost()
        if will is not None:
            self._hand(Received(office=self._office, kind=Kind.PRESENCE, user=member.person.user, message=will))

    def hang(self, member: Member) -> None:
        """It says nothing any more, and keeps its connection: the server looks at it until it gives it up."""
        member.hangs = True
        self._awake_until = max(self._awake_until, self.now + SILENCE_S)

    def stall(self) -> None:
        """After the next talk the server judges nothing for STALL_S, and only sweeps."""
        self._stall_next = True
