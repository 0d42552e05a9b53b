"""Traces, listeners' reports and heartbeats on their way into the store: they wait until the floor has nothing to do,
and never for long."""

from collections import Counter, deque
from collections.abc import Sequence
from typing import Protocol

from dispatch.ports import StoreUnavailable
from dispatch.rest.limits import Allowance
from dispatch.traces.store import Arrived, Said
from protocol.ids import OfficeId
from service.logs import Log

WAITING_MAX = 2000
WAITING_OF_ONE_MAX = 60
"""A vehicle tells at most 50 presses at once; one that tells more is not listened to."""
OF_ONE_AT_ONCE, OF_ONE_PER_S = 2000, 0.5
"""So much of one member is kept, and so much more each second: no member fills the office's disk. Of talks of 3 s each,
all day long, a member has one thing to tell in 3 s, and of its own presses as many more."""
BATCH = 100
EVERY_S = 0.5
RETRY_S = 5.0
_log = Log(__name__)


class Keeper(Protocol):
    """Where they go; `dispatch.traces.store.TraceStore` is one."""

    def put(self, batch: Sequence[Arrived]) -> None:
        """Keep them. Raises StoreUnavailable."""


class TraceBook:
    """`take` as they come; `step` in quiet moments once `next_at` has come."""

    def __init__(self, keeper: Keeper) -> None:
        """Nothing waits."""
        self.next_at = float("inf")
        self.dropped = 0
        """Those that found no room."""
        self._keeper = keeper
        self._waiting: deque[Arrived] = deque()
        self._of: Counter[tuple[OfficeId, str]] = Counter()
        self._kept = Allowance(OF_ONE_AT_ONCE, OF_ONE_PER_S)
        self._away = False

    def take(self, office: OfficeId, user: str, said: Said, now: float, wall_ms: int) -> None:
        """Take one in; past its bounds it is dropped and counted."""
        member, waiting = f"{office}/{user}", self._of.get((office, user), 0)
        if len(self._waiting) >= WAITING_MAX or waiting >= WAITING_OF_ONE_MAX or self._kept.wait_s(member, now) > 0:
            self.dropped += 1
            return
        self._kept.spend(member, now)
        if not self._waiting:
            self.next_at = now + EVERY_S
        self._of[office, user] += 1
        self._waiting.append(Arrived(office=office, user=user, received_at=wall_ms, said=said))

    def step(self, now: float) -> None:
        """Write one batch; what cannot be written now is kept."""
        batch = [self._waiting[place] for place in range(min(BATCH, len(self._waiting)))]
        try:
            self._keeper.put(batch)
        except StoreUnavailable as error:
            self.next_at = now + RETRY_S
            if not self._away:
                _log.warning("traces of presses wait", why=error, waiting=len(self._waiting))
            self._away = True
            return
        self._away = False
        for one in batch:
            self._waiting.popleft()
            self._of[one.office, one.user] -= 1
            if not self._of[one.office, one.user]:
                del self._of[one.office, one.user]
        if not self._waiting:
            self.next_at = float("inf")
        else:
            self.next_at = now if len(self._waiting) >= BATCH else now + EVERY_S

    def finish(self, now: float) -> None:
        """The service stops: write what waits, as long as the store takes it."""
        while self._waiting and not self._away:
            self.step(now)
        if self._waiting:
            _log.error("traces of presses are lost: the store does not take them", lost=len(self._waiting))
