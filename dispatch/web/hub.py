"""What the pages of all offices stand on: one model an office, fed by the connection, and who waits for changes.

Belongs to the event loop's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from dispatch.registry.words import User
from dispatch.web.board import Value
from dispatch.web.feed import Died, FeedEvent, Linked, Settled, Told, Unlinked
from dispatch.web.model import OfficeModel
from protocol.ids import OfficeId

OFFICES_MAX = 200


class Hub:
    """`wall_ms` gives Unix ms; `died` is called when the connection's thread ends by a fault."""

    def __init__(self, wall_ms: Callable[[], int], died: Callable[[Exception], None]) -> None:
        self._wall_ms, self._died = wall_ms, died
        self._offices: dict[OfficeId, OfficeModel] = {}
        self._waiting: dict[asyncio.Event, tuple[OfficeId, str]] = {}
        self._link: Value = {"up": False, "why": "", "since": wall_ms()}
        self._link_no = 0
        self.roll = 0
        """Rises whenever the registry was read anew: who looks on may not be admitted any more."""

    @property
    def linked(self) -> bool:
        """Whether the broker is connected."""
        return bool(self._link["up"])

    @property
    def watched(self) -> frozenset[OfficeId]:
        """Offices that pages are open of."""
        return frozenset(office for office, _ in self._waiting.values())

    @property
    def streams(self) -> int:
        """How many pages follow."""
        return len(self._waiting)

    def streams_of(self, office: OfficeId, user: str) -> int:
        """How many pages of one user follow."""
        return sum(each == (office, user) for each in self._waiting.values())

    def office(self, office: OfficeId) -> OfficeModel:
        """Give an office's model, which is made where it is not there; only for offices of the registry."""
        model = self._offices.get(office)
        if model is None:
            model = self._offices[office] = OfficeModel()
            model.linked(self._link_no)
            model.board.put("link", self._link)
        return model

    def known(self) -> Iterable[OfficeId]:
        """Give the offices that there are models of."""
        return tuple(self._offices)

    @contextmanager
    def watching(self, office: OfficeId, user: str) -> Iterator[asyncio.Event]:
        """Give an event that is set whenever the office's board changed; `user` looks on."""
        event = asyncio.Event()
        self._waiting[event] = office, user
        try:
            yield event
        finally:
            del self._waiting[event]

    def changed(self, office: OfficeId) -> None:
        """Wake the pages of an office."""
        for event, (of, _) in self._waiting.items():
            if of == office:
                event.set()

    def users(self, users: Sequence[User]) -> None:
        """All users of the registry, as they are now."""
        self.roll += 1
        by_office: dict[OfficeId, list[User]] = {office: [] for office in self._offices}
        for user in users:
            by_office.setdefault(user.office, []).append(user)
        for office, members in by_office.items():
            self.office(office).users(members)
            self.changed(office)

    def take(self, event: FeedEvent) -> None:
        """Take in what the connection told."""
        match event:
            case Told(topic=topic, message=message):
                model = self._offices.get(topic.office)
                if model is None and len(self._offices) < OFFICES_MAX:
                    model = self.office(topic.office)
                if model is not None:
                    model.take(topic.kind, topic.user, topic.item, message, self._wall_ms())
                    self.changed(topic.office)
            case Linked(link_no=link_no):
                self._link_no = link_no
                for model in self._offices.values():
                    model.linked(link_no)
                self._set_link({"up": True, "why": "", "since": self._wall_ms()})
            case Settled():
                for office, model in self._offices.items():
                    model.settled()
                    self.changed(office)
            case Unlinked(reason=reason):
                since = self._link["since"] if not self.linked else self._wall_ms()
                self._set_link({"up": False, "why": reason, "since": since})
            case Died(error=error):
                self._died(error)

    def _set_link(self, link: Value) -> None:
        self._link = link
        for office, model in self._offices.items():
            model.board.put("link", link)
            self.changed(office)
