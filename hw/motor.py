"""The vibration motor."""

from __future__ import annotations

from typing import Any

from hw.board import Board
from hw.outputs import PwmPin
from hw.patterns import Pattern, with_kick


class VibrationMotor:
    """A motor with an amplitude of 0-255, fitted to the board's least duty and kick; off from the start."""

    def __init__(self, pin: int, board: Board, factory: Any) -> None:
        self._profile = board.motor
        self._pin = PwmPin(pin, active=board.active_level("motor"), hz=board.motor.pwm_hz, factory=factory)

    def set(self, amplitude: int) -> None:
        """Drive at 0-255 (clamped): 0 is off, 1 the least duty at which this motor turns, 255 full."""
        self._pin.set(duty(amplitude, self._profile.min_duty))

    def fit(self, pattern: Pattern) -> Pattern:
        """The pattern with this motor's kick, to be given to a player."""
        return with_kick(pattern, self._profile.kick_ms)

    def value(self) -> float:
        """The duty now, 0-1."""
        return self._pin.value()

    def close(self) -> None:
        """Off, and the pin released; idempotent."""
        self._pin.close()


def duty(amplitude: int, min_duty: float) -> float:
    """Duty for an amplitude of 0-255: 0 for 0, else from `min_duty` at 1 straight up to 1.0 at 255."""
    if amplitude <= 0:
        return 0.0
    return min_duty + (1.0 - min_duty) * (min(amplitude, 255) - 1) / 254
