"""A line that can be bad: a TCP proxy on the loopback that delays, stalls, cuts and refuses, in a thread of its own."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from lab.broker import free_port
from service.loop import EVENT_READ, EVENT_WRITE, Loop

BUFFER_BYTES_MAX = 1 << 20
"""What one direction holds; beyond it the sender is no longer read, and feels it as TCP lets it feel."""
CHUNK_BYTES = 65536
_ORDER_S = 5.0
# struct tcp_info of linux/tcp.h: tcpi_bytes_received, then tcpi_segs_out and tcpi_segs_in.
_TCP_INFO_BYTES = 144
_BYTES_RECEIVED_AT = 128


class _Flow:
    """One direction of one connection: bytes with the time they are due at."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.queue: deque[tuple[float, bytes]] = deque()
        self.held = 0
        self.ended = False  # the source has said all it will


class Proxy:
    """A proxy from `.port` of the loopback to `target_port`, for connections of either side's making.

    All methods may be called from any thread and have taken effect when they return. Entering starts it.
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.delay_s = 0.0
        """One-way delay of what is read from now on; order is kept."""
        self.port = 0
        self._loop = Loop()
        self._listener: socket.socket | None = None
        self._stalled = False
        self._flows: dict[socket.socket, _Flow] = {}  # by source; the other direction is that of the sink
        self._watched: dict[socket.socket, int] = {}
        self._thread = threading.Thread(target=self._loop.run, args=(lambda _now: None,), name="proxy", daemon=True)

    def __enter__(self) -> Proxy:
        self._listen()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        self._loop.stop()
        self._thread.join(_ORDER_S)
        self._loop.close()

    @property
    def connections(self) -> int:
        """How many connections are open through it."""
        return len(self._flows) // 2

    def sent(self) -> tuple[int, int]:
        """Bytes and TCP segments that the clients of the open connections have sent, by the kernel's own count.

        Segments are all there were on the line, acknowledgements too.
        """
        found = (0, 0)

        def count() -> None:
            nonlocal found
            near = [sock for sock in self._flows if sock.getsockname()[1] == self.port]
            infos = [sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES) for sock in near]
            pairs = [struct.unpack_from("=Q4xI", info, _BYTES_RECEIVED_AT) for info in infos]
            found = (sum(octets for octets, _ in pairs), sum(segments for _, segments in pairs))

        self._order(count)
        return found

    def stall(self) -> None:
        """A black hole: sockets stay open, new ones are accepted, nothing passes in either direction."""
        self._order(lambda: self._set_stalled(True))

    def resume(self) -> None:
        """Go on after `stall`: what was held arrives now, late and in order."""
        self._order(lambda: self._set_stalled(False))

    def cut(self) -> None:
        """Reset every open connection on both sides; what was on its way is lost. New ones are accepted."""
        self._order(self._cut)

    def refuse(self) -> None:
        """Cut, and refuse new connections until `accept`."""
        self._order(self._refuse)

    def accept(self) -> None:
        """Accept connections again, on the same port."""
        self._order(self._listen)

    def _order(self, fn: Callable[[], None]) -> None:
        done = threading.Event()

        def work() -> None:
            fn()
            done.set()

        if not self._loop.call_soon_threadsafe(work) or not done.wait(_ORDER_S):
            raise RuntimeError("the proxy's thread does not answer")

    def _listen(self) -> None:
        if self._listener is None:
            self.port = self.port or free_port()  # one that it can have again after `refuse`
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
            self._listener.setblocking(False)
            self._loop.add(self._listener, EVENT_READ, self._welcome)

    def _refuse(self) -> None:
        if self._listener is not None:
            self._loop.remove(self._listener)
            self._listener.close()
            self._listener = None
        self._cut()

    def _cut(self) -> None:
        while self._flows:
            self._reset(next(iter(self._flows)))

    def _set_stalled(self, stalled: bool) -> None:
        self._stalled = stalled
        for flow in list(self._flows.values()):
            self._pump(flow)

    def _welcome(self, _ready: int) -> None:
        assert self._listener is not None
        near, _address = self._listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self.target_port), 1.0, source_address=("127.0.0.2", 0))
        except OSError:
            _slam(near)
            return
        for sock in (near, far):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._flows[near], self._flows[far] = _Flow(near, far), _Flow(far, near)
        self._watch(near)
        self._watch(far)

    def _watch(self, sock: socket.socket) -> None:
        """Wait for just what this socket can be used for now."""
        out = self._flows[sock]
        into = self._flows[out.sink]
        events = 0
        if not self._stalled:
            if not out.ended and out.held < BUFFER_BYTES_MAX:
                events |= EVENT_READ
            if into.queue and into.queue[0][0] <= time.monotonic():
                events |= EVENT_WRITE
        before = self._watched.pop(sock, 0)
        if events:
            self._watched[sock] = events
        if events and not before:
            self._loop.add(sock, events, lambda ready: self._ready(sock, ready))
        elif before and not events:
            self._loop.remove(sock)
        elif before != events:
            self._loop.modify(sock, events)

    def _ready(self, sock: socket.socket, ready: int) -> None:
        out = self._flows[sock]
        if ready & EVENT_READ:
            try:
                data = sock.recv(CHUNK_BYTES)
            except BlockingIOError:
                return
            except OSError:
                self._reset(sock)
                return
            due = max(time.monotonic() + self.delay_s, out.queue[-1][0] if out.queue else 0.0)
            out.queue.append((due, data))
            out.held += len(data)
            out.ended = not data
            self._pump(out)
        if sock in self._flows and ready & EVENT_WRITE:
            self._pump(self._flows[out.sink])

    def _pump(self, flow: _Flow) -> None:
        """Send on what is due; come back when more is, or when the sink has room."""
        while flow.queue and not self._stalled and self._flows.get(flow.source) is flow:
            due, data = flow.queue[0]
            if due > time.monotonic():
                self._loop.call_at(due, lambda: self._pump(flow))
                break
            try:
                sent = self._pass_on(flow, data)
            except BlockingIOError:
                break
            except OSError:
                self._reset(flow.source)
                return
            flow.queue.popleft()
            flow.held -= sent
            if sent < len(data):
                flow.queue.appendleft((due, data[sent:]))
        if flow.source in self._flows:
            self._watch(flow.source)
            self._watch(flow.sink)

    def _pass_on(self, flow: _Flow, data: bytes) -> int:
        if data:
            return flow.sink.send(data)
        flow.sink.shutdown(socket.SHUT_WR)
        if self._flows[flow.sink].ended and not self._flows[flow.sink].queue:
            self._reset(flow.source)
        return 0

    def _reset(self, source: socket.socket) -> None:
        flow = self._flows.pop(source)
        self._flows.pop(flow.sink)
        for sock in (flow.source, flow.sink):
            if self._watched.pop(sock, 0):
                self._loop.remove(sock)
            _slam(sock)


def _slam(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
