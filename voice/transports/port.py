"""The port of a voice transport: how numbered frames leave and arrive. Everything belongs to the loop's thread."""

from typing import Protocol

from msgspec import Struct

from protocol.voice_frame import VoiceFrame
from protocol.worker import AgoraState, Flood, Token


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


class TokenNeeded(Struct, frozen=True):
    """A (new) token for this channel is needed."""

    channel: str
    why: str


class StateIs(Struct, frozen=True):
    """A transport that joins channels changed its state; `join_ms` is how long the join took."""

    state: AgoraState
    detail: str = ""
    join_ms: int | None = None


class Flooded(Struct, frozen=True):
    """A member floods the voice topic, or its flood is over."""

    word: Flood


TransportEvent = LinkUp | LinkDown | Arrived | Sent | InChannel | Bad | TokenNeeded | StateIs | Flooded


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

    def token(self, token: Token) -> None:
        """Take the right to join a channel; a newer one replaces it. One that needs none forgets it."""

    def join(self, event_id: str, channel: str) -> None:
        """Take part in a session, in its channel; InChannel follows once its voice is heard."""

    def leave(self) -> None:
        """Take part in none."""

    def hear(self, burst: int, user: str, uid: int) -> None:
        """`user` speaks `burst` by the server's announcement, over Agora as `uid` (0: not there)."""

    def deaf(self) -> None:
        """Nobody is to be heard any more."""

    def speak(self, burst: int, as_user: str | None) -> None:
        """Speech of `burst` may leave from now on, under `as_user`'s name where that is not null."""

    def hush(self, *, drain: bool) -> None:
        """No more speech may leave. `drain`: what was sent may still play out, else it is thrown away if it can be."""

    def room(self, now: float) -> bool:
        """Whether a frame given now would leave soon. False while the link stalls: wait, and drop what grows old."""

    def send(self, frame: VoiceFrame, now: float, pcm: bytes = b"") -> bool:
        """Write a frame, or its sound `pcm` (16-bit mono at the devices' rate), as the network carries it.

        False where it was not taken, and is gone.
        """

    def gone_by(self, deadline_s: float | None) -> None:
        """What is stuck must not leave the machine later than this; None lifts it."""

    def tick(self, now: float) -> None:
        """Let time pass: look for acknowledgements, give up a dead connection."""

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest."""
