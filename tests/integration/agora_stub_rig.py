"""Processes that have joined the stand-in's channel, and what they say and hear in it."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.support.agora import FRAME_BYTES, SdkProcess, token_for

CAR, COLLEAGUE, STRANGER = 4_000_000_001, 7, 9
FRAME_S = 0.01
SPEECH = b"".join(bytes([1 + index % 250, index % 100]) * (FRAME_BYTES // 2) for index in range(40))
"""40 different frames of 10 ms, none of which is silence."""

Start = Callable[[], SdkProcess]


def joined(start: Start, uid: int, publisher: bool = True) -> SdkProcess:
    """A process that has joined as `uid`."""
    process = start()
    process.do("connect", token_for(uid, publisher=publisher))
    process.until("Connected")
    return process


def talk(process: SdkProcess, pcm: bytes = SPEECH) -> None:
    """Push in real time, 10 ms at a time, as a microphone does."""
    due = time.monotonic()
    for at in range(0, len(pcm), FRAME_BYTES):
        process.do("push", pcm[at : at + FRAME_BYTES])
        due += FRAME_S
        time.sleep(max(0.0, due - time.monotonic()))


def sound_in(heard: bytes) -> bytes:
    """What was heard without the frames of silence that a publisher's pauses make."""
    frames = [heard[at : at + FRAME_BYTES] for at in range(0, len(heard), FRAME_BYTES)]
    return b"".join(frame for frame in frames if any(frame))
