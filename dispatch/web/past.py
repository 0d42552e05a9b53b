"""What was, read from the store in a thread: figures of today for the cards, days for the pages. `Past` belongs to the
event loop; everything that blocks is done by `work`."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from dispatch.history.day import Period, Span, midnight_ms, period, read_day, today
from dispatch.history.figures import Figures
from dispatch.history.office_log import OfficeDays, OfficeLog, OfficePeriod
from dispatch.ports import StoreUnavailable
from dispatch.rest.work import Work
from dispatch.store.reader import StoreReader
from dispatch.traces.gather import Gatherer
from dispatch.traces.tell import Told
from dispatch.web.board import Value
from dispatch.web.hub import Hub
from protocol.ids import OfficeId
from protocol.messages import Event, EventType

PRIMED_EVENTS = 120
"""So many events of bursts are read for the last bursts of an office."""
AGAIN_S = 60.0
"""Figures of today are read again after so long, whatever happened; after news sooner."""
NEWS_S = 2.0
LOAD = 10
"""Reading them takes at most a tenth of the time: between two readings lies ten times as long as one took."""
CHART_DAYS = 30
KEPT_S = 20.0
KEPT_MAX = 20
"""A page of a day or of a month is read anew after so long, and so many are kept: nobody makes us read faster."""


class _Read(Struct):
    at: float = -1e9
    took_s: float = 0.0
    news: int = -1
    primed: bool = False


class Past:
    """For the offices whose pages are open."""

    def __init__(
        self,
        reader: StoreReader,
        log: OfficeLog,
        hub: Hub,
        work: Work,
        zone_of: Callable[[OfficeId], ZoneInfo],
        clock: Callable[[], float],
        wall_ms: Callable[[], int],
    ) -> None:
        self._reader, self._log, self._hub, self._work = reader, log, hub, work
        self._gatherer = Gatherer(reader)
        self.zone_of = zone_of
        self._clock, self._wall_ms = clock, wall_ms
        self._reads: dict[OfficeId, _Read] = {}
        self._kept: dict[tuple[str, OfficeId, date], tuple[float, OfficePeriod | OfficeDays]] = {}

    def today(self, office: OfficeId) -> date:
        """What day it is at an office."""
        return today(self._wall_ms(), self.zone_of(office))

    async def ready(self, office: OfficeId) -> None:
        """Have an office's page be full at once: its last bursts and figures of today."""
        read = self._reads.setdefault(office, _Read())
        if not read.primed:
            try:
                events = await self._work.do(lambda: self._bursts(office))
            except StoreUnavailable as error:
                self._tell_error(office, error)
                return
            for event in events:
                self._hub.office(office).event(event)
            read.primed = True
        await self.refresh(office)

    async def refresh(self, office: OfficeId) -> None:
        """Read the figures of today again where that is due."""
        read = self._reads.setdefault(office, _Read())
        model, now = self._hub.office(office), self._clock()
        wait_s = max(NEWS_S if model.news != read.news else AGAIN_S, LOAD * read.took_s)
        if now - read.at < wait_s:
            return
        read.at, read.news = now, model.news
        where = self.zone_of(office)
        day = period(Span.DAY, self.today(office), where)
        began = time.monotonic()
        try:
            figures = await self._work.do(lambda: self._log.figures(office, day, where))
        except StoreUnavailable as error:
            self._tell_error(office, error)
            return
        read.took_s = time.monotonic() - began
        if model.board.put("today", cards(figures, self._wall_ms())):
            self._hub.changed(office)

    async def day(self, office: OfficeId, day: date) -> OfficePeriod:
        """Give everything of one day; raises StoreUnavailable, Refused (busy), ValueError for no day of ours."""
        where = self.zone_of(office)
        of = period(Span.DAY, day, where)
        found = await self._keep("day", office, day, lambda: self._log.read(office, of, where))
        if not isinstance(found, OfficePeriod):
            raise TypeError("what is kept of a day is a period")
        return found

    async def month(self, office: OfficeId, day: date) -> OfficeDays:
        """Give the CHART_DAYS up to a day; raises as `day`."""
        where = self.zone_of(office)
        last = period(Span.DAY, day, where)
        first = day - timedelta(days=CHART_DAYS - 1)
        of = Period(span=Span.MONTH, first=first, last=day, zone=str(where), since=midnight_ms(first, where), until=last.until)  # noqa: E501  # fmt: skip
        found = await self._keep("month", office, day, lambda: self._log.days(office, of, where))
        if not isinstance(found, OfficeDays):
            raise TypeError("what is kept of a month are its days")
        return found

    async def log_of(self, office: OfficeId, user: str, count: int) -> tuple[Event, ...]:
        """Give the newest events of one user; raises StoreUnavailable, Refused (busy)."""
        return await self._work.do(lambda: self._reader.events(office, user=user, limit=count, newest=True))

    async def presses(self, office: OfficeId, user: str, since_ms: int, until_ms: int, lang: str) -> tuple[Told, ...]:
        """Give a member's presses of a time, told in `lang`; raises StoreUnavailable, Refused (busy)."""
        where = self.zone_of(office)
        return await self._work.do(lambda: self._gatherer.told(office, user, since_ms, until_ms, lang, where))

    def bounds(self, office: OfficeId, day: date) -> tuple[int, int]:
        """Give when a day of an office begins and ends (Unix ms); raises ValueError for no day of ours."""
        of = period(Span.DAY, day, self.zone_of(office))
        return of.since, of.until

    async def _keep(
        self, what: str, office: OfficeId, day: date, read: Callable[[], OfficePeriod | OfficeDays]
    ) -> OfficePeriod | OfficeDays:
        key, now = (what, office, day), self._clock()
        held = self._kept.get(key)
        if held is not None and now - held[0] < KEPT_S:
            return held[1]
        found = await self._work.do(read)
        self._kept[key] = (self._clock(), found)
        while len(self._kept) > KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        return found

    def _bursts(self, office: OfficeId) -> tuple[Event, ...]:
        kinds = (EventType.SPEAKER_CHANGED, EventType.BURST_ENDED, EventType.BURST_HEARD)
        return self._reader.events(office, types=kinds, limit=PRIMED_EVENTS, newest=True)

    def _tell_error(self, office: OfficeId, error: StoreUnavailable) -> None:
        board = self._hub.office(office).board
        old = board.get("today") or {"at": self._wall_ms(), "usage_min": None, "average_s": None, "sessions": None}
        if board.put("today", old | {"error": str(error)}):
            self._hub.changed(office)


def chosen_day(text: str | None, today: date) -> date | None:
    """Give the day that an address asks for, today where it names none; None for one that cannot be shown."""
    if text is None:
        return today
    try:
        day = read_day(text)
    except ValueError:
        return None
    return day if day.year >= 2001 and day <= today else None


def cards(figures: Figures, wall_ms: int) -> Value:
    """Give what the cards show of today: minutes of sessions that ended, and their average length."""
    average_s = figures.session_average_s
    return {
        "usage_min": round(figures.session_s / 60, 1),
        "average_s": None if average_s is None else round(average_s, 1),
        "sessions": figures.sessions,
        "at": wall_ms,
        "error": "",
    }
