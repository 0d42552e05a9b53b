"""What every route does: who asks is heard, a body is read, an answer is made."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from msgspec import Struct

from dispatch.bursts.desk import BurstDesk
from dispatch.registry.port import Registry
from dispatch.rest.door import Claim, Door, too_many
from dispatch.rest.enrolment import EnrolDesk
from dispatch.rest.limits import address_key
from dispatch.rest.problems import Refused
from dispatch.rest.tokens import TokenDesk
from dispatch.rest.work import Work
from service.logs import Log

REFUSAL_S = 0.02
"""A login is refused after a multiple of this time: how long the registry took tells nobody which logins exist."""
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_log = Log(__name__)

A = TypeVar("A")
T = TypeVar("T", bound=Struct)
Asked: TypeAlias = Request[Any, Any, State]


class Parts(Struct, frozen=True, kw_only=True):
    """What the routes stand on."""

    registry: Registry
    door: Door
    tokens: TokenDesk
    enrolment: EnrolDesk
    bursts: BurstDesk
    work: Work
    doubt_work: Work
    """Apart too: a flood of wrong logins fills this one, and honest ones do not wait behind it."""
    burst_work: Work
    """Apart too: a megabyte being written must not hold up a token."""
    enrol_work: Work
    """Apart from `work`: an enrolment waits for the broker, and tokens must not wait for that."""
    ca: str
    url: str
    clock: Callable[[], float] = time.monotonic


async def hear(parts: Parts, claim: Claim, answer: Callable[[], A]) -> A:
    """Answer who asks; one that is doubted as long as few are heard at once. Who is refused stands in the log."""
    began = time.monotonic()
    try:
        return await (parts.work if claim.wait_s <= 0 else parts.doubt_work).do(answer)
    except Refused as refused:
        if refused.code == "busy" and claim.wait_s > 0:
            raise too_many(claim.wait_s) from None
        if refused.code != "too_many":  # whose failures before it are in the log
            reason, login = f"{refused.code}, {refused.problem.detail or refused.problem.title}", claim.name
            _log.warning("a request was refused", reason=reason, login=login, address=claim.address)
        if refused.code in ("unauthorised", "too_many"):
            await asyncio.sleep(REFUSAL_S - (time.monotonic() - began) % REFUSAL_S)
        raise


async def read(request: Asked, type_: type[T]) -> T:
    """Read a JSON body; raises Refused."""
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


def address_of(request: Asked) -> str:
    """Give what counts as the address of who asks."""
    return address_key(request.client.host if request.client is not None else None)


def json_answer(answer: Struct, status: int = 200) -> Response[bytes]:
    """Give a struct as JSON."""
    return Response(msgspec.json.encode(answer), status_code=status, media_type="application/json", headers=HEADERS)
