"""A broker whose subscribers are flooded."""

import socket
import threading
from collections import deque
from contextlib import suppress
from typing import BinaryIO, TypeVar

from protocol.codec import decode, encode
from protocol.ids import OfficeId
from protocol.messages import Heartbeat, Message
from protocol.topics import Kind, parse, topic
from tests.support.procs import eventually

M = TypeVar("M")


class FloodingBroker:
    """Just enough of MQTT 5 to serve one client, which it sends heartbeats of nobody without an end."""

    def __init__(self, office: OfficeId) -> None:
        beat = Heartbeat(connection_id=(1, 1, 1), beat_no=1)
        self._block = _packet(topic(office, Kind.HEARTBEAT, "car-9"), beat) * 2000
        self._server = socket.create_server(("127.0.0.1", 0))
        self._to_say: deque[bytes] = deque()
        self._heard: list[Message] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._serve, name="broker", daemon=True)]
        self.blocks = 0
        self.port_line = f"port = {self._server.getsockname()[1]}"

    def __enter__(self) -> "FloodingBroker":
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._server.close()

    def say(self, where: str, message: Message) -> None:
        self._to_say.append(_packet(where, message))

    def all_heard(self, kind: type[M]) -> list[M]:
        return [m for m in tuple(self._heard) if isinstance(m, kind)]

    def heard(self, kind: type[M], timeout_s: float) -> M:
        eventually(lambda: self.all_heard(kind), timeout_s)
        return self.all_heard(kind)[0]

    def _serve(self) -> None:
        line, _ = self._server.accept()
        with line, suppress(ConnectionError):
            line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 131072)
            listener = threading.Thread(target=self._listen, args=(line.makefile("rb"), line), name="ear", daemon=True)
            self._threads.append(listener)
            listener.start()
            while not self._stop.is_set():
                while self._to_say:
                    line.sendall(self._to_say.popleft())
                if self.blocks or self._serving:
                    line.sendall(self._block)
                    self.blocks += 1
            line.shutdown(socket.SHUT_RDWR)

    _serving = False

    def _listen(self, file: BinaryIO, line: socket.socket) -> None:
        with suppress(ConnectionError):
            while head := file.read(1):
                size = shift = 0
                while True:
                    part = file.read(1)[0]
                    size |= (part & 127) << shift
                    shift += 7
                    if part < 128:
                        break
                self._answer(head[0], file.read(size), line)

    def _answer(self, head: int, body: bytes, line: socket.socket) -> None:
        match head >> 4:
            case 1:
                line.sendall(b"\x20\x03\0\0\0")
            case 8:
                line.sendall(b"\x90\x0a" + body[:2] + b"\0" + b"\x01" * 7)
                self._serving = True
            case 3:
                name_end = 2 + int.from_bytes(body[:2], "big")
                properties_at = name_end + 2
                payload = body[properties_at + 1 + body[properties_at] :]
                if payload:
                    self._heard.append(decode(payload, parse(body[2:name_end].decode()).kind))
                self._to_say.append(b"\x40\x02" + body[name_end : name_end + 2])


def _packet(where: str, message: Message) -> bytes:
    """A QoS 0 PUBLISH."""
    body = len(where).to_bytes(2, "big") + where.encode() + b"\0" + encode(message)
    return b"\x30" + bytes([len(body) % 128 | 128, len(body) // 128]) + body
