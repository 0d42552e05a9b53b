"""The routes of bursts that are kept: list, fetch, upload. Who asks is heard before anything of a body is read."""

from collections.abc import Sequence

import msgspec
from litestar import Response, get, route
from litestar.handlers import HTTPRouteHandler

from dispatch.registry.words import Office, User
from dispatch.rest.hearing import HEADERS, Asked, Parts, address_of, hear, json_answer
from dispatch.rest.problems import Refused
from protocol.burst_file import BURST_FILE_BYTES_MAX, MEDIA_TYPE
from protocol.ids import JSON_INT_MAX
from protocol.messages import Hardware
from protocol.rest import BURST_PATH, BURSTS_PATH

_ROUTE = BURST_PATH.replace("{burst}", "{number:str}")


def burst_routes(parts: Parts) -> Sequence[HTTPRouteHandler]:
    """Give them."""

    async def admitted(request: Asked, *known: str, uploads: bool = False) -> tuple[User, Office]:
        claim = parts.door.claim(request.headers.get("authorization"), address_of(request))
        _only(request, *known, "hardware")
        hardware = _hardware(request.query_params.get("hardware"))

        def answer() -> tuple[User, Office]:
            user = parts.door.user(claim)
            return user, parts.bursts.admit(user, hardware, uploads=uploads)

        return await hear(parts, claim, answer)

    async def fetched(request: Asked) -> Response[bytes]:
        _, office = await admitted(request)
        burst = _burst(request)
        data = await parts.burst_work.do(lambda: parts.bursts.give(office, burst))
        return Response(data, media_type=MEDIA_TYPE, headers=HEADERS, status_code=200)

    async def uploaded(request: Asked) -> Response[bytes]:
        user, office = await admitted(request, uploads=True)
        burst = _burst(request)
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != MEDIA_TYPE:
            raise Refused("media_type", f"the body is sent as {media_type[:80]!r}")
        data = await request.body()
        taken, new = await parts.burst_work.do(lambda: parts.bursts.take(user, office, burst, data))
        return json_answer(taken, 201 if new else 200)

    @get(BURSTS_PATH)
    async def listed(request: Asked) -> Response[bytes]:
        user, office = await admitted(request, "after")
        after = _number(request.query_params.get("after", "0"), "bad_request")
        return json_answer(await parts.burst_work.do(lambda: parts.bursts.listed(user, office, after)))

    @route(_ROUTE, http_method=["GET", "POST"], status_code=200, request_max_body_size=BURST_FILE_BYTES_MAX)
    async def one(request: Asked) -> Response[bytes]:
        return await (fetched if request.method == "GET" else uploaded)(request)

    return [listed, one]


def _only(request: Asked, *known: str) -> None:
    """A parameter that is misspelt must not be taken for none."""
    names = [name for name, _ in request.query_params.multi_items()]
    if set(names) - set(known) or len(set(names)) < len(names):
        raise Refused("bad_request", f"behind the path stand, once each: {', '.join(known)}")


def _burst(request: Asked) -> int:
    return _number(str(request.path_params["number"]), "not_found")


def _hardware(text: str | None) -> str | None:
    try:
        return None if text is None else msgspec.convert(text, Hardware)
    except msgspec.ValidationError:
        raise Refused("bad_request", "hardware is no id of a unit") from None


def _number(text: str, code: str) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > 16 or int(text) > JSON_INT_MAX:
        raise Refused(code, "a burst is a whole number")
    return int(text)
