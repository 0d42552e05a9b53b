"""The inputs of the panel: edges of the pin driver's thread, debounced in the loop that owns the time.

Each fitted input has a `Debounce` of its own. The push-to-talk button gives Pressed, Released and HeldAtStart; every
other one gives InputChanged, once for its level when the day begins (so that the core knows what is fitted) and then
for each change.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from functools import partial

from gateway.core.words import CoreEvent, HeldAtStart, InputChanged, Pressed, Released
from hw.board import INPUTS, Board
from hw.button import Debounce
from service.loop import Loop

PTT = "ptt"


class Buttons:
    """Feeds every fitted input to the core. `on_edge` is for the pin driver; all else is the loop's."""

    def __init__(self, loop: Loop, board: Board, feed: Callable[[CoreEvent], None]) -> None:
        self._loop = loop
        lockout_s, poll_s = board.button.lockout_ms / 1000, board.button.poll_ms / 1000
        self._inputs = {
            signal: _Input(signal, Debounce(lockout_s=lockout_s, poll_s=poll_s), feed)
            for signal in board.fitted(INPUTS)
        }

    def on_edge(self, signal: str, active: bool, at_s: float) -> None:
        """Take an edge on the driver's thread: only hand it over. A full inbox is a loop that does not turn."""
        self._loop.call_soon_threadsafe(partial(self._inputs[signal].edge, active, at_s))

    def begin(self, level: Callable[[str], bool], missing: Collection[str] = ()) -> None:
        """Read the levels with which the day begins: a button that is down now does not transmit.

        Inputs in `missing` have no pin: they are as if they were not fitted.
        """
        for signal in missing:
            self._inputs.pop(signal, None)
        for signal, found in self._inputs.items():
            found.begin(partial(level, signal), time.monotonic())

    def tick(self, now: float) -> None:
        """Read again the levels of which that is due."""
        for found in self._inputs.values():
            found.tick(now)

    def next_deadline(self) -> float | None:
        """Give when to tick again."""
        times = (found.debounce.next_deadline() for found in self._inputs.values())
        return min((at for at in times if at is not None), default=None)


class _Input:
    """One fitted input."""

    def __init__(self, signal: str, debounce: Debounce, feed: Callable[[CoreEvent], None]) -> None:
        self._signal = signal
        self._feed = feed
        self._level: Callable[[], bool] = lambda: False
        self.debounce = debounce

    def begin(self, level: Callable[[], bool], now: float) -> None:
        """Take the first level; one that is active already counts as that until it was seen inactive."""
        self._level = level
        active = self.debounce.begin(level(), now)
        if self._signal != PTT:
            self._feed(InputChanged(signal=self._signal, active=active, at=now, at_start=True))
        elif active:
            self._feed(HeldAtStart())

    def edge(self, active: bool, at_s: float) -> None:
        """Take one edge."""
        held = self.debounce.held_at_start
        changes = self.debounce.edge(active, at_s)
        self._let_go(held, at_s)
        for change in changes:
            self._tell(change.pressed, change.at_s)

    def tick(self, now: float) -> None:
        """Read the level again where that is due."""
        deadline = self.debounce.next_deadline()
        if deadline is None or now < deadline:
            return
        held = self.debounce.held_at_start
        changes = self.debounce.tick(self._level(), now)
        self._let_go(held, now)
        for change in changes:
            self._tell(change.pressed, change.at_s)

    def _let_go(self, held: bool, at_s: float) -> None:
        """What was active from the start is inactive for the first time."""
        if held and not self.debounce.held_at_start:
            self._tell(False, at_s)

    def _tell(self, active: bool, at_s: float) -> None:
        if self._signal != PTT:
            self._feed(InputChanged(signal=self._signal, active=active, at=at_s))
        else:
            self._feed(Pressed(at=at_s) if active else Released(at=at_s))
