"""The call manager's console: who gets its page, and the broker's logins that the page speaks with."""

from __future__ import annotations

import asyncio
import hmac

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from dispatch.broker.admin import BrokerError
from dispatch.ports import StoreUnavailable
from dispatch.rest.problems import Refused
from dispatch.rest.work import Work
from dispatch.web import console_pages
from dispatch.web.asking import Asked, Refusal, form
from dispatch.web.console_desk import ConsoleDesk
from dispatch.web.parts import Parts, page
from dispatch.web.policy import console_headers
from dispatch.web.sessions import Session
from dispatch.web.told import told
from dispatch.web.websocket import origin_of
from service.logs import Log
from service.settings import SettingsError

SWEEP_S, SWEEP_AGAIN_S = 1.0, 15.0
_CUTTING: set[asyncio.Task[None]] = set()

_log = Log(__name__)


def console_routes(parts: Parts) -> list[HTTPRouteHandler]:
    """Give the console's routes."""
    reception, past, desk, work = parts.reception, parts.past, parts.console, parts.desk_work

    async def manager(request: Asked) -> Session:
        session = await reception.session(request)
        if not session.speaks:
            raise Refusal(403, "console_role")
        return session

    def url_for(request: Asked) -> str | None:
        return parts.websocket.url_for(request.headers.get("host", ""))

    @get("/console")
    async def console(request: Asked) -> Response[bytes]:
        session = await manager(request)
        seen = reception.seen(request, session)
        url = url_for(request)
        agora = await reception.work.do(lambda: parts.agora.hosts(session.office))
        made = page(console_pages.console(seen, zone=str(past.zone_of(session.office))))
        made.headers.update(console_headers([*([] if url is None else [origin_of(url)]), *agora]))
        return made

    @post("/console/login", status_code=200)
    async def login(request: Asked) -> Response[bytes]:
        async def issue() -> Response[bytes]:
            session = await reception.session(request)
            await form(request, session, hmac.compare_digest)
            if not session.speaks:
                raise Refusal(403, "console_role")
            url = url_for(request)
            if url is None:
                raise Refusal(503, "console_off")
            made = await work.do(lambda: desk.issue(session.office, session.user))
            session.console_issue = made.login.issue
            if not reception.sessions.touch(session):  # signed out meanwhile: nobody is to have it
                await leave(parts, session)
                raise Refusal(401, "session_over")
            _log.info("console opened", office=session.office, user=session.user, issue=made.login.issue)
            return Response(msgspec.json.encode(made.answer(url)), media_type="application/json")

        return await told(reception, request, issue)

    @get("/console/state")
    async def state(request: Asked) -> Response[bytes]:
        async def say() -> Response[bytes]:
            session = await manager(request)
            found = await reception.work.do(lambda: desk.standing(session.office, session.user))
            return Response(msgspec.json.encode(found), media_type="application/json")

        return await told(reception, request, say)

    return [console, login, state]


async def leave(parts: Parts, session: Session) -> None:
    """End the console that this session opened, as it ends; where that fails its hour ends it."""
    issue, session.console_issue = session.console_issue, None
    if issue is None:
        return
    try:
        await parts.reception.work.do(lambda: parts.console.end(session.office, session.user, issue))
    except (StoreUnavailable, Refused) as error:
        _log.error("a console outlives its session, an hour at most", user=session.user, why=error)
        return
    _log.info("console closed", office=session.office, user=session.user, issue=issue)
    cutting = asyncio.create_task(_cut(parts, session))  # nobody waits for a broker to sign out
    _CUTTING.add(cutting)
    cutting.add_done_callback(_CUTTING.discard)


async def leave_over(parts: Parts) -> None:
    """End, for ever, the consoles of sessions that nobody signed out of: unused, too old, or one too many."""
    while True:
        await asyncio.sleep(SWEEP_S)
        for session in parts.reception.sessions.over():
            await leave(parts, session)


async def _cut(parts: Parts, session: Session) -> None:
    try:
        await parts.desk_work.do(lambda: parts.console.cut(session.office, session.user))
    except (StoreUnavailable, BrokerError, SettingsError, Refused) as error:
        _log.warning("a console that was closed is left to the floor control server", user=session.user, why=error)


async def sweep(desk: ConsoleDesk, work: Work) -> None:
    """See to it, for ever, that consoles end at the broker though no floor control server runs."""
    wait_s = SWEEP_S
    while True:
        await asyncio.sleep(wait_s)
        try:
            count = await work.do(desk.sweep)
        except (StoreUnavailable, BrokerError, SettingsError, Refused) as error:
            wait_s = SWEEP_AGAIN_S
            _log.warning("consoles that have ended cannot be looked for at the broker", why=error)
            continue
        wait_s = SWEEP_S
        if count:
            _log.warning("consoles had ended and were open: does ptt-dispatch serve run?", count=count)
