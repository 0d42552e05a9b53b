"""The open pages: each with what is still to be sent to it, bounded, and the time of its last word."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from lab.cab.words import ToPage, encode

WAITING_MAX: Final = 1000
"""A page that is so many messages behind is cut off; it connects again by itself."""
PAGES_MAX: Final = 8


class Page:
    """One WebSocket. `None` in the queue ends it."""

    def __init__(self, number: int, heard_s: float) -> None:
        self.number = number
        self.heard_s = heard_s
        self.queue: asyncio.Queue[str | bytes | None] = asyncio.Queue(WAITING_MAX + 1)

    def send(self, what: str | bytes) -> None:
        """Put it in the queue; where that is full, everything is dropped and the page ends."""
        if self.queue.qsize() < WAITING_MAX:
            self.queue.put_nowait(what)
        else:
            self.end()

    def end(self) -> None:
        """Cut it off."""
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class Pages:
    """All of them. For the event loop's thread."""

    def __init__(self) -> None:
        self._pages: dict[int, Page] = {}
        self.greeted = 0
        """How many there have been so far."""

    def __len__(self) -> int:
        return len(self._pages)

    def __iter__(self) -> Iterator[Page]:
        return iter(list(self._pages.values()))

    def add(self, now: float) -> Page | None:
        """Open one; None where there are too many."""
        if len(self._pages) >= PAGES_MAX:
            return None
        self.greeted += 1
        page = Page(self.greeted, now)
        self._pages[page.number] = page
        return page

    def remove(self, page: Page) -> None:
        """Forget it."""
        self._pages.pop(page.number, None)

    def tell(self, message: ToPage) -> None:
        """Tell all pages."""
        if self._pages:
            text = encode(message)
            for page in self:
                page.send(text)

    def sound(self, frame: bytes) -> None:
        """Let all pages hear."""
        for page in self:
            page.send(frame)
