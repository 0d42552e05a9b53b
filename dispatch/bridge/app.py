"""`ptt-dispatch agora-bridge`: everything wired together, from settings to the end of the process."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from dispatch.bridge.core.bridge import Bridge
from dispatch.bridge.core.words import (
    BridgeEffect,
    BridgeEvent,
    Dial,
    FetchToken,
    FromWorker,
    HangUp,
    KillWorker,
    Note,
    Publish,
    Shutdown,
    StartWorker,
    ToWorker,
    WorkerGone,
)
from dispatch.bridge.link import BridgeLink
from dispatch.bridge.settings import BridgeSettings
from dispatch.bridge.token_client import TokenClient
from dispatch.bridge.worker import start_worker_of, worker_argv
from service.logs import Log
from service.loop import Loop
from service.systemd import Notifier

STATUS_EVERY_S = 1.0
GOODBYE_S = 1.0

_log = Log("dispatch.bridge")


class BridgeApp:
    """A bridge process; `settings` as `read` gives them. Raises SettingsError, SettingsTooLong at construction."""

    def __init__(
        self,
        settings: BridgeSettings,
        *,
        environ: Mapping[str, str] = os.environ,
        argv: Callable[[int], Sequence[str]] = worker_argv,
    ) -> None:
        """`argv` gives the worker's command line."""
        if settings.secret is None:
            raise ValueError("settings without a secret: `dispatch.bridge.settings.read` fills it in")
        self._loop = Loop()
        self._notifier = Notifier(environ)
        self._bridge = Bridge(
            settings.user,
            random.SystemRandom().random,
            name=settings.name,
            device_info=f"{os.uname().machine}, Agora channel of {settings.office_id}",
            boot=int(time.time()),
        )
        self._events: deque[BridgeEvent] = deque()
        self._handling = False
        self._link = BridgeLink(
            self._loop, settings.control(), str(settings.login), settings.office_id, settings.user, self._feed
        )
        self._worker = start_worker_of(
            self._loop,
            settings.worker(),
            lambda event: self._feed(FromWorker(event=event)),
            lambda reason: self._feed(WorkerGone(reason=reason)),
            argv,
        )
        self._tokens = TokenClient(
            self._loop,
            settings.rest_url,
            None if settings.ca is None else str(settings.ca),
            settings.login,
            settings.secret,
            self._feed,
        )
        self._status_at = 0.0
        self._watchdog_at = 0.0
        self._stopping = False

    def run(self) -> None:
        """Relay until SIGTERM or SIGINT. READY is told once everything runs; the status text says what it does."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._tokens.start()
        _log.info("bridge starts")
        try:
            now = time.monotonic()
            self._carry_out(self._bridge.start(now, _wall_ms()))
            self._notifier.ready()
            self._loop.run(self._step)
        finally:
            self._notifier.stopping()
            self._tokens.close()
            clean = self._link.close(GOODBYE_S)
            self._worker.close()
            self._loop.close()
        _log.info("bridge stopped", clean=clean)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._shut_down)

    def _shut_down(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._feed(Shutdown())
            self._loop.stop()

    def _feed(self, event: BridgeEvent) -> None:
        """Have the core handle an event; one that comes of carrying out another waits for its end."""
        self._events.append(event)
        if self._handling:
            return
        self._handling = True
        try:
            while self._events:
                self._carry_out(self._bridge.handle(self._events.popleft(), time.monotonic(), _wall_ms()))
        finally:
            self._handling = False

    def _step(self, now: float) -> float | None:
        due = self._bridge.next_deadline()
        if due is not None and due <= now:
            self._carry_out(self._bridge.tick(now, _wall_ms()))
        if now >= self._status_at:
            self._status_at = now + STATUS_EVERY_S
            self._notifier.status(self._bridge.status)
        interval_s = self._notifier.watchdog_interval_s
        if interval_s is not None and now >= self._watchdog_at:
            self._watchdog_at = now + interval_s
            self._notifier.watchdog()
        times = [self._bridge.next_deadline(), self._status_at]
        if interval_s is not None:
            times.append(self._watchdog_at)
        return min(at for at in times if at is not None)

    def _carry_out(self, effects: tuple[BridgeEffect, ...]) -> None:
        for effect in effects:
            match effect:
                case ToWorker(command=command):
                    self._worker.send(command)
                case Publish():
                    self._link.publish(effect)
                case Dial():
                    self._link.dial(effect)
                case HangUp(reason=reason):
                    self._link.drop(reason)
                case StartWorker():
                    self._worker.start()
                case KillWorker(reason=reason):
                    self._worker.kill(reason)
                case FetchToken():
                    self._tokens.fetch()
                case Note(text=text, fields=fields, warning=warning):
                    (_log.warning if warning else _log.info)(text, **fields)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
