"""One event after the other to the core: what comes while one is being carried out waits for its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal

from gateway.core.words import CoreEvent

Item = CoreEvent | Literal["tick"]
"""An event for the core, or its due timers."""


class Inbox:
    """Called with an event in the loop's thread, it has it handled at once, or right after the one under way."""

    def __init__(self) -> None:
        self._waiting: deque[Item] = deque()
        self._take: Callable[[Item], None] | None = None
        self._busy = False

    def open(self, take: Callable[[Item], None]) -> None:
        """Hand everything to `take` from now on, and first what came before."""
        self._take = take
        self._hand_on()

    def __call__(self, item: Item) -> None:
        """Take an event."""
        self._waiting.append(item)
        self._hand_on()

    def _hand_on(self) -> None:
        if self._take is None or self._busy:
            return
        self._busy = True
        try:
            while self._waiting:
                self._take(self._waiting.popleft())
        finally:
            self._busy = False
