"""Traces, listeners' reports and heartbeats on their way into the store: they wait until the floor has nothing to do,
and never for long."""

from collections import Counter, deque
from collections.abc import Sequence
from typing import Protocol

from dispatch.ports import StoreUnavailable
from dispatch.rest.limits import Allowance
from dispatch.traces.store import Arrived, Said
from protocol.ids import OfficeId
from protocol.messages import PressTrace
from service.logs import Log

WAITING_MAX = 2000
"""Presses' own traces that wait, and as many of everything else: neither takes the other's room."""
WAITING_OF_ONE_MAX = 60
"""A vehicle tells at most 50 presses at once; one that tells more is not listened to."""
OF_ONE_AT_ONCE, OF_ONE_PER_S = 2000, 0.5
"""So much of one member is kept, and so much more each second, of its presses and of everything else: no member fills
the office's disk. Of talks of 3 s each, all day long, a member has one thing to tell in 3 s, and of its own presses as
many more."""
BATCH = 100
EVERY_S = 0.5
RETRY_S = 5.0
_log = Log(__name__)


class Keeper(Protocol):
    """Where they go; `dispatch.traces.store.TraceStore` is one."""

    def put(self, batch: Sequence[Arrived]) -> None:
        """Keep them. Raises StoreUnavailable."""


class _Room:
    """What waits of one kind, in the order it came, within the bounds above."""

    def __init__(self) -> None:
        self.waiting: deque[Arrived] = deque()
        self._of: Counter[tuple[OfficeId, str]] = Counter()
        self._kept = Allowance(OF_ONE_AT_ONCE, OF_ONE_PER_S)

    def put(self, one: Arrived, now: float) -> bool:
        """Take one in; False where there is no room."""
        key, member = (one.office, one.user), f"{one.office}/{one.user}"
        if len(self.waiting) >= WAITING_MAX or self._of[key] >= WAITING_OF_ONE_MAX:
            return False
        if self._kept.wait_s(member, now) > 0:
            return False
        self._kept.spend(member, now)
        self._of[key] += 1
        self.waiting.append(one)
        return True

    def first(self, most: int) -> list[Arrived]:
        """Give the oldest, which stay."""
        return [self.waiting[place] for place in range(min(most, len(self.waiting)))]

    def drop(self, count: int) -> None:
        """Forget so many of the oldest."""
        for _ in range(count):
            one = self.waiting.popleft()
            self._of[one.office, one.user] -= 1
            if not self._of[one.office, one.user]:
                del self._of[one.office, one.user]


class TraceBook:
    """`take` as they come; `step` in quiet moments once `next_at` has come."""

    def __init__(self, keeper: Keeper) -> None:
        """Nothing waits."""
        self.next_at = float("inf")
        self.dropped = 0
        """Those that found no room."""
        self._keeper = keeper
        self._presses, self._rest = _Room(), _Room()
        self._away = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._presses.waiting) + len(self._rest.waiting)

    def take(self, office: OfficeId, user: str, said: Said, now: float, wall_ms: int) -> None:
        """Take one in; past its bounds it is dropped and counted."""
        idle = not self.waiting
        room = self._presses if isinstance(said, PressTrace) else self._rest
        if not room.put(Arrived(office=office, user=user, received_at=wall_ms, said=said), now):
            self.dropped += 1
        elif idle:
            self.next_at = now + EVERY_S

    def step(self, now: float) -> None:
        """Write one batch, presses first; what cannot be written now is kept."""
        presses = self._presses.first(BATCH)
        rest = self._rest.first(BATCH - len(presses))
        try:
            self._keeper.put([*presses, *rest])
        except StoreUnavailable as error:
            self.next_at = now + RETRY_S
            if not self._away:
                _log.warning("traces of presses wait", why=error, waiting=self.waiting)
            self._away = True
            return
        self._away = False
        self._presses.drop(len(presses))
        self._rest.drop(len(rest))
        if not self.waiting:
            self.next_at = float("inf")
        else:
            self.next_at = now if self.waiting >= BATCH else now + EVERY_S

    def finish(self, now: float) -> None:
        """The service stops: write what waits, as long as the store takes it."""
        while self.waiting and not self._away:
            self.step(now)
        if self.waiting:
            _log.error("traces of presses are lost: the store does not take them", lost=self.waiting)
