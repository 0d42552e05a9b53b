"""The routes of an admin: users and devices of the own office."""

from __future__ import annotations

import hmac

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from dispatch.registry.words import User
from dispatch.web import admin_pages
from dispatch.web.asking import Asked, Refusal, form
from dispatch.web.parts import Parts, page
from dispatch.web.sessions import Session
from dispatch.web.shell import Seen
from protocol.rest import Role
from service.logs import Log

PAGE_DIGITS_MAX = 6
_log = Log(__name__)


def admin_routes(parts: Parts) -> list[HTTPRouteHandler]:
    """Give them."""
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

    async def show(
        session: Session, seen: Seen, notice: str = "", *, find: str = "", number: int = 1
    ) -> Response[bytes]:
        found = await reception.work.do(lambda: reception.registry.users(session.office))
        return page(admin_pages.users(seen, session, found, notice, find=find, number=number))

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
        find, number = request.query_params.get("find", ""), request.query_params.get("page", "")
        plain = number.isascii() and number.isdecimal() and len(number) < PAGE_DIGITS_MAX
        seen = reception.seen(request, session)
        return await show(session, seen, find=find[: admin_pages.FIND_MAX], number=int(number) if plain else 1)

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
