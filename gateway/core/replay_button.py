"""The replay button: a short press and a long one, two outcomes of one input."""

from collections.abc import Callable

from gateway.core.context import Timers

LONG_S = 1.0
"""Held so long it is a long press; told while it is still down, so that nobody must guess."""


class ReplayButton:
    """Calls `short(now)` when it is let go early, `long(now)` once it was held for LONG_S; never both for one press."""

    def __init__(self, short: Callable[[float], None], long: Callable[[float], None]) -> None:
        """Nothing is pressed yet."""
        self._short = short
        self._long = long
        self._timers = Timers()

    def changed(self, active: bool, at: float, now: float, *, at_start: bool = False) -> None:
        """Take the button's new level; one that was down at the start means nothing until it was seen up."""
        if active:
            if not at_start:
                self._timers.set("long", at + LONG_S)
        elif self._timers.running("long"):
            held_s = at - (self._timers.at("long", at) - LONG_S)
            self._timers.stop("long")
            (self._long if held_s >= LONG_S else self._short)(now)

    def tick(self, now: float) -> None:
        """Do what is due."""
        while self._timers.expire(now) is not None:
            self._long(now)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        return self._timers.next()
