"""What the panel shows over time: one player each for motor, buzzer and lights, driven by the one loop.

No threads: the loop calls `tick(now)` after starting something and whenever `next_deadline()` has come.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from hw.leds import OFF, Colour
from hw.panel import Panel
from hw.patterns import Pattern, PatternPlayer, steady

Drive: TypeAlias = Callable[[str, Callable[[], None]], None]
"""Called as (signal, act): does `act`, which drives that output, and deals with its errors."""


class Show:
    """Plays patterns on a panel; what is not fitted plays to nobody. Starting one replaces the one before."""

    def __init__(self, panel: Panel, drive: Drive = lambda _signal, act: act()) -> None:
        """Through `drive` goes every output; by default errors of pins pass through."""
        self._panel = panel
        self._drive = drive
        self._motor = PatternPlayer()
        self._buzzer = PatternPlayer()
        self._lights = PatternPlayer()
        self._colour: Colour = OFF
        self._brightness = 1.0

    def vibrate(self, pattern: Pattern, now: float) -> None:
        """Play amplitudes of 0-255 on the motor, with its kick."""
        if self._panel.motor is not None:
            self._motor.start(self._panel.motor.fit(pattern), now)

    def still(self) -> None:
        """End the vibration."""
        self._motor.stop()

    def sound(self, pattern: Pattern, now: float) -> None:
        """Play pitches in Hz on the buzzer."""
        if self._panel.buzzer is not None:
            self._buzzer.start(pattern, now)

    def silence(self) -> None:
        """End the buzzer's sound."""
        self._buzzer.stop()

    def light(self, colour: Colour, now: float, pattern: Pattern | None = None) -> None:
        """Show a colour, steadily or with a pattern of brightness 0-255."""
        shown = pattern or steady(255)
        if colour == self._colour and shown == self._lights.playing:
            return  # told again: a blinking light keeps its beat
        self._colour = colour
        self._lights.start(shown, now)
        self._lights.tick(now)
        self._light(self._lights.level)

    def dim(self, brightness: float) -> None:
        """Make the lights so bright (0 to 1) from now on; those that are only on or off stay what they are."""
        if brightness != self._brightness:
            self._brightness = brightness
            self._light(self._lights.level)

    def dark(self) -> None:
        """Put the lights out."""
        self._colour = OFF
        self._lights.stop()

    def tick(self, now: float) -> None:
        """Move everything on to `now`."""
        if (amplitude := self._motor.tick(now)) is not None and self._panel.motor is not None:
            self._drive("motor", partial(self._panel.motor.set, amplitude))
        if (pitch_hz := self._buzzer.tick(now)) is not None and self._panel.buzzer is not None:
            self._drive("buzzer", partial(self._panel.buzzer.set, pitch_hz))
        if (brightness := self._lights.tick(now)) is not None:
            self._light(brightness)

    def next_deadline(self) -> float | None:
        """When to tick again, on the clock of `now`; None while nothing changes by itself."""
        deadlines = [player.next_deadline() for player in (self._motor, self._buzzer, self._lights)]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def _light(self, brightness: int) -> None:
        level = min(brightness, 255) / 255 * (self._brightness if self._panel.leds.dims else 1.0)
        red, green, blue = self._colour
        for signal, light in self._panel.leds.each(red * level, green * level, blue * level):
            self._drive(signal, light)
