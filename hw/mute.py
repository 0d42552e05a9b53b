"""The mute line to the head unit."""

from __future__ import annotations

from typing import Any

from hw.board import Board
from hw.outputs import SwitchedPin


class MuteLine:
    """Asks the head unit to be silent while voice plays or the microphone is open; released from the start.

    Which level mutes differs per car and is the board's `active.mute`.
    """

    def __init__(self, pin: int, board: Board, factory: Any) -> None:
        self._pin = SwitchedPin(pin, active=board.active_level("mute"), factory=factory)

    def set(self, muted: bool) -> None:
        """Mute, or release."""
        self._pin.set(float(muted))

    def value(self) -> float:
        """1.0 while muting, else 0.0."""
        return self._pin.value()

    def close(self) -> None:
        """Released, and the pin too; idempotent."""
        self._pin.close()
