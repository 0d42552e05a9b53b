"""A day of an office that drives people about: who is on shift, who talks when, and what goes wrong. Pure.

Times are seconds since the office's midnight; all chance comes from `rng`, so that a seed gives one day. The counts by
hour are invented: a morning and an evening rush, a dip at noon, quiet nights, half as much at the weekend.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from enum import StrEnum
from itertools import accumulate
from random import Random
from typing import Final

from msgspec import Struct

from lab.office_day.people import ROOM

DAY_S: Final = 86_400.0
TALKS_BY_HOUR: Final = (
    *(0.4, 0.2, 0.2, 0.2, 0.5, 1.5, 4.0, 9.0, 14.0, 11.0, 8.0, 7.0),
    *(2.5, 6.0, 7.0, 8.0, 9.0, 13.0, 14.0, 8.0, 4.0, 2.0, 1.0, 0.6),
)
"""Talks that begin in each hour of a working day, with REFERENCE vehicles."""
REFERENCE: Final = 20
WEEKEND: Final = 0.5
TURNS_MAX: Final = 5
HOLD_S: Final = (1.2, 14.0)
"""Least and most length of one turn."""
PAUSE_S: Final = (0.7, 3.2)
"""Between two turns; under an office's hang time, so that they are one session."""
RIVAL_PART: Final = 0.05
"""Of the turns, those into which somebody else presses: that is denied."""
NIGHT_PART: Final = 0.15
"""Of the vehicles, those that drive at night."""


class Trouble(StrEnum):
    """What goes wrong, or is at least not a talk."""

    EMERGENCY = "emergency"
    """An emergency call, cleared after a while."""
    LINK_LOST = "link lost"
    """The connection breaks and comes back."""
    ASLEEP = "asleep"
    """Parked: reached, and not driving."""
    ALERT = "alert"
    """Something is wrong with the device, and is mended."""
    SILENT = "silent"
    """No sign of life any more, without a broken connection: a unit that hangs, until it is started anew."""
    STUCK = "stuck"
    """The office's server stops judging for a while: the sweep ends a session that should have ended by itself."""


ALERTS: Final = ("overheating", "microphone", "disk-full")
PER_DAY: Final = (
    (Trouble.LINK_LOST, 4, (40.0, 240.0)),
    (Trouble.ASLEEP, 8, (600.0, 2400.0)),
    (Trouble.ALERT, 3, (300.0, 1800.0)),
    (Trouble.EMERGENCY, 1, (90.0, 240.0)),
    (Trouble.SILENT, 1, (260.0, 400.0)),
    (Trouble.STUCK, 1, (45.0, 45.0)),
)
"""What, how often on a working day with REFERENCE vehicles, and how long (s): least, most."""


class Turn(Struct, frozen=True, kw_only=True):
    """One press of a talk."""

    user: str
    hold_s: float
    pause_s: float
    """Before it; of the first one 0."""
    rival: str | None = None
    """Who presses into it."""


class Talk(Struct, frozen=True, kw_only=True):
    """A few turns of few people."""

    at_s: float
    turns: tuple[Turn, ...]

    @property
    def length_s(self) -> float:
        """How long it takes."""
        return sum(turn.pause_s + turn.hold_s for turn in self.turns)


class Shift(Struct, frozen=True, kw_only=True):
    """When a vehicle is there: [from_s, until_s)."""

    user: str
    from_s: float
    until_s: float


class Incident(Struct, frozen=True, kw_only=True):
    """Some trouble of one vehicle."""

    at_s: float
    length_s: float
    trouble: Trouble
    user: str
    alert: str = ""


class Day(Struct, frozen=True, kw_only=True):
    """A whole day, each part by time."""

    shifts: tuple[Shift, ...]
    talks: tuple[Talk, ...]
    incidents: tuple[Incident, ...]

    def there(self, at_s: float) -> tuple[str, ...]:
        """Whose shift it is."""
        return tuple(s.user for s in self.shifts if s.from_s <= at_s < s.until_s)


def plan(vehicles: Sequence[str], rng: Random, *, weekend: bool = False, incidents: float = 1.0) -> Day:
    """Make up a day of these vehicles and of ROOM. `incidents`: so many times as much goes wrong as usually."""
    shifts = tuple(sorted(_shifts(vehicles, rng, weekend), key=lambda shift: (shift.from_s, shift.user)))
    part = len(vehicles) / REFERENCE * (WEEKEND if weekend else 1.0)
    quiet = Day(shifts=shifts, talks=(), incidents=())
    talks = tuple(_talks(quiet, part, rng))
    wrong = tuple(sorted(_incidents(quiet, part * incidents, rng), key=lambda incident: incident.at_s))
    return Day(shifts=shifts, talks=talks, incidents=wrong)


def _shifts(vehicles: Sequence[str], rng: Random, weekend: bool) -> list[Shift]:
    night = max(1, round(len(vehicles) * NIGHT_PART))
    found: list[Shift] = []
    for place, user in enumerate(vehicles):
        if place < night:
            found.append(Shift(user=user, from_s=0.0, until_s=6.2 * 3600 + rng.uniform(0, 1200)))
            found.append(Shift(user=user, from_s=20.5 * 3600 + rng.uniform(0, 1800), until_s=DAY_S))
        elif not weekend or place == night or rng.random() < WEEKEND + 0.2:
            begin_s = rng.gauss(7.0 * 3600, 2400)
            end_s = rng.gauss(19.4 * 3600, 3600)
            found.append(Shift(user=user, from_s=_within(begin_s, 5.6, 9.5), until_s=_within(end_s, 17.0, 22.5)))
    return found


def _within(at_s: float, least_h: float, most_h: float) -> float:
    return min(max(at_s, least_h * 3600), most_h * 3600)


def _talks(day: Day, part: float, rng: Random) -> list[Talk]:
    starts: list[float] = []
    for hour, count in enumerate(TALKS_BY_HOUR):
        for _ in range(_times(count * part, rng)):
            starts.append(hour * 3600 + rng.uniform(0, 3600))
    found: list[Talk] = []
    free_at_s = 0.0
    for at_s in sorted(starts):
        there = day.there(at_s)
        if at_s < free_at_s or not there:
            continue
        talk = Talk(at_s=at_s, turns=tuple(_turns(there, rng)))
        if at_s + talk.length_s > DAY_S - 60:
            continue
        found.append(talk)
        free_at_s = at_s + talk.length_s + 2.0
    return found


def _turns(there: Sequence[str], rng: Random) -> list[Turn]:
    car = rng.choice(there)
    other = ROOM if len(there) < 2 or rng.random() < 0.8 else rng.choice([user for user in there if user != car])
    speakers = [other, car] if rng.random() < 0.55 else [car, other]
    found: list[Turn] = []
    for number in range(1 + min(_times(1.6, rng), TURNS_MAX - 1)):
        user = speakers[number % 2]
        others = [one for one in there if one not in speakers]
        rival = rng.choice(others) if others and rng.random() < RIVAL_PART else None
        hold_s = min(max(rng.lognormvariate(1.15, 0.5), HOLD_S[0]), HOLD_S[1])
        if rival is not None:
            hold_s = max(hold_s, 3.0)
        pause_s = rng.uniform(*PAUSE_S) if number else 0.0
        found.append(Turn(user=user, hold_s=round(hold_s, 2), pause_s=round(pause_s, 2), rival=rival))
    return found


def _incidents(day: Day, part: float, rng: Random) -> list[Incident]:
    found: list[Incident] = []
    busy: dict[str, list[tuple[float, float]]] = {}
    for trouble, count, (least_s, most_s) in PER_DAY:
        for _ in range(max(1, _times(count * part, rng))):
            at_s, length_s = _some_time(rng), rng.uniform(least_s, most_s)
            free = [u for u in day.there(at_s) if all(at_s > e or at_s + length_s < b for b, e in busy.get(u, []))]
            if not free:
                continue
            user = rng.choice(free)
            busy.setdefault(user, []).append((at_s - 60, at_s + length_s + 60))
            alert = rng.choice(ALERTS) if trouble is Trouble.ALERT else ""
            found.append(Incident(at_s=at_s, length_s=length_s, trouble=trouble, user=user, alert=alert))
    return found


def _some_time(rng: Random) -> float:
    """A time of day, the likelier the more is talked then."""
    sums = list(accumulate(TALKS_BY_HOUR))
    hour = bisect(sums, rng.uniform(0, sums[-1] - 1e-6))
    return hour * 3600 + rng.uniform(0, 3600)


def _times(mean: float, rng: Random) -> int:
    """A whole number with this mean: Poisson by exponential gaps, and never more than five times the mean and three."""
    count, spent = 0, rng.expovariate(1.0)
    while spent < mean and count < 5 * mean + 3:
        count += 1
        spent += rng.expovariate(1.0)
    return count
