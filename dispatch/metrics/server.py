"""`/metrics` over plain HTTP: a thread that shows the last sum, and nothing else."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, start_http_server

from dispatch.metrics.collect import OfficeCollector, Sum

ANSWER_S = 10.0
"""Who asks for nothing for so long is hung up on: whoever holds connections open keeps threads."""


class _Asked(WSGIRequestHandler):
    """One connection; logs nothing."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # who asked is gone, or says nothing
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        pass


class MetricsServer:
    """Listens from its construction on. Raises OSError where it cannot."""

    def __init__(self, host: str, port: int, last: Callable[[], Sum], answer_s: float = ANSWER_S) -> None:
        """`last` is called in the server's thread and must not wait."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(OfficeCollector(last))
        self._server: WSGIServer
        self._thread: threading.Thread
        self._server, self._thread = start_http_server(port, host, registry)
        self._server.RequestHandlerClass = type("Asked", (_Asked,), {"timeout": answer_s})

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    def close(self) -> None:
        """End, after the answer under way."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2.0)
