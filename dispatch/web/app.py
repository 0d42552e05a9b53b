"""The HTTP side: routes and answers. Every route that shows anything begins with the session, and its office is the
session's: no address names an office."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Litestar, Response, get, post
from litestar.datastructures import Cookie
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream
from msgspec import Struct

from dispatch.broker.admin import BrokerError
from dispatch.history.day import local, read_day
from dispatch.ports import StoreUnavailable
from dispatch.registry.port import NotThere, RegistryError
from dispatch.registry.words import User
from dispatch.rest.problems import Refused
from dispatch.rest.work import Work
from dispatch.show import printable
from dispatch.web import admin_pages, live_pages, past_pages, shell
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
    sentence,
)
from dispatch.web.commands import ANSWER_S
from dispatch.web.desk import AdminDesk
from dispatch.web.hub import Hub
from dispatch.web.markup import Markup, el
from dispatch.web.past import CHART_DAYS, Past
from dispatch.web.sessions import Session
from dispatch.web.shell import Seen
from dispatch.web.stream import Marks, follow, snapshot, wants
from protocol.commands import COMMAND_EXPIRY_S, CommandOp
from protocol.ids import OfficeId
from protocol.messages import CommandReply
from protocol.rest import Role
from service.logs import Log

BODY_BYTES_MAX = 16_384
STREAM_PATH = "/live"
STREAMS_MAX, OWN_STREAMS_MAX = 300, 40
"""Pages that follow at once, of all and of one user."""
LOG_SHOWN = 40
YEAR_S = 365 * 86_400
STATIC = {
    "web.css": "text/css",
    "live.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_OPS = {"mute": CommandOp.MUTE_TRANSMITTER, "unmute": CommandOp.UNMUTE_TRANSMITTER}

_log = Log(__name__)


class Parts(Struct, frozen=True, kw_only=True):
    """What the routes stand on."""

    reception: Reception
    hub: Hub
    past: Past
    desk: AdminDesk
    desk_work: Work
    """Apart: it waits for the broker and for vehicles."""
    command: Callable[[OfficeId, str, CommandOp, str], CommandReply | None]
    """Blocking; `dispatch.web.commands.ask` with the broker filled in."""
    marks: Marks
    ending: Callable[[], bool]
    clock: Callable[[], float]
    wall_ms: Callable[[], int]


def make_app(parts: Parts) -> Litestar:
    """Wire the routes; `dispatch.web.headers.Headers` belongs around it."""
    return Litestar(
        [*_static(), *_entrance(parts), *_live(parts), *_past(parts), *_admin(parts)],
        openapi_config=None,
        request_max_body_size=BODY_BYTES_MAX,
        exception_handlers=_errors(parts),
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )


def page(content: bytes, status: int = 200) -> Response[bytes]:
    """Give a page."""
    return Response(content, status_code=status, media_type="text/html; charset=utf-8")


def away(path: str, *cookies: Cookie) -> Response[bytes]:
    """Send the browser on, to be asked for with GET."""
    return Response(b"", status_code=303, headers={"Location": path}, cookies=list(cookies), media_type="text/plain")


# --- in and out -------------------------------------------------------------------------------------------------------


def _static() -> list[HTTPRouteHandler]:
    found = {name: (files("dispatch.web") / "static" / name).read_bytes() for name in STATIC}

    @get("/static/{name:str}")
    async def static(request: Asked) -> Response[bytes]:
        name = str(request.path_params["name"])
        if name not in found:
            raise Refusal(404, "error_not_found")
        return Response(found[name], media_type=STATIC[name])

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
        token, session = await reception.sign_in(request, fields)
        _log.info("signed in", office=session.office, user=session.user)
        return away("/", _cookie(COOKIE, token))

    @post("/signout")
    async def sign_out(request: Asked) -> Response[bytes]:
        session = await reception.session(request)
        await form(request, session, hmac.compare_digest)
        reception.sessions.end(session)
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
        if text is None:
            return past.today(office)
        try:
            day = read_day(text)
        except ValueError:
            raise Refusal(400, "day_bad", what=text[:40]) from None
        if day > past.today(office) or day.year < 2001:
            raise Refusal(400, "day_bad", what=text[:40])
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
        figures = await past.month(session.office, day)
        seen = reception.seen(request, session)
        return page(past_pages.history(seen, day, past.today(session.office), figures, CHART_DAYS))

    return [kpi, history]


# --- administration ---------------------------------------------------------------------------------------------------


def _admin(parts: Parts) -> list[HTTPRouteHandler]:
    reception, desk, work = parts.reception, parts.desk, parts.desk_work

    async def admin(request: Asked) -> Session:
        session = await reception.session(request)
        if not session.admin:
            raise Refusal(403, "error_forbidden")
        return session

    async def posted(request: Asked) -> tuple[Session, dict[str, str], Seen]:
        session = await reception.session(request)
        fields = await form(request, session, hmac.compare_digest)
        if not session.admin:
            raise Refusal(403, "error_forbidden")
        return session, fields, reception.seen(request, session)

    async def show(session: Session, seen: Seen, notice: str = "") -> Response[bytes]:
        found = await reception.work.do(lambda: reception.registry.users(session.office))
        return page(admin_pages.users(seen, session, found, notice))

    async def other(session: Session, user: str) -> User:
        found = await reception.work.do(lambda: reception.registry.user(session.office, user))
        if found is None:
            raise Refusal(404, "error_not_found")
        if found.user == session.user:
            raise Refusal(409, "revoke_own")
        return found

    @get("/admin")
    async def users(request: Asked) -> Response[bytes]:
        session = await admin(request)
        return await show(session, reception.seen(request, session))

    @post("/admin/add", status_code=200)
    async def add(request: Asked) -> Response[bytes]:
        session, fields, seen = await posted(request)
        try:
            role = Role(fields.get("role", ""))
        except ValueError:
            raise Refusal(400, "error_bad", why="role") from None
        name, user = fields.get("name", ""), fields.get("user", "")
        made, secret = await work.do(lambda: desk.add(session.office, user, role, name))
        _log.info("user added", office=session.office, user=made.user, by=session.user)
        if secret is not None:
            return page(admin_pages.secret(seen, made, secret))
        return await show(session, seen, seen.say("done_added", name=made.name))

    @post("/admin/{user:str}/code", status_code=200)
    async def code(request: Asked) -> Response[bytes]:
        user = str(request.path_params["user"])
        session, _, seen = await posted(request)
        shown = await work.do(lambda: desk.code(session.office, user))
        _log.info("enrolment code made", office=session.office, user=user, by=session.user)
        return page(admin_pages.code(seen, shown, parts.past.zone_of(session.office)))

    @post("/admin/{user:str}/rotate", status_code=200)
    async def rotate(request: Asked) -> Response[bytes]:
        user = str(request.path_params["user"])
        session, _, seen = await posted(request)
        await other(session, user)
        found, secret = await work.do(lambda: desk.rotate(session.office, user))
        _log.info("secret renewed", office=session.office, user=user, by=session.user)
        return page(admin_pages.secret(seen, found, secret))

    @get("/admin/{user:str}/revoke")
    async def ask_revoke(request: Asked) -> Response[bytes]:
        user = str(request.path_params["user"])
        session = await admin(request)
        found = await other(session, user)
        return page(admin_pages.revoke(reception.seen(request, session), session, found))

    @post("/admin/{user:str}/revoke", status_code=200)
    async def revoke(request: Asked) -> Response[bytes]:
        user = str(request.path_params["user"])
        session, fields, seen = await posted(request)
        await other(session, user)
        found, why = await work.do(lambda: desk.revoke(session.office, user, fields.get("why", "")))
        _log.info("user revoked", office=session.office, user=user, by=session.user)
        key = "done_revoked_not" if why else "done_revoked"
        return await show(session, seen, seen.say(key, name=found.name, why=why))

    @post("/admin/{user:str}/restore", status_code=200)
    async def restore(request: Asked) -> Response[bytes]:
        user = str(request.path_params["user"])
        session, _, seen = await posted(request)
        found = await work.do(lambda: desk.restore(session.office, user))
        _log.info("user restored", office=session.office, user=user, by=session.user)
        return await show(session, seen, seen.say("done_restored", name=found.name))

    return [users, add, code, rotate, ask_revoke, revoke, restore]


# --- errors -----------------------------------------------------------------------------------------------------------


def _errors(parts: Parts) -> dict[Any, Any]:
    reception = parts.reception

    def told(request: Asked, status: int, key: str, **fields: object) -> Response[bytes]:
        seen = reception.seen(request, reception.sessions.find(request.cookies.get(COOKIE, "")))
        return page(shell.error(seen, seen.say(key, **fields)), status)

    def refusal(request: Asked, error: Refusal) -> Response[bytes]:
        return told(request, error.status, error.key, **error.fields)

    def signed_out(request: Asked, error: Away) -> Response[bytes]:
        return away("/signin?why=over" if error.over else "/signin")

    def sign_in_failed(request: Asked, error: SignInFailed) -> Response[bytes]:
        seen = reception.seen(request, None)
        return page(shell.sign_in(seen, sentence(error, seen.lang)), error.status)

    def not_there(request: Asked, _error: NotThere) -> Response[bytes]:
        return told(request, 404, "error_not_found")

    def registry(request: Asked, error: RegistryError) -> Response[bytes]:
        return told(request, 409, "error_bad", why=error)

    def broker(request: Asked, error: BrokerError) -> Response[bytes]:
        return told(request, 503, "error_bad", why=error)

    def store(request: Asked, error: StoreUnavailable) -> Response[bytes]:
        _log.error("a page could not be given: the store is away", why=error)
        return told(request, 503, "error_store", why=error)

    def busy(request: Asked, _error: Refused) -> Response[bytes]:
        return told(request, 503, "error_busy")

    def http(request: Asked, error: HTTPException) -> Response[bytes]:
        if error.status_code in (404, 405):
            return told(request, error.status_code, "error_not_found")
        if error.status_code >= 500:
            return told(request, 500, "error_internal")
        return told(request, error.status_code, "error_bad", why=quote(error.detail[:100], safe=" "))

    def failed(request: Asked, _error: Exception) -> Response[bytes]:
        _log.exception("a page failed", path=request.url.path)
        return told(request, 500, "error_internal")

    return {
        Refusal: refusal,
        Away: signed_out,
        SignInFailed: sign_in_failed,
        NotThere: not_there,
        RegistryError: registry,
        BrokerError: broker,
        StoreUnavailable: store,
        Refused: busy,
        HTTPException: http,
        Exception: failed,
    }
