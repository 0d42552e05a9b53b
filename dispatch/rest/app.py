"""The HTTP side: routes, bodies, answers. What is decided is decided behind it, in threads (`dispatch.rest.work`)."""

from collections.abc import Callable

import msgspec
from litestar import Litestar, Response, get, post
from litestar.config.response_cache import ResponseCacheConfig
from litestar.exceptions import HTTPException

from dispatch.ports import StoreUnavailable
from dispatch.registry.port import Registry
from dispatch.rest.burst_routes import burst_routes
from dispatch.rest.hearing import HEADERS, Asked, Parts, address_of, hear, json_answer, read
from dispatch.rest.openapi import OPENAPI_PATH, document
from dispatch.rest.problems import MEDIA_TYPE, Refused
from dispatch.rest.work import Work
from protocol.rest import (
    CA_PATH,
    ENROL_PATH,
    HEALTH_PATH,
    HELLO_PATH,
    TOKEN_PATH,
    EnrolRequest,
    Hello,
    TokenGrant,
    TokenRequest,
    Welcome,
)
from service.logs import Log

BODY_BYTES_MAX = 16_384
HEALTH_KEPT_S = 1.0
"""So long one look at the store answers `/healthz`: nobody can make us read it faster."""
_BY_STATUS = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}

_log = Log(__name__)


def make_app(parts: Parts) -> Litestar:
    """Wire the routes; bodies of up to 16 KiB, every error as problem+json."""
    described = msgspec.json.encode(document(parts.url))
    health = _Health(parts.registry, parts.clock)

    @post(TOKEN_PATH, status_code=200)
    async def token(request: Asked) -> Response[bytes]:
        claim = parts.door.claim(request.headers.get("authorization"), address_of(request))
        asked = await read(request, TokenRequest)

        def answer() -> TokenGrant:
            return parts.tokens.token(parts.door.user(claim), asked)

        return json_answer(await hear(parts, claim, answer))

    @post(HELLO_PATH, status_code=200)
    async def hello(request: Asked) -> Response[bytes]:
        claim = parts.door.claim(request.headers.get("authorization"), address_of(request))
        asked = await read(request, Hello)

        def answer() -> Welcome:
            return parts.tokens.hello(parts.door.user(claim), asked)

        return json_answer(await hear(parts, claim, answer))

    @post(ENROL_PATH, status_code=201)
    async def enrol(request: Asked) -> Response[bytes]:
        address = address_of(request)
        asked = await read(request, EnrolRequest)
        parts.enrolment.check_rate(address)
        return json_answer(await parts.enrol_work.do(lambda: parts.enrolment.enrol(asked, address)), 201)

    @get(CA_PATH)
    async def ca(request: Asked) -> Response[bytes]:
        return Response(parts.ca.encode(), media_type="application/x-pem-file", headers=HEADERS)

    @get(HEALTH_PATH)
    async def healthz(request: Asked) -> Response[bytes]:
        await health.check(parts.work)
        return Response(b'{"status":"ok"}', media_type="application/json", headers=HEADERS)

    @get(OPENAPI_PATH)
    async def openapi(request: Asked) -> Response[bytes]:
        return Response(described, media_type="application/json", headers=HEADERS)

    return Litestar(
        [token, hello, enrol, ca, healthz, openapi, *burst_routes(parts)],
        openapi_config=None,
        request_max_body_size=BODY_BYTES_MAX,
        exception_handlers={
            Refused: _refused,
            StoreUnavailable: _store_unavailable,
            HTTPException: _http_error,
            Exception: _failed,
        },
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
        response_cache_config=ResponseCacheConfig(),
    )


class _Health:
    """Looks at the store at most once in HEALTH_KEPT_S."""

    def __init__(self, registry: Registry, clock: Callable[[], float]) -> None:
        self._registry, self._clock = registry, clock
        self._good_until = 0.0

    async def check(self, work: Work) -> None:
        if self._clock() >= self._good_until:
            await work.do(self._registry.rev)
            self._good_until = self._clock() + HEALTH_KEPT_S


# --- errors ---------------------------------------------------------------------------------------------------------


def _refused(_request: Asked, error: Refused) -> Response[bytes]:
    return Response(
        error.body, status_code=error.kind.status, media_type=MEDIA_TYPE, headers={**HEADERS, **error.headers}
    )


def _store_unavailable(request: Asked, error: StoreUnavailable) -> Response[bytes]:
    _log.error("a request could not be answered: the store is away", why=error)
    return _refused(request, Refused("store", "the store is not available", retry_s=1))


def _http_error(request: Asked, error: HTTPException) -> Response[bytes]:
    if error.status_code >= 500:  # Litestar's own, such as a client that left in the middle of its body
        return _refused(request, Refused("internal"))
    refused = Refused(_BY_STATUS.get(error.status_code, "bad_request"))
    allow = (error.headers or {}).get("allow")
    if allow is not None:
        refused.headers["Allow"] = allow
    return _refused(request, refused)


def _failed(request: Asked, error: Exception) -> Response[bytes]:
    _log.exception("a request failed", path=request.url.path)
    return _refused(request, Refused("internal"))
