"""Pins without hardware: a gpiozero factory whose pins are moved from outside and whose outputs are watched.

A backend like any other, for a bench, the demo and the tests; chosen by name (`factory = "virtual"`). An edge
takes the same way through gpiozero as a real pin's. hw.pin_server serves these pins on a Unix socket.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from gpiozero.pins.mock import MockFactory, MockPWMPin

from hw.board import INPUTS, Board, Level

_PI_4B: Final = "c03111"
"""The revision the factory pretends to be (Pi 4B; no pins of ours differ between models with 40 pins)."""

OnOutput = Callable[[int, float, float], None]
"""Called as (pin, level, at_s) for each change of a driven pin, on the thread that drives it; must only enqueue."""


class VirtualPin(MockPWMPin):  # type: ignore[misc]  # gpiozero has no types
    """A mock pin with PWM that keeps no history, stands where it is driven, and tells its output's changes."""

    def __init__(self, factory: VirtualFactory, info: Any) -> None:
        self._driven: bool | None = None
        self._state: float = False
        super().__init__(factory, info)
        self._driven = factory.driven_at_start.get(self._number)
        if self._driven is not None:
            self._state = self._driven

    def drive(self, level: bool) -> float:
        """Put an input at a level from outside, as a wire does; returns the time.monotonic() of doing so."""
        with self._when_changed_lock:  # an input that is being closed has its callback taken away under this lock
            self._driven = level
            at_s = time.monotonic()
            if self._function == "input":
                (self.drive_high if level else self.drive_low)()
            return at_s

    def _set_pull(self, value: str) -> None:
        """A pull resistor moves only what nothing drives."""
        driven = self._driven
        super()._set_pull(value)
        if driven is not None:
            (self.drive_high if driven else self.drive_low)()

    def _set_frequency(self, value: float | None) -> None:
        """A tone that changes without a pause is a change of the output too, at the same level."""
        before = self._frequency
        super()._set_frequency(value)
        if value is not None and value != before and 0.0 < self._state < 1.0:
            self.factory.output_changed(self._number, float(self._state), time.monotonic())

    def _change_state(self, value: float) -> bool:
        """Unlike the mock pin's own, this remembers no states: a bench runs for weeks."""
        if self._state == value:
            return False
        self._state = value
        self._last_change = time.monotonic()
        if self._function == "output":
            self.factory.output_changed(self._number, float(value), self._last_change)
        return True


class VirtualFactory(MockFactory):  # type: ignore[misc]  # gpiozero has no types
    """Virtual pins of one board. Inputs stand inactive at first, those named in `held` active."""

    def __init__(self, board: Board, *, held: tuple[str, ...] = ()) -> None:
        super().__init__(revision=_PI_4B, pin_class=VirtualPin)
        self.driven_at_start: dict[int, bool] = {}
        for signal in INPUTS:
            pin = board.pin(signal)
            if pin is not None:
                self.driven_at_start[pin] = electrical(board.active_level(signal), signal in held)
        self.on_output: OnOutput | None = None

    def pin(self, name: Any, pin_class: Any = None, **kwargs: Any) -> Any:
        """The pin of that number. A pin closed by its device is kept, and with it the level it is driven at."""
        return super().pin(name, pin_class, **kwargs)

    def output_changed(self, pin: int, level: float, at_s: float) -> None:
        """Pass an output's change on to `on_output`, where set."""
        if self.on_output is not None:
            self.on_output(pin, level, at_s)


def electrical(active: Level, on: bool) -> bool:
    """The level of a wire (True = high) for a signal that is on or off, given its active level."""
    return on == (active == "high")
