"""What the routes stand on, and the two answers that all give."""

from __future__ import annotations

from collections.abc import Callable

from litestar import Response
from litestar.datastructures import Cookie
from msgspec import Struct

from dispatch.rest.work import Work
from dispatch.web.agora_desk import AgoraDesk
from dispatch.web.asking import Reception
from dispatch.web.console_desk import ConsoleDesk
from dispatch.web.desk import AdminDesk
from dispatch.web.hub import Hub
from dispatch.web.past import Past
from dispatch.web.stream import Marks
from dispatch.web.websocket import Websocket
from protocol.commands import CommandOp
from protocol.ids import OfficeId
from protocol.messages import CommandReply


class Parts(Struct, frozen=True, kw_only=True):
    """What the routes stand on."""

    reception: Reception
    hub: Hub
    past: Past
    desk: AdminDesk
    desk_work: Work
    """Apart: it waits for the broker and for vehicles."""
    command: Callable[[OfficeId, str, CommandOp, str], CommandReply | None]
    """Blocking; `dispatch.web.commands.ask` with the broker filled in."""
    agora: AgoraDesk
    console: ConsoleDesk
    websocket: Websocket
    marks: Marks
    ending: Callable[[], bool]
    clock: Callable[[], float]
    wall_ms: Callable[[], int]


def page(content: bytes, status: int = 200) -> Response[bytes]:
    """Give a page."""
    return Response(content, status_code=status, media_type="text/html; charset=utf-8")


def away(path: str, *cookies: Cookie) -> Response[bytes]:
    """Send the browser on, to be asked for with GET."""
    return Response(b"", status_code=303, headers={"Location": path}, cookies=list(cookies), media_type="text/plain")
