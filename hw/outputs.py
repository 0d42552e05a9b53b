"""One driven pin, switched or pulse-width modulated; what motor, buzzer, lights and mute line stand on."""

from __future__ import annotations

from typing import Any

import gpiozero

from hw.board import Level


class SwitchedPin:
    """A pin that is on or off, off from the start; on at a value of 0.5 or more. gpiozero's errors pass through."""

    def __init__(self, pin: int, *, active: Level, factory: Any) -> None:
        self._device = gpiozero.OutputDevice(
            pin, active_high=active == "high", initial_value=False, pin_factory=factory
        )

    def set(self, value: float) -> None:
        """Switch it; 0 is off, and already true of a closed pin."""
        if value == 0 and self._device.closed:
            return
        self._device.value = value >= 0.5

    def value(self) -> float:
        """0.0 or 1.0, as the pin says."""
        return float(self._device.value)

    def close(self) -> None:
        """Switch off and release the pin; idempotent. A real pin floats afterwards (docs/wiring.md)."""
        if not self._device.closed:
            self._device.off()
        self._device.close()


class PwmPin:
    """A pin driven by pulses of a duty from 0 to 1, at 0 from the start. gpiozero's errors pass through."""

    def __init__(self, pin: int, *, active: Level, hz: int, factory: Any) -> None:
        self._device = gpiozero.PWMOutputDevice(
            pin, active_high=active == "high", initial_value=0, frequency=hz, pin_factory=factory
        )
        self._hz = hz

    def set(self, value: float, hz: int | None = None) -> None:
        """Set the duty (clamped to 0-1; 0 is already true of a closed pin), and with `hz` the frequency before it."""
        if value == 0 and self._device.closed:
            return
        if hz is not None and hz != self._hz:
            self._device.frequency = hz
            self._hz = hz
        self._device.value = min(max(value, 0.0), 1.0)

    def value(self) -> float:
        """The duty, as the pin says."""
        return float(self._device.value)

    def close(self) -> None:
        """Set the duty to 0 and release the pin; idempotent. A real pin floats afterwards (docs/wiring.md)."""
        if not self._device.closed:
            self._device.value = 0
        self._device.close()
