"""The thread that gives the office what was said and fetches what was missed; the loop only hands over and is told.

`requests` is loaded here, not before: no press waits for it. Uploads are few and short-lived: at most UPLOADS_MAX wait,
for UPLOAD_S at the longest, and none outlives the process.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from protocol.burst_file import BurstFile
from protocol.rest import KeptBurst
from protocol.worker import MISSED_MAX, MissedBurst
from protocol.worker_settings import RestAccess, WorkerSettings
from service.logs import Log

if TYPE_CHECKING:
    from voice.burst_rest import AskFailed, BurstRest

UPLOADS_MAX: Final = 5
UPLOAD_S: Final = 600.0
RETRY_S: Final = 1.0
RETRY_S_MAX: Final = 60.0
SETTLE_S: Final = 0.2
"""The server must have read of the release before it takes the burst."""
KEEPS_NOTHING: Final = "replay_off"
"""The problem that says that the office keeps no bursts (any more)."""
log = Log(__name__)


class Fetched(Struct, frozen=True):
    """What came of a question: what is listed, and what of it was fetched now. `after` None: it was an upload."""

    after: int | None
    ok: bool
    listed: tuple[MissedBurst, ...] = ()
    bursts: tuple[tuple[MissedBurst, BurstFile], ...] = ()
    keeps_nothing: bool = False


class _Upload(Struct):
    file: BurstFile
    until: float
    next_at: float
    tries: int = 0


class _Fetch(Struct, frozen=True):
    after: int
    upto: int
    known: frozenset[int]


class BurstOffice:
    """`done` is called on the thread with what came of each fetch."""

    def __init__(
        self,
        access: RestAccess,
        secret: str,
        done: Callable[[Fetched], object],
        clock: Callable[[], float] = time.monotonic,
        rest: Callable[[], BurstRest] | None = None,
    ) -> None:
        self._access = access
        self._secret = secret
        self._done = done
        self._clock = clock
        self._make_rest = rest or self._open
        self._changed = threading.Condition()
        self._uploads: deque[_Upload] = deque()
        self._fetches: deque[_Fetch] = deque(maxlen=2)
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="bursts", daemon=True)
        self.dropped = 0
        """Bursts that were never uploaded."""

    def upload(self, file: BurstFile) -> None:
        """Give a burst to the office, now or later; over UPLOADS_MAX the oldest is dropped."""
        now = self._clock()
        with self._changed:
            self._uploads.append(_Upload(file, now + UPLOAD_S, now + SETTLE_S))
            while len(self._uploads) > UPLOADS_MAX:
                self._uploads.popleft()
                self.dropped += 1
        self._wake()

    def fetch(self, after: int, upto: int, known: frozenset[int]) -> None:
        """Ask what others said after `after` up to `upto`, and fetch what is not `known`."""
        with self._changed:
            self._fetches.append(_Fetch(after, upto, known))
        self._wake()

    def stop(self) -> None:
        """Ask no more; what is under way is left to itself, and nothing of it is told."""
        self._done = lambda fetched: None
        with self._changed:
            self._ending = True
            self._changed.notify()

    def _wake(self) -> None:
        with self._changed:
            if self._thread.ident is None:
                self._thread.start()
            self._changed.notify()

    # --- our thread ---------------------------------------------------------------------------------------------------

    def _open(self) -> BurstRest:
        from voice.burst_rest import BurstRest

        return BurstRest(self._access, self._secret)

    def _run(self) -> None:
        rest = self._make_rest()
        while (job := self._next()) is not None:
            try:
                self._ask(rest, job)
            except Exception:  # the top of the thread: told and counted, and live voice goes on
                self.dropped += 1
                log.exception("asking the office failed")
        rest.close()

    def _ask(self, rest: BurstRest, job: _Fetch | _Upload) -> None:
        if isinstance(job, _Fetch):
            self._done(self._fetched(rest, job))
        else:
            self._try(rest, job)

    def _next(self) -> _Fetch | _Upload | None:
        with self._changed:
            while not self._ending:
                now = self._clock()
                if self._fetches:
                    return self._fetches.popleft()
                due = min(self._uploads, key=lambda upload: upload.next_at, default=None)
                if due is not None and due.next_at <= now:
                    self._uploads.remove(due)
                    return due
                self._changed.wait(None if due is None else due.next_at - now)
        return None

    def _try(self, rest: BurstRest, upload: _Upload) -> None:
        from voice.burst_rest import AskFailed

        try:
            rest.upload(upload.file)
        except AskFailed as error:
            self._failed(upload, error)
            return
        log.info("burst uploaded", burst=upload.file.burst, packets=len(upload.file.packets), tries=upload.tries + 1)

    def _failed(self, upload: _Upload, error: AskFailed) -> None:
        upload.tries += 1
        wait_s = max(min(RETRY_S_MAX, RETRY_S * 2 ** min(upload.tries - 1, 6)), error.retry_after_s)
        upload.next_at = self._clock() + wait_s
        if error.code == KEEPS_NOTHING:
            with self._changed:
                self._uploads.clear()
            self._done(Fetched(None, False, keeps_nothing=True))
        if not error.again or upload.next_at > upload.until:
            self.dropped += 1
            log.warning("burst not uploaded", burst=upload.file.burst, why=str(error), tries=upload.tries)
            return
        with self._changed:
            if len(self._uploads) < UPLOADS_MAX:
                self._uploads.append(upload)
            else:
                self.dropped += 1

    def _fetched(self, rest: BurstRest, job: _Fetch) -> Fetched:
        from voice.burst_rest import AskFailed

        try:
            kept = [each for each in rest.listed(job.after) if job.after < each.burst <= job.upto][-MISSED_MAX:]
        except AskFailed as error:
            log.warning("what was missed cannot be asked for", why=str(error))
            return Fetched(job.after, error.code == KEEPS_NOTHING)
        listed = tuple(map(_missed, kept))
        bursts, ok = [], True
        for missed in listed:
            if missed.burst in job.known:
                continue
            try:
                bursts.append((missed, rest.fetch(missed.burst)))
            except AskFailed as error:
                ok = ok and not error.again
                log.warning("what was missed cannot be fetched", burst=missed.burst, why=str(error))
        return Fetched(job.after, ok, listed, tuple(bursts))


def _missed(kept: KeptBurst) -> MissedBurst:
    return MissedBurst(burst=kept.burst, user=kept.user, name=kept.name, ago_s=kept.ago_s, seconds=kept.seconds)


def open_office(settings: WorkerSettings, done: Callable[[Fetched], object]) -> BurstOffice | None:
    """Give the way to the office of an enrolled unit; None where there is none."""
    if settings.rest is None or settings.mqtt.password is None:
        return None
    return BurstOffice(settings.rest, settings.mqtt.password, done)
