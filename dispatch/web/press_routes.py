"""Routes of the pages of presses: one's own office's vehicles alone, as everywhere here."""

from __future__ import annotations

import re
from datetime import date

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from dispatch.history.day import local
from dispatch.registry.words import User
from dispatch.traces.store import dotted
from dispatch.web import press_pages
from dispatch.web.asking import Asked, Refusal
from dispatch.web.parts import Parts, page
from dispatch.web.past import chosen_day
from dispatch.web.sessions import Session

_AT = re.compile(r"^\d{1,15}$")


def press_routes(parts: Parts) -> list[HTTPRouteHandler]:
    """Give them."""
    reception, past = parts.reception, parts.past

    async def member(session: Session, user: str) -> User:
        found = await reception.work.do(lambda: reception.registry.user(session.office, user))
        if found is None or not found.role.member:
            raise Refusal(404, "error_not_found")
        return found

    def day_of(request: Asked, session: Session) -> date:
        text = request.query_params.get("day")
        day = chosen_day(text, past.today(session.office))
        if day is None:
            raise Refusal(400, "day_bad", what=str(text)[:40])
        return day

    @get("/vehicle/{user:str}/presses")
    async def presses(request: Asked) -> Response[bytes]:
        session = await reception.session(request)
        found = await member(session, str(request.path_params["user"]))
        day, only = day_of(request, session), request.query_params.get("only", "all")
        if only not in press_pages.FILTERS:
            raise Refusal(400, "error_bad", why="only")
        seen, where = reception.seen(request, session), past.zone_of(session.office)
        told = await past.presses(session.office, found.user, *past.bounds(session.office, day), seen.lang)
        today = past.today(session.office)
        return page(press_pages.presses(seen, found.user, found.name, day, today, where, told, only))

    @get("/press/{user:str}")
    async def press(request: Asked) -> Response[bytes]:
        session = await reception.session(request)
        found = await member(session, str(request.path_params["user"]))
        at, asked = request.query_params.get("at", ""), request.query_params.get("request", "")
        if not _AT.search(at):
            raise Refusal(404, "error_not_found")
        seen, where = reception.seen(request, session), past.zone_of(session.office)
        told = await past.presses(session.office, found.user, int(at), int(at) + 1, seen.lang)
        one = next((each for each in told if dotted(each.request) == asked), None)
        if one is None:
            raise Refusal(404, "error_not_found")
        return page(press_pages.press(seen, found.user, found.name, local(one.at, where).date(), where, one))

    return [presses, press]
