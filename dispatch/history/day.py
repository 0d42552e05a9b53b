"""Days, weeks and months of an office: in its own time zone, whatever clock the machine shows.

A day is from midnight to midnight there; where clocks are changed it has 23 or 25 hours, and where midnight itself is
left out it begins when the clocks are put forward.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

DEFAULT_ZONE = "Asia/Seoul"
YEARS = range(2000, 2100)
"""Days of other years are mistakes."""


class Span(StrEnum):
    """How long a period is."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Period(Struct, frozen=True, kw_only=True):
    """Some whole days of an office: [since, until), Unix ms."""

    span: Span
    first: date
    last: date
    """The last day that belongs to it."""
    zone: str
    since: int
    until: int

    @property
    def name(self) -> str:
        """Give `2026-11-22`, `2026-W47` or `2026-11`: sorts, and is fit for a file's name."""
        match self.span:
            case Span.DAY:
                return self.first.isoformat()
            case Span.WEEK:
                year, week, _ = self.first.isocalendar()
                return f"{year}-W{week:02}"
            case Span.MONTH:
                return f"{self.first:%Y-%m}"

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    def ended(self, now_ms: int) -> bool:
        """Whether it is over."""
        return self.until <= now_ms

    def begun(self, now_ms: int) -> bool:
        """Whether there is anything of it yet."""
        return self.since <= now_ms


def zone(name: str) -> ZoneInfo:
    """Give a time zone by its IANA name; raises ValueError for one that is not known."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone -> give an IANA name such as Asia/Seoul") from error


def midnight_ms(day: date, where: tzinfo) -> int:
    """When `day` begins there, Unix ms."""
    return round(datetime.combine(day, time(), where).timestamp() * 1000)


def period(span: Span, day: date, where: ZoneInfo) -> Period:
    """Give the day, the week (from Monday) or the month that `day` is in; raises ValueError outside of YEARS."""
    if day.year not in YEARS:
        raise ValueError(f"{day} is outside of the years {YEARS[0]} to {YEARS[-1]}")
    match span:
        case Span.DAY:
            first, after = day, day + timedelta(days=1)
        case Span.WEEK:
            first = day - timedelta(days=day.weekday())
            after = first + timedelta(days=7)
        case Span.MONTH:
            first = day.replace(day=1)
            after = (first + timedelta(days=31)).replace(day=1)
    return Period(
        span=span,
        first=first,
        last=after - timedelta(days=1),
        zone=str(where),
        since=midnight_ms(first, where),
        until=midnight_ms(after, where),
    )


def today(now_ms: int, where: tzinfo) -> date:
    """What day it is there."""
    return local(now_ms, where).date()


def local(unix_ms: int, where: tzinfo) -> datetime:
    """Give the time there; raises ValueError where that is no time of ours."""
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=unix_ms)).astimezone(where)
    except OverflowError as error:
        raise ValueError(f"{unix_ms} ms is no time") from error


def read_day(text: str) -> date:
    """Read `YYYY-MM-DD`; raises ValueError, saying how to write it."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise ValueError(f"{text!r} is no day: write YYYY-MM-DD") from None


def read_moment(text: str, where: tzinfo) -> int:
    """Read `YYYY-MM-DD[THH:MM[:SS]]`, there unless it says its own offset, as Unix ms; raises ValueError."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: write YYYY-MM-DD or YYYY-MM-DDTHH:MM") from None
    return round((read if read.tzinfo else read.replace(tzinfo=where)).timestamp() * 1000)
