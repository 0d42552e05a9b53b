"""One press inside the talk gate, and what the gate gives out for it."""

from collections import deque
from typing import Generic, TypeVar

from msgspec import Struct

from protocol.ids import RequestId

F = TypeVar("F")
P = TypeVar("P")


class Cut(Struct, Generic[F], frozen=True, kw_only=True):
    """Encode this part of a device frame for a request; `final`: nothing of that request follows.

    `end_s` may lie before the end of what was cut earlier (the button's word came late): drop what is not encoded yet.
    """

    request_id: RequestId
    frame: F | None
    start_s: float
    end_s: float
    final: bool


class Send(Struct, Generic[P], frozen=True, kw_only=True):
    """Write this now. `packet` is None on a bare last frame; `capture_ms` counts from the button's edge."""

    burst: int
    seq: int
    capture_ms: int
    packet: P | None
    last: bool
    captured_at_s: float


class Request(Generic[P]):
    """One press: its capture, its permission and what waits to be sent."""

    __slots__ = (
        "burst",
        "closed",
        "edge_at",
        "final_kept",
        "first_seq",
        "granted_at",
        "held",
        "keep_from",
        "last_pulled",
        "next_seq",
        "queue",
        "request_id",
        "until",
        "up_at",
        "zero_at",
    )

    def __init__(self, request_id: RequestId, edge_at: float) -> None:
        self.request_id = request_id
        self.edge_at = edge_at
        self.keep_from = edge_at
        self.zero_at = edge_at
        self.up_at: float | None = None
        self.closed = False
        self.final_kept = False
        self.last_pulled = False
        self.burst: int | None = None
        self.granted_at = 0.0
        self.until = 0.0
        self.held = False
        self.first_seq = 0
        self.next_seq = 0
        self.queue: deque[tuple[P, float]] = deque()

    @property
    def last_seq(self) -> int | None:
        """Number of the last frame given out; None where there was none."""
        return self.next_seq - 1 if self.next_seq > self.first_seq else None

    @property
    def all_pulled(self) -> bool:
        """All that will ever be sent was given out."""
        return self.final_kept and not self.queue and (self.last_pulled or self.next_seq == self.first_seq)
