"""Everything that is known of an office's period, read beside the service: figures, presses, tokens, minutes, KPIs.

Report, dashboard and metrics ask here, so that their numbers agree. Nothing here writes, and no page read is held.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from msgspec import Struct

from dispatch.history.day import Period, midnight_ms
from dispatch.history.figures import AHEAD_MS, BEFORE_MS, Figures, count
from dispatch.history.heartbeats import LOST, Beats, BeatsHour, count_beats, total
from dispatch.history.kpi import Facts, Measured, measure
from dispatch.history.plan_metrics import MetricValue, plan_metrics
from dispatch.history.presses import Durations, Press, PressFigures, count_presses, durations
from dispatch.minutes import NEEDED, MinuteTally, OfficeMinutes, Stay
from dispatch.probing.place import real
from dispatch.probing.store import read_probes
from dispatch.registry import schema as registry
from dispatch.store.reader import StoreReader
from protocol.ids import OfficeId
from protocol.messages import Event
from protocol.rest import Role

_NEEDED = frozenset(NEEDED)
_DRIVERS = (Role.VEHICLE_GATEWAY, Role.PICKUP_DRIVER)


class Presses(Protocol):
    """Where traces of presses lie."""

    def presses(self, office: OfficeId, since_ms: int, until_ms: int) -> Sequence[Press]:
        """Give those of [since_ms, until_ms). Raises StoreUnavailable."""

    def beats(self, office: OfficeId, since_ms: int, until_ms: int) -> Sequence[BeatsHour]:
        """Give heartbeats by the hour. Raises StoreUnavailable."""


class OfficePeriod(Struct, frozen=True, kw_only=True):
    """What is known of one office in one period."""

    office: OfficeId
    name: str
    figures: Figures
    presses: PressFigures | None
    tokens: Durations | None
    minutes: OfficeMinutes
    registered: int | None
    """Drivers of the registry in the period; None where there is no registry."""
    active: int
    """How many of them took part."""
    kpis: tuple[Measured, ...]
    metrics: tuple[MetricValue, ...]
    """The plan's five (7.2)."""
    beats: dict[str, Beats]
    """Each member's heartbeats; empty where nobody keeps them."""
    until: int
    """The period's end, or the moment of reading where it is not over (Unix ms)."""

    @property
    def empty(self) -> bool:
        """Whether nothing at all happened."""
        return self.figures.events == 0 and not (self.presses and self.presses.presses)


class OfficeDays(Struct, frozen=True, kw_only=True):
    """One office's days side by side."""

    figures: Figures
    presses: Mapping[date, PressFigures]
    """Days of which no press is known are not in there."""


class OfficeLog:
    """Reads one store. Every method may raise StoreUnavailable."""

    def __init__(self, reader: StoreReader, presses: Presses | None = None) -> None:
        """`presses`: None where nobody traces them."""
        self._reader = reader
        self._presses = presses
        with reader.read() as connection:
            self._registry = sa.inspect(connection).has_table(registry.user.name)

    def offices(self) -> tuple[OfficeId, ...]:
        """Give every office of the store and of its registry, the probe's apart."""
        found = set(self._reader.offices())
        if self._registry:
            with self._reader.read() as connection:
                rows = connection.execute(sa.select(registry.office.c.region, registry.office.c.office))
                found |= {OfficeId(row.region, row.office) for row in rows}
        return real(sorted(found))

    def figures(self, office: OfficeId, period: Period, where: ZoneInfo, now_ms: int | None = None) -> Figures:
        """Count the log of a period; `now_ms`: the present moment (Unix ms), where the caller knows it better."""
        return self._count(office, period, where, _now(now_ms))

    def days(self, office: OfficeId, period: Period, where: ZoneInfo) -> OfficeDays:
        """Give what charts of the days of a period show; presses are read day by day, and so never all are held."""
        presses = {}
        days = (period.last - period.first).days + 1 if self._presses is not None else 0
        for day in (period.first + timedelta(days=past) for past in range(days)):
            found = self._presses_of(office, midnight_ms(day, where), midnight_ms(day + timedelta(days=1), where))
            if found is not None and found.presses:
                presses[day] = found
        return OfficeDays(figures=self.figures(office, period, where), presses=presses)

    def read(self, office: OfficeId, period: Period, where: ZoneInfo, now_ms: int | None = None) -> OfficePeriod:
        """Give everything that is known of a period that has begun."""
        now_ms = _now(now_ms)
        until = max(period.since, min(period.until, now_ms))
        tally = MinuteTally(period.since, until)
        figures = self._count(office, period, where, now_ms, lambda events: _passed_on(events, tally, until))
        presses = self._presses_of(office, period.since, period.until)
        beats = self._beats(office, period.since, until)
        name, stays, drivers = self._roll(office, period.since, until)
        minutes = tally.end(office, stays or {})
        registered = None if stays is None else len(drivers)
        active = sum(user.active for user in figures.users if user.user in drivers)
        tokens = self._tokens(office, period)
        facts = Facts(
            figures=figures,
            until=until,
            presses=presses,
            tokens=tokens,
            minutes=minutes,
            probes=read_probes(self._reader, period.since, until),
            registered=registered,
            active=active,
        )
        return OfficePeriod(
            office=office,
            name=name,
            figures=figures,
            presses=presses,
            tokens=tokens,
            minutes=minutes,
            registered=registered,
            active=active,
            kpis=measure(facts),
            metrics=plan_metrics(presses, tokens, total(beats) if beats else None),
            beats=beats,
            until=until,
        )

    def _presses_of(self, office: OfficeId, since_ms: int, until_ms: int) -> PressFigures | None:
        return None if self._presses is None else count_presses(self._presses.presses(office, since_ms, until_ms))

    def _count(
        self,
        office: OfficeId,
        period: Period,
        where: ZoneInfo,
        now_ms: int,
        beside: Callable[[Iterator[Event]], Iterator[Event]] = iter,
    ) -> Figures:
        """Count; `beside` reads along: a busy office's month has some hundred thousand events, which are read once."""
        events = self._reader.scan(office, period.since - BEFORE_MS, period.until + AHEAD_MS)
        return count(office, period, beside(events), where, min(now_ms, period.until + AHEAD_MS))

    def _roll(self, office: OfficeId, since: int, until: int) -> tuple[str, dict[str, Stay] | None, frozenset[str]]:
        """Give the office's name, its members (None without a registry), and its drivers of [since, until)."""
        if not self._registry:
            return str(office), None, frozenset()
        here, user = registry.office, registry.user
        with self._reader.read() as connection:
            name = connection.scalar(
                sa.select(here.c.name).where(here.c.region == office.region, here.c.office == office.office)
            )
            rows = connection.execute(
                sa.select(user.c.user, user.c.role, user.c.name, user.c.created_at, user.c.revoked_at).where(
                    user.c.region == office.region, user.c.office == office.office
                )
            ).all()
        stays = {
            row.user: Stay(user=row.user, name=row.name, since=row.created_at, until=row.revoked_at)
            for row in rows
            if Role(row.role).member
        }
        drivers = {row.user for row in rows if Role(row.role) in _DRIVERS and _there(stays[row.user], since, until)}
        return name or str(office), stays, frozenset(drivers)

    def _beats(self, office: OfficeId, since_ms: int, until_ms: int) -> dict[str, Beats]:
        if self._presses is None:
            return {}
        lost = self._reader.scan(office, since_ms, until_ms, LOST)
        return count_beats(self._presses.beats(office, since_ms, until_ms), lost)

    def _tokens(self, office: OfficeId, period: Period) -> Durations | None:
        if not self._registry:
            return None
        token = registry.token
        chosen = sa.select(token.c.took_us).where(
            token.c.at >= period.since,
            token.c.at < period.until,
            token.c.region == office.region,
            token.c.office == office.office,
        )
        with self._reader.read() as connection:
            return durations(took_us / 1000 for took_us in connection.scalars(chosen))


def _passed_on(events: Iterator[Event], minutes: MinuteTally, until: int) -> Iterator[Event]:
    """Let the tally of minutes read along, up to `until` (Unix ms)."""
    for event in events:
        if event.at < until and event.event in _NEEDED:
            minutes.take(event)
        yield event


def _there(stay: Stay, since: int, until: int) -> bool:
    return stay.since < until and (stay.until is None or stay.until > since)


def _now(now_ms: int | None) -> int:
    return time.time_ns() // 1_000_000 if now_ms is None else now_ms
