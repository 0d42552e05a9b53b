"""What is wrong with a request of a page's script: as problem+json, with a sentence in the page's language."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from litestar import Response

from dispatch.broker.admin import BrokerError
from dispatch.ports import StoreUnavailable
from dispatch.registry.port import RegistryError
from dispatch.rest.problems import MEDIA_TYPE, PREFIX, Refused
from dispatch.web.asking import Asked, Away, Reception, Refusal
from protocol.rest import Problem
from service.logs import Log
from service.settings import SettingsError

_log = Log(__name__)


async def told(
    reception: Reception, request: Asked, answer: Callable[[], Awaitable[Response[bytes]]]
) -> Response[bytes]:
    """Give the answer, or why there is none."""

    def problem(status: int, key: str, **fields: object) -> Response[bytes]:
        said = reception.seen(request, None).say(key, **fields)
        body = Problem(type=PREFIX + key, title=said, status=status, detail=said)
        headers = {"Retry-After": str(fields["seconds"])} if "seconds" in fields else None
        return Response(msgspec.json.encode(body), status_code=status, media_type=MEDIA_TYPE, headers=headers)

    try:
        return await answer()
    except Away:
        return problem(401, "session_over")
    except Refusal as refusal:
        return problem(refusal.status, refusal.key, **refusal.fields)
    except RegistryError as error:
        return problem(409, "error_bad", why=error)
    except (BrokerError, SettingsError) as error:  # the latter: its TLS files cannot be read
        _log.error("the broker cannot be told", path=request.url.path, why=error)
        return problem(503, "console_broker", why=error)
    except StoreUnavailable as error:
        _log.error("the store is away", path=request.url.path, why=error)
        return problem(503, "error_store", why=error)
    except Refused:
        return problem(503, "error_busy")
