"""The worker's end of the pipe to its daemon: commands in, events out, and the word that the daemon is gone."""

import socket
from collections import deque
from collections.abc import Callable

from protocol.worker import DATAGRAM_BYTES_MAX, Command, WorkerEvent, decode_command, encode
from service.loop import EVENT_READ, EVENT_WRITE, Loop

WAITING_MAX = 512
"""Events kept for a daemon that does not read; beyond, the oldest are dropped and counted."""
COMMANDS_PER_TURN_MAX = 64
SETTINGS_WAIT_S = 10.0


class Pipe:
    """A Unix SOCK_SEQPACKET socket in the loop. `on_closed` is called once when the other end is gone."""

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        on_command: Callable[[Command], None],
        on_closed: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._on_command = on_command
        self._on_closed = on_closed
        self._waiting: deque[bytes] = deque()
        self._open = True
        self.dropped = 0
        """Events dropped because the daemon did not read."""
        sock.setblocking(False)
        loop.add(sock, EVENT_READ, self._ready)

    def tell(self, event: WorkerEvent) -> None:
        """Send an event, or keep it until the daemon reads."""
        if not self._open:
            return
        data = encode(event)
        if not self._waiting and self._send(data):
            return
        if len(self._waiting) >= WAITING_MAX:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(data)
        if self._open:
            self._loop.modify(self._sock, EVENT_READ | EVENT_WRITE)

    def close(self) -> None:
        """Close this end."""
        if self._open:
            self._open = False
            self._loop.remove(self._sock)
            self._sock.close()

    def _ready(self, ready: int) -> None:
        if ready & EVENT_READ:
            for _ in range(COMMANDS_PER_TURN_MAX):
                try:
                    data = self._sock.recv(DATAGRAM_BYTES_MAX)
                except BlockingIOError:
                    break
                except ConnectionError:
                    data = b""
                if not data:
                    self.close()
                    self._on_closed()
                    return
                self._on_command(decode_command(data))
                if not self._open:
                    return
        if ready & EVENT_WRITE:
            while self._waiting and self._send(self._waiting[0]):
                self._waiting.popleft()
            if not self._waiting and self._open:
                self._loop.modify(self._sock, EVENT_READ)

    def _send(self, data: bytes) -> bool:
        try:
            self._sock.send(data)
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionError):
            return True  # nobody reads it any more; the reading side notices the end
        return True


def first_datagram(sock: socket.socket) -> bytes:
    """Wait for the settings; raises TimeoutError, or ConnectionError where the daemon is gone already."""
    sock.settimeout(SETTINGS_WAIT_S)
    data = sock.recv(DATAGRAM_BYTES_MAX)
    if not data:
        raise ConnectionError("the pipe was closed before any settings came")
    return data
