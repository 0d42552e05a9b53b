"""What the doors tell the offices' logs: at once where it can be, later where the store is away, refusals in sums."""

import threading
from collections import deque
from collections.abc import Callable

from msgspec import Struct

from dispatch.core import notices
from dispatch.ports import Store, StoreUnavailable
from dispatch.registry.port import Registry
from protocol.ids import OfficeId
from service.logs import Log

REFUSED_EVERY_S = 60.0
"""An office is told of refused codes at most this often, with their number."""
WAITING_MAX = 1000
"""So many events may wait for the store; beyond it the oldest are lost, and that is logged."""

_log = Log(__name__)


class _Sum(Struct):
    """Refusals that an office has not been told of."""

    count: int = 0
    users: set[str | None] = set()
    reasons: set[str] = set()

    def add(self, user: str | None, reason: str) -> None:
        self.count += 1
        self.users.add(user)
        self.reasons.add(reason)


class Telling:
    """Events for the offices' logs. Any thread may use it; `flush` is to be called every second or so.

    A code that nobody made has no office: every office is told of such guesses, as each may be meant.
    """

    def __init__(
        self, store: Store, registry: Registry, clock: Callable[[], float], wall_ms: Callable[[], int]
    ) -> None:
        self._store, self._registry, self._clock, self._wall_ms = store, registry, clock, wall_ms
        self._waiting: deque[tuple[OfficeId, int, notices.Log]] = deque()
        self._sums: dict[OfficeId, _Sum] = {}
        self._guesses = _Sum()
        self._told_at: dict[OfficeId, float] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self.refused = 0
        """Codes refused since the start."""

    def tell(self, office: OfficeId, what: notices.Log) -> None:
        """Write an event, now or as soon as the store is back."""
        with self._lock:
            if len(self._waiting) >= WAITING_MAX:
                self._waiting.popleft()
                _log.error("an event of an office was lost: the store is away for too long")
            self._waiting.append((office, self._wall_ms(), what))
        self._write()

    def code_refused(self, office: OfficeId | None, user: str | None, reason: str) -> None:
        """Count a refused code; the office (None: all) is told by `flush`."""
        with self._lock:
            self.refused += 1
            if office is None:
                self._guesses.add(user, reason)
            else:
                self._sums.setdefault(office, _Sum()).add(user, reason)
        _log.warning("an enrolment code was refused", reason=reason, office=office or "", user=user or "")

    def flush(self, *, last: bool = False) -> None:
        """Write what waits and what is due; with `last` all refusals, due or not. Never raises for the store."""
        try:
            self._share_guesses()
        except StoreUnavailable as error:
            _log.warning("the offices cannot be told of refused codes", why=error)
        now = self._clock()
        with self._lock:
            due = [
                office
                for office in self._sums
                if last or now - self._told_at.get(office, -REFUSED_EVERY_S) >= REFUSED_EVERY_S
            ]
            for office in due:
                found = self._sums.pop(office)
                self._told_at[office] = now
                [user] = found.users if len(found.users) == 1 else [None]
                what = notices.enrol_refused(user, ", ".join(sorted(found.reasons)), found.count)
                self._waiting.append((office, self._wall_ms(), what))
        self._write()

    def _share_guesses(self) -> None:
        with self._lock:
            if not self._guesses.count:
                return
        offices = [office.id for office in self._registry.offices()]
        with self._lock:
            guesses, self._guesses = self._guesses, _Sum()
            for office in offices:
                mine = self._sums.setdefault(office, _Sum())
                mine.count += guesses.count
                mine.users |= guesses.users
                mine.reasons |= guesses.reasons

    def _write(self) -> None:
        with self._writing:
            while self._waiting:
                office, wall_ms, what = self._waiting[0]
                try:
                    notices.log(self._store, office, wall_ms, what)
                except StoreUnavailable as error:
                    _log.warning("an event waits for the store", why=error)
                    return
                with self._lock:
                    if self._waiting and self._waiting[0][2] is what:
                        self._waiting.popleft()
