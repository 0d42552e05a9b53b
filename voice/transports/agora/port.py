"""The port between our Agora transport and the SDK: what it needs of an RTC session, and what it is told.

`SdkSession` is made once a worker. Calls return at once (they are carried out on the session's own thread, in order);
what comes of them is told as SdkEvents, which arrive in the loop's thread. No SDK type crosses this port.
"""

from typing import Protocol

from msgspec import Struct

from protocol.worker import Token


class Connected(Struct, frozen=True):
    """The channel is joined; `took_ms` since `connect`."""

    channel: str
    took_ms: int


class Closed(Struct, frozen=True):
    """The channel is left or lost. `again`: the SDK tries to come back by itself and Connected may follow."""

    reason: str
    again: bool


class Refused(Struct, frozen=True):
    """The join was refused: bad, expired or foreign token, kicking rule, bad channel. `token`: a new one may help."""

    reason: str
    token: bool


class TokenExpires(Struct, frozen=True):
    """The token runs out in some 30 s."""


class Speech(Struct, frozen=True, gc=False):
    """16-bit mono PCM of the subscribed uid at the session's rate, handed over at `at_s` (CLOCK_MONOTONIC)."""

    uid: int
    pcm: bytes
    at_s: float


class Unusable(Struct, frozen=True):
    """The SDK cannot be used at all; `detail` says what is wrong and how to mend it. Nothing else will follow."""

    detail: str


class Overrun(Struct, frozen=True):
    """Callbacks came faster than they could be taken; this many were dropped."""

    dropped: int


SdkEvent = Connected | Closed | Refused | TokenExpires | Speech | Unusable | Overrun


class SdkSession(Protocol):
    """One RTC connection at a time, audience until `publish`. Constructed with the PCM rate (Hz, mono) and a `tell`."""

    def connect(self, token: Token) -> None:
        """Join `token.channel` as `token.uid`, as audience, subscribed to nobody. A connection there is left first."""

    def disconnect(self) -> None:
        """Leave; nothing more of this connection is told afterwards."""

    def renew(self, token: Token) -> None:
        """Give the running connection a newer token of the same channel and uid."""

    def publish(self) -> None:
        """Become broadcaster and publish."""

    def push(self, pcm: bytes) -> None:
        """Send 16-bit mono PCM, a multiple of 10 ms, now. Given in real time by the caller."""

    def unpublish(self) -> None:
        """Throw away what is unsent (`interrupt_audio`), unpublish, be audience again."""

    def subscribe(self, uid: int) -> None:
        """Hear this uid and nobody else."""

    def unsubscribe(self) -> None:
        """Hear nobody."""

    def stuck_s(self, now: float) -> float:
        """How long the SDK has not returned from a call, as of `now` (CLOCK_MONOTONIC); 0 where none is made."""

    @property
    def unpushed(self) -> int:
        """Calls' worth of sound dropped since start because the SDK came to them too late."""

    def close(self) -> None:
        """Leave, release everything; waits for the thread at most 1 s."""
