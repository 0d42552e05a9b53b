"""uvicorn with the bounds it lacks: a deadline for every request, short ones for both ends of TLS, an orderly end.

HTTP/1.1 over TLS alone. Its own answers (400 for what is no HTTP, 503 with too many connections) are plain text.
"""

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS_MAX = 500
"""Open connections; one more is answered with 503."""
BACKLOG = 256
HEAD_BYTES_MAX = 16_384
"""Request line and headers; a longer one is answered with 400."""
REQUEST_S = 10.0
"""A request must have arrived this long after its connection, or after the answer before it."""
ANSWER_S = 30.0
"""No connection lives longer with one request, however slowly its answer is read."""
HANDSHAKE_S = 5.0
FAREWELL_S = 1.0
"""A peer has so long to agree to the end of TLS: one that keeps its connection open unread would hold ours for 30 s."""
KEEP_ALIVE_S = 5
STOP_S = 5
"""On SIGTERM requests under way have this long."""


class Server(uvicorn.Server):
    """Ends by its signals with status 0, and tells when it listens."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        """`started` is called once it listens."""
        super().__init__(config)
        self._tell_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and tell."""
        await super().startup(sockets)
        if self.started:
            self._tell_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop by SIGTERM and SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def stop_if_failed(self, task: asyncio.Task[None]) -> None:
        """Call it when a task beside the server is done: the server ends where that died."""
        if not task.cancelled() and task.exception() is not None:
            self.should_exit = True

    def _stop(self) -> None:
        self.should_exit = True


class BoundedProtocol(H11Protocol):
    """A connection on which every request has its deadline."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to count."""
        super().connection_made(transport)
        self._began = self.loop.time()
        self._deadline = self.loop.call_later(REQUEST_S, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count no more."""
        self._deadline.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Begin anew: the next request has its own time."""
        self._deadline.cancel()
        self._began = self.loop.time()
        self._deadline = self.loop.call_later(REQUEST_S, self._late)
        super().on_response_complete()

    def _late(self) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        left_s = self._began + ANSWER_S - self.loop.time()
        if answering and left_s > 0:
            self._deadline = self.loop.call_later(left_s, self._late)
        else:
            self.transport.abort()


class BoundedLoop(asyncio.SelectorEventLoop):
    """An event loop whose servers wait only shortly for the handshakes at both ends of a TLS connection."""

    async def create_server(self, *args: Any, **named: Any) -> asyncio.Server:
        """Make one, as asyncio does."""
        if named.get("ssl") is not None:
            named.setdefault("ssl_handshake_timeout", HANDSHAKE_S)
            named.setdefault("ssl_shutdown_timeout", FAREWELL_S)
        return await super().create_server(*args, **named)


def config(app: Any, tls: ssl.SSLContext, protocol: type[H11Protocol] = BoundedProtocol) -> uvicorn.Config:
    """Give uvicorn's settings for `app` over `tls`: bounded, without access log or word of itself."""
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        ssl_context_factory=lambda _config, _default: tls,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS_MAX,
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_S,
    )
