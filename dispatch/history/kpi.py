"""The plan's KPI tables (9.1, 9.2, 9.3) by formula, out of the figures of a period; docs/kpi.md says each. Pure."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from dispatch.history.availability import Probes
from dispatch.history.figures import Figures
from dispatch.history.presses import Durations, PressFigures
from dispatch.minutes import OfficeMinutes

UNEXPLAINED: Final = frozenset({"internal_error", "other", "unknown"})
"""Causes of a denial that tell nobody why."""


class Kpi(StrEnum):
    """A row of the plan's tables."""

    INTEGRITY = "integrity"
    RESPONSE = "response"
    TOKEN = "token"
    JOIN = "join"
    CONCURRENT = "concurrent"
    ERROR_RATE = "error_rate"
    AVAILABILITY = "availability"
    SATISFACTION = "satisfaction"
    SUCCESS = "success"
    SESSION_LENGTH = "session_length"
    ACTIVE_USERS = "active_users"
    COST = "cost"


class Verdict(StrEnum):
    """What is to be said of a row."""

    PASS = "pass"
    FAIL = "fail"
    NOT_MEASURED = "not_measured"


class Unit(StrEnum):
    """What a value is in. `part`: 0 to 1, shown as percent."""

    PART = "part"
    MS = "ms"
    SECONDS = "s"
    MEMBERS = "members"


class Target(Struct, frozen=True, kw_only=True):
    """What the plan wants."""

    value: float
    unit: Unit
    at_least: bool = False
    """Else: at most, or below where `below` is set."""
    below: bool = False

    def met(self, value: float) -> bool:
        """Whether `value` is good enough."""
        if self.at_least:
            return value >= self.value
        return value < self.value if self.below else value <= self.value


TARGETS: dict[Kpi, Target] = {
    Kpi.INTEGRITY: Target(value=0.9999, unit=Unit.PART, at_least=True),
    Kpi.RESPONSE: Target(value=100, unit=Unit.MS, below=True),
    Kpi.TOKEN: Target(value=500, unit=Unit.MS, below=True),
    Kpi.JOIN: Target(value=1000, unit=Unit.MS, below=True),
    Kpi.CONCURRENT: Target(value=500, unit=Unit.MEMBERS, at_least=True),
    Kpi.ERROR_RATE: Target(value=0.001, unit=Unit.PART, below=True),
    Kpi.AVAILABILITY: Target(value=0.999, unit=Unit.PART, at_least=True),
    Kpi.SATISFACTION: Target(value=0.95, unit=Unit.PART, at_least=True),
    Kpi.SUCCESS: Target(value=0.99, unit=Unit.PART, at_least=True),
    Kpi.SESSION_LENGTH: Target(value=30, unit=Unit.SECONDS),
    Kpi.ACTIVE_USERS: Target(value=0.8, unit=Unit.PART, at_least=True),
    Kpi.COST: Target(value=0.5, unit=Unit.PART, at_least=True),
}
"""Row -> the plan's target."""


class Measured(Struct, frozen=True, kw_only=True):
    """One row as measured. `value` is in the target's unit; None: not measured."""

    kpi: Kpi
    value: float | None = None
    samples: int = 0
    """How many bursts, presses, minutes or users that is made of."""
    p95: float | None = None
    basis: str = ""
    """What it was made from, where there are two ways: `traces` of presses, or the `log` of the server alone."""
    unprobed_min: int = 0
    """Of availability: minutes of the period in which nobody asked, so that nothing is known of them."""

    @property
    def target(self) -> Target:
        """What the plan wants."""
        return TARGETS[self.kpi]

    @property
    def verdict(self) -> Verdict:
        """Whether the target is met."""
        if self.value is None:
            return Verdict.NOT_MEASURED
        return Verdict.PASS if self.target.met(self.value) else Verdict.FAIL


class Facts(Struct, frozen=True, kw_only=True):
    """All that KPIs are made of. None: nobody measured it."""

    figures: Figures
    until: int
    """The period's end, or this moment where it is not over (Unix ms)."""
    presses: PressFigures | None = None
    tokens: Durations | None = None
    minutes: OfficeMinutes | None = None
    probes: Probes | None = None
    registered: int | None = None
    """Drivers of the registry who could have taken part: people at desks are none."""
    active: int = 0
    """How many of them did."""


def measure(facts: Facts) -> tuple[Measured, ...]:
    """Give every row, in the plan's order."""
    figures, presses = facts.figures, facts.presses
    session_s = figures.session_average_s
    notice = presses.notice if presses else Durations()
    join = presses.join if presses else Durations()
    integrity = figures.integrity
    return (
        Measured(kpi=Kpi.INTEGRITY, value=integrity.rate, samples=integrity.sound + integrity.unsound),
        _duration(Kpi.RESPONSE, notice),
        _duration(Kpi.TOKEN, facts.tokens or Durations()),
        _duration(Kpi.JOIN, join),
        Measured(kpi=Kpi.CONCURRENT),  # a day's crowd says nothing of how many there could be: a load test does
        error_rate(facts),
        availability(facts),
        Measured(kpi=Kpi.SATISFACTION),
        Measured(
            kpi=Kpi.SUCCESS,
            value=figures.heard_bursts / figures.counted_bursts if figures.counted_bursts else None,
            samples=figures.counted_bursts,
        ),
        Measured(kpi=Kpi.SESSION_LENGTH, value=session_s, samples=figures.sessions),
        active_users(facts),
        _saving(facts.minutes),
    )


def error_rate(facts: Facts) -> Measured:
    """Presses with neither grant nor explained denial, over all presses.

    From the presses' traces where there are any: a press that never reached the server is in no log. Else from the
    log, in which denials without a reason show, and grants that never arrived: nobody renewed them even once.
    """
    presses, figures = facts.presses, facts.figures
    if presses is not None and presses.presses:
        return Measured(kpi=Kpi.ERROR_RATE, value=presses.error_rate, samples=presses.presses, basis="traces")
    bad = sum(count for cause, count in figures.denied.items() if cause in UNEXPLAINED) + figures.grants_lost
    value = bad / figures.presses if figures.presses else None
    return Measured(kpi=Kpi.ERROR_RATE, value=value, samples=figures.presses, basis="log" if figures.presses else "")


def availability(facts: Facts) -> Measured:
    """Synthetic presses that were granted in time, over those made; minutes in which none was made stand beside it."""
    probes = facts.probes
    if probes is None or not probes.asked:
        return Measured(kpi=Kpi.AVAILABILITY)
    return Measured(kpi=Kpi.AVAILABILITY, value=probes.rate, samples=probes.asked, unprobed_min=probes.unprobed_min)


def active_users(facts: Facts) -> Measured:
    """Drivers that took part over those of the registry; a day on which nothing happened at all shows nothing."""
    if not facts.registered or (facts.figures.events == 0 and not (facts.presses and facts.presses.presses)):
        return Measured(kpi=Kpi.ACTIVE_USERS)
    value = min(1.0, facts.active / facts.registered)
    return Measured(kpi=Kpi.ACTIVE_USERS, value=value, samples=facts.registered)


def _duration(kpi: Kpi, found: Durations) -> Measured:
    return Measured(kpi=kpi, value=found.average_ms, samples=found.count, p95=found.p95_ms)


def _saving(minutes: OfficeMinutes | None) -> Measured:
    """Agora's minutes saved against members always joined; not measured where nobody was joined to Agora."""
    if minutes is None or minutes.total.joined_min <= 0:
        return Measured(kpi=Kpi.COST)
    return Measured(kpi=Kpi.COST, value=minutes.total.saving, samples=len(minutes.users))
