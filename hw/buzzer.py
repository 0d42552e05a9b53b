"""The buzzer."""

from __future__ import annotations

from typing import Any

from hw.board import Board
from hw.outputs import PwmPin, SwitchedPin


class Buzzer:
    """A buzzer, silent from the start: a passive one is given tones, an active one is switched."""

    def __init__(self, pin: int, board: Board, factory: Any) -> None:
        self._profile = board.buzzer
        active = board.active_level("buzzer")
        self._pin: PwmPin | SwitchedPin = (
            PwmPin(pin, active=active, hz=board.buzzer.lowest_hz, factory=factory)
            if board.buzzer.kind == "passive"
            else SwitchedPin(pin, active=active, factory=factory)
        )

    def set(self, pitch_hz: int) -> None:
        """Sound at this pitch (clamped to the board's range), 0 for silence; an active buzzer has one pitch."""
        if isinstance(self._pin, SwitchedPin):
            self._pin.set(pitch_hz > 0)
        elif pitch_hz <= 0:
            self._pin.set(0.0)
        else:
            hz = min(max(pitch_hz, self._profile.lowest_hz), self._profile.highest_hz)
            self._pin.set(self._profile.duty, hz)

    def value(self) -> float:
        """The duty now, 0-1; 0 is silent."""
        return self._pin.value()

    def close(self) -> None:
        """Silent, and the pin released; idempotent."""
        self._pin.close()
