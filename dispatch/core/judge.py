"""The judge: what it has seen unchanged, for how long, on its own monotonic clock.

No clock is stored and none is compared between machines. The judge's clock runs only while broker and store can be
reached, and a jump (a stopped process) counts as one step of at most `STEP_S_MAX`, so time in which nobody could have
renewed never frees a floor. A verdict names what was seen; the transaction changes nothing if the row has moved on.
"""

import heapq
from collections.abc import Iterable

from msgspec import Struct

from dispatch.core.inputs import Forget, GraceOver, HangOver, LeaseOver, LimitOver
from dispatch.core.state import Floor, FloorState, Member, OfficeRules
from protocol.ids import RequestId
from protocol.timers import (
    FIRST_RENEW_S,
    LEASE_S,
    OUTAGE_GRACE_S,
    PARTICIPANT_EXPIRE_S,
    QUEUED_EXPIRE_S,
    RESTART_GRACE_S,
    REVOKE_GRACE_S,
    TALK_LIMIT_SERVER_EXTRA_S,
    WILL_GRACE_S,
)

STEP_S_MAX = 1.0
"""Longer than the loop ever sleeps (office.REFRESH_EVERY_S), or idle time would count only in part."""
ROUNDING_S = 1e-6
"""Sums of floats: what is due within this is due, or a deadline could lie a rounding error ahead for ever."""
RETRY_S = 0.5
"""A verdict that could not be carried out (store away) comes again after this time."""


class Clock:
    """Time that counts: connected, and really turning."""

    def __init__(self) -> None:
        """Start stopped, at 0."""
        self.time_s = 0.0
        self.running = False
        self._last = 0.0

    def advance(self, now: float) -> None:
        """Move with the process's clock; a longer pause than STEP_S_MAX counts only that much."""
        if self.running:
            self.time_s += min(max(now - self._last, 0.0), STEP_S_MAX)
        self._last = now

    def run(self, now: float, running: bool) -> None:
        """Start or stop counting."""
        self.advance(now)
        self.running = running


class Expired(Struct, frozen=True, kw_only=True):
    """Verdict: this member gave no sign of life since `beats`."""

    user: str
    beats: int


Verdict = LeaseOver | LimitOver | GraceOver | HangOver | Forget | Expired


class _Seen:
    """A key, and when it was first seen as it is."""

    __slots__ = ("key", "since")

    def __init__(self) -> None:
        self.key: object = None
        self.since = 0.0

    def look(self, key: object, time_s: float) -> None:
        if key != self.key:
            self.key, self.since = key, time_s


class Judge:
    """Watches one office's floor and members. All times are of its clock, in seconds."""

    def __init__(self, rules: OfficeRules, clock: Clock) -> None:
        """`clock` is shared by the offices of one process."""
        self._rules = rules
        self._clock = clock
        self._floor: Floor | None = None
        self._lease, self._limit, self._grace, self._hang = _Seen(), _Seen(), _Seen(), _Seen()
        self._lease_s = LEASE_S
        self._members: dict[str, int] = {}
        self._expiry: list[tuple[float, str, int]] = []
        self._waiting: dict[str, tuple[RequestId, float]] = {}

    def change_rules(self, rules: OfficeRules) -> None:
        """Judge by these limits from now on."""
        self._rules = rules

    def see_floor(self, floor: Floor) -> None:
        """Take notice of the floor as committed."""
        t = self._clock.time_s
        first = self._floor is None
        self._floor = floor
        held = floor.state is not FloorState.IDLE
        pair = (floor.burst, floor.renew_no) if held else None
        if pair != self._lease.key:
            self._lease_s = FIRST_RENEW_S if floor.renew_no == 0 else RESTART_GRACE_S if first else LEASE_S
        self._lease.look(pair, t)
        self._limit.look(floor.burst if held else None, t)
        self._grace.look(floor.burst if floor.state is FloorState.PENDING_REVOKE else None, t)
        self._hang.look(floor.rev if floor.active and not held else None, t)
        fresh = {q.user: q.request_id for q in floor.queue}
        self._waiting = {
            u: self._waiting[u] if self._waiting.get(u, (None,))[0] == r else (r, t) for u, r in fresh.items()
        }

    def see_members(self, members: Iterable[Member]) -> None:
        """Take notice of members as committed; those not alive are forgotten."""
        due = self._clock.time_s + PARTICIPANT_EXPIRE_S
        for member in members:
            if not member.present:
                self._members.pop(member.user, None)
            elif self._members.get(member.user) != member.beats:
                self._members[member.user] = member.beats
                heapq.heappush(self._expiry, (due, member.user, member.beats))

    def see_waiting(self, user: str) -> None:
        """A queued member repeated its request."""
        if user in self._waiting:
            self._waiting[user] = (self._waiting[user][0], self._clock.time_s)

    def see_will(self, user: str) -> None:
        """The holder's connection died: it has WILL_GRACE_S to renew over a newer one."""
        if self._floor and self._floor.holder == user and self._lease.key is not None:
            left = self._lease.since + self._lease_s - self._clock.time_s
            if left > WILL_GRACE_S:
                self._lease_s -= left - WILL_GRACE_S

    def back(self) -> None:
        """Broker and store are back: a holder gets at least OUTAGE_GRACE_S to renew."""
        left = self._lease.since + self._lease_s - self._clock.time_s
        if left < OUTAGE_GRACE_S:
            self._lease.since += OUTAGE_GRACE_S - left

    def remaining_s(self) -> float | None:
        """How long the present burst can last at most, by this judge; None while the floor is idle."""
        if self._limit.key is None:
            return None
        return max(0.0, self._rules.talk_limit_s - (self._clock.time_s - self._limit.since))

    def next_s(self) -> float | None:
        """Time of its clock at which the next verdict is due."""
        return min((at for at, _ in self._pending()), default=None)

    def due(self, behind_s: float = 0.0) -> tuple[Verdict, ...]:
        """Give the verdicts due as of `behind_s` ago: what came since is not known yet, and may speak against one.

        Each comes again after RETRY_S until what it saw has changed.
        """
        t = self._clock.time_s - behind_s
        verdicts = tuple(v for at, v in self._pending() if at <= t + ROUNDING_S)
        for verdict in verdicts:
            self._put_off(verdict, t)
        return verdicts

    def _limits(self) -> tuple[tuple[_Seen, float], ...]:
        return (
            (self._lease, self._lease_s),
            (self._limit, self._rules.talk_limit_s + TALK_LIMIT_SERVER_EXTRA_S),
            (self._grace, REVOKE_GRACE_S),
            (self._hang, self._rules.hang_s),
        )

    def _pending(self) -> list[tuple[float, Verdict]]:
        floor = self._floor
        found: list[tuple[float, Verdict]] = []
        if floor is not None:
            verdicts: tuple[Verdict, ...] = (
                LeaseOver(burst=floor.burst, renew_no=floor.renew_no),
                LimitOver(burst=floor.burst),
                GraceOver(burst=floor.burst),
                HangOver(rev=floor.rev),
            )
            found = [
                (seen.since + limit_s, verdict)
                for (seen, limit_s), verdict in zip(self._limits(), verdicts, strict=True)
                if seen.key is not None and not (isinstance(verdict, LimitOver) and floor.state is not FloorState.TAKEN)
            ]
        found += [
            (since + QUEUED_EXPIRE_S, Forget(user=user, request_id=request_id))
            for user, (request_id, since) in self._waiting.items()
        ]
        while self._expiry and self._members.get(self._expiry[0][1]) != self._expiry[0][2]:
            heapq.heappop(self._expiry)
        if self._expiry:
            at, user, beats = self._expiry[0]
            found.append((at, Expired(user=user, beats=beats)))
        return found

    def _put_off(self, verdict: Verdict, t: float) -> None:
        match verdict:
            case Expired(user=user, beats=beats):
                heapq.heapreplace(self._expiry, (t + RETRY_S, user, beats))
            case Forget(user=user, request_id=request_id):
                self._waiting[user] = (request_id, t - QUEUED_EXPIRE_S + RETRY_S)
            case LeaseOver() | LimitOver() | GraceOver() | HangOver():
                place = (LeaseOver, LimitOver, GraceOver, HangOver).index(type(verdict))
                seen, limit_s = self._limits()[place]
                seen.since = t - limit_s + RETRY_S
