"""An office's page that is open for a week: what the server holds for it stays bounded, whatever happened meanwhile."""

from __future__ import annotations

import asyncio
import gc
import sys

from dispatch.web.board import GONE_MAX
from dispatch.web.feed import Linked, Settled, Told, Unlinked
from dispatch.web.hub import Hub
from dispatch.web.model import BURSTS_SHOWN, OfficeModel
from dispatch.web.stream import Marks, follow, wants
from protocol.ids import OfficeId
from protocol.messages import (
    Alert,
    Event,
    EventType,
    LinkHealth,
    Presence,
    PresenceState,
    Session,
    Severity,
    Telemetry,
)
from protocol.topics import Kind, Topic

OFFICE = OfficeId("seoul", "1")
CARS = [f"car-{number}" for number in range(1, 21)]
WEEK_MIN = 7 * 24 * 60
SETTLED_MIN = 2 * 24 * 60
"""After so long every bounded thing is full: GONE_MAX keys take a day and a half."""


class Stand:
    """A hub with a broker that goes away now and then, under a clock by hand."""

    def __init__(self) -> None:
        self.minute, self.link_no = 0, 0
        self.hub = Hub(lambda: self.minute * 60_000, lambda error: None)
        self.link()

    def tell(self, kind: Kind, user: str, message: object, item: str = "") -> None:
        self.hub.take(Told(Topic(OFFICE, kind, user, item), message))  # type: ignore[arg-type]

    def link(self) -> None:
        self.link_no += 1
        self.hub.take(Linked(self.link_no))
        for car in CARS:
            here = Presence(state=PresenceState.ONLINE, connection_id=(1, 1, self.link_no), presence_no=1)
            self.tell(Kind.PRESENCE, car, here)
        self.hub.take(Settled())

    def pass_minute(self) -> None:
        """A burst, a vehicle's telemetry, an alert that comes and goes under ever new names; each hour a lost line."""
        self.minute += 1
        at, burst, car = self.minute * 60_000, self.minute, CARS[self.minute % len(CARS)]
        for kind in (EventType.SPEAKER_CHANGED, EventType.BURST_ENDED):
            event = Event(no=2 * burst, event=kind, at=at, user=car, metadata={"burst": burst})
            self.tell(Kind.EVENTS, "", event)
        self.tell(
            Kind.SESSION,
            "",
            Session(rev=burst, store="s", active=True, channel_name="c", burst=burst, event_id=f"session-{burst}"),
        )
        self.tell(Kind.DEVICE_TELEMETRY, car, Telemetry(at=at, uptime_s=at / 1000, link=LinkHealth(reconnects=burst)))
        what = Alert(alert="hot", severity=Severity.WARNING, what=f"hot at {at}", mend="cool it", since=at)
        self.tell(Kind.ALERT, car, what, f"hot-{burst}")
        self.tell(Kind.ALERT, car, None, f"hot-{burst}")
        if self.minute % 60 == 0:
            self.hub.take(Unlinked("reset"))
            self.link()

    @property
    def model(self) -> OfficeModel:
        return self.hub.office(OFFICE)


async def follows(stand: Stand, minutes: int) -> None:
    """One page follows all the time, another is opened and cut off each hour; the first reads now and then."""
    marks = Marks("boot")

    async def allowed() -> bool:
        return True

    def opened() -> object:
        return follow(
            stand.hub, OFFICE, "boss", wants(None), marks, "",
            allowed=allowed, ending=lambda: False, wall_ms=lambda: 1000, clock=lambda: stand.minute * 60.0,
        )  # fmt: skip

    page = opened()
    await anext(page)  # type: ignore[call-overload]
    for hour in range(minutes // 60):
        for _ in range(60):
            stand.pass_minute()
        cut = opened()
        await anext(cut)  # type: ignore[call-overload]
        await cut.aclose()  # type: ignore[attr-defined]
        if hour % 24 == 0:
            await anext(page)  # type: ignore[call-overload]
    await page.aclose()  # type: ignore[attr-defined]


def bytes_of(root: object) -> int:
    """What an object and all that it holds takes; code and types are nobody's."""
    seen: dict[int, object] = {}
    todo = [root]
    while todo:
        one = todo.pop()
        if id(one) not in seen and not isinstance(one, type | type(sys) | type(bytes_of)):
            seen[id(one)] = one
            todo += gc.get_referents(one)
    return sum(map(sys.getsizeof, seen.values()))


def test_what_an_office_and_its_pages_hold_after_a_week_is_what_they_held_after_two_days() -> None:
    stand = Stand()
    asyncio.run(follows(stand, SETTLED_MIN))
    settled = bytes_of(stand.model)
    asyncio.run(follows(stand, WEEK_MIN - SETTLED_MIN))

    board = stand.model.board
    assert bytes_of(stand.model) < 1.05 * settled
    assert len(list(board.keys("burst"))) == BURSTS_SHOWN
    assert (list(board.keys("alert")), len(list(board.keys("member")))) == ([], len(CARS))
    assert len(board._gone) <= GONE_MAX
    assert (stand.hub.streams, stand.hub.watched, stand.model.dropped) == (0, frozenset(), 0)
    assert len(board.since(None, wants(None)).put) < 100
