"""The HTTP side: one page with its files, and the WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from importlib.resources import files
from typing import Any, Final, cast

import uvicorn
from litestar import Litestar, Response, WebSocket, get, websocket
from litestar.exceptions import WebSocketDisconnect, WebSocketException
from litestar.handlers import HTTPRouteHandler

from lab.cab.cab import Cab
from lab.cab.guard import App, OwnPagesOnly
from lab.cab.pages import Page

FILES: Final = {
    "/": ("index.html", "text/html"),
    "/cab.css": ("cab.css", "text/css"),
    "/cab.js": ("cab.js", "text/javascript"),
    "/sound.js": ("sound.js", "text/javascript"),
    "/speaker.js": ("speaker.js", "text/javascript"),
    "/texts.js": ("texts.js", "text/javascript"),
}
GOING_AWAY: Final = 1001
TRY_LATER: Final = 1013
STOP_S: Final = 2


def make_app(cab: Cab) -> Litestar:
    """Give the application; `lab.cab.guard.OwnPagesOnly` belongs around it."""

    @websocket("/ws")
    async def talk(socket: WebSocket[Any, Any, Any]) -> None:
        page = cab.join()
        await socket.accept()
        if page is None:
            return await socket.close(code=TRY_LATER, reason="too many pages")
        telling = asyncio.create_task(_tell(socket, page), name=f"page-{page.number}")
        try:
            with contextlib.suppress(WebSocketDisconnect, WebSocketException):
                while True:
                    await cab.hear(page, await socket.receive_text())
        finally:
            telling.cancel()
            await asyncio.shield(cab.leave(page))

    return Litestar(
        [*(_file(path, *what) for path, what in FILES.items()), talk], openapi_config=None, logging_config=None
    )


def config(cab: Cab, listening: socket.socket) -> uvicorn.Config:
    """Give uvicorn's settings for the cab on a socket that listens."""
    app = OwnPagesOnly(cast(App, make_app(cab)), listening.getsockname()[1])
    return uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_max_size=4096,
        ws_ping_interval=5.0,
        ws_ping_timeout=5.0,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=64,
        timeout_graceful_shutdown=STOP_S,
    )


def listen(port: int) -> socket.socket:
    """Listen on 127.0.0.1 and nowhere else; port 0 takes a free one. Raises OSError."""
    # Said by number, asyncio knows that it is TCP and sends small pieces at once; else they wait 40 ms for an answer.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(32)
    except OSError:
        listening.close()
        raise
    return listening


async def _tell(socket: WebSocket[Any, Any, Any], page: Page) -> None:
    """Send what waits, until the page is cut off."""
    with contextlib.suppress(WebSocketDisconnect, WebSocketException, RuntimeError):  # it is gone: `talk` sees it too
        while (what := await page.queue.get()) is not None:
            if isinstance(what, bytes):
                await socket.send_bytes(what)
            else:
                await socket.send_text(what)
        await socket.close(code=GOING_AWAY)


def _file(path: str, name: str, media_type: str) -> HTTPRouteHandler:
    content = (files("lab.cab") / "page" / name).read_bytes()

    @get(path, name=name, sync_to_thread=False)
    def give() -> Response[bytes]:
        return Response(content, media_type=media_type)

    return give
