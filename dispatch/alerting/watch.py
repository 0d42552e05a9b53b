"""What is read for alerts and metrics, again and again: the running services, the store's rows and its new events."""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from dispatch import pki
from dispatch.alerting.diary import TYPES, Diary, standing_in
from dispatch.alerting.ledger import Ledger, session_s
from dispatch.alerting.metric_watch import HourMetrics, MetricWatch
from dispatch.core.office_alerts import Change, OfficeAlerts, OfficeFacts
from dispatch.core.state import Floor
from dispatch.doctor.cli import services
from dispatch.live import Live
from dispatch.metrics.collect import OfficeSum
from dispatch.ports import StoreUnavailable
from dispatch.probing.place import PROBE_OFFICE, real
from dispatch.registry.codes import ENROLLED_ROLES
from dispatch.registry.sql import SqlRegistry
from dispatch.registry.words import User
from dispatch.settings import DispatchSettings
from dispatch.store.reader import Snapshot, StoreReader
from dispatch.store.sql import SqlStore
from protocol.ids import OfficeId
from service.logs import Log

EVENTS_AT_ONCE = 5000
ROUNDS_MAX = 20
"""A log that grows faster than so many times EVENTS_AT_ONCE a look is taken up over several looks."""
REGISTRY_EVERY_S = 30.0

_log = Log(__name__)


class Look(Struct, frozen=True, kw_only=True):
    """One look at everything. `changes`: what became of each office's alerts."""

    changes: Sequence[tuple[OfficeId, Change]]
    offices: Sequence[OfficeSum]
    lives: Sequence[Live]
    store_error: str


class _Office:
    """What is remembered of one office between looks."""

    def __init__(self, settings: DispatchSettings) -> None:
        self.ledger = Ledger(settings.alerts)
        self.alerts = OfficeAlerts(settings.alerts)
        self.seen_no: int | None = None


class Watch:
    """Reads the store beside whoever writes it. `look` may take as long as the disk does; it raises nothing of it."""

    def __init__(
        self,
        settings: DispatchSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._settings, self._clock, self._wall_ms = settings, clock, wall_ms
        self._reader: StoreReader | None = None
        self._registry: SqlRegistry | None = None
        self._units: dict[OfficeId, frozenset[str]] | None = None
        self._units_at: float | None = None
        self._units_rev = -1
        self.vehicles: Sequence[User] | None = None
        """Units that are admitted; None: the registry was not read yet, or there is none."""
        self._offices: dict[OfficeId, _Office] = {office: _Office(settings) for office in real(settings.offices)}
        self._last: dict[OfficeId, Snapshot] = {}
        self._diary = Diary()
        self._metrics = MetricWatch(clock)
        self._store: SqlStore | None = None

    def close(self) -> None:
        """Let go of the store."""
        if self._reader is not None:
            self._reader.close()
        if self._registry is not None:
            self._registry.close()
        if self._store is not None:
            self._store.close()
        self._reader = self._registry = self._store = None

    def ledger(self, office: OfficeId) -> Ledger:
        """Give what is known of an office."""
        return self._office(office).ledger

    def standing(self) -> Sequence[tuple[OfficeId, OfficeAlerts]]:
        """Give the alerts of every office."""
        return [(office, kept.alerts) for office, kept in self._offices.items()]

    def look(self, unanswered: str = "") -> Look:
        """Look once. `unanswered`: what the probe has to tell every office."""
        lives, stuck = services(self._settings.status_socket_stem)
        error = ""
        try:
            self._read()
            self._diary.write(self._writable)
        except StoreUnavailable as unavailable:
            error = str(unavailable)
            self.close()
        changes: list[tuple[OfficeId, Change]] = []
        sums: list[OfficeSum] = []
        now, wall_ms = self._clock(), self._wall_ms()
        for office in sorted(self._offices):
            kept, snapshot = self._offices[office], self._last.get(office)
            why = _not_served(office, lives, stuck)
            watched = None if self._units is None else self._units.get(office, frozenset())
            members = () if snapshot is None else snapshot.members
            facts = kept.ledger.facts(members, watched, why, wall_ms, unanswered)
            for change in kept.alerts.step(facts, now, wall_ms):
                changes.append((office, change))
                self._diary.note(office, change, wall_ms)
            hour = self._metrics.known(office)
            sums.append(_sum(snapshot or _blank(office), kept, not why, facts, wall_ms, self._settings, hour))
        return Look(changes=changes, offices=sums, lives=lives, store_error=error)

    def _office(self, office: OfficeId) -> _Office:
        if office not in self._offices:
            self._offices[office] = _Office(self._settings)
        return self._offices[office]

    def _writable(self) -> SqlStore:
        """The store to log alerts in: opened only where something is to be logged, and the store is there."""
        if self._store is None:
            self._store = SqlStore(self._settings.store.sqlalchemy_url)
        return self._store

    def _read(self) -> None:
        if self._reader is None:
            self._reader = StoreReader(self._settings.store.sqlalchemy_url)
        self._read_units()
        for office in self._reader.offices():
            kept = self._office(office)
            snapshot = self._reader.snapshot(office)
            if snapshot is not None:
                self._last[office] = snapshot
            self._take_events(self._reader, office, kept)
            self._metrics.read(self._reader, office, self._wall_ms())

    def _take_events(self, reader: StoreReader, office: OfficeId, kept: _Office) -> None:
        newest = reader.last_no(office)
        if kept.seen_no is None or newest < kept.seen_no:  # the beginning, or a store restored from a backup
            rules = self._settings.alerts
            since_ms = self._wall_ms() - int(max(rules.window_s, rules.cleaner_s) * 1000)
            recent = reader.events(office, limit=EVENTS_AT_ONCE, newest=True, since_ms=since_ms)
            kept.ledger.take(recent)
            if kept.seen_no is None:
                told = reader.events(office, types=TYPES, limit=EVENTS_AT_ONCE, newest=True)
                kept.alerts.resume({**standing_in(told), **kept.alerts.standing})
            kept.seen_no = newest
            return
        for _ in range(ROUNDS_MAX):
            found = reader.events(office, first_no=kept.seen_no + 1, limit=EVENTS_AT_ONCE)
            kept.ledger.take(found)
            if found:
                kept.seen_no = found[-1].no
            if len(found) < EVENTS_AT_ONCE:
                return

    def _read_units(self) -> None:
        """Units of the registry that are admitted: whose silence matters."""
        if self._settings.admission != "registry":
            return
        now = self._clock()
        if self._registry is None:
            self._registry = SqlRegistry(self._settings.store.sqlalchemy_url)
        rev = self._registry.rev()
        if rev == self._units_rev and self._units_at is not None and now - self._units_at < REGISTRY_EVERY_S:
            return
        vehicles = []
        units: dict[OfficeId, set[str]] = {office: set() for office in real(o.id for o in self._registry.offices())}
        for user in self._registry.users():
            if user.admitted and user.role in ENROLLED_ROLES and user.office != PROBE_OFFICE:
                units.setdefault(user.office, set()).add(user.user)
                vehicles.append(user)
        self._units = {office: frozenset(users) for office, users in units.items()}
        self._units_at, self._units_rev, self.vehicles = now, rev, vehicles
        for office in units:
            self._office(office)


def _not_served(office: OfficeId, lives: Sequence[Live], stuck: Sequence[str]) -> str:
    """Why nobody gives the floor of an office; empty where somebody does."""
    if not lives:
        return f"the service does not answer ({stuck[0]})" if stuck else "no service runs"
    reasons = []
    for live in lives:
        found = next((each for each in live.offices if each.office == str(office)), None)
        if not live.broker_connected:
            reasons.append(f"no broker: {live.broker_reason}")
        elif live.store_error is not None:
            reasons.append(live.store_error)
        elif found is None:
            reasons.append("it is not in the service's configuration or registry")
        elif found.refused is not None:
            reasons.append(found.refused)
        elif found.opened:
            return ""
        else:
            reasons.append("it is not opened")
    return reasons[0]


def _blank(office: OfficeId) -> Snapshot:
    """An office that was never served."""
    return Snapshot(office=office, floor=Floor(store="", channel_name=""), members=(), unpublished=0)


def _sum(
    snapshot: Snapshot,
    kept: _Office,
    served: bool,
    facts: OfficeFacts,
    wall_ms: int,
    settings: DispatchSettings,
    hour: HourMetrics,
) -> OfficeSum:
    floor = snapshot.floor
    here = [m for m in snapshot.members if m.present]
    told = kept.ledger.telemetry
    medians = [told[m.user].presses.answer_ms_p50 for m in here if m.user in told]
    return OfficeSum(
        office=str(snapshot.office),
        served=served,
        active=floor.active,
        speaking=floor.holder is not None,
        session_s=session_s(floor, wall_ms),
        queue=len(floor.queue),
        members=Counter(m.state.value for m in snapshot.members),
        in_channel=sum(floor.active and m.in_channel == floor.event_id for m in here),
        unpublished=snapshot.unpublished,
        presses=facts.presses,
        failed=facts.failed,
        window_s=settings.alerts.window_s,
        answer_ms=[ms for ms in medians if ms is not None],
        events=dict(kept.ledger.events),
        denied=dict(kept.ledger.denied),
        ended=dict(kept.ledger.ended),
        alerts=frozenset(kept.alerts.standing),
        hour=hour,
    )


def store_bytes(path: Path | None) -> tuple[int, int]:
    """Give the size of the store's files, and the free room on its disk; 0 where that cannot be told."""
    if path is None:
        return 0, 0
    files = (path, path.with_name(f"{path.name}-wal"))
    try:
        return sum(file.stat().st_size for file in files if file.exists()), shutil.disk_usage(path.parent).free
    except OSError:
        return 0, 0


def certificate_ends_s(settings: DispatchSettings) -> float | None:
    """Give when the server's certificate ends, Unix s; None where there is none that can be read."""
    if settings.rest is None:
        return None
    try:
        certificate = pki.read_certificate(settings.rest.certificate)
    except pki.PkiError:
        return None
    return certificate.not_valid_after_utc.timestamp()
