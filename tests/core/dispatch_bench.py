"""A floor control server on a store in memory, under virtual time, with everything it publishes at hand."""

from collections.abc import Callable
from typing import TypeVar

from dispatch.core.server import (
    BrokerDown,
    BrokerUp,
    CloneSeen,
    Effect,
    EventAcked,
    Fault,
    FloorControlServer,
    Received,
)
from dispatch.core.state import Floor, Member, OfficeRules
from dispatch.core.turn import Publish
from dispatch.ports import OfficeTx, StoreUnavailable
from dispatch.store.sql import SqlStore
from dispatch.store.tx import read_event
from protocol.ids import OfficeId
from protocol.messages import (
    Event,
    EventType,
    FloorDeny,
    FloorGranted,
    FloorRelease,
    FloorRenew,
    FloorRequest,
    Heartbeat,
    Message,
    Presence,
    PresenceState,
    Priority,
    Session,
)
from protocol.topics import Kind

M = TypeVar("M")
T = TypeVar("T")

HQ = OfficeId("seoul", "hq")
TURN_S = 0.1
"""The longest a real loop rests here; well under the judge's STEP_S_MAX."""


class MoodyStore(SqlStore):
    """A store that is away while `away` is set, and goes away after `durable_left` more durable transactions."""

    away = False
    durable_left: int | None = None

    def transact(self, office: OfficeId, fn: Callable[[OfficeTx], T], *, durable: bool) -> T:
        self._mood()
        if durable and self.durable_left is not None:
            self.away = self.durable_left == 0
            self.durable_left -= 1
            self._mood()
        return super().transact(office, fn, durable=durable)

    def unpublished(self, office: OfficeId, limit: int) -> tuple[Event, ...]:
        self._mood()
        return super().unpublished(office, limit)

    def mark_published(self, office: OfficeId, numbers: tuple[int, ...]) -> None:
        self._mood()
        super().mark_published(office, numbers)

    def _mood(self) -> None:
        if self.away:
            raise StoreUnavailable("away -> wait")


class Bench:
    """Drives one office. `acks`: the broker acknowledges every event at once. `echo`: it sends sessions back."""

    def __init__(
        self,
        rules: OfficeRules | None = None,
        *,
        store: MoodyStore | None = None,
        adopt: bool = False,
        opened: bool = True,
        now: float = 1000.0,
    ) -> None:
        self.rules = rules or OfficeRules()
        self.store = store or MoodyStore("sqlite://")
        self.now = now
        self.acks = True
        self.echo = True
        self.published: list[Publish] = []
        self.faults: list[Fault] = []
        self.clones: list[CloneSeen] = []
        self.retained: Session | None = None
        self._ids = 0
        self.start(adopt=adopt)
        if opened:
            self.up()

    def start(self, *, adopt: bool = False) -> None:
        """A new process on the same store and broker."""
        self.server = FloorControlServer({HQ: self.rules}, self.store, self._new_id, adopt=adopt)
        self.office = self.server.offices[HQ]

    def _new_id(self) -> str:
        self._ids += 1
        return f"session-{self._ids}-{self.now:.3f}"

    # --- what happens -----------------------------------------------------------------------------------------------

    def up(self) -> None:
        """Connect, and wait until the office is open (or not)."""
        self._do(self.server.handle(BrokerUp(), self.now, self.wall_ms))
        if self.retained is not None:
            self.hear("", self.retained, Kind.SESSION)
        self.advance(0.5)

    def down(self) -> None:
        """Lose the broker."""
        self._do(self.server.handle(BrokerDown(), self.now, self.wall_ms))

    def hear(self, user: str, message: Message, kind: Kind = Kind.FLOOR, office: OfficeId = HQ) -> list[Message]:
        """Receive a message; gives what is published at once."""
        mark = len(self.published)
        received = Received(office=office, kind=kind, user=user, message=message)
        self._do(self.server.handle(received, self.now, self.wall_ms))
        return [p.message for p in self.published[mark:] if p.message is not None]

    def advance(self, seconds: float) -> None:
        """Let virtual time pass, with a turn at every deadline and at least every TURN_S."""
        until = self.now + seconds
        while self.now < until:
            due = self.server.next_deadline(self.now)
            rest = until if due is None else max(due, self.now + 0.001)
            self.now = min(until, rest, self.now + TURN_S)
            self._do(self.server.tick(self.now, self.wall_ms))

    def freeze(self, seconds: float) -> None:
        """Let time pass without a turn: a stopped process."""
        self.now += seconds

    def _do(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, Fault):
                self.faults.append(effect)
                continue
            if isinstance(effect, CloneSeen):
                self.clones.append(effect)
                continue
            self.published.append(effect)
            if effect.event_no is not None and self.acks:
                self._do(self.server.handle(EventAcked(office=HQ, event_no=effect.event_no), self.now, self.wall_ms))
            if isinstance(effect.message, Session):
                self.retained = effect.message
                if self.echo:
                    echo = Received(office=HQ, kind=Kind.SESSION, user="", message=effect.message)
                    self._do(self.server.handle(echo, self.now, self.wall_ms))

    @property
    def wall_ms(self) -> int:
        return int(self.now * 1000)

    # --- members ----------------------------------------------------------------------------------------------------

    def request(
        self, user: str, press: int, priority: Priority = Priority.NORMAL, *, again: bool = False, boot: int = 1
    ) -> list[Message]:
        kind = Kind.FLOOR_AGAIN if again else Kind.FLOOR
        return self.hear(user, FloorRequest(request_id=(1, boot, 1, press), priority=priority), kind)

    def renew(self, user: str, burst: int, number: int) -> list[Message]:
        return self.hear(user, FloorRenew(burst=burst, renew_no=number))

    def release(self, user: str, press: int, last_seq: int | None = None, *, boot: int = 1) -> list[Message]:
        return self.hear(user, FloorRelease(request_id=(1, boot, 1, press), last_seq=last_seq))

    def take(self, user: str, press: int) -> int:
        """Request, be granted, renew once; gives the burst."""
        granted = one(FloorGranted, self.request(user, press))
        self.renew(user, granted.burst, 1)
        return granted.burst

    def talk(self, user: str, burst: int, seconds: float, first_no: int = 2) -> None:
        """Renew every second for so long."""
        for number in range(first_no, first_no + int(seconds)):
            self.advance(1.0)
            self.renew(user, burst, number)

    def presence(
        self, user: str, number: int, state: PresenceState = PresenceState.ONLINE, *, boot: int = 1, **more: object
    ) -> None:
        said = Presence(state=state, connection_id=(1, boot, 1), presence_no=number, **more)  # type: ignore[arg-type]
        self.hear(user, said, Kind.PRESENCE)
        self.advance(0.05)

    def beat(self, user: str, number: int, *, boot: int = 1) -> None:
        self.hear(user, Heartbeat(connection_id=(1, boot, 1), beat_no=number), Kind.HEARTBEAT)
        self.advance(0.05)

    # --- what is so -------------------------------------------------------------------------------------------------

    @property
    def floor(self) -> Floor:
        found = self.store.transact(HQ, lambda tx: tx.floor(), durable=False)
        assert found is not None
        return found

    def member(self, user: str) -> Member:
        found = self.store.transact(HQ, lambda tx: tx.member(user), durable=False)
        assert found is not None
        return found

    def plant(self, *, floor: Floor | None = None, member: Member | None = None) -> None:
        """Write rows behind the server's back."""

        def put(tx: OfficeTx) -> None:
            if floor is not None:
                tx.put_floor(floor)
            if member is not None:
                tx.put_member(member)

        self.store.transact(HQ, put, durable=True)

    def sent(self, kind: type[M], to: str | None = None) -> list[M]:
        """All published messages of a type, to one member where given, oldest first."""
        return [p.message for p in self.published if isinstance(p.message, kind) and (to is None or p.ids[:1] == (to,))]

    def log(self) -> list[Event]:
        """What the store has logged, published or not."""
        logged: list[Event] = []
        with self.store._database._engine.connect() as connection:
            rows = connection.exec_driver_sql(
                'SELECT no, at, type, event_id, "user", name, metadata FROM event ORDER BY no'
            )
            logged.extend(map(read_event, rows))
        return logged

    def events(self, *kinds: EventType) -> list[Event]:
        """What was published of the log, each number once."""
        found = {e.no: e for e in self.sent(Event)}
        return [e for _, e in sorted(found.items()) if not kinds or e.event in kinds]


def one(kind: type[M], messages: list[Message]) -> M:
    """The only message of that type."""
    [found] = [m for m in messages if isinstance(m, kind)]
    return found


def denied(messages: list[Message]) -> FloorDeny:
    return one(FloorDeny, messages)
