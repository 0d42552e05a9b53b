"""The port of a voice transport: how numbered frames leave and arrive. Everything belongs to the loop's thread."""

from typing import Protocol

from msgspec import Struct

from protocol.voice_frame import VoiceFrame


class LinkUp(Struct, frozen=True):
    """Frames can be sent and heard from now on."""


class LinkDown(Struct, frozen=True):
    """They cannot; `reason` is for a technician. Told at each change, and at the first failure."""

    reason: str


class Arrived(Struct, frozen=True, gc=False):
    """A frame on `user`'s topic, read at `at_s`."""

    user: str
    frame: VoiceFrame
    at_s: float
    pcm: bytes | None = None
    """16-bit mono sound at the devices' rate, where the network brought sound instead of an Opus packet."""


class Sent(Struct, frozen=True, gc=False):
    """Everything up to this frame is acknowledged by the other end of our connection."""

    burst: int
    seq: int


class InChannel(Struct, frozen=True):
    """The channel of this session is joined."""

    event_id: str


class Bad(Struct, frozen=True):
    """Something arrived that is no voice frame, or was refused; dropped."""

    what: str


TransportEvent = LinkUp | LinkDown | Arrived | Sent | InChannel | Bad


class VoiceTransport(Protocol):
    """One way for voice. It tells TransportEvents to whoever made it."""

    name: str

    def start(self) -> None:
        """Connect, and keep connecting for ever, with back-off."""

    def stop(self) -> None:
        """Close at once."""

    @property
    def up(self) -> bool:
        """Frames can be sent and heard."""

    def join(self, event_id: str) -> None:
        """Take part in a session; InChannel follows once its voice is heard."""

    def leave(self) -> None:
        """Take part in none."""

    def room(self, now: float) -> bool:
        """Whether a frame given now would leave soon. False while the link stalls: wait, and drop what grows old."""

    def send(self, frame: VoiceFrame, now: float) -> bool:
        """Write a frame; False where it was not taken, and is gone."""

    def gone_by(self, deadline_s: float | None) -> None:
        """What is stuck must not leave the machine later than this; None lifts it."""

    def tick(self, now: float) -> None:
        """Let time pass: look for acknowledgements, give up a dead connection."""

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest."""
