"""What the parts of the bridge's core share."""

from collections.abc import Callable

from dispatch.bridge.core.words import BridgeEffect, Note, Publish, ToWorker
from protocol.ids import UnixMs
from protocol.messages import Message
from protocol.topics import Kind
from protocol.worker import Command


class Context:
    """Effects of the event being handled, and the facts every part may read."""

    def __init__(self, user: str, chance: Callable[[], float]) -> None:
        """`user` is the bridge's own id; `chance()` gives a number in [0, 1)."""
        self.user = user
        self.chance = chance
        self.link_up = False
        """Written by Member."""
        self.wall_ms: UnixMs = 0
        """Unix time of this event, ms."""
        self._out: list[BridgeEffect] = []

    def emit(self, effect: BridgeEffect) -> None:
        """Add an effect; they are carried out in order once the event is handled."""
        self._out.append(effect)

    def take(self) -> tuple[BridgeEffect, ...]:
        """Give and forget the effects so far."""
        out, self._out = tuple(self._out), []
        return out

    def voice(self, command: Command) -> None:
        """Command the voice worker."""
        self.emit(ToWorker(command=command))

    def note(self, text: str, *, warning: bool = False, **fields: object) -> None:
        """Write a line of the log."""
        self.emit(Note(text=text, fields=fields, warning=warning))

    def publish(self, kind: Kind, message: Message | None, *items: str, token: int | None = None) -> None:
        """Publish on one of the bridge's own topics, where the link is up; all but heartbeats are retained."""
        if self.link_up:
            retain = kind is not Kind.HEARTBEAT
            self.emit(Publish(kind=kind, ids=(self.user, *items), message=message, retain=retain, token=token))
