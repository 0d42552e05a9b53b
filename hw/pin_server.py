"""The virtual pins on a Unix socket: the one way besides a real pin to key a vehicle.

The socket has mode 0600 and stands in a directory no other user may write to. One JSON object per line each
way; every request is answered by one line in its order, with `"ok": true`, or `"ok": false` and `error` and `mend`:

    {"op": "press", "signal": "ptt"}                   -> {"ok": true, "at_s": 12.5}   (when the pin was driven)
    {"op": "release", "signal": "ptt"}                 -> the same
    {"op": "set", "pin": 17, "level": 0}               -> the same; the raw level of an input's pin
    {"op": "bounce", "signal": "ptt", "train": [[0, 1], [3, 0], [2, 1]]}
        each [delay_ms, active] after the one before   -> {"ok": true, "at_s": [12.5, 12.503, 12.505]}, at its end
    {"op": "levels"}                                   -> {"ok": true, "levels": {"ptt": 0, "motor": 0.5, ...}}
    {"op": "watch"}                                    -> levels as above, then a line for each change of an output:
                                                          {"event": "output", "signal", "pin", "level", "hz", "at_s"}
                                                          (`hz`: of its pulses, 0 where it is only switched)

Levels of signals are 1 for active (pressed, driven) and 0, whatever the polarity; `set` alone is electrical.
`at_s` is time.monotonic() of this machine. One thread serves all; it touches nothing but the virtual pins.
Bounds: 32 connections, lines of 64 KiB, 1 MiB unsent to one connection (then it is dropped), and 10,000 changes of
outputs not yet passed on (then the oldest are lost).
"""

from __future__ import annotations

import difflib
import heapq
import json
import selectors
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Final

from hw.board import INPUTS, OUTPUTS, SIGNALS, Board
from hw.unix_socket import listen, unlink_own
from hw.virtual import VirtualFactory, electrical

CLIENTS_MAX: Final = 32
LINE_BYTES_MAX: Final = 64 << 10
UNSENT_BYTES_MAX: Final = 1 << 20
CHANGES_MAX: Final = 10_000
TRAIN_MAX: Final = 1000
DELAY_MS_MAX: Final = 10_000


class _Refused(Exception):
    """A request that cannot be met; args are what is wrong and how to mend it."""


class _Client:
    """One connection: what came and was not read yet, what is to go, and whether it watches."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.incoming = b""
        self.outgoing = bytearray()
        self.watching = False
        self.train_running = False


class PinServer:
    """Serves a virtual factory's pins from `open` to `close`, on a thread of its own named `virtual-pins`."""

    def __init__(self, listener: socket.socket, path: Path, board: Board, factory: VirtualFactory) -> None:
        self._listener = listener
        self._path = path
        self._inode = path.stat().st_ino
        self._board = board
        self._factory = factory
        self._signals = {board.pin(signal): signal for signal in board.fitted()}
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._changes: deque[tuple[int, float, float, float]] = deque(maxlen=CHANGES_MAX)
        self._clients: set[_Client] = set()
        self._due: list[tuple[float, int, _Client, str, list[tuple[float, bool]], list[float]]] = []
        self._order = count()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="virtual-pins", daemon=True)

    @classmethod
    def open(cls, path: Path, board: Board, factory: VirtualFactory) -> PinServer:
        """Listen on `path` and serve. Raises HardwareError: see `hw.unix_socket.listen`."""
        server = cls(listen(path), path, board, factory)
        server._selector.register(server._listener, selectors.EVENT_READ)
        server._selector.register(server._wake_out, selectors.EVENT_READ)
        for end in (server._wake_in, server._wake_out):
            end.setblocking(False)
        factory.on_output = server._output_changed
        server._thread.start()
        return server

    @property
    def clients(self) -> int:
        """Connections at this moment."""
        return len(self._clients)

    def close(self) -> None:
        """Stop serving, end every connection and remove the socket; idempotent."""
        if self._closing:
            return
        self._closing = True
        self._factory.on_output = None
        self._wake()
        self._thread.join(timeout=5)
        unlink_own(self._path, self._inode)
        for client in list(self._clients):
            self._drop(client)
        self._selector.close()
        for end in (self._listener, self._wake_in, self._wake_out):
            end.close()

    def _output_changed(self, pin: int, level: float, at_s: float) -> None:
        """On the thread that drives the pin: only enqueue."""
        hz = self._factory.pin(pin).frequency
        self._changes.append((pin, level, at_s, 0.0 if hz is None else float(hz)))
        self._wake()

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # full: it will wake anyway
            self._wake_in.send(b"\0")

    def _run(self) -> None:
        try:
            self._turn()
        finally:  # by a fault of ours: let the other ends notice
            if not self._closing:
                self._listener.close()
                for client in list(self._clients):
                    self._drop(client)

    def _turn(self) -> None:
        while not self._closing:
            timeout = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for key, events in self._selector.select(timeout):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._wake_out:
                    self._wake_out.recv(4096)
                else:
                    self._serve(key.data, events)
            self._tell_watchers()
            while self._due and self._due[0][0] <= time.monotonic():
                self._step_train(*heapq.heappop(self._due)[2:])

    def _accept(self) -> None:
        with suppress(OSError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            client = _Client(connection)
            self._clients.add(client)
            self._selector.register(connection, selectors.EVENT_READ, client)
            if len(self._clients) > CLIENTS_MAX:
                self._send(client, {"ok": False, "error": "too many connections", "mend": "close one"})
                self._drop(client)

    def _drop(self, client: _Client) -> None:
        if client in self._clients:
            self._clients.discard(client)
            self._selector.unregister(client.connection)
            client.connection.close()

    def _serve(self, client: _Client, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._flush(client)
        if not events & selectors.EVENT_READ or client not in self._clients:
            return
        try:
            came = client.connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            came = b""
        if not came:
            return self._drop(client)
        client.incoming += came
        self._handle_lines(client)

    def _handle_lines(self, client: _Client) -> None:
        """Answer whole lines in order; while a train runs, what follows it waits."""
        while client in self._clients and not client.train_running and b"\n" in client.incoming:
            line, client.incoming = client.incoming.split(b"\n", 1)
            if line.strip():
                self._handle(client, line)
        if len(client.incoming) > LINE_BYTES_MAX:
            self._send(
                client, {"ok": False, "error": "the line is too long", "mend": f"at most {LINE_BYTES_MAX} bytes"}
            )
            self._drop(client)

    def _handle(self, client: _Client, line: bytes) -> None:
        try:
            reply = self._request(client, _object(line))
        except _Refused as refusal:
            reply = {"ok": False, "error": refusal.args[0], "mend": refusal.args[1]}
        if reply is not None:
            self._send(client, {"ok": True} | reply)

    def _request(self, client: _Client, request: dict[str, Any]) -> dict[str, Any] | None:
        match request.get("op"):
            case "press" | "release" as op:
                return {"at_s": self._drive(self._input(request), op == "press")}
            case "set":
                return {"at_s": self._set(request)}
            case "bounce":
                signal = self._input(request)
                train = _train(request)
                client.train_running = True
                first_at = time.monotonic() + train[0][0]
                heapq.heappush(self._due, (first_at, next(self._order), client, signal, train, []))
                return None
            case "levels":
                return {"levels": self._levels()}
            case "watch":
                client.watching = True
                return {"levels": self._levels()}
        raise _Refused("there is no such op", "use press, release, set, bounce, levels or watch")

    def _step_train(self, client: _Client, signal: str, train: list[tuple[float, bool]], done: list[float]) -> None:
        """Drive the next edge of a train, and put the one after it in the queue, or answer."""
        done.append(self._drive(signal, train[len(done)][1]))
        if len(done) < len(train):
            due_at = done[-1] + train[len(done)][0]
            heapq.heappush(self._due, (due_at, next(self._order), client, signal, train, done))
        elif client in self._clients:
            client.train_running = False
            self._send(client, {"ok": True, "at_s": done})
            self._handle_lines(client)

    def _drive(self, signal: str, active: bool) -> float:
        level = electrical(self._board.active_level(signal), active)
        at_s: float = self._factory.pin(self._board.pin(signal)).drive(level)
        return at_s

    def _set(self, request: dict[str, Any]) -> float:
        pin, level = request.get("pin"), request.get("level")
        signal = self._signals.get(pin) if type(pin) is int else None
        if signal not in INPUTS:
            pins = ", ".join(str(self._board.pin(name)) for name in self._board.fitted(INPUTS))
            raise _Refused("pin must be the BCM number of a fitted input", f"use one of {pins}")
        if level not in (0, 1):
            raise _Refused("level must be 0 or 1", "0 is low, 1 is high")
        at_s: float = self._factory.pin(pin).drive(bool(level))
        return at_s

    def _input(self, request: dict[str, Any]) -> str:
        signal = request.get("signal")
        fitted = self._board.fitted(INPUTS)
        if isinstance(signal, str) and signal in fitted:
            return signal
        if signal in OUTPUTS:
            raise _Refused(f"{signal} is an output", "outputs can only be watched")
        if signal in SIGNALS:
            raise _Refused(f"{signal} is not fitted", "give it a pin in the board map")
        close = difflib.get_close_matches(str(signal), fitted, n=1)
        raise _Refused(
            "there is no such signal", f"did you mean '{close[0]}'?" if close else f"use {', '.join(fitted)}"
        )

    def _levels(self) -> dict[str, float]:
        levels: dict[str, float] = {}
        for signal in self._board.fitted():
            state = float(self._factory.pin(self._board.pin(signal)).state)
            level = state if self._board.active_level(signal) == "high" else 1.0 - state
            levels[signal] = int(level) if level in (0.0, 1.0) else level
        return levels

    def _tell_watchers(self) -> None:
        while self._changes:
            pin, electrical_level, at_s, hz = self._changes.popleft()
            signal = self._signals.get(pin, "")
            low_active = signal != "" and self._board.active_level(signal) == "low"
            level = 1.0 - electrical_level if low_active else electrical_level
            event = {"event": "output", "signal": signal, "pin": pin, "level": level, "hz": hz, "at_s": at_s}
            for client in [client for client in self._clients if client.watching]:
                self._send(client, event)

    def _send(self, client: _Client, message: dict[str, Any]) -> None:
        """Send one line; a client that does not read what it asked for is dropped at `UNSENT_BYTES_MAX`."""
        client.outgoing += json.dumps(message).encode() + b"\n"
        if len(client.outgoing) > UNSENT_BYTES_MAX:
            return self._drop(client)
        self._flush(client)

    def _flush(self, client: _Client) -> None:
        try:
            sent = client.connection.send(client.outgoing)
        except BlockingIOError:
            sent = 0
        except OSError:
            return self._drop(client)
        del client.outgoing[:sent]
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.outgoing else 0)
        if self._selector.get_key(client.connection).events != events:
            self._selector.modify(client.connection, events, client)


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise _Refused("the line is not JSON", 'send for example {"op": "levels"}') from None
    if not isinstance(value, dict):
        raise _Refused("the line is not a JSON object", 'send for example {"op": "levels"}')
    return value


def _train(request: dict[str, Any]) -> list[tuple[float, bool]]:
    """The train of a bounce request as (delay_s, active)."""
    train = request.get("train")
    mend = f"use [[delay_ms, 0 or 1], ...], 1 to {TRAIN_MAX} edges of 0 to {DELAY_MS_MAX} ms"
    if not isinstance(train, list) or not 1 <= len(train) <= TRAIN_MAX:
        raise _Refused("train is not a list of edges", mend)
    edges: list[tuple[float, bool]] = []
    for edge in train:
        match edge:
            case [int() | float() as delay_ms, 0 | 1 as active] if 0 <= delay_ms <= DELAY_MS_MAX:
                edges.append((delay_ms / 1000, bool(active)))
            case _:
                raise _Refused(f"edge {len(edges)} of the train is wrong", mend)
    return edges
