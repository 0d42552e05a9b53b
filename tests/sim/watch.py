"""What of a simulated vehicle can be watched; see invariants.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.vehicle import Vehicle
from gateway.core.words import (
    Tell,
)
from protocol.messages import FloorHeard
from tests.sim.worker import Speech
from voice.core.jitter import Packet
from voice.core.talk import Send

if TYPE_CHECKING:
    from tests.sim.car import Car


class Watch:
    """What the invariants look at; see invariants.py."""

    def pressed(self, car: Car, vehicle: Vehicle) -> None:
        """A button went down at a loop that turns."""

    def crashed(self, car: Car) -> None:
        """A vehicle's process died."""

    def told(self, car: Car, tell: Tell) -> None:
        """A driver was told."""

    def sent(self, car: Car, send: Send[Speech]) -> None:
        """A voice frame left."""

    def heard(self, car: Car, burst: int, user: str, packet: Packet[Speech]) -> None:
        """A voice frame sounded."""

    def shutdown_asked(self, car: Car, wanted: bool) -> None:
        """A vehicle asks to be switched off, or takes that back."""

    def counted(self, car: Car, said: FloorHeard) -> None:
        """A speaker is told who heard it."""

    def spares_mqtt(self, car: Car) -> None:
        """A worker has permission, and is told that everybody else has joined Agora."""
