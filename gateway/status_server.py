"""The daemon's answer to `ptt-gateway status` and `levels`: one JSON line per connection on a Unix socket of mode 0600.

    {"op": "status", "presses": 10}    -> {"ok": true, "status": {...}}
    {"op": "levels", "meter": true}    -> {"ok": true, "levels": {...}}
    {"op": "levels", "mic_db": 6}         the same, after setting mic_db, speaker_db or both; "tone": true plays a tone
anything else                          -> {"ok": false, "error": "..."}
The socket can look, and set how loud sound is; it can never key.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from hw.unix_socket import listen, unlink_own
from service.loop import EVENT_READ, EVENT_WRITE, Loop

CLIENTS_MAX = 8
REQUEST_BYTES_MAX = 4096
ANSWER_S = 2.0
"""A client that does not read its answer in this time is dropped."""

Answer = Callable[[int], Mapping[str, Any]]
"""Gives the status with at most so many presses."""
Levels = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Does what is asked about the levels; raises ValueError, whose text goes to who asked."""


class StatusServer:
    """Serves from construction to `close`, in the loop's thread."""

    def __init__(self, loop: Loop, path: Path, answer: Answer, levels: Levels) -> None:
        """Listen on `path`; raises HardwareError where the socket cannot be made there."""
        self._loop = loop
        self._path = path
        self._answer = answer
        self._levels = levels
        self._clients: dict[socket.socket, bytes] = {}
        self._listener = listen(path, what="the status socket")
        self._inode = path.stat().st_ino
        loop.add(self._listener, EVENT_READ, self._accept)

    def close(self) -> None:
        """Serve no more and remove the socket."""
        self._loop.remove(self._listener)
        self._listener.close()
        unlink_own(self._path, self._inode)
        for client in tuple(self._clients):
            self._drop(client)

    def _accept(self, _ready: int) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        if len(self._clients) >= CLIENTS_MAX:
            client.close()
            return
        client.setblocking(False)
        self._clients[client] = b""
        self._loop.add(client, EVENT_READ, lambda _: self._read(client))

    def _read(self, client: socket.socket) -> None:
        try:
            came = client.recv(REQUEST_BYTES_MAX)
        except BlockingIOError:
            return
        except OSError:
            came = b""
        request = self._clients[client] + came
        self._clients[client] = request
        if b"\n" in request or len(request) > REQUEST_BYTES_MAX:
            self._loop.remove(client)
            _Writer(self._loop, client, self._respond(request))
            del self._clients[client]
        elif not came:
            self._drop(client)

    def _respond(self, request: bytes) -> bytes:
        try:
            asked = json.loads(request.split(b"\n")[0])
            if asked["op"] == "levels":
                return self._respond_levels(asked)
            if asked["op"] != "status":
                raise ValueError
            count = min(max(int(asked.get("presses", 10)), 0), 10_000)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return msgspec.json.encode({"ok": False, "error": 'ask {"op": "status", "presses": 10}'}) + b"\n"
        return msgspec.json.encode({"ok": True, "status": self._answer(count)}) + b"\n"

    def _respond_levels(self, asked: dict[str, Any]) -> bytes:
        try:
            return msgspec.json.encode({"ok": True, "levels": self._levels(asked)}) + b"\n"
        except ValueError as error:
            return msgspec.json.encode({"ok": False, "error": str(error)}) + b"\n"

    def _drop(self, client: socket.socket) -> None:
        del self._clients[client]
        self._loop.remove(client)
        client.close()


class _Writer:
    """Sends one answer as the client takes it, then hangs up."""

    def __init__(self, loop: Loop, client: socket.socket, data: bytes) -> None:
        self._loop = loop
        self._client = client
        self._data = memoryview(data)
        self._timer: Any = None
        loop.add(client, EVENT_WRITE, self._write)
        self._timer = loop.call_at(time.monotonic() + ANSWER_S, self._end)
        self._write(0)

    def _write(self, _ready: int) -> None:
        try:
            sent = self._client.send(self._data)
        except BlockingIOError:
            return
        except OSError:
            return self._end()
        self._data = self._data[sent:]
        if not self._data:
            self._end()

    def _end(self) -> None:
        self._timer.cancel()
        if self._client.fileno() >= 0:
            self._loop.remove(self._client)
            self._client.close()
