"""A page's stream, and figures of today: told when they change, kept when the store is away, ended when they must."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from dispatch.history.day import zone
from dispatch.history.office_log import OfficeLog
from dispatch.ports import StoreUnavailable
from dispatch.registry.words import User
from dispatch.rest.work import Work
from dispatch.store.reader import StoreReader
from dispatch.web import past as web_past
from dispatch.web.feed import Linked, Told, Unlinked
from dispatch.web.hub import Hub
from dispatch.web.past import Past
from dispatch.web.stream import BEAT_S, CHECK_S, Marks, follow, wants
from protocol.ids import OfficeId
from protocol.messages import Event, EventType, Presence, PresenceState
from protocol.rest import Role
from protocol.topics import Kind, Topic

OFFICE = OfficeId("seoul", "1")
MARKS = Marks("boot")


class Stand:
    """A hub, a clock by hand, and one page's stream."""

    def __init__(self) -> None:
        self.now, self.ending, self.allowed = 0.0, False, True
        self.asked = 0
        self.hub = Hub(lambda: 1000, lambda error: None)

    def stream(self, mark: str = "") -> AsyncIterator[bytes]:
        async def allowed() -> bool:
            self.asked += 1
            return self.allowed

        return follow(
            self.hub,
            OFFICE,
            "boss",
            wants(None),
            MARKS,
            mark,
            allowed=allowed,
            ending=lambda: self.ending,
            wall_ms=lambda: 1000,
            clock=lambda: self.now,
        )

    def joins(self, user: str) -> None:
        presence = Presence(state=PresenceState.ONLINE, connection_id=(1, 1, 1), presence_no=1)
        self.hub.take(Told(Topic(OFFICE, Kind.PRESENCE, user), presence))


def read(event: bytes) -> tuple[str, dict[str, Any]]:
    lines = dict(line.split(": ", 1) for line in event.decode().strip().splitlines())
    return lines["event"], json.loads(lines["data"])


def test_a_page_is_told_everything_and_then_what_changes() -> None:
    async def story() -> None:
        stand = Stand()
        stand.joins("car-1")
        stream = stand.stream()
        kind, first = read(await anext(stream))
        assert (kind, first["whole"], sorted(first["put"])) == ("changes", True, ["link", "member/car-1"])

        stand.joins("car-2")
        _, second = read(await anext(stream))
        assert (second["whole"], sorted(second["put"])) == (False, ["member/car-2"])

        stand.ending = True
        assert [event async for event in stream] == []
        assert stand.hub.streams == 0

    asyncio.run(story())


def test_a_page_that_comes_back_is_told_only_what_it_missed() -> None:
    async def story() -> None:
        stand = Stand()
        stand.joins("car-1")
        mark = MARKS.give(stand.hub.office(OFFICE).board.version)
        stand.joins("car-2")

        _, said = read(await anext(stand.stream(mark)))

        assert (said["whole"], sorted(said["put"])) == (False, ["member/car-2"])

    asyncio.run(story())


def test_a_quiet_line_beats_and_an_office_elsewhere_wakes_nobody() -> None:
    async def story() -> None:
        stand = Stand()
        stream = stand.stream()
        await anext(stream)
        with stand.hub.watching(OfficeId("seoul", "10"), "boss") as other:
            stand.hub.changed(OFFICE)
            assert not other.is_set()
            assert (stand.hub.streams, stand.hub.streams_of(OFFICE, "boss")) == (2, 1)
        stand.now = BEAT_S + 1

        kind, said = read(await anext(stream))

        assert (kind, said["put"]) == ("beat", {})

    asyncio.run(story())


def test_who_is_not_admitted_any_more_is_told_so_at_once_and_asked_for_now_and_then_besides() -> None:
    async def story() -> None:
        stand = Stand()
        stream = stand.stream()
        await anext(stream)
        stand.now = CHECK_S + 1
        stand.hub.changed(OFFICE)
        assert read(await anext(stream))[0] == "beat"
        assert stand.asked == 1

        stand.allowed = False
        stand.hub.users([User(office=OFFICE, user="car-1", role=Role.VEHICLE_GATEWAY, name="1", uid=1)])

        assert read(await anext(stream))[0] == "over"
        assert [event async for event in stream] == []

    asyncio.run(story())


def test_a_broker_that_is_lost_is_told_with_the_time_since_when() -> None:
    times = iter(range(1, 100))
    hub = Hub(lambda: next(times), lambda error: None)
    board = hub.office(OFFICE).board
    hub.take(Linked(1))
    hub.take(Unlinked("gone"))
    since = (board.get("link") or {})["since"]
    hub.take(Unlinked("still gone"))

    assert board.get("link") == {"up": False, "why": "still gone", "since": since}


# --- figures of today -------------------------------------------------------------------------------------------------


class Log:
    """Events that a reader would give; `away` while the store cannot be read."""

    def __init__(self) -> None:
        self.away = False
        self.reads = 0
        self.found: list[Event] = []

    def scan(self, *_: object) -> list[Event]:
        self.reads += 1
        if self.away:
            raise StoreUnavailable("locked")
        return self.found

    def events(self, *_: object, **__: object) -> tuple[Event, ...]:
        if self.away:
            raise StoreUnavailable("locked")
        return ()

    def figures(self, office: OfficeId, period: Any, where: Any) -> Any:
        from dispatch.history.figures import count

        return count(office, period, self.scan(), where, period.until)


def _today(story: Callable[[Past, Hub, Log, list[float]], Any]) -> None:
    async def run() -> None:
        log, now = Log(), [0.0]
        wall = 1_795_400_000_000
        hub = Hub(lambda: wall, lambda error: None)
        work = Work("past", 1, 4)
        past = Past(
            cast(StoreReader, log),
            cast(OfficeLog, log),
            hub,
            work,
            lambda _: zone("Asia/Seoul"),
            lambda: now[0],
            lambda: wall,
        )
        log.found = [
            Event(no=1, event=EventType.SESSION_STARTED, at=wall - 90_000, event_id="e"),
            Event(no=2, event=EventType.SESSION_ENDED, at=wall, event_id="e"),
        ]
        await story(past, hub, log, now)
        work.close()

    asyncio.run(run())


def test_the_cards_show_the_minutes_and_the_average_of_sessions_that_ended_today() -> None:
    async def story(past: Past, hub: Hub, log: Log, now: list[float]) -> None:
        await past.ready(OFFICE)

        said = hub.office(OFFICE).board.get("today") or {}
        assert (said["usage_min"], said["average_s"], said["sessions"], said["error"]) == (1.5, 90.0, 1, "")

    _today(story)


def test_figures_are_read_again_after_news_and_seldom_without() -> None:
    async def story(past: Past, hub: Hub, log: Log, now: list[float]) -> None:
        await past.ready(OFFICE)
        now[0] += web_past.NEWS_S + 1
        await past.refresh(OFFICE)
        assert log.reads == 1

        hub.office(OFFICE).event(Event(no=3, event=EventType.SESSION_STARTED, at=1))
        await past.refresh(OFFICE)
        await past.refresh(OFFICE)
        assert log.reads == 2

        now[0] += web_past.AGAIN_S + 1
        await past.refresh(OFFICE)
        assert log.reads == 3

    _today(story)


def test_a_store_that_is_away_is_said_and_the_last_figures_stay() -> None:
    async def story(past: Past, hub: Hub, log: Log, now: list[float]) -> None:
        await past.ready(OFFICE)
        log.away = True
        now[0] += web_past.AGAIN_S + 1
        await past.refresh(OFFICE)
        said = hub.office(OFFICE).board.get("today") or {}
        assert (said["usage_min"], said["error"]) == (1.5, "locked")

        log.away = False
        now[0] += web_past.AGAIN_S + 1
        await past.refresh(OFFICE)
        assert (hub.office(OFFICE).board.get("today") or {})["error"] == ""

    _today(story)
