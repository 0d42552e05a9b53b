"""The floor control server: one `handle(event, now)` for all offices of a dispatch process."""

from collections.abc import Callable, Mapping
from functools import partial

from msgspec import Struct

from dispatch.core.alert_log import AlertWord
from dispatch.core.judge import Clock
from dispatch.core.office import Office
from dispatch.core.outbox import Outbox
from dispatch.core.presence import Sign
from dispatch.core.state import OfficeRules
from dispatch.core.turn import Publish
from dispatch.core.witness import Witness
from dispatch.ports import Store, StoreUnavailable
from protocol.ids import OfficeId
from protocol.messages import (
    Alert,
    BurstPlayed,
    DenyCause,
    FloorDeny,
    FloorRelease,
    FloorRenew,
    FloorRequest,
    Heartbeat,
    Message,
    Presence,
    Session,
    TimeAnswer,
    TimeProbe,
)
from protocol.topics import Kind

STORE_RETRY_S = 1.0


class BrokerUp(Struct, frozen=True, kw_only=True):
    """All subscriptions are acknowledged: retained messages are on their way."""


class BrokerDown(Struct, frozen=True, kw_only=True):
    """The connection is gone."""


class Received(Struct, frozen=True, kw_only=True):
    """A well-formed message of an office's topic."""

    office: OfficeId
    kind: Kind
    user: str
    message: Message


class EventAcked(Struct, frozen=True, kw_only=True):
    """The broker has this event."""

    office: OfficeId
    event_no: int


class RulesChanged(Struct, frozen=True, kw_only=True):
    """An office is judged by other rules from now on; one not served yet is served from now on."""

    office: OfficeId
    rules: OfficeRules


class AlertSeen(Struct, frozen=True, kw_only=True):
    """A clone alert of a user as the broker has it; None: cleared."""

    office: OfficeId
    user: str
    alert: Alert | None


class EmergencySeen(Struct, frozen=True, kw_only=True):
    """The broker has a user's emergency alert, or has it no more."""

    office: OfficeId
    user: str
    raised: bool


class DeviceAlertSeen(Struct, frozen=True, kw_only=True):
    """Another alert of a member's device as the broker has it."""

    office: OfficeId
    word: AlertWord


ServerEvent = BrokerUp | BrokerDown | Received | EventAcked | RulesChanged | AlertSeen | EmergencySeen | DeviceAlertSeen


class Fault(Struct, frozen=True, kw_only=True):
    """Effect: something for the log and the technician."""

    office: OfficeId
    what: str


class CloneSeen(Struct, frozen=True, kw_only=True):
    """Effect: another unit came under a user's identity; the registry is to be told."""

    office: OfficeId
    user: str
    hardware: str


Effect = Publish | Fault | CloneSeen


class FloorControlServer:
    """Pure but for the store behind its port: time, wall time and ids are passed in."""

    def __init__(
        self,
        offices: Mapping[OfficeId, OfficeRules],
        store: Store,
        new_id: Callable[[], str],
        *,
        adopt: bool = False,
    ) -> None:
        """`adopt`: take over offices whose retained session another store issued."""
        self._clock = Clock()
        self._store = Witness(store)
        self._connected = False
        self._store_error: str | None = None
        self._wall_ms = 0
        self._retry_at = 0.0
        self._new_id = new_id
        self.offices: dict[OfficeId, Office] = {}
        self._outboxes: dict[OfficeId, Outbox] = {}
        for office, rules in offices.items():
            self._serve(office, rules, adopt)
        self.unknown_offices = 0

    def _serve(self, office: OfficeId, rules: OfficeRules, adopt: bool) -> None:
        self.offices[office] = Office(office, rules, self._store, self._clock, self._new_id, adopt)
        self._outboxes[office] = Outbox(office, self._store)

    @property
    def store_ok(self) -> bool:
        """Whether the last transaction could be carried out."""
        return self._store_error is None

    @property
    def store_error(self) -> str | None:
        """Why the last transaction could not be carried out, and how to mend it."""
        return self._store_error

    def handle(self, event: ServerEvent, now: float, wall_ms: int) -> tuple[Effect, ...]:
        """Take one event; gives what to publish, in order."""
        self._wall_ms = wall_ms
        self._clock.advance(now)
        match event:
            case BrokerUp():
                self._connected = True
                self._run_clock(now)
                for office_id, office in self.offices.items():
                    office.broker_up(now)
                    self._outboxes[office_id].again()
                return () if self._store_error is None else self._alerts(self._store_error)
            case BrokerDown():
                self._connected = False
                self._run_clock(now)
                for office in self.offices.values():
                    office.broker_down()
                return ()
            case EventAcked(office=office_id, event_no=number):
                self._outboxes[office_id].acked(number)
                return ()
            case Received():
                return self._receive(event, now, wall_ms)
            case RulesChanged(office=office_id, rules=rules):
                self._change_rules(office_id, rules, now)
                return ()
            case AlertSeen(office=office_id, user=user, alert=alert):
                if office_id in self.offices:
                    self.offices[office_id].door.see_alert(user, alert)
                return ()
            case EmergencySeen(office=office_id, user=user, raised=raised):
                if office_id in self.offices:
                    self.offices[office_id].see_emergency(user, raised, now)
                return ()
            case DeviceAlertSeen(office=office_id, word=word):
                if office_id in self.offices:
                    self.offices[office_id].see_device_alert(word, now)
                return ()

    def _change_rules(self, office_id: OfficeId, rules: OfficeRules, now: float) -> None:
        known = self.offices.get(office_id)
        if known is not None:
            known.change_rules(rules, now)
            return
        self._serve(office_id, rules, adopt=False)
        if self._connected:
            self.offices[office_id].broker_up(now)
            self._outboxes[office_id].again()

    def _receive(self, got: Received, now: float, wall_ms: int) -> tuple[Effect, ...]:
        office = self.offices.get(got.office)
        if office is None:
            self.unknown_offices += 1
            return ()
        match got.message:
            case FloorRequest() | FloorRenew() | FloorRelease() as message:
                again = got.kind is Kind.FLOOR_AGAIN
                out = self._guard(
                    got.office, now, lambda: office.floor_message(got.user, message, wall_ms, again=again)
                )
                if not self.store_ok and isinstance(message, FloorRequest):
                    return (*out, _internal_error(got, message))
                return out
            case Presence() | Heartbeat() | BurstPlayed() as sign:
                office.sign(Sign(user=got.user, message=sign), now)
                return ()
            case Session() as session:
                return self._guard(got.office, now, lambda: office.see_session(session, now, wall_ms))
            case TimeProbe(probe_no=probe_no):
                answer = TimeAnswer(probe_no=probe_no, at=wall_ms)
                return (Publish(office=got.office, kind=Kind.REPLY, ids=(got.user,), message=answer, expiry_s=2),)
            case _:
                return ()

    def tick(self, now: float, wall_ms: int, behind_s: float = 0.0) -> tuple[Effect, ...]:
        """Do what is due. To be called only when all input that came up to `behind_s` ago was handled."""
        self._wall_ms = wall_ms
        self._clock.advance(now)
        if not self._connected or now < self._retry_at:
            return ()
        out: tuple[Effect, ...] = ()
        for office_id, office in self.offices.items():
            out += self._guard(office_id, now, partial(office.tick, now, wall_ms, behind_s))
            clones, office.clones = office.clones, {}
            out += tuple(CloneSeen(office=office_id, user=u, hardware=h) for u, h in clones.items())
            if now < self._retry_at:
                break  # the other offices need not find out, and wait for it, one by one
            if office.opened:  # the events of a refused store are not this office's
                self._outboxes[office_id].logged(office.events_logged, now)
                out += self._guard(office_id, now, partial(self._outboxes[office_id].tick, now))
        return out

    def sweep_now(self, now: float, wall_ms: int) -> tuple[Effect, ...]:
        """Sweep every office that is served, before its time. To be called when all input that came was handled.

        Where the store is away it ends there, and `store_error` says why.
        """
        self._wall_ms = wall_ms
        self._clock.advance(now)
        out: tuple[Effect, ...] = ()
        for office_id, office in self.offices.items():
            if office.opened:
                out += self._guard(office_id, now, partial(office.sweep_now, wall_ms))
                if not self.store_ok:
                    break
        return out

    def next_deadline(self, now: float) -> float | None:
        """Give when `tick` has something to do, or None for as long as the broker is away."""
        if not self._connected:
            return None
        times = [o.next_deadline(now) for o in self.offices.values()]
        times += [b.next_deadline() for o, b in self._outboxes.items() if self.offices[o].opened]
        soonest = min((t for t in times if t is not None), default=None)
        return soonest if soonest is None else max(soonest, self._retry_at)

    def _guard(self, office: OfficeId, now: float, fn: Callable[[], tuple[Publish, ...]]) -> tuple[Effect, ...]:
        """Run one step; a store that is away stops the judge's clock until a step succeeds again."""
        before = self._store.carried_out
        try:
            out: tuple[Effect, ...] = fn()
        except StoreUnavailable as error:
            first, self._store_error = self._store_error is None, str(error)
            self._retry_at = now + STORE_RETRY_S
            self._run_clock(now)
            return (Fault(office=office, what=str(error)), *self._alerts(str(error))) if first else ()
        if self._store_error is not None and self._store.carried_out > before:
            self._store_error = None
            self._run_clock(now)
            for each in self.offices.values():
                each.store_back()
            out += self._alerts(None)
        for effect in out:
            if isinstance(effect, Publish) and effect.event_no is not None:
                self._outboxes[office].sent(effect.event_no)
        return out

    def _alerts(self, error: str | None) -> tuple[Effect, ...]:
        served = [office for office in self.offices.values() if office.refused is None]
        return tuple(office.store_alert(error, self._wall_ms) for office in served)

    def _run_clock(self, now: float) -> None:
        self._clock.run(now, self._connected and self.store_ok)


def _internal_error(got: Received, request: FloorRequest) -> Publish:
    deny = FloorDeny(rev=0, request_id=request.request_id, cause=DenyCause.INTERNAL_ERROR)
    return Publish(office=got.office, kind=Kind.REPLY, ids=(got.user,), message=deny, expiry_s=2)
