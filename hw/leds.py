"""The status lights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, TypeAlias

from hw.board import Board
from hw.outputs import PwmPin, SwitchedPin

Colour: TypeAlias = tuple[float, float, float]
"""Red, green and blue, each 0 to 1."""

SIGNALS: Final = ("led_red", "led_green", "led_blue")

OFF: Final[Colour] = (0.0, 0.0, 0.0)
RED: Final[Colour] = (1.0, 0.0, 0.0)
GREEN: Final[Colour] = (0.0, 1.0, 0.0)
BLUE: Final[Colour] = (0.0, 0.0, 1.0)
AMBER: Final[Colour] = (1.0, 1.0, 0.0)
WHITE: Final[Colour] = (1.0, 1.0, 1.0)


class Led:
    """One light, off from the start; with the board's `dimming_hz` it has brightness, else it is on from 0.5."""

    def __init__(self, signal: str, pin: int, board: Board, factory: Any) -> None:
        active = board.active_level(signal)
        self.dims = board.leds.dimming_hz > 0
        """Whether it has brightness."""
        self._pin: PwmPin | SwitchedPin = (
            PwmPin(pin, active=active, hz=board.leds.dimming_hz, factory=factory)
            if board.leds.dimming_hz
            else SwitchedPin(pin, active=active, factory=factory)
        )

    def set(self, brightness: float) -> None:
        """Light at 0 to 1."""
        self._pin.set(brightness)

    def value(self) -> float:
        """The brightness now, 0-1."""
        return self._pin.value()

    def close(self) -> None:
        """Off, and the pin released; idempotent."""
        self._pin.close()


class StatusLeds:
    """The fitted lights of red, green and blue as one; what is not fitted stays dark."""

    def __init__(self, leds: dict[str, Led]) -> None:
        self._channels = [leds.get(signal) for signal in SIGNALS]
        self.dims = any(led.dims for led in leds.values())
        """Whether they have brightness; else they are on from 0.5."""

    def set(self, red: float, green: float, blue: float) -> None:
        """Light each channel at 0 to 1."""
        for _, light in self.each(red, green, blue):
            light()

    def each(self, red: float, green: float, blue: float) -> Iterator[tuple[str, Callable[[], None]]]:
        """Give for each fitted channel its signal and what lights it at 0-1: one that fails need not end the rest."""
        for signal, led, brightness in zip(SIGNALS, self._channels, (red, green, blue), strict=True):
            if led is not None:
                yield signal, partial(led.set, brightness)
