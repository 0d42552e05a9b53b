"""The console's side of Agora over HTTPS: `POST /console/token`, and the staged Web SDK."""

from __future__ import annotations

import hmac

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from dispatch.web.agora_desk import ConsoleToken
from dispatch.web.agora_sdk import SDK_PATH
from dispatch.web.asking import Asked, Away, Refusal, form
from dispatch.web.parts import Parts
from dispatch.web.sessions import Session
from dispatch.web.told import told
from service.logs import Log

_log = Log(__name__)


def agora_routes(parts: Parts) -> list[HTTPRouteHandler]:
    """Give them."""
    reception, desk = parts.reception, parts.agora

    def given(session: Session) -> ConsoleToken:
        user = reception.registry.user(session.office, session.user)
        if user is None:
            raise Away(over=True)
        return desk.token(user)

    @post("/console/token", status_code=200)
    async def token(request: Asked) -> Response[bytes]:
        async def give() -> Response[bytes]:
            session = await reception.session(request)
            await form(request, session, hmac.compare_digest)
            if not session.speaks:
                raise Refusal(403, "console_role")
            made = await reception.work.do(lambda: given(session))
            _log.info("token given to a console", office=session.office, user=session.user)
            return Response(msgspec.json.encode(made), media_type="application/json")

        return await told(reception, request, give)

    @get(SDK_PATH)
    async def sdk(request: Asked) -> Response[bytes]:
        content = await reception.work.do(desk.sdk.content)
        if content is None:
            raise Refusal(404, "agora_not_staged")
        return Response(content, media_type="text/javascript")

    return [token, sdk]
