"""A real voice worker process, driven through its pipe by a test as the daemon would."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from protocol.ids import OfficeId
from protocol.worker import Command, WorkerEvent, decode_event, encode
from protocol.worker_settings import AgoraSettings, AudioSettings, VoiceMqttSettings, WorkerSettings, encode_settings

ROOT = Path(__file__).resolve().parents[2]
OFFICE = OfficeId("kr", "seoul")
E = TypeVar("E")


class WorkerProcess:
    """`python -m voice` and the daemon's end of its pipe. Events are kept in `events` with the time they came."""

    def __init__(
        self,
        user: str,
        port: int,
        audio: AudioSettings,
        log: Path,
        *,
        env: dict[str, str] | None = None,
        parent: tuple[str, ...] = (),
        agora: AgoraSettings | None = None,
    ) -> None:
        self.user = user
        self.events: list[tuple[float, WorkerEvent]] = []
        self._sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._log = log.open("ab")
        fd = theirs.fileno()
        self.process = subprocess.Popen(
            [*parent, sys.executable, "-m", "voice", "--pipe-fd", str(fd)],
            cwd=ROOT,
            pass_fds=[fd],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, **(env or {})},
        )
        theirs.close()
        mqtt = VoiceMqttSettings(port=port, client_id=f"{user}-voice-{os.getpid()}-{self.process.pid}")
        settings = WorkerSettings(user=user, office=OFFICE, mqtt=mqtt, audio=audio, agora=agora)
        self._sock.send(encode_settings(settings))
        self._reader = threading.Thread(target=self._read, name=f"events-{user}", daemon=True)
        self._reader.start()

    def tell(self, command: Command) -> None:
        """Send a command."""
        self._sock.send(encode(command))

    def wait(
        self, kind: type[E], holds: Callable[[E], bool] = lambda _: True, timeout_s: float = 10.0
    ) -> tuple[float, E]:
        """Give the first event of a kind for which `holds`, and when it came; raises AssertionError."""
        deadline = time.monotonic() + timeout_s
        while True:
            for at, event in tuple(self.events):
                if isinstance(event, kind) and holds(event):
                    return at, event
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.user}: no {kind.__name__} among {[e for _, e in self.events]}")
            time.sleep(0.005)

    def all(self, kind: type[E]) -> list[E]:
        """Give every event of a kind so far."""
        return [event for _, event in tuple(self.events) if isinstance(event, kind)]

    def hang_up(self) -> None:
        """Close the daemon's end, as its death does."""
        self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def close(self) -> None:
        """End it, however it is."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5.0)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._sock.close()
        self._log.close()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        while True:
            try:
                select.select([self._sock], [], [], 60.0)
                data = self._sock.recv(65536)
            except (OSError, ValueError):
                return
            if not data:
                return
            self.events.append((time.monotonic(), decode_event(data)))
