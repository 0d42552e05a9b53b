"""`ptt-dispatch web`: the dashboard wired together, from settings to the end of the process."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Mapping
from functools import partial
from typing import cast

from dispatch.broker.admin import BrokerAdmin
from dispatch.history.office_log import OfficeLog
from dispatch.ports import StoreUnavailable
from dispatch.registry.sql import SqlRegistry
from dispatch.rest.door import Door
from dispatch.rest.http import BoundedLoop, Server, config
from dispatch.rest.limits import LoginLimits
from dispatch.rest.server import agora_problems, https_settings, listen, problem, tls_context
from dispatch.rest.tokens import TokenMaker
from dispatch.rest.work import Work
from dispatch.settings import DispatchSettings, RestSettings
from dispatch.store.reader import StoreReader
from dispatch.tokens.access_token2 import U32_MAX
from dispatch.traces.reader import TraceReader
from dispatch.web.agora_desk import AgoraDesk
from dispatch.web.agora_sdk import StagedSdk
from dispatch.web.app import make_app
from dispatch.web.asking import Reception
from dispatch.web.commands import ask
from dispatch.web.console_desk import ConsoleDesk
from dispatch.web.console_routes import leave_over, sweep
from dispatch.web.desk import AdminDesk
from dispatch.web.feed import Feed, FeedEvent
from dispatch.web.headers import App, Headers, StreamingProtocol
from dispatch.web.hub import Hub
from dispatch.web.parts import Parts
from dispatch.web.past import Past
from dispatch.web.sessions import Sessions
from dispatch.web.stream import Marks
from dispatch.web.websocket import Websocket
from service.logs import Log
from service.settings import Problem
from service.systemd import Notifier

READ_THREADS, READ_WAITING_MAX = 2, 256
DOUBT_THREADS, DOUBT_WAITING_MAX = 1, 16
DESK_THREADS, DESK_WAITING_MAX = 4, 32
PAST_THREADS, PAST_WAITING_MAX = 1, 64
TICK_S = 1.0
TOKEN_BYTES = 32

_log = Log(__name__)


class WebApp:
    """The process. Raises SettingsError, RestFailed, StoreError at construction."""

    def __init__(self, settings: DispatchSettings, *, environ: Mapping[str, str] = os.environ) -> None:
        rest = _check(settings)
        self._settings = settings
        self._rest = rest
        self._tls = tls_context(rest)
        self._socket = listen(settings.web.host, settings.web.port, "web")
        self._notifier = Notifier(environ)
        self._registry = SqlRegistry(settings.store.sqlalchemy_url)
        self._reader = StoreReader(settings.store.sqlalchemy_url)
        self._past_reader = StoreReader(settings.store.sqlalchemy_url)
        self._rev = -1
        self._names: dict[str, str] = {}
        self._fault: Exception | None = None

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        try:
            with asyncio.Runner(loop_factory=BoundedLoop) as runner:
                runner.run(self._serve())
        finally:
            self._notifier.stopping()
            self._past_reader.close()
            self._reader.close()
            self._registry.close()
        _log.info("stopped")

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        works = {
            "read": Work("web-read", READ_THREADS, READ_WAITING_MAX),
            "doubt": Work("web-doubt", DOUBT_THREADS, DOUBT_WAITING_MAX),
            "desk": Work("web-desk", DESK_THREADS, DESK_WAITING_MAX),
            "past": Work("web-past", PAST_THREADS, PAST_WAITING_MAX),
        }
        hub = Hub(_wall_ms, self._died)
        past = Past(
            self._past_reader,
            OfficeLog(self._past_reader, TraceReader(self._past_reader)),
            hub,
            works["past"],
            self._settings.zone_of,
            time.monotonic,
            _wall_ms,
        )
        self._sessions = Sessions(time.monotonic, lambda: secrets.token_urlsafe(TOKEN_BYTES))
        reception = Reception(
            registry=self._registry,
            door=Door(self._registry, LoginLimits(), time.monotonic),
            sessions=self._sessions,
            work=works["read"],
            doubt_work=works["doubt"],
            office_names=self._names,
        )
        broker = self._settings.broker
        parts = Parts(
            reception=reception,
            hub=hub,
            past=past,
            desk=AdminDesk(self._registry, lambda: BrokerAdmin(broker), self._rest.url, self._rest.ca),
            desk_work=works["desk"],
            command=partial(ask, broker),
            agora=AgoraDesk(
                self._registry,
                TokenMaker(
                    self._registry,
                    self._settings.agora,
                    wall_s=time.time,
                    salt=lambda: secrets.randbelow(U32_MAX) + 1,
                ),
                StagedSdk(self._settings.agora_web_dir),
                self._settings.web.agora_hosts,
                time.monotonic,
            ),
            console=ConsoleDesk(
                self._registry,
                lambda: BrokerAdmin(broker),
                self._settings.floor_of,
                _wall_ms,
                time.monotonic,
            ),
            websocket=Websocket(port=self._settings.web.websocket_port, url=self._settings.web.websocket_url),
            marks=Marks(secrets.token_hex(4)),
            ending=lambda: self._server.should_exit,
            clock=time.monotonic,
            wall_ms=_wall_ms,
        )
        self._server = Server(config(Headers(cast(App, make_app(parts))), self._tls, StreamingProtocol), self._started)

        def hand_over(event: FeedEvent) -> None:
            loop.call_soon_threadsafe(hub.take, event)

        feed = Feed(broker, self._settings.replica, hand_over)
        await self._read_registry(hub, works["read"])
        beside = [
            asyncio.create_task(self._tick(hub), name="tick"),
            asyncio.create_task(self._follow_registry(hub, works["read"]), name="registry"),
            asyncio.create_task(self._follow_today(hub, past), name="today"),
            asyncio.create_task(sweep(parts.console, works["desk"]), name="consoles"),
            asyncio.create_task(leave_over(parts), name="sessions over"),
        ]
        for task in beside:
            task.add_done_callback(self._server.stop_if_failed)
        feed.start()
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            for task in beside:
                task.cancel()
            ends = await asyncio.gather(*beside, return_exceptions=True)
            await loop.run_in_executor(None, feed.close)
            for work in works.values():
                work.close()
        for end in [self._fault, *ends]:
            if isinstance(end, Exception):  # a fault of our own; CancelledError is none
                raise end

    def _started(self) -> None:
        host, port = self._socket.getsockname()[:2]
        _log.info("serving", host=host, port=port)
        self._notifier.ready()

    def _died(self, error: Exception) -> None:
        self._fault = error
        self._server.should_exit = True

    async def _tick(self, hub: Hub) -> None:
        every_s = min(TICK_S, self._notifier.watchdog_interval_s or TICK_S)
        while True:
            self._notifier.watchdog()
            broker = "broker connected" if hub.linked else "BROKER NOT CONNECTED"
            self._notifier.status(f"{len(self._sessions)} signed in, {hub.streams} pages open, {broker}")
            await asyncio.sleep(every_s)

    async def _follow_registry(self, hub: Hub, work: Work) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            await self._read_registry(hub, work)

    async def _read_registry(self, hub: Hub, work: Work) -> None:
        try:
            rev = await work.do(self._registry.rev)
            if rev == self._rev:
                return
            offices = await work.do(self._registry.offices)
            users = await work.do(self._registry.users)
        except StoreUnavailable as error:
            _log.warning("the registry cannot be read; its last state holds", why=error)
            return
        self._rev = rev
        self._names.clear()
        self._names.update((str(office.id), office.name) for office in offices)
        hub.users(users)

    async def _follow_today(self, hub: Hub, past: Past) -> None:
        while True:
            for office in hub.watched:
                await past.refresh(office)
            await asyncio.sleep(TICK_S)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _check(settings: DispatchSettings) -> RestSettings:
    others: list[Problem] = agora_problems(settings)
    if settings.broker.username is not None and settings.broker.password is None:
        mend_password = "give the systemd credential or secret mqtt-password"
        others.append(problem("broker.password", "is missing", mend_password))
    mend = "add [rest] with url, certificate and ca: the dashboard uses its certificate"
    return https_settings(settings, mend, "there is nobody who could sign in", others)
