"""What is wrong, as pages that say so."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from litestar import Response
from litestar.exceptions import HTTPException

from dispatch.broker.admin import BrokerError
from dispatch.ports import StoreUnavailable
from dispatch.registry.port import AlreadyThere, NotThere, RegistryError
from dispatch.rest.problems import Refused
from dispatch.web import shell
from dispatch.web.asking import COOKIE, Asked, Away, Refusal, SignInFailed, sentence
from dispatch.web.parts import Parts, away, page
from service.logs import Log

_log = Log(__name__)


def error_handlers(parts: Parts) -> dict[Any, Any]:
    """Give what answers each kind of error."""
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
        return page(shell.sign_in(seen, sentence(error, seen.lang), error.login), error.status)

    def not_there(request: Asked, _error: NotThere) -> Response[bytes]:
        return told(request, 404, "error_not_found")

    def taken(request: Asked, _error: AlreadyThere) -> Response[bytes]:
        return told(request, 409, "error_taken")

    def registry(request: Asked, error: RegistryError) -> Response[bytes]:
        return told(request, 409, "error_undone", why=error)

    def broker(request: Asked, error: BrokerError) -> Response[bytes]:
        return told(request, 503, "error_undone", why=error)

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
        AlreadyThere: taken,
        RegistryError: registry,
        BrokerError: broker,
        StoreUnavailable: store,
        Refused: busy,
        HTTPException: http,
        Exception: failed,
    }
