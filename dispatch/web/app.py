"""The HTTP side: routes and answers. Every route that shows anything begins with the session, and its office is the
session's: no address names an office."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from typing import Any

import msgspec
from litestar import Litestar, Response, get, post
from litestar.datastructures import Cookie
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from dispatch.broker.admin import BrokerError
from dispatch.history.day import local
from dispatch.ports import StoreUnavailable
from dispatch.registry.words import User
from dispatch.rest.problems import Refused
from dispatch.show import printable
from dispatch.web import live_pages, past_pages, shell
from dispatch.web.admin_routes import admin_routes
from dispatch.web.agora_routes import agora_routes
from dispatch.web.asking import (
    COOKIE,
    LANGUAGE_COOKIE,
    Asked,
    Away,
    Reception,
    Refusal,
    SignInFailed,
    chosen_language,
    form,
    local_path,
    same_origin,
)
from dispatch.web.commands import ANSWER_S
from dispatch.web.console_routes import console_routes, leave
from dispatch.web.errors import error_handlers
from dispatch.web.markup import Markup, el
from dispatch.web.parts import Parts, away, page
from dispatch.web.past import CHART_DAYS, chosen_day
from dispatch.web.press_routes import press_routes
from dispatch.web.sessions import Session
from dispatch.web.static_files import static_files
from dispatch.web.stream import follow, snapshot, wants
from protocol.commands import COMMAND_EXPIRY_S, CommandOp
from protocol.ids import OfficeId
from service.logs import Log

BODY_BYTES_MAX = 16_384
STREAM_PATH = "/live"
STREAMS_MAX, OWN_STREAMS_MAX = 300, 40
"""Pages that follow at once, of all and of one user."""
LOG_SHOWN = 40
YEAR_S = 365 * 86_400
_OPS = {"mute": CommandOp.MUTE_TRANSMITTER, "unmute": CommandOp.UNMUTE_TRANSMITTER}

_log = Log(__name__)


def make_app(parts: Parts) -> Litestar:
    """Wire the routes; `dispatch.web.headers.Headers` belongs around it."""
    return Litestar(
        [
            *_static(),
            *_entrance(parts),
            *_live(parts),
            *_past(parts),
            *press_routes(parts),
            *console_routes(parts),
            *agora_routes(parts),
            *admin_routes(parts),
        ],
        openapi_config=None,
        request_max_body_size=BODY_BYTES_MAX,
        exception_handlers=error_handlers(parts),
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )


# --- in and out -------------------------------------------------------------------------------------------------------


def _static() -> list[HTTPRouteHandler]:
    found = static_files()

    @get("/static/{name:path}")
    async def static(request: Asked) -> Response[bytes]:
        content, kind = found.get(str(request.path_params["name"]).lstrip("/"), (None, ""))
        if content is None:
            raise Refusal(404, "error_not_found")
        return Response(content, media_type=kind)

    @get("/healthz")
    async def healthz() -> Response[bytes]:
        return Response(b'{"status":"ok"}', media_type="application/json")

    return [static, healthz]


def _entrance(parts: Parts) -> list[HTTPRouteHandler]:
    reception = parts.reception

    @get("/signin")
    async def sign_in_page(request: Asked) -> Response[bytes]:
        seen = reception.seen(request, None)
        key = {"over": "session_over", "out": "signed_out"}.get(request.query_params.get("why", ""))
        return page(shell.sign_in(seen, "" if key is None else seen.say(key)))

    @post("/signin")
    async def sign_in(request: Asked) -> Response[bytes]:
        fields = await form(request, None, hmac.compare_digest)
        before = reception.sessions.find(request.cookies.get(COOKIE, ""))
        try:
            token, session = await reception.sign_in(request, fields)
        except SignInFailed as failed:
            failed.login = fields.get("login", "").strip()
            raise
        if before is not None:  # it has ended, and with it what it had opened
            await leave(parts, before)
        _log.info("signed in", office=session.office, user=session.user)
        return away("/", _cookie(COOKIE, token))

    @post("/signout")
    async def sign_out(request: Asked) -> Response[bytes]:
        session = await reception.session(request)
        await form(request, session, hmac.compare_digest)
        reception.sessions.end(session)
        await leave(parts, session)
        return away("/signin?why=out", _cookie(COOKIE, "", max_age=0))

    @post("/lang")
    async def language(request: Asked) -> Response[bytes]:
        same_origin(request)
        fields = await form(request, None, hmac.compare_digest)
        chosen = chosen_language(fields.get("lang", ""))
        return away(local_path(fields.get("to", "/")), _cookie(LANGUAGE_COOKIE, chosen, max_age=YEAR_S))

    @get("/me")
    async def me(request: Asked) -> Response[bytes]:
        try:
            session = await reception.session(request)
        except Away:
            return Response(b"{}", status_code=401, media_type="application/json")
        said = {"office": str(session.office), "user": session.user, "role": session.role.value}
        return Response(msgspec.json.encode(said), media_type="application/json")

    return [sign_in_page, sign_in, sign_out, language, me]


def _cookie(name: str, value: str, max_age: int | None = None) -> Cookie:
    return Cookie(name, value=value, path="/", secure=True, httponly=True, samesite="strict", max_age=max_age)


# --- what is now ------------------------------------------------------------------------------------------------------


def _live(parts: Parts) -> list[HTTPRouteHandler]:
    reception, hub, past = parts.reception, parts.hub, parts.past

    async def vehicle_there(session: Session, user: str) -> User:
        found = await reception.work.do(lambda: reception.registry.user(session.office, user))
        if found is None or not found.role.member:
            raise Refusal(404, "error_not_found")
        return found

    async def show_vehicle(request: Asked, session: Session, user: User, notice: str = "") -> Response[bytes]:
        await past.ready(session.office)
        seen = reception.seen(request, session)
        zone = past.zone_of(session.office)
        events = await past.log_of(session.office, user.user, LOG_SHOWN)
        lines = [f"{local(e.at, zone):%Y-%m-%d %H:%M:%S} {e.event.value} {_metadata(e.metadata)}" for e in events]
        log: Markup = el("p", seen.say("vehicle_log_none"), class_="none")
        if lines:
            log = el("ol", [el("li", printable(line)) for line in reversed(lines)], class_="log")
        now = snapshot(hub.office(session.office).board, wants(user.user), parts.marks, parts.wall_ms())
        return page(live_pages.vehicle(seen, user.user, user.name, now, str(zone), log, notice=notice))

    @get("/")
    async def office(request: Asked) -> Response[bytes]:
        session = await reception.session(request)
        await past.ready(session.office)
        now = snapshot(hub.office(session.office).board, wants(None), parts.marks, parts.wall_ms())
        seen = reception.seen(request, session)
        return page(live_pages.office(seen, now, str(past.zone_of(session.office))))

    @get("/vehicle/{user:str}")
    async def vehicle(request: Asked) -> Response[bytes]:
        user = str(request.path_params["user"])
        session = await reception.session(request)
        return await show_vehicle(request, session, await vehicle_there(session, user))

    @post("/vehicle/{user:str}/command", status_code=200)
    async def command(request: Asked) -> Response[bytes]:
        user = str(request.path_params["user"])
        session = await reception.session(request)
        fields = await form(request, session, hmac.compare_digest)
        if not session.commands:
            raise Refusal(403, "error_forbidden")
        op = _OPS.get(fields.get("op", ""))
        if op is None:
            raise Refusal(400, "error_bad", why="op")
        found = await vehicle_there(session, user)
        by = f"{session.office.region}.{session.office.office}.{session.user}"
        _log.info("command", office=session.office, user=user, op=op.value, by=session.user)
        seen = reception.seen(request, session)
        try:
            reply = await parts.desk_work.do(lambda: parts.command(session.office, user, op, by))
        except BrokerError as error:
            return await show_vehicle(request, session, found, seen.say("command_failed", why=error))
        if reply is None:
            notice = seen.say("command_none", name=found.name, seconds=f"{ANSWER_S:g}", void=COMMAND_EXPIRY_S)
        else:
            notice = seen.say("command_ok" if reply.ok else "command_refused", name=found.name, what=reply.what)
        return await show_vehicle(request, session, found, notice)

    @get(STREAM_PATH)
    async def live(request: Asked) -> Stream | Response[bytes]:
        try:
            session = await reception.session(request)
        except Away:
            return Response(b"", status_code=401, media_type="text/plain")
        if hub.streams >= STREAMS_MAX or hub.streams_of(session.office, session.user) >= OWN_STREAMS_MAX:
            raise Refusal(503, "error_streams")
        user = request.query_params.get("vehicle")
        if user is not None:
            await vehicle_there(session, user)
        mark = str(request.headers.get("last-event-id") or request.query_params.get("at", ""))
        events = follow(
            hub,
            session.office,
            session.user,
            wants(user),
            parts.marks,
            mark,
            allowed=_allowed(reception, session),
            ending=parts.ending,
            wall_ms=parts.wall_ms,
            clock=parts.clock,
        )
        return Stream(_closing(events), media_type="text/event-stream")

    return [office, vehicle, command, live]


def _allowed(reception: Reception, session: Session) -> Callable[[], Awaitable[bool]]:
    async def allowed() -> bool:
        try:
            return await reception.still(session)
        except (StoreUnavailable, Refused):
            return True  # nobody could be asked: what was so a moment ago holds

    return allowed


async def _closing(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for event in events:
        yield event


def _metadata(metadata: dict[str, Any]) -> str:
    return " ".join(f"{key}={msgspec.json.encode(value).decode()}" for key, value in metadata.items() if value is not None)  # noqa: E501  # fmt: skip


# --- what was ---------------------------------------------------------------------------------------------------------


def _past(parts: Parts) -> list[HTTPRouteHandler]:
    reception, past = parts.reception, parts.past

    def chosen(request: Asked, office: OfficeId) -> date:
        text = request.query_params.get("day")
        day = chosen_day(text, past.today(office))
        if day is None:
            raise Refusal(400, "day_bad", what=str(text)[:40])
        return day

    @get("/kpi")
    async def kpi(request: Asked) -> Response[bytes]:
        session = await reception.session(request)
        day = chosen(request, session.office)
        found = await past.day(session.office, day)
        return page(past_pages.kpi(reception.seen(request, session), day, past.today(session.office), found))

    @get("/history")
    async def history(request: Asked) -> Response[bytes]:
        session = await reception.session(request)
        day = chosen(request, session.office)
        found = await past.month(session.office, day)
        seen = reception.seen(request, session)
        return page(past_pages.history(seen, day, past.today(session.office), found, CHART_DAYS))

    return [kpi, history]
