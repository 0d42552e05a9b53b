"""Which fingers are on which buttons. Pure: a button is down while at least one page holds it.

A page that goes away takes its fingers along. There is no way to hold a button without a page that lives.
"""

from __future__ import annotations

from typing import TypeAlias

Button: TypeAlias = tuple[str, str]
"""A vehicle and one of its inputs."""


class Fingers:
    """Each page (any hashable number) with the buttons it holds; every method gives what changes at the pins."""

    def __init__(self) -> None:
        self._held: dict[Button, set[int]] = {}

    def down(self, page: int, button: Button) -> bool:
        """Put a finger on a button; True where that presses it."""
        pages = self._held.setdefault(button, set())
        first = not pages
        pages.add(page)
        return first

    def up(self, page: int, button: Button) -> bool:
        """Take it away; True where that releases the button. A finger that was not there changes nothing."""
        pages = self._held.get(button, set())
        if page not in pages:
            return False
        pages.discard(page)
        if pages:
            return False
        del self._held[button]
        return True

    def gone(self, page: int) -> list[Button]:
        """Take all of a page's fingers away; gives the buttons that are released by it."""
        return [button for button in list(self._held) if self.up(page, button)]

    def holds(self, page: int) -> bool:
        """Whether this page holds anything."""
        return any(page in pages for pages in self._held.values())
