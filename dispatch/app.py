"""`ptt-dispatch serve`: everything wired together, from settings to the end of the process."""

import gc
import os
import random
import signal
import time
import uuid
from collections.abc import Mapping
from types import FrameType

from dispatch.about import version
from dispatch.admission import Admission
from dispatch.cleaning import Swept, cleaned_in
from dispatch.core.server import FloorControlServer
from dispatch.live import Live, LiveOffice, LiveSocket
from dispatch.ports import StoreUnavailable
from dispatch.probing.place import EVENTS_KEEP_DAYS, PROBE_OFFICE, real
from dispatch.registry.sql import SqlRegistry
from dispatch.retention import Retention
from dispatch.settings import DispatchSettings
from dispatch.shell import DispatchShell
from dispatch.store.sql import SqlStore
from dispatch.traces.book import TraceBook
from dispatch.traces.store import TraceStore
from service.logs import Log
from service.loop import Loop
from service.systemd import Notifier

STATUS_EVERY_S = 1.0
TIDY_EVERY_S = 30.0
QUIET_S = 0.5
"""The store is tidied only where nothing was due for this long."""
LULL_S = 0.05
"""Old events are deleted only where nothing is due for this long."""

_log = Log(__name__)


class App:
    """A dispatch process. Raises StoreError, SettingsError, AlreadyRunning, OSError at construction."""

    def __init__(self, settings: DispatchSettings, *, adopt: bool, environ: Mapping[str, str] = os.environ) -> None:
        self._settings = settings
        self._started_at = time.monotonic()
        self._store = SqlStore(settings.store.sqlalchemy_url)
        self._trace_store = TraceStore(settings.store.sqlalchemy_url)
        self._traces = TraceBook(self._trace_store)
        self._loop = Loop()
        self._notifier = Notifier(environ)
        self._admission = self._admit(settings)
        offices = settings.offices if self._admission is None else self._admission.rules
        self._server = FloorControlServer(offices, self._store, lambda: uuid.uuid4().hex, adopt=adopt)
        self._shell = DispatchShell(
            self._loop,
            settings.broker,
            f"ptt-dispatch-{settings.replica}",
            self._server,
            wall_ms=lambda: time.time_ns() // 1_000_000,
            clock=time.monotonic,
            rng=random.Random(),
            doors=self._admission,
            traces=lambda office, user, said: self._traces.take(
                office, user, said, time.monotonic(), time.time_ns() // 1_000_000
            ),
        )
        stem = settings.status_socket_stem
        socket = stem.with_name(f"{stem.name}.{settings.replica}.sock")
        self._live = LiveSocket(self._loop, socket, self.describe, self.sweep)
        self._version = version()
        self._ready = False
        self._status_at = 0.0
        self._tidy_at = self._started_at + TIDY_EVERY_S
        self._retention = Retention(self._store, settings.store.events_keep_days, self._started_at)
        self._probe_retention = Retention(self._store, EVENTS_KEEP_DAYS, self._started_at)
        self._trace_retention = Retention(self._trace_store, settings.traces.keep_days, self._started_at)
        self._watchdog_at = 0.0

    def _admit(self, settings: DispatchSettings) -> Admission | None:
        if settings.admission == "open":
            return None
        registry = SqlRegistry(settings.store.sqlalchemy_url)
        try:
            return Admission(settings, registry, time.monotonic)
        except BaseException:
            registry.close()
            raise

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT. READY is told once the store is open and the first dial has ended, well or
        not: from then on it serves or tries again, and the status text says which."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        _log.info("store open", where=self._store.where, store=self._store.store_id)
        try:
            if self._admission is not None:
                self._admission.start(self._shell)
            self._shell.start()
            self._loop.run(self._step)
        finally:
            self._notifier.stopping()
            self._shell.close()
            self._live.close()
            if self._admission is not None:
                self._admission.close()
            self._traces.finish(time.monotonic())
            self._trace_store.close()
            self._store.close()
            self._loop.close()
        _log.info("stopped")

    def describe(self) -> Live:
        """Give the state of this moment."""
        return Live(
            replica=self._settings.replica,
            version=self._version,
            pid=os.getpid(),
            up_s=time.monotonic() - self._started_at,
            broker=self._settings.broker.address,
            broker_connected=self._shell.connected,
            broker_reason=self._shell.reason,
            store_error=self._server.store_error,
            offices=tuple(
                LiveOffice(
                    office=str(office_id),
                    opened=office.opened,
                    refused=office.refused,
                    discarded=office.discarded,
                    cleaned=office.cleaned,
                )
                for office_id, office in self._server.offices.items()
                if office_id != PROBE_OFFICE
            ),
            dropped={
                **self._shell.dropped,
                "traces without room": self._traces.dropped,
                "unknown office": self._server.unknown_offices,
                "not admitted": sum(office.door.turned_away for office in self._server.offices.values()),
            },
            admission=None if self._admission is None else self._admission.describe(),
        )

    def sweep(self) -> Swept:
        """Sweep now, for who asks; says what was removed, or why it cannot be."""
        replica, offices = self._settings.replica, self._server.offices.items()
        if not self._shell.connected:
            return Swept(replica=replica, refused=f"no broker: {self._shell.reason}")
        effects = self._shell.sweep_now()
        if effects is None:
            return Swept(replica=replica, busy=True, refused="messages wait to be handled: try again")
        served = [office_id for office_id, office in offices if office.opened]
        cleaned = cleaned_in(effects)
        _log.info("swept on request", offices=len(served), cleaned=len(cleaned))
        return Swept(
            replica=replica,
            offices=len(real(served)),
            not_served=tuple(str(office) for office in real(o for o, office in offices if not office.opened)),
            cleaned=cleaned,
            refused=self._server.store_error or "",
        )

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._loop.stop()

    def _step(self, now: float) -> float | None:
        asked = None if self._admission is None else self._admission.step(now)
        due = self._shell.step(now)
        started = not self._ready and self._shell.dialled
        if started or now >= self._status_at:
            self._status_at = now + STATUS_EVERY_S
            self._notifier.status(self._status_text())
        if started:
            self._ready = True
            gc.freeze()  # what lives now lives for the whole run: the collector need not look at it before a grant
            self._notifier.ready()
        every_s = self._notifier.watchdog_interval_s
        if every_s is not None and now >= self._watchdog_at:
            self._watchdog_at = now + every_s
            self._notifier.watchdog()
        if now >= self._tidy_at and (due is None or due - now > QUIET_S):
            self._tidy_at = now + TIDY_EVERY_S
            self._tidy()
        elif due is None or due - now > LULL_S:
            self._keep_house(now)
        wake = (due, asked, None if every_s is None else self._watchdog_at)
        return min([self._status_at, *(at for at in wake if at is not None)])

    def _keep_house(self, now: float) -> None:
        """One thing for which nobody waits."""
        offices = tuple(self._server.offices)
        if now >= self._traces.next_at:
            self._traces.step(now)
        elif now >= self._retention.next_at:
            self._retention.step(offices, now, time.time_ns() // 1_000_000)
        elif now >= self._probe_retention.next_at:
            probe = [office for office in offices if office == PROBE_OFFICE]
            self._probe_retention.step(probe, now, time.time_ns() // 1_000_000)
        elif now >= self._trace_retention.next_at:
            self._trace_retention.step(offices, now, time.time_ns() // 1_000_000)

    def _tidy(self) -> None:
        try:
            self._store.tidy()
        except StoreUnavailable as error:
            _log.warning("store cannot be tidied", why=error)

    def _status_text(self) -> str:
        if not self._shell.connected:
            return f"no broker: {self._shell.reason}"
        if self._server.store_error is not None:
            return f"nobody is given the floor: {self._server.store_error}"
        refused = [str(o) for o in real(self._server.offices) if self._server.offices[o].refused is not None]
        count = len(real(self._server.offices)) - len(refused)
        serving = f"serving {count} office(s) at {self._settings.broker.address}"
        return f"refused: {', '.join(refused)}; {serving}" if refused else serving
