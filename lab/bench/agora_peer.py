"""One process with our adapter to Agora's SDK, told what to do in JSON lines; it answers with times (CLOCK_MONOTONIC).

`python -m lab.bench.agora_peer <sdk_dir> <log_dir>`; words: {"connect": token}, {"subscribe": uid}, {"speak": true},
{"leave": true}; answers: {"connected": at}, {"pushed": at} before the first push, {"heard": at} of the first loud step
since `subscribe`, {"failed": why}.
"""

from __future__ import annotations

import array
import json
import os
import sys
import time
from typing import Any

import msgspec

from protocol.worker import Token
from protocol.worker_settings import AgoraSettings
from service.logs import configure
from service.loop import EVENT_READ, Loop
from voice.transports.agora.port import Closed, Connected, Overrun, Refused, SdkEvent, Speech, TokenExpires, Unusable
from voice.transports.agora.sdk import AgoraSdk

RATE_HZ = 16_000
LOUD = 8000
FRAME = array.array("h", [LOUD] * (RATE_HZ // 50)).tobytes()


class Peer:
    """The program: a loop, an adapter, and a pipe at either end."""

    def __init__(self, sdk_dir: str, log_dir: str) -> None:
        self._loop = Loop()
        settings = AgoraSettings(sdk_dir=sdk_dir, log_dir=log_dir)
        self._sdk = AgoraSdk(self._loop, settings, RATE_HZ, self._tell, self._fatal)
        self._rest = b""
        self._waits = False
        os.set_blocking(0, False)
        self._loop.add(0, EVENT_READ, self._read)

    def run(self) -> None:
        """Run until its input ends."""
        self._loop.run(lambda _now: None)
        self._sdk.close()

    def _read(self, _ready: int) -> None:
        data = os.read(0, 1 << 16)
        if not data:
            self._loop.stop()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._do(json.loads(line))

    def _do(self, word: dict[str, Any]) -> None:
        match word:
            case {"connect": token}:
                self._sdk.connect(msgspec.convert(token, Token))
            case {"subscribe": uid}:
                self._waits = True
                self._sdk.subscribe(uid)
            case {"speak": _}:
                self._sdk.publish()
                _answer({"pushed": time.monotonic()})
                self._sdk.push(FRAME)
            case {"leave": _}:
                self._sdk.disconnect()

    def _tell(self, event: SdkEvent) -> None:
        now = time.monotonic()
        match event:
            case Connected():
                _answer({"connected": now})
            case Speech(pcm=pcm):
                if self._waits and any(pcm):
                    self._waits = False
                    _answer({"heard": now})
            case Closed() | Refused() | Unusable() | Overrun() | TokenExpires():
                _answer({"failed": repr(event)})

    def _fatal(self, error: Exception) -> None:
        raise error


def _answer(word: dict[str, Any]) -> None:
    print(json.dumps(word), flush=True)


if __name__ == "__main__":
    configure("agora-peer", "warning")
    Peer(*sys.argv[1:]).run()
