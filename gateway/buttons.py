"""The push-to-talk button: edges of the pin driver's thread, debounced in the loop that owns the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from gateway.core.words import CoreEvent, HeldAtStart, Pressed, Released
from hw.board import Board
from hw.button import Change, Debounce
from service.loop import Loop

PTT = "ptt"


class Buttons:
    """Feeds presses and releases to the core. `on_edge` is for the pin driver; all else is the loop's."""

    def __init__(self, loop: Loop, board: Board, feed: Callable[[CoreEvent], None]) -> None:
        self._loop = loop
        self._feed = feed
        self._fitted = board.pin(PTT) is not None
        self._debounce = Debounce(lockout_s=board.button.lockout_ms / 1000, poll_s=board.button.poll_ms / 1000)
        self._level: Callable[[], bool] = lambda: False

    def on_edge(self, signal: str, active: bool, at_s: float) -> None:
        """Take an edge on the driver's thread: only hand it over. A full inbox is a loop that does not turn."""
        if signal == PTT:
            self._loop.call_soon_threadsafe(partial(self._edge, active, at_s))

    def begin(self, level: Callable[[str], bool]) -> None:
        """Read the level with which the day begins: a button that is down now does not transmit."""
        if not self._fitted:
            return
        self._level = partial(level, PTT)
        now = time.monotonic()
        if self._debounce.begin(self._level(), now):
            self._feed(HeldAtStart())

    def tick(self, now: float) -> None:
        """Read the level again where that is due."""
        deadline = self._debounce.next_deadline()
        if deadline is None or now < deadline:
            return
        held = self._debounce.held_at_start
        self._tell(self._debounce.tick(self._level(), now))
        if held and not self._debounce.held_at_start:
            self._feed(Released(at=now))

    def next_deadline(self) -> float | None:
        """Give when to tick again."""
        return self._debounce.next_deadline()

    def _edge(self, active: bool, at_s: float) -> None:
        held = self._debounce.held_at_start
        self._tell(self._debounce.edge(active, at_s))
        if held and not self._debounce.held_at_start:
            self._feed(Released(at=at_s))

    def _tell(self, changes: tuple[Change, ...]) -> None:
        for change in changes:
            self._feed(Pressed(at=change.at_s) if change.pressed else Released(at=change.at_s))
