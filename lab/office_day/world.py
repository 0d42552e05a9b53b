"""What a light member needs: time, chance, a voice and the way to the broker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from protocol.messages import Message
from protocol.topics import Kind


class Say(Struct, frozen=True, kw_only=True):
    """Something to publish on a topic of its own; None takes a retained message away."""

    kind: Kind
    message: Message | None
    item: str = ""
    retain: bool = False


class Voice(Protocol):
    """What a member's speech goes over."""

    def begin(self, burst: int) -> None:
        """Speak from now on."""

    def end(self) -> int:
        """Be silent; gives how many frames were sent."""


class World(Protocol):
    """Time, chance and the way to the broker, for all members."""

    @property
    def now(self) -> float:
        """Seconds of a clock that only goes on."""

    @property
    def wall_ms(self) -> int:
        """Unix ms."""

    @property
    def clock_error_ms(self) -> int:
        """How wrong a vehicle's measured clock is."""

    def at(self, when_s: float, fn: Callable[[], None]) -> None:
        """Call `fn` then."""

    def say(self, user: str, word: Say) -> None:
        """Publish what a user says."""
