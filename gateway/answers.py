"""What the driver sees and feels: rows of the indicator table played on the panel; sounds are the worker's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gateway.core.indicators import LIGHTS, TABLE, Beep, Colour, Vibration
from gateway.core.words import Show, Tell
from gateway.night import LightSettings, brightness
from hw import leds, patterns
from hw.board import describe_pin
from hw.errors import HardwareError
from hw.panel import Panel
from hw.patterns import Pattern
from hw.show import Show as PanelShow
from service.logs import Log

_log = Log("gateway.panel")

VIBRATIONS: Final[dict[Vibration, Pattern]] = {
    Vibration.START_SUCCESS: patterns.START_SUCCESS,
    Vibration.START_FAIL: patterns.START_FAIL,
    Vibration.SESSION_NOTIFICATION: patterns.SESSION_NOTIFICATION,
    Vibration.HOLD: patterns.HOLD,
    Vibration.DENIED: patterns.DENIED,
    Vibration.COUNTING: patterns.COUNTING,
    Vibration.EMERGENCY: patterns.EMERGENCY,
    Vibration.YOUR_TURN: patterns.YOUR_TURN,
}
BEEPS: Final[dict[Beep, Pattern]] = {
    Beep.OK: Pattern(((80, 1600),)),
    Beep.FAIL: Pattern(((90, 600), (60, 0), (90, 600))),
    Beep.END: Pattern(((200, 900),)),
}
"""Pitches in Hz."""
COLOURS: Final[dict[Colour, leds.Colour]] = {
    Colour.OFF: leds.OFF,
    Colour.RED: leds.RED,
    Colour.GREEN: leds.GREEN,
    Colour.BLUE: leds.BLUE,
    Colour.AMBER: leds.AMBER,
    Colour.WHITE: leds.WHITE,
}
DIM_EVERY_S: Final = 20.0
"""How often the time of day is looked at."""
HOLD_AFTER_S: Final = 0.2
"""The ticks felt while transmitting begin so long after whatever was felt before."""


class Answers:
    """Light, vibration, buzzer and mute line, by what the core tells. All in the loop's thread.

    A pin that fails, or was missing from the start, is told and gone on without: an answer that cannot be given must
    not end the radio.
    """

    def __init__(
        self,
        panel: Panel,
        lights: LightSettings | None = None,
        minute_of_day: Callable[[], int | None] = lambda: None,
        on_trouble: Callable[[str], None] = lambda what: None,
    ) -> None:
        """`minute_of_day` gives the local minute, or None while the clock is not set: then it is day.

        `on_trouble` is told at each change, here for the first time, which signals fail and how to mend it, or "".
        """
        self._panel = panel
        self._show = PanelShow(panel, self._try)
        self._on_trouble = on_trouble
        self._troubles = dict(panel.missing)
        for error in self._troubles.values():
            _log.error("the panel goes on without", why=str(error))
        if self._troubles:
            self._tell_troubles()
        self._lights = lights or LightSettings()
        self._minute_of_day = minute_of_day
        self._dims = panel.leds.dims
        self._dim_at = float("-inf")
        self._transmitting = False
        self._holding = False
        self._felt_until = 0.0
        self._felt: Vibration | None = None

    def tell(self, effect: Tell, now: float) -> None:
        """Play what the table has for it. The buzzer never sounds into an open microphone."""
        row = TABLE[effect.what]
        if row.vibration is not None and not (now < self._felt_until and self._is_less(row.vibration)):
            pattern = VIBRATIONS[row.vibration]
            self._felt = row.vibration
            self._holding = False
            self._felt_until = now + sum(ms for ms, _ in pattern.steps) / 1000
            self._show.vibrate(pattern, now)
        if row.beep is not None and not self._transmitting:
            self._show.sound(BEEPS[row.beep], now)

    def _is_less(self, news: Vibration) -> bool:
        """Whether what is felt now goes first: answers before news, an emergency before its grant."""
        if news is Vibration.START_SUCCESS:
            return self._felt is Vibration.EMERGENCY
        return news is Vibration.SESSION_NOTIFICATION

    def show(self, effect: Show, now: float) -> None:
        """Set light and mute line."""
        light = LIGHTS[effect.look]
        blink = patterns.blink(light.on_ms, light.off_ms) if light.on_ms else None
        self._show.light(COLOURS[light.colour], now, blink)
        mute = self._panel.mute
        if mute is not None:
            self._try("mute", lambda: mute.set(effect.mute_radio))

    def transmitting(self, transmitting: bool) -> None:
        """Follow whether voice leaves: that is felt all the time."""
        if transmitting is self._transmitting:
            return
        self._transmitting = transmitting
        if not transmitting and self._holding:
            self._holding = False
            self._show.still()
        if transmitting:
            self._show.silence()

    def tick(self, now: float) -> None:
        """Move the patterns on; look at the time of day."""
        if self._dims and now >= self._dim_at:
            self._dim_at = now + DIM_EVERY_S
            self._show.dim(brightness(self._lights, self._minute_of_day()))
        if self._transmitting and not self._holding and now >= self._felt_until + HOLD_AFTER_S:
            self._holding = True
            self._show.vibrate(patterns.HOLD, now)
        self._show.tick(now)

    def next_deadline(self) -> float | None:
        """Give when to tick again."""
        shown = self._show.next_deadline()
        if self._dims:
            shown = self._dim_at if shown is None else min(shown, self._dim_at)
        if not self._transmitting or self._holding:
            return shown
        hold_at = self._felt_until + HOLD_AFTER_S
        return hold_at if shown is None else min(shown, hold_at)

    def safe(self) -> None:
        """Everything off, whatever was playing."""
        self._transmitting = self._holding = False
        self._show.still()
        self._show.silence()
        self._show.dark()
        with suppress(Exception):
            self._panel.safe()

    def _try(self, signal: str, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - each pin library has error types of its own; told, and gone on
            pin = self._panel.board.pin(signal)
            where = signal if pin is None else f"{signal} on {describe_pin(pin)}"
            found = HardwareError(
                f"{where} does not obey ({error})",
                "check its wiring and supply (docs/wiring.md), then restart ptt-gateway",
            )
            if str(found) != str(self._troubles.get(signal, "")):
                self._troubles[signal] = found
                _log.error("the panel does not obey", why=str(found))
                self._tell_troubles()
        else:
            if self._troubles and self._troubles.pop(signal, None) is not None:
                _log.info("the panel obeys again", signal=signal)
                self._tell_troubles()

    def _tell_troubles(self) -> None:
        what = "; ".join(error.what for error in self._troubles.values())
        mends = dict.fromkeys(error.mend for error in self._troubles.values())
        self._on_trouble(f"{what} -> {'; '.join(mends)}" if what else "")
