"""An office's own alerts: which of its figures are wrong for long enough to be told, and well for long enough again."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated

from msgspec import Meta, Struct

from protocol.messages import Alert, Severity

SILENT = "vehicle-silent"
ERRORS = "error-rate"
CLEANER = "cleaner-active"
LATENCY = "latency"
AUDIO = "audio-unhealthy"
NOT_SERVED = "not-served"
UNANSWERED = "unanswered"
ALERTS = (NOT_SERVED, UNANSWERED, SILENT, ERRORS, CLEANER, LATENCY, AUDIO)
"""Every alert there can be."""
NAMED_MAX = 5
"""Users named in a sentence; further ones are counted."""

Span = Annotated[float, Meta(ge=0, le=86_400)]


class AlertRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When something is told. Durations in s."""

    silent_s: Annotated[Span, Meta(description="a vehicle without a link for so long is told as silent, s")] = 300.0
    window_s: Annotated[float, Meta(ge=60, le=86_400, description="errors are counted over so long, s")] = 900.0
    error_rate: Annotated[
        float,
        Meta(ge=0, le=1, description="part of the presses that may go wrong: not explained, or cut by a lost line"),
    ] = 0.05
    presses_min: Annotated[int, Meta(ge=1, le=100_000, description="fewer presses in the window tell nothing")] = 20
    latency_ms: Annotated[
        float, Meta(ge=1, le=60_000, description="target for a vehicle's median from press to answer, ms")
    ] = 100.0
    unhealthy_s: Annotated[
        Span, Meta(description="a vehicle whose voice or sound device has failed for so long is told, s")
    ] = 60.0
    cleaner_s: Annotated[Span, Meta(description="what the sweep removed is told for so long, s")] = 3600.0
    clear_s: Annotated[Span, Meta(description="all must be well for so long until an alert is cleared, s")] = 60.0


class OfficeFacts(Struct, frozen=True, kw_only=True):
    """What is known of an office at one moment. Users by id."""

    not_served: str = ""
    """Why nobody is given the floor; empty: the office is served."""
    unanswered: str = ""
    """Why the probe's presses have not been answered for several in a row; empty: they are, or none are made."""
    silent: frozenset[str] = frozenset()
    """Vehicles whose link is lost."""
    presses: int = 0
    """Presses that the server judged in the window."""
    failed: int = 0
    """Of those: denied without a reason, or bursts that ended as lost or cleaned."""
    cleaned: int = 0
    """Things the sweep removed within cleaner_s."""
    slow: dict[str, float] = {}
    """Vehicles with a median from press to answer over the target -> that median, ms."""
    unhealthy: frozenset[str] = frozenset()
    """Vehicles with an alert of voice or sound."""


class Change(Struct, frozen=True, kw_only=True):
    """Effect: an alert is raised, says something else now, or (None) is cleared."""

    id: str
    alert: Alert | None
    before: Alert | None = None
    """What stood before."""

    @property
    def news(self) -> bool:
        """Whether it is raised or cleared; else it stood before, and only its words have changed."""
        return (self.alert is None) != (self.before is None)


class _Wrong(Struct, frozen=True):
    """Something that is wrong at this moment."""

    id: str
    severity: Severity
    what: str
    mend: str


class OfficeAlerts:
    """The alerts of one office. Times are of one monotonic clock (s); `wall_ms` is for people."""

    def __init__(self, rules: AlertRules) -> None:
        self._rules = rules
        self._silent: dict[str, float] = {}
        self._unhealthy: dict[str, float] = {}
        self._well_since: dict[str, float] = {}
        self._resumed = False
        self.standing: dict[str, Alert] = {}
        """Alerts that are raised."""

    def resume(self, standing: Mapping[str, Alert]) -> None:
        """Go on from what stood when an earlier process ended: it is neither told again nor counted anew."""
        self.standing = dict(standing)
        self._resumed = True

    def step(self, facts: OfficeFacts, now: float, wall_ms: int) -> tuple[Change, ...]:
        """Hold the facts against the rules; gives what changes, in the order of ALERTS."""
        self._silent = _since(self._silent, facts.silent, self._first(SILENT, now))
        self._unhealthy = _since(self._unhealthy, facts.unhealthy, self._first(AUDIO, now))
        self._resumed = False
        wrong = {each.id: each for each in self._wrong(facts, now)}
        changes = (self._judge(alert, wrong.get(alert), now, wall_ms) for alert in ALERTS)
        return tuple(change for change in changes if change is not None)

    def _first(self, alert: str, now: float) -> float:
        """Since when somebody is wrong who is so for the first time: after a resumption, since long ago."""
        return -math.inf if self._resumed and alert in self.standing else now

    def _judge(self, alert: str, wrong: _Wrong | None, now: float, wall_ms: int) -> Change | None:
        stands = self.standing.get(alert)
        if wrong is not None:
            self._well_since.pop(alert, None)
            since = wall_ms if stands is None else stands.since
            told = Alert(alert=alert, severity=wrong.severity, what=wrong.what, mend=wrong.mend, since=since)
            if told == stands:
                return None
            self.standing[alert] = told
            return Change(id=alert, alert=told, before=stands)
        if stands is None:
            return None
        if now - self._well_since.setdefault(alert, now) < self._rules.clear_s:
            return None
        del self.standing[alert], self._well_since[alert]
        return Change(id=alert, alert=None, before=stands)

    def _wrong(self, facts: OfficeFacts, now: float) -> Iterator[_Wrong]:
        rules = self._rules
        if facts.not_served:
            what = f"the office is not served: {facts.not_served}"
            yield _Wrong(NOT_SERVED, Severity.CRITICAL, what[:256], "ptt-dispatch doctor at the office says what to do")
        if facts.unanswered:
            mend = "ptt-dispatch doctor; journalctl -u ptt-dispatch -u mosquitto; operations.md, Availability"
            yield _Wrong(UNANSWERED, Severity.CRITICAL, facts.unanswered[:256], mend)
        silent = [user for user, since in self._silent.items() if now - since >= rules.silent_s]
        if silent:
            what = f"no link for {rules.silent_s:g} s: {_named(silent)}"
            yield _Wrong(SILENT, Severity.WARNING, what, "power, network and SIM of the vehicle; ptt-gateway status")
        rate = facts.failed / facts.presses if facts.presses else 0.0
        if facts.presses >= rules.presses_min and rate > rules.error_rate:
            what = f"{facts.failed} of {facts.presses} presses went wrong within {rules.window_s / 60:g} min"
            mend = "operations.md, High error rate; ptt-dispatch events --type BURST_ENDED --type DENIED"
            yield _Wrong(ERRORS, Severity.CRITICAL, what, mend)
        if facts.cleaned:
            what = f"the sweep removed {facts.cleaned} things that should not have been there"
            yield _Wrong(CLEANER, Severity.WARNING, what, "ptt-dispatch events --type CLEANED; ptt-dispatch doctor")
        if facts.slow:
            worst = max(facts.slow, key=lambda user: (facts.slow[user], user))
            worst_ms = f"{worst} {facts.slow[worst]:.0f} ms"
            what = f"answers take longer than {rules.latency_ms:g} ms: {_named(facts.slow)}; {worst_ms}"
            yield _Wrong(LATENCY, Severity.WARNING, what, "operations.md, Slow: line, broker, disk of the office")
        unhealthy = [user for user, since in self._unhealthy.items() if now - since >= rules.unhealthy_s]
        if unhealthy:
            what = f"voice or sound device failed: {_named(unhealthy)}"
            yield _Wrong(AUDIO, Severity.CRITICAL, what, "ptt watch shows the vehicle's own alert, and its mend")


def _since(before: dict[str, float], there: frozenset[str], now: float) -> dict[str, float]:
    return {user: before.get(user, now) for user in sorted(there)}


def _named(users: list[str] | dict[str, float]) -> str:
    listed = sorted(users)
    more = len(listed) - NAMED_MAX
    return ", ".join(listed[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
