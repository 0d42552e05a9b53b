"""`/metrics` over plain HTTP: a thread that shows the last sum, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server

from dispatch.metrics.collect import OfficeCollector, Sum


class MetricsServer:
    """Listens from its construction on. Raises OSError where it cannot."""

    def __init__(self, host: str, port: int, last: Callable[[], Sum]) -> None:
        """`last` is called in the server's thread and must not wait."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(OfficeCollector(last))
        self._server: WSGIServer
        self._thread: threading.Thread
        self._server, self._thread = start_http_server(port, host, registry)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    def close(self) -> None:
        """End, after the answer under way."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2.0)
