"""One press inside the talk gate, and what the gate gives out for it."""

from collections import deque
from typing import Generic, TypeVar

from msgspec import Struct

from protocol.ids import RequestId

F = TypeVar("F")
P = TypeVar("P")

WORK_OFF_SHARE = 0.1
"""Of the time that passes, the least by which speech that waits behind pre-roll catches up; see voice.hurry."""


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
        "behind_s",
        "burst",
        "closed",
        "edge_at",
        "final_kept",
        "first_seq",
        "held",
        "keep_from",
        "last_pulled",
        "next_seq",
        "opened_at",
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
        self.opened_at: float | None = None
        self.behind_s = 0.0
        self.until = 0.0
        self.held = False
        self.first_seq = 0
        self.next_seq = 0
        self.queue: deque[tuple[P, float]] = deque()

    @property
    def last_seq(self) -> int | None:
        """Number of the last frame given out; None where there was none."""
        return self.next_seq - 1 if self.next_seq > self.first_seq else None

    def open(self, now: float) -> None:
        """A way takes its speech for the first time: what waited is pre-roll."""
        if self.opened_at is None and self.queue:
            self.opened_at = now
            self.behind_s = now - self.queue[0][1]

    def age_s(self, now: float, *, paced: bool, free_until: float) -> float:
        """How much too long its oldest packet has been waiting for a way; 0 where nothing waits.

        Waiting for the grant and for the first way costs nothing, nor does any before `free_until`. `paced`: the way
        takes speech no faster than it is spoken, so that what came later waits behind the pre-roll, which is worked
        off at WORK_OFF_SHARE at least.
        """
        if not self.queue or self.opened_at is None:
            return 0.0
        worked_off_s = WORK_OFF_SHARE * (now - self.opened_at)
        behind_s = max(0.0, self.behind_s - worked_off_s) if paced else 0.0
        return now - max(self.queue[0][1], self.opened_at, free_until) - behind_s

    @property
    def all_pulled(self) -> bool:
        """All that will ever be sent was given out."""
        return self.final_kept and not self.queue and (self.last_pulled or self.next_seq == self.first_seq)
