"""Inputs of the floor control server machine, from members and from the judge, and the column heads of its table."""

from enum import StrEnum

from msgspec import Struct

from protocol.ids import RequestId
from protocol.messages import FloorRelease, FloorRenew, FloorRequest


class LeaseOver(Struct, frozen=True, kw_only=True):
    """The judge saw this pair unchanged for the lease (or, after a last will, for its grace)."""

    burst: int
    renew_no: int


class LimitOver(Struct, frozen=True, kw_only=True):
    """The judge saw this burst held longer than the limit granted and its margin."""

    burst: int


class GraceOver(Struct, frozen=True, kw_only=True):
    """A revoked holder did not release in time."""

    burst: int


class HangOver(Struct, frozen=True, kw_only=True):
    """An idle session saw no change for the hang time."""

    rev: int


class Forget(Struct, frozen=True, kw_only=True):
    """A queued member stopped repeating its request."""

    user: str
    request_id: RequestId


Input = FloorRequest | FloorRenew | FloorRelease | LeaseOver | LimitOver | GraceOver | HangOver | Forget


class Word(StrEnum):
    """Column heads of the table."""

    REQUEST = "Floor Request"
    RELEASE = "Floor Release"
    RENEW = "renewal"
    LEASE_OVER = "lease over"
    LIMIT_OVER = "talk limit over (T2)"
    GRACE_OVER = "revoke grace over (T3)"
    HANG_OVER = "hang time over (T4)"
    FORGET = "queued member gone"


class Asked(Struct, frozen=True, kw_only=True):
    """One input with who sent it and what only the judge's clock knows."""

    input: Input
    user: str = ""
    remaining_s: float | None = None
    remaining_of: int = 0
    """The burst of which that is said."""

    def at_most_s(self, burst: int, limit_s: float) -> float:
        """How long `burst`, which is being spoken, can last at most: its whole limit where the judge did not see it."""
        return limit_s if self.remaining_s is None or self.remaining_of != burst else self.remaining_s


WORDS: dict[type, Word] = {
    FloorRequest: Word.REQUEST,
    FloorRelease: Word.RELEASE,
    FloorRenew: Word.RENEW,
    LeaseOver: Word.LEASE_OVER,
    LimitOver: Word.LIMIT_OVER,
    GraceOver: Word.GRACE_OVER,
    HangOver: Word.HANG_OVER,
    Forget: Word.FORGET,
}
"""Input type -> column of the table."""
