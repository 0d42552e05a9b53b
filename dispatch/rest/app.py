"""The HTTP side: routes, bodies, answers. What is decided is decided behind it, in threads (`dispatch.rest.work`)."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.config.response_cache import ResponseCacheConfig
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from msgspec import Struct

from dispatch.ports import StoreUnavailable
from dispatch.registry.port import Registry
from dispatch.rest.door import Claim, Door, too_many
from dispatch.rest.enrolment import EnrolDesk
from dispatch.rest.limits import address_key
from dispatch.rest.openapi import OPENAPI_PATH, document
from dispatch.rest.problems import MEDIA_TYPE, Refused
from dispatch.rest.tokens import TokenDesk
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
REFUSAL_S = 0.02
"""A login is refused after a multiple of this time: how long the registry took tells nobody which logins exist."""
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_BY_STATUS = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}

A = TypeVar("A")
T = TypeVar("T", bound=Struct)
Asked: TypeAlias = Request[Any, Any, State]

_log = Log(__name__)


class Parts(Struct, frozen=True, kw_only=True):
    """What the routes stand on."""

    registry: Registry
    door: Door
    tokens: TokenDesk
    enrolment: EnrolDesk
    work: Work
    doubt_work: Work
    """Apart too: a flood of wrong logins fills this one, and honest ones do not wait behind it."""
    enrol_work: Work
    """Apart from `work`: an enrolment waits for the broker, and tokens must not wait for that."""
    ca: str
    url: str
    clock: Callable[[], float] = time.monotonic


def make_app(parts: Parts) -> Litestar:
    """Wire the routes; bodies of up to 16 KiB, every error as problem+json."""
    described = msgspec.json.encode(document(parts.url))
    health = _Health(parts.registry, parts.clock)

    @post(TOKEN_PATH, status_code=200)
    async def token(request: Asked) -> Response[bytes]:
        claim = parts.door.claim(request.headers.get("authorization"), _address(request))
        asked = await _read(request, TokenRequest)

        def answer() -> TokenGrant:
            return parts.tokens.token(parts.door.user(claim), asked)

        return _json(await _hear(parts, claim, answer))

    @post(HELLO_PATH, status_code=200)
    async def hello(request: Asked) -> Response[bytes]:
        claim = parts.door.claim(request.headers.get("authorization"), _address(request))
        asked = await _read(request, Hello)

        def answer() -> Welcome:
            return parts.tokens.hello(parts.door.user(claim), asked)

        return _json(await _hear(parts, claim, answer))

    @post(ENROL_PATH, status_code=201)
    async def enrol(request: Asked) -> Response[bytes]:
        address = _address(request)
        asked = await _read(request, EnrolRequest)
        parts.enrolment.check_rate(address)
        return _json(await parts.enrol_work.do(lambda: parts.enrolment.enrol(asked, address)), 201)

    @get(CA_PATH)
    async def ca(request: Asked) -> Response[bytes]:
        return Response(parts.ca.encode(), media_type="application/x-pem-file", headers=_HEADERS)

    @get(HEALTH_PATH)
    async def healthz(request: Asked) -> Response[bytes]:
        await health.check(parts.work)
        return Response(b'{"status":"ok"}', media_type="application/json", headers=_HEADERS)

    @get(OPENAPI_PATH)
    async def openapi(request: Asked) -> Response[bytes]:
        return Response(described, media_type="application/json", headers=_HEADERS)

    return Litestar(
        [token, hello, enrol, ca, healthz, openapi],
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


async def _hear(parts: Parts, claim: Claim, answer: Callable[[], A]) -> A:
    """Answer who asks; one that is doubted as long as few are heard at once."""
    began = time.monotonic()
    try:
        return await (parts.work if claim.wait_s <= 0 else parts.doubt_work).do(answer)
    except Refused as refused:
        if refused.code == "busy" and claim.wait_s > 0:
            raise too_many(claim.wait_s) from None
        if refused.code in ("unauthorised", "too_many"):
            await asyncio.sleep(REFUSAL_S - (time.monotonic() - began) % REFUSAL_S)
        raise


async def _read(request: Asked, type_: type[T]) -> T:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refused("media_type", f"the body is sent as {media_type[:80]!r}")
    body = await request.body()
    try:
        return msgspec.json.decode(body, type=type_)
    except msgspec.ValidationError as error:
        raise Refused("bad_request", str(error)) from None  # names the field and what it must be, never its value
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused("bad_request", "the body is not JSON") from None


def _address(request: Asked) -> str:
    return address_key(request.client.host if request.client is not None else None)


def _json(answer: Struct, status: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(answer), status_code=status, media_type="application/json", headers=_HEADERS)


# --- errors ---------------------------------------------------------------------------------------------------------


def _refused(_request: Asked, error: Refused) -> Response[bytes]:
    return Response(
        error.body, status_code=error.kind.status, media_type=MEDIA_TYPE, headers={**_HEADERS, **error.headers}
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
