"""`ptt-dispatch rest`: the REST service wired together, from settings to the end of the process.

HTTP/1.1 over TLS on uvicorn, with what it lacks: a deadline for every request, a short one for TLS handshakes, an end
by SIGTERM with exit status 0, errors at start-up that say what to do, and systemd's notifications.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from dispatch.broker.admin import BrokerAdmin
from dispatch.registry.sql import SqlRegistry
from dispatch.rest.app import Parts, make_app
from dispatch.rest.door import Door
from dispatch.rest.enrolment import EnrolDesk, ca_pem, vehicle_side
from dispatch.rest.limits import CodeLimits, LoginLimits
from dispatch.rest.telling import Telling
from dispatch.rest.tokens import TokenDesk
from dispatch.rest.work import Work
from dispatch.settings import DispatchSettings, RestSettings
from dispatch.store.sql import SqlStore
from dispatch.tokens.access_token2 import U32_MAX, build
from service.logs import Log
from service.settings import Problem, SettingsError
from service.systemd import Notifier

CONNECTIONS_MAX = 500
"""Open connections; one more is answered with 503."""
BACKLOG = 256
HEAD_BYTES_MAX = 16_384
"""Request line and headers; a longer one is answered with 400."""
REQUEST_S = 10.0
"""A request must have arrived this long after its connection, or after the answer before it."""
ANSWER_S = 30.0
"""No connection lives longer with one request, however slowly its answer is read."""
HANDSHAKE_S = 5.0
FAREWELL_S = 1.0
"""A peer has so long to agree to the end of TLS: one that keeps its connection open unread would hold ours for 30 s."""
KEEP_ALIVE_S = 5
STOP_S = 5
"""On SIGTERM requests under way have this long."""
THREADS, WAITING_MAX = 2, 128
ENROL_THREADS, ENROL_WAITING_MAX = 1, 16
TICK_S = 1.0

_log = Log(__name__)


class RestFailed(Exception):
    """The service cannot start: says why, and how to mend it."""


class RestApp:
    """The process. Raises SettingsError, RestFailed, StoreError at construction."""

    def __init__(self, settings: DispatchSettings, *, environ: Mapping[str, str] = os.environ) -> None:
        rest = _check(settings)
        self._tls = _tls(rest)
        try:
            ca = ca_pem(rest.ca)
        except (OSError, UnicodeDecodeError) as error:
            raise RestFailed(f"the CA certificate {rest.ca} cannot be read ({error}) -> check [rest] ca") from error
        self._socket = _listen(rest)
        self._url = rest.url
        self._notifier = Notifier(environ)
        self._store = SqlStore(settings.store.sqlalchemy_url)
        self._registry = SqlRegistry(settings.store.sqlalchemy_url)
        self._telling = Telling(self._store, self._registry, time.monotonic, lambda: time.time_ns() // 1_000_000)
        self._door = Door(self._registry, LoginLimits(), time.monotonic)
        self._tokens = TokenDesk(
            self._registry,
            self._telling,
            settings.agora,
            wall_s=time.time,
            salt=lambda: secrets.randbelow(U32_MAX) + 1,
        )
        self._enrolment = EnrolDesk(
            self._registry,
            self._telling,
            lambda: BrokerAdmin(settings.broker),
            CodeLimits(),
            time.monotonic,
            access=vehicle_side(rest),
            rest_url=rest.url,
            ca=ca,
        )
        self._ca = ca

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        try:
            with asyncio.Runner(loop_factory=_Loop) as runner:
                runner.run(self._serve())
        finally:
            self._notifier.stopping()
            self._telling.flush(last=True)
            self._registry.close()
            self._store.close()
        _log.info("stopped")

    async def _serve(self) -> None:
        work, enrol_work = Work("rest", THREADS, WAITING_MAX), Work("enrol", ENROL_THREADS, ENROL_WAITING_MAX)
        parts = Parts(
            registry=self._registry,
            door=self._door,
            tokens=self._tokens,
            enrolment=self._enrolment,
            work=work,
            enrol_work=enrol_work,
            ca=self._ca,
            url=self._url,
        )
        server = _Server(_config(make_app(parts), self._tls), self._started)
        beside = [asyncio.create_task(self._tick(), name="tick"), asyncio.create_task(self._tell(), name="tell")]
        for task in beside:
            task.add_done_callback(server.stop_if_failed)
        try:
            await server.serve(sockets=[self._socket])
        finally:
            for task in beside:
                task.cancel()
            ends = await asyncio.gather(*beside, return_exceptions=True)
            work.close()
            enrol_work.close()
        for end in ends:
            if isinstance(end, Exception):  # a fault of our own; CancelledError is none
                raise end

    def _started(self) -> None:
        host, port = self._socket.getsockname()[:2]
        _log.info("serving", host=host, port=port, url=self._url)
        self._notifier.ready()

    async def _tick(self) -> None:
        every_s = min(TICK_S, self._notifier.watchdog_interval_s or TICK_S)
        while True:
            self._notifier.watchdog()
            self._notifier.status(
                f"serving {self._url}: {self._tokens.issued} tokens, {self._enrolment.enrolled} enrolments, "
                f"refused {self._door.refused} logins and {self._telling.refused} codes"
            )
            await asyncio.sleep(every_s)

    async def _tell(self) -> None:
        loop = asyncio.get_running_loop()
        while True:  # apart from the watchdog's feeding: a store that hangs must not look like a loop that hangs
            await loop.run_in_executor(None, self._telling.flush)
            await asyncio.sleep(TICK_S)


# --- uvicorn with bounds --------------------------------------------------------------------------------------------


class _Server(uvicorn.Server):
    """Ends by its signals with status 0, and tells when it listens."""

    def __init__(self, config: uvicorn.Config, started: Any) -> None:
        super().__init__(config)
        self._tell_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._tell_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def stop_if_failed(self, task: asyncio.Task[None]) -> None:
        """End where a task beside it died; `RestApp.run` then raises what killed it."""
        if not task.cancelled() and task.exception() is not None:
            self.should_exit = True

    def _stop(self) -> None:
        self.should_exit = True


class _Protocol(H11Protocol):
    """A connection on which every request has its deadline."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._began = self.loop.time()
        self._deadline = self.loop.call_later(REQUEST_S, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._deadline.cancel()
        self._began = self.loop.time()
        self._deadline = self.loop.call_later(REQUEST_S, self._late)
        super().on_response_complete()

    def _late(self) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        left_s = self._began + ANSWER_S - self.loop.time()
        if answering and left_s > 0:
            self._deadline = self.loop.call_later(left_s, self._late)
        else:
            self.transport.abort()


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose servers wait only shortly for the handshakes at both ends of a TLS connection."""

    async def create_server(self, *args: Any, **named: Any) -> asyncio.Server:
        if named.get("ssl") is not None:
            named.setdefault("ssl_handshake_timeout", HANDSHAKE_S)
            named.setdefault("ssl_shutdown_timeout", FAREWELL_S)
        return await super().create_server(*args, **named)


def _config(app: Any, tls: ssl.SSLContext) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        ssl_context_factory=lambda _config, _default: tls,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS_MAX,
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_S,
    )


# --- start-up checks ------------------------------------------------------------------------------------------------


def _check(settings: DispatchSettings) -> RestSettings:
    problems: list[Problem] = []

    def add(key: str, what: str, mend: str) -> None:
        problems.append(Problem(source="dispatch.toml", key=key, what=what, mend=mend))

    rest = settings.rest
    if rest is None:
        add("rest", "is missing", "add [rest] with url, certificate and ca, or run `ptt-dispatch init`")
    elif rest.key is None:
        add("rest.key", "is missing", "give the PEM file of the key, or the systemd credential or secret tls-key")
    if settings.admission != "registry":
        add("admission", "is open: there is no registry to admit anybody from", 'set admission = "registry"')
    agora = settings.agora
    if agora is not None and agora.certificate is not None:
        try:
            build(agora.app_id, agora.certificate, "x", 1, publisher=False, expire_s=60, issued_at_s=1, salt=1)
        except ValueError as error:
            add("agora.certificate", str(error), "copy the primary certificate of Agora's console")
    if problems or rest is None:
        raise SettingsError(tuple(problems))
    return rest


def _tls(rest: RestSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for path in (rest.certificate, rest.key):
        if path is not None and not os.access(path, os.R_OK):
            raise RestFailed(f"{path} cannot be read -> give the service's user read access, or check [rest]")
    try:
        context.load_cert_chain(rest.certificate, rest.key)
    except (OSError, ssl.SSLError) as error:
        why = getattr(error, "reason", None) or error.strerror or type(error).__name__
        raise RestFailed(
            f"{rest.certificate} and its key {rest.key} cannot be used ({why}) -> renew them: ptt-dispatch cert renew"
        ) from error
    return context


def _listen(rest: RestSettings) -> socket.socket:
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            rest.host, rest.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, number)
    except OSError as error:
        raise RestFailed(f"[rest] host {rest.host} is no address of this machine ({error.strerror})") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise RestFailed(
            f"port {rest.port} of {rest.host} cannot be taken ({error.strerror}) -> end what uses it "
            f"(ss -ltnp), or choose another [rest] port"
        ) from error
    return listening
