"""Processes that run our adapter on the unmodified package and the stand-in's library, and are told what to do.

As a program (`python -m tests.support.agora <sdk_dir> <rate> <log_dir>`) it reads commands as JSON lines and writes
what the adapter tells, one JSON line an event; `SdkProcess` is its other end.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from dispatch.tokens.access_token2 import build
from protocol.worker import Token
from protocol.worker_settings import AgoraSettings
from service.logs import configure
from service.loop import EVENT_READ, Loop
from service.settings import Secret
from tests.support.procs import END_S, ROOT, eventually
from voice.transports.agora.port import SdkEvent, Speech
from voice.transports.agora.sdk import AgoraSdk

APP_ID = "970ca35de60c44645bbae8a215061b33"
CERTIFICATE = "5cfd2fd1755d40ecb72977518be15d3b"
CHANNEL = "office-1"
RATE_HZ = 16000
FRAME_BYTES = RATE_HZ // 100 * 2


def token_for(
    uid: int,
    channel: str = CHANNEL,
    *,
    publisher: bool = True,
    expire_s: int = 3600,
    issued_at_s: int | None = None,
    app_id: str = APP_ID,
) -> Token:
    """What the token service would give `uid`."""
    issued = int(time.time()) if issued_at_s is None else issued_at_s
    text = build(
        app_id,
        Secret(CERTIFICATE),
        channel,
        uid,
        publisher=publisher,
        expire_s=expire_s,
        issued_at_s=issued,
        salt=uid % 1000 + 1,
    )
    return Token(channel=channel, app_id=app_id, uid=uid, token=text, publisher=publisher, expires_in_s=expire_s)


class SdkProcess:
    """One process with an AgoraSdk. `events` is all it told so far, as (name, fields)."""

    def __init__(self, sdk_dir: Path, log_dir: Path, hub: Path, env: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.agora", str(sdk_dir), str(RATE_HZ), str(log_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), "AGORA_STUB_SOCKET": str(hub), **(env or {})},
        )
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> SdkProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(END_S)

    def do(self, what: str, *args: object) -> None:
        """Call a method of the adapter; a Token and bytes travel as they are."""
        line = json.dumps([what, *map(_packed, args)])
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def told(self, name: str) -> list[dict[str, Any]]:
        """Every event of this name."""
        return [fields for told, fields in list(self.events) if told == name]

    def until(self, name: str, count: int = 1, timeout_s: float = 8.0) -> dict[str, Any]:
        """Wait for the `count`-th event of this name and give it."""
        eventually(lambda: len(self.told(name)) >= count, timeout_s, lambda: f"{name} #{count}; told: {self.words}")
        return self.told(name)[count - 1]

    def ask(self, what: str) -> dict[str, Any]:
        """Ask the program about itself, and wait for the answer."""
        count = len(self.told("Answer"))
        self.do(what)
        return self.until("Answer", count + 1)

    @property
    def words(self) -> list[tuple[str, dict[str, Any]]]:
        """All but sound."""
        return [(name, fields) for name, fields in list(self.events) if name != "Speech"]

    @property
    def heard(self) -> bytes:
        """All sound that was told, silence included."""
        return b"".join(base64.b64decode(fields["pcm"]) for fields in self.told("Speech"))

    def ended(self, timeout_s: float = 8.0) -> int:
        """Wait for its end, and give its exit status."""
        return self._process.wait(timeout_s)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            name, fields = json.loads(line)
            self.events.append((name, fields))


def _packed(value: object) -> object:
    match value:
        case Token():
            return {"token": msgspec.to_builtins(value)}
        case bytes():
            return {"bytes": base64.b64encode(value).decode()}
        case _:
            return value


def _unpacked(value: Any) -> Any:
    match value:
        case {"token": fields}:
            return msgspec.convert(fields, Token)
        case {"bytes": text}:
            return base64.b64decode(text)
        case _:
            return value


class _Watched(AgoraSdk):
    """Notes in which kernel threads sound arrived."""

    threads: set[int]

    def _heard(self, generation: int, uid: int, pcm: bytes, at_s: float) -> None:
        self.__dict__.setdefault("threads", set()).add(threading.get_native_id())
        super()._heard(generation, uid, pcm, at_s)


class _Program:
    """The process under test: a loop, an adapter, and a pipe of commands."""

    def __init__(self, sdk_dir: str, rate_hz: str, log_dir: str) -> None:
        self._loop = Loop()
        self._told_in: set[int] = set()
        settings = AgoraSettings(sdk_dir=sdk_dir, log_dir=log_dir)
        self._sdk = _Watched(self._loop, settings, int(rate_hz), self._tell, self._fatal)
        self._rest = b""
        os.set_blocking(0, False)
        self._loop.add(0, EVENT_READ, self._commands)

    def run(self) -> None:
        self._loop.run(lambda _now: None)
        before = time.monotonic()
        self._sdk.close()
        self._write("Answer", {"closed_in_s": time.monotonic() - before})

    def _commands(self, _ready: int) -> None:
        data = os.read(0, 1 << 20)
        if not data:
            self._loop.stop()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            what, *args = json.loads(line)
            self._command(what, [_unpacked(arg) for arg in args])

    def _command(self, what: str, args: list[Any]) -> None:
        own: dict[str, Callable[[], None]] = {
            "quit": self._loop.stop,
            "about": self._about,
            "stall": self._stall,
        }
        if what in own:
            own[what]()
        else:
            getattr(self._sdk, what)(*args)

    def _stall(self) -> None:
        """A loop that does not turn, as on a machine that has other things to do."""
        self._write("Answer", {})
        time.sleep(1.0)

    def _about(self) -> None:
        import ssl

        names = {}
        for thread in self._sdk.__dict__.get("threads", set()):
            with contextlib.suppress(FileNotFoundError):
                names[thread] = Path(f"/proc/self/task/{thread}/comm").read_text().strip()
        self._write(
            "Answer",
            {
                "sound_threads": sorted(names.values()),
                "told_in": sorted(self._told_in),
                "main": threading.main_thread().native_id,
                "https_checked": ssl._create_default_https_context is ssl.create_default_context,
                "path": [entry for entry in sys.path if "sdk" in entry],
            },
        )

    def _tell(self, event: SdkEvent) -> None:
        self._told_in.add(threading.get_native_id())
        fields = msgspec.to_builtins(event) if not isinstance(event, Speech) else _speech(event)
        self._write(type(event).__name__, fields)

    def _write(self, name: str, fields: dict[str, Any]) -> None:
        data = json.dumps([name, fields]).encode() + b"\n"
        while data:
            select.select([], [1], [])
            data = data[os.write(1, data) :]

    def _fatal(self, error: Exception) -> None:
        raise error


def _speech(event: Speech) -> dict[str, Any]:
    return {"uid": event.uid, "pcm": base64.b64encode(event.pcm).decode(), "at_s": event.at_s}


if __name__ == "__main__":
    configure("agora-test", "debug")
    _Program(*sys.argv[1:]).run()
