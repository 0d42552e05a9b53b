"""From the first pushed frame of a speaker to the first frame in a listener's adapter, over the stand-in for Agora."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from dispatch.tokens.access_token2 import build
from lab.bench.parts import ROOT, BenchFailed
from lab.demo.agora import AgoraStandIn
from lab.office import AGORA_APP
from protocol.worker import Token

CHANNEL = "first-frame"
SPEAKER, LISTENER = 4_000_000_001, 1002
ANSWER_S = 10.0
EXPIRE_S = 3600


class PeerProcess:
    """The other end of `lab.bench.agora_peer`, ended on leaving."""

    def __init__(self, stand_in: AgoraStandIn, folder: Path, uid: int) -> None:
        """Start it; `folder` takes its log."""
        self._token = _token(stand_in, uid)
        argv = [sys.executable, "-m", "lab.bench.agora_peer", str(stand_in.sdk_dir), str(folder)]
        with (folder / f"peer-{uid}.log").open("ab") as log:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, env=_environ(stand_in)
            )
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, name=f"peer-{uid}", daemon=True).start()

    def __enter__(self) -> PeerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(ANSWER_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def connect(self) -> None:
        """Join the channel, and wait for it. Raises BenchFailed."""
        self.say({"connect": msgspec.to_builtins(self._token)})
        self.answer_s("connected")

    def say(self, word: dict[str, Any]) -> None:
        """Tell it something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(word).encode() + b"\n")
        self._process.stdin.flush()

    def answer_s(self, what: str) -> float:
        """Wait for an answer, and give its time. Raises BenchFailed where another comes, or none."""
        try:
            answer = self._answers.get(timeout=ANSWER_S)
        except queue.Empty:
            raise BenchFailed(f"the adapter does not tell within {ANSWER_S:g} s: {what}") from None
        if what not in answer:
            raise BenchFailed(f"the adapter tells {answer} instead of {what}")
        return float(answer[what])

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(b"{"):  # the SDK's package prints as well
                self._answers.put(json.loads(line))


def first_frames(stand_in: AgoraStandIn, work: Path, count: int) -> list[float]:
    """Join, push one frame, hear it, leave, `count` times; gives push to heard in ms, less the hub's own delay."""
    folder = work / "peers"
    folder.mkdir()
    found = []
    with PeerProcess(stand_in, folder, SPEAKER) as speaker, PeerProcess(stand_in, folder, LISTENER) as listener:
        for _ in range(count):
            for each in (speaker, listener):
                each.connect()
            listener.say({"subscribe": SPEAKER})
            time.sleep(0.1)  # a listener is told of the speaker well before it speaks
            speaker.say({"speak": True})
            pushed_s, heard_s = speaker.answer_s("pushed"), listener.answer_s("heard")
            found.append(1000 * (heard_s - pushed_s - stand_in.hub.network.delay_s))
            for each in (speaker, listener):
                each.say({"leave": True})
    return found


def _token(stand_in: AgoraStandIn, uid: int) -> Token:
    text = build(
        AGORA_APP, stand_in.certificate, CHANNEL, uid, publisher=True, expire_s=EXPIRE_S,
        issued_at_s=int(time.time()), salt=uid % 1000 + 1,
    )  # fmt: skip
    return Token(channel=CHANNEL, app_id=AGORA_APP, uid=uid, token=text, publisher=True, expires_in_s=EXPIRE_S)


def _environ(stand_in: AgoraStandIn) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **stand_in.environ}
