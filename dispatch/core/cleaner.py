"""Third line of defence: a sweep over the store that trusts neither the judge nor the broker.

It remembers between sweeps what it saw and cleans what stood still too long. In normal running it finds nothing; what
it removes is an event with a reason.
"""

from dispatch.core.floor import clean_floor, clean_session
from dispatch.core.presence import expire
from dispatch.core.state import FloorState
from dispatch.core.turn import Turn
from protocol.timers import CLEANER_PARTICIPANT_S, CLEANER_SWEEP_S

STALE_FLOOR_S = CLEANER_SWEEP_S / 2
"""A held pair (burst, renew_no) that lives this long cannot be: leases are 3 s."""


class Cleaner:
    """Sweeps one office. Times are of the judge's clock, in seconds."""

    def __init__(self, stale_session_s: float) -> None:
        """`stale_session_s`: an idle session unchanged this long should have ended."""
        self._stale_session_s = stale_session_s
        self._seen: dict[tuple[str, object], float] = {}

    def sweep(self, turn: Turn, time_s: float) -> int:
        """Clean what is stale; gives how many things were. Runs inside a transaction, so it may be run again."""
        now_seen: dict[tuple[str, object], float] = {}

        def stood_still(kind: str, key: object) -> float:
            since = self._seen.get((kind, key), time_s)
            now_seen[kind, key] = since
            return time_s - since

        cleaned = 0
        floor = turn.floor
        if floor.state is not FloorState.IDLE:
            if stood_still("floor", (floor.burst, floor.renew_no, floor.state)) >= STALE_FLOOR_S:
                clean_floor(turn, floor.burst)
                cleaned += 1
        elif floor.active and stood_still("session", floor.rev) >= self._stale_session_s:
            clean_session(turn)
            cleaned += 1
        for member in turn.tx.members():
            stale = member.present and stood_still("member", (member.user, member.beats)) >= CLEANER_PARTICIPANT_S
            if stale and expire(turn, member.user, member.beats, "cleaned: stale_participant"):
                cleaned += 1
        self._next = now_seen
        return cleaned

    def committed(self) -> None:
        """Remember what the last sweep saw; to be called once its transaction is committed."""
        self._seen = self._next
