"""The probe as alerts and metrics see it: results are counted and written down, so many failures in a row are told."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from dispatch.ports import StoreUnavailable
from dispatch.probing.pressing import Result
from dispatch.probing.settings import ProbeSettings
from dispatch.probing.store import ProbeStore
from service.logs import Log

DAY_MS = 86_400_000
PRUNE_EVERY_S = 60.0
BATCH = 1000
REMEMBERED_MS = 600_000
"""Failures of a process before this one go on counting where they are no older."""

_log = Log(__name__)


class Source(Protocol):
    """Where results come from; `dispatch.probing.prober.Prober` is one."""

    waiting: deque[Result]


class ProbeSum(Struct, frozen=True, kw_only=True):
    """The probe at one moment; counts since the process's start."""

    presses: int = 0
    answered: int = 0
    failing: int = 0
    """Presses in a row without an answer, up to the newest."""
    last_s: float = 0.0
    """When the newest was made, Unix s; 0: none was yet."""
    last_took_ms: float | None = None
    """From request to grant of the newest that was answered."""
    waiting: int = 0
    """Results that the store has not taken yet."""


class ProbeWatch:
    """`step` in every look; it may wait for the disk. Nothing is lost while the store is away: results wait."""

    def __init__(
        self, source: Source, rules: ProbeSettings, open_store: Callable[[], ProbeStore], wall_ms: Callable[[], int]
    ) -> None:
        self.unanswered = ""
        """Why presses have not been answered for as long as the rules bear; empty: all is well."""
        self._source, self._rules, self._open, self._wall_ms = source, rules, open_store, wall_ms
        self._store: ProbeStore | None = None
        self._writing: deque[Result] = deque(maxlen=20_000)
        self._presses = self._answered = self._failing = 0
        self._last: Result | None = None
        self._took_ms: float | None = None
        self._resumed = False
        self._prune_at = 0.0
        self._away = ""

    def close(self) -> None:
        """Write what waits, where that can be, and let go of the store."""
        self._take()
        self._write(None)
        if self._store is not None:
            self._store.close()
            self._store = None

    @property
    def total(self) -> ProbeSum:
        """Give how it stands."""
        last = self._last
        return ProbeSum(
            presses=self._presses,
            answered=self._answered,
            failing=self._failing,
            last_s=0.0 if last is None else last.at / 1000,
            last_took_ms=self._took_ms,
            waiting=len(self._writing),
        )

    def step(self, now: float) -> None:
        """Take in what is new, and write it down."""
        self._take()
        self._write(now)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        while self._source.waiting:
            result = self._source.waiting.popleft()
            self._writing.append(result)
            self._last = result
            self._presses += 1
            self._answered += result.answered
            self._took_ms = result.took_ms if result.answered else self._took_ms
            before, self._failing = self._failing, 0 if result.answered else self._failing + 1
            if not result.answered and not before:
                _log.warning("a probe's press was not answered", why=result.why)
            elif result.answered and before:
                _log.info("a probe's press is answered again", after=before)
        self._judge()

    def _judge(self) -> None:
        over = self._failing >= self._rules.failures
        why = "" if self._last is None else self._last.why
        self.unanswered = f"{self._failing} test presses in a row were not answered: {why}" if over else ""

    def _write(self, now: float | None) -> None:
        try:
            if self._store is None:
                self._store = self._open()
            if not self._resumed:
                self._resume(self._store)
            while self._writing:
                batch = [self._writing[place] for place in range(min(BATCH, len(self._writing)))]
                self._store.put(batch)
                for _ in batch:
                    self._writing.popleft()
            if now is not None and now >= self._prune_at:
                self._prune_at = now + PRUNE_EVERY_S
                self._store.prune(self._wall_ms() - self._rules.keep_days * DAY_MS)
        except StoreUnavailable as error:
            if not self._away:
                _log.warning("what came of the probe's presses waits", why=error, waiting=len(self._writing))
            self._away = str(error)
            return
        self._away = ""

    def _resume(self, store: ProbeStore) -> None:
        """Go on counting from what an earlier process wrote last."""
        self._resumed = True
        since_ms = self._wall_ms() - REMEMBERED_MS
        before = [each for each in store.newest(self._rules.failures) if each.at >= since_ms]
        if self._presses == self._failing:  # nothing was answered in this process yet
            for result in before:
                if result.answered:
                    break
                self._failing += 1
                self._last = self._last or result
            self._judge()
