"""`ptt-dispatch rest`: the REST service wired together, from settings to the end of the process."""

import asyncio
import datetime as dt
import os
import secrets
import socket
import ssl
import time
from collections.abc import Mapping, Sequence

from dispatch.broker.admin import BrokerAdmin
from dispatch.bursts.desk import BurstDesk, end_of
from dispatch.bursts.store import BurstStore
from dispatch.pki import PkiError, read_certificate
from dispatch.ports import StoreUnavailable
from dispatch.registry.sql import SqlRegistry
from dispatch.rest.app import make_app
from dispatch.rest.door import Door
from dispatch.rest.enrolment import EnrolDesk, ca_pem, vehicle_side
from dispatch.rest.hearing import Parts
from dispatch.rest.http import BACKLOG, BoundedLoop, Server, config
from dispatch.rest.lifetime import Lifetime
from dispatch.rest.limits import CodeLimits, LoginLimits
from dispatch.rest.telling import Telling
from dispatch.rest.tokens import TokenDesk
from dispatch.rest.work import Work
from dispatch.settings import DispatchSettings, RestSettings
from dispatch.store.reader import StoreReader
from dispatch.store.sql import SqlStore
from dispatch.tokens.access_token2 import U32_MAX, build
from service.logs import Log
from service.settings import Problem, SettingsError
from service.systemd import Notifier

THREADS, WAITING_MAX = 2, 128
DOUBT_THREADS, DOUBT_WAITING_MAX = 1, 16
ENROL_THREADS, ENROL_WAITING_MAX = 1, 16
BURST_THREADS, BURST_WAITING_MAX = 1, 32
TICK_S = 1.0
TIDY_S = 5.0
"""Bursts that are to be kept no more are looked for so often."""

_log = Log(__name__)


class RestFailed(Exception):
    """The service cannot start: says why, and how to mend it."""


class RestApp:
    """The process. Raises SettingsError, RestFailed, StoreError at construction."""

    def __init__(self, settings: DispatchSettings, *, environ: Mapping[str, str] = os.environ) -> None:
        rest = _check(settings)
        self._tls = tls_context(rest)
        try:
            ca = ca_pem(rest.ca)
        except (OSError, UnicodeDecodeError) as error:
            raise RestFailed(f"the CA certificate {rest.ca} cannot be read ({error}) -> check [rest] ca") from error
        try:
            certificate = read_certificate(rest.certificate)
        except PkiError as error:
            raise RestFailed(str(error)) from error
        self._lifetime = Lifetime(certificate, time.monotonic, lambda: dt.datetime.now(dt.UTC))
        self._socket = listen(rest.host, rest.port, "rest")
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
        self._reader = StoreReader(settings.store.sqlalchemy_url)
        self._burst_store = BurstStore(settings.store.sqlalchemy_url)
        self._bursts = BurstDesk(
            self._registry,
            self._burst_store,
            lambda office, burst: end_of(self._reader, office, burst),
            self._tokens.check_unit,
            {office.id: office.talk_limit_s for office in settings.office},
            wall_ms=lambda: time.time_ns() // 1_000_000,
        )
        self._ca = ca

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        try:
            with asyncio.Runner(loop_factory=BoundedLoop) as runner:
                runner.run(self._serve())
        finally:
            self._notifier.stopping()
            self._telling.flush(last=True)
            self._burst_store.close()
            self._reader.close()
            self._registry.close()
            self._store.close()
        _log.info("stopped")

    async def _serve(self) -> None:
        work, enrol_work = Work("rest", THREADS, WAITING_MAX), Work("enrol", ENROL_THREADS, ENROL_WAITING_MAX)
        doubt_work = Work("doubt", DOUBT_THREADS, DOUBT_WAITING_MAX)
        burst_work = Work("bursts", BURST_THREADS, BURST_WAITING_MAX)
        parts = Parts(
            registry=self._registry,
            door=self._door,
            tokens=self._tokens,
            enrolment=self._enrolment,
            bursts=self._bursts,
            work=work,
            doubt_work=doubt_work,
            burst_work=burst_work,
            enrol_work=enrol_work,
            ca=self._ca,
            url=self._url,
        )
        server = Server(config(make_app(parts), self._tls), self._started)
        beside = [asyncio.create_task(self._tick(), name="tick"), asyncio.create_task(self._tell(), name="tell")]
        beside.append(asyncio.create_task(self._tidy(), name="tidy"))
        for task in beside:
            task.add_done_callback(server.stop_if_failed)
        try:
            await server.serve(sockets=[self._socket])
        finally:
            for task in beside:
                task.cancel()
            ends = await asyncio.gather(*beside, return_exceptions=True)
            work.close()
            doubt_work.close()
            burst_work.close()
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
            ends = self._lifetime.look()
            self._notifier.status(
                f"serving {self._url}: {self._tokens.issued} tokens, {self._enrolment.enrolled} enrolments, "
                f"refused {self._door.refused} logins and {self._telling.refused} codes"
                f"{'; ' if ends else ''}{ends}"
            )
            await asyncio.sleep(every_s)

    async def _tell(self) -> None:
        loop = asyncio.get_running_loop()
        while True:  # apart from the watchdog's feeding: a store that hangs must not look like a loop that hangs
            await loop.run_in_executor(None, self._telling.flush)
            await asyncio.sleep(TICK_S)

    async def _tidy(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                gone = await loop.run_in_executor(None, self._bursts.tidy)
            except StoreUnavailable as error:
                _log.warning("bursts that are to be kept no more could not be deleted", why=error)
            else:
                if gone:
                    _log.info("bursts deleted", count=gone)
            await asyncio.sleep(TIDY_S)


# --- start-up checks ------------------------------------------------------------------------------------------------


def _check(settings: DispatchSettings) -> RestSettings:
    mend = "add [rest] with url, certificate and ca, or run `ptt-dispatch init`"
    return https_settings(settings, mend, "there is no registry to admit anybody from", agora_problems(settings))


def agora_problems(settings: DispatchSettings) -> list[Problem]:
    """Give what is wrong with the app certificate, if there is one; its text is in no problem."""
    agora = settings.agora
    if agora is not None and agora.certificate is not None:
        try:
            build(agora.app_id, agora.certificate, "x", 1, publisher=False, expire_s=60, issued_at_s=1, salt=1)
        except ValueError as error:
            return [problem("agora.certificate", str(error), "copy the primary certificate of Agora's console")]
    return []


def problem(key: str, what: str, mend: str) -> Problem:
    """Give a problem of the configuration's file."""
    return Problem(source="dispatch.toml", key=key, what=what, mend=mend)


def https_settings(settings: DispatchSettings, mend: str, nobody: str, others: Sequence[Problem]) -> RestSettings:
    """Give [rest] for a service of the office over HTTPS; raises SettingsError with all that keeps it from starting.

    `mend`: what to do where [rest] is missing; `nobody`: why an open office cannot be served; `others` are added.
    """
    problems: list[Problem] = []
    rest = settings.rest
    if rest is None:
        problems.append(problem("rest", "is missing", mend))
    elif rest.key is None:
        mend_key = "give the PEM file of the key, or the systemd credential or secret tls-key"
        problems.append(problem("rest.key", "is missing", mend_key))
    if settings.admission != "registry":
        problems.append(problem("admission", f"is open: {nobody}", 'set admission = "registry"'))
    problems += others
    if problems or rest is None:
        raise SettingsError(tuple(problems))
    return rest


def tls_context(rest: RestSettings) -> ssl.SSLContext:
    """Give what the office's HTTPS services listen with; raises RestFailed."""
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


def listen(host: str, port: int, table: str) -> socket.socket:
    """Listen for connections; `table` of dispatch.toml says where. Raises RestFailed."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, number)
    except OSError as error:
        raise RestFailed(f"[{table}] host {host} is no address of this machine ({error.strerror})") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise RestFailed(
            f"port {port} of {host} cannot be taken ({error.strerror}) -> end what uses it "
            f"(ss -ltnp), or choose another [{table}] port"
        ) from error
    return listening
