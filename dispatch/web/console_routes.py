"""The call manager's console: who gets its page."""

from __future__ import annotations

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from dispatch.web import console_pages
from dispatch.web.asking import Asked, Refusal
from dispatch.web.parts import Parts, page
from dispatch.web.sessions import Session


def console_routes(parts: Parts) -> list[HTTPRouteHandler]:
    """Give the console's routes."""
    reception, past = parts.reception, parts.past

    async def manager(request: Asked) -> Session:
        session = await reception.session(request)
        if not session.speaks:
            raise Refusal(403, "console_role")
        return session

    @get("/console")
    async def console(request: Asked) -> Response[bytes]:
        session = await manager(request)
        seen = reception.seen(request, session)
        return page(console_pages.console(seen, zone=str(past.zone_of(session.office))))

    return [console]
