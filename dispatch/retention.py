"""The log's end: events that are old enough are deleted, a few at a time, while the floor has nothing to do."""

from collections.abc import Iterable
from typing import Protocol

from dispatch.ports import StoreUnavailable
from protocol.ids import OfficeId
from service.logs import Log

BATCH = 100
"""Events deleted at once: the floor's next transaction waits for at most so many."""
EVERY_S = 1.0
"""Between two batches, while there is something to delete."""
LOOK_EVERY_S = 3600.0
DAY_MS = 86_400_000
JUMP_MS = DAY_MS // 2
"""A clock that was set forward by more than this may be wrong: nothing is deleted until it has held so for a day."""
_log = Log(__name__)


class Prunable(Protocol):
    """What the log lies in; `dispatch.store.sql.SqlStore` is one."""

    def prune(self, office: OfficeId, before_ms: int, first_no: int, limit: int) -> tuple[int, int | None]:
        """Delete old events; gives how many, and where to go on. Raises StoreUnavailable."""


class Retention:
    """Deletes old events of every office; `step` is to be called in quiet moments once `next_at` has come."""

    def __init__(self, store: Prunable, keep_days: int, now: float) -> None:
        """`now`: of the process's clock (s); the first look is taken some time later, start-up is busy enough."""
        self.next_at = now + 10 * EVERY_S
        self.deleted = 0
        """Events deleted since start."""
        self._store = store
        self._keep_ms = keep_days * DAY_MS
        self._offset_ms: int | None = None
        self._trusted_at = now
        self._left: list[tuple[OfficeId, int]] = []
        """Offices still to be looked at, and from which number on."""

    def step(self, offices: Iterable[OfficeId], now: float, wall_ms: int) -> None:
        """Delete one batch, or begin to look anew."""
        if not self._trusts(now, wall_ms):
            self._left.clear()
            self.next_at = now + LOOK_EVERY_S
            return
        if not self._left:
            self._left = [(office, 0) for office in offices]
        self.next_at = now + LOOK_EVERY_S
        if not self._left:
            return
        office, first_no = self._left.pop()
        try:
            deleted, go_on = self._store.prune(office, wall_ms - self._keep_ms, first_no, BATCH)
        except StoreUnavailable as error:
            self._left.clear()
            _log.warning("old events stay for now", why=error)
            return
        self.deleted += deleted
        if go_on is not None:
            self._left.append((office, go_on))
        if self._left:
            self.next_at = now + EVERY_S

    def _trusts(self, now: float, wall_ms: int) -> bool:
        """Whether the wall clock has gone on as the other one has: a year too far, it would empty the log."""
        offset_ms = wall_ms - round(now * 1000)
        known, self._offset_ms = self._offset_ms, offset_ms
        if known is not None and offset_ms - known > JUMP_MS:
            self._trusted_at = now + DAY_MS / 1000
            _log.warning(
                "the clock was set forward, no events are deleted for a day", hours=(offset_ms - known) / 3.6e6
            )
        elif known is not None and known - offset_ms > JUMP_MS:
            self._trusted_at = now  # it was put right
        return now >= self._trusted_at
