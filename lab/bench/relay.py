"""The least a PyAudio program can do: capture → UDP on the loopback → playback, raw PCM, a queue of one frame.

What it needs from mouth to ear is what the sound devices and PyAudio need; nothing built on them can be quicker.
`python -m lab.bench.relay CAPTURE PLAYBACK FRAME_MS` runs until it is ended, and prints `ready` first.
"""

from __future__ import annotations

import argparse
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from lab.pulse import RATE_HZ

PREFILL_FRAMES = 1
SLACK_FRAMES = 2
"""More than so many frames beyond the prefill are thrown away, the oldest first."""
DATAGRAM_BYTES_MAX = 65536
CONTINUE = 0
"""PortAudio's paContinue."""

Callback: TypeAlias = Callable[[bytes | None, int, Mapping[str, float], int], tuple[bytes | None, int]]


class Relay:
    """Two callback streams and the thread between them."""

    def __init__(self, capture: str, playback: str, frame_ms: int) -> None:
        """Open both devices by name; raises OSError."""
        self._queue: deque[bytes] = deque()
        self._playing = False
        self._inlet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._inlet.bind(("127.0.0.1", 0))
        self._outlet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._outlet.connect(self._inlet.getsockname())
        threading.Thread(target=self._receive, name="relay", daemon=True).start()
        self._streams = open_streams(capture, playback, frame_ms, self._captured, self._play)

    def _receive(self) -> None:
        queue = self._queue
        while True:
            queue.append(self._inlet.recv(DATAGRAM_BYTES_MAX))
            while len(queue) > PREFILL_FRAMES + SLACK_FRAMES:
                queue.popleft()

    def _captured(
        self, data: bytes | None, _count: int, _times: Mapping[str, float], _status: int
    ) -> tuple[bytes | None, int]:
        self._outlet.send(data or b"")
        return None, CONTINUE

    def _play(
        self, _data: bytes | None, count: int, _times: Mapping[str, float], _status: int
    ) -> tuple[bytes | None, int]:
        if not self._playing:
            self._playing = len(self._queue) >= PREFILL_FRAMES
        if self._playing:
            try:
                return self._queue.popleft(), CONTINUE
            except IndexError:
                self._playing = False
        return bytes(2 * count), CONTINUE


def open_streams(
    capture: str, playback: str, frame_ms: int, on_captured: Callback, on_play: Callback
) -> tuple[Any, Any]:
    """Open and start two callback streams on devices of these names: playback and capture."""
    import pyaudio  # the rest of the bench does without

    audio = pyaudio.PyAudio()
    infos = (audio.get_device_info_by_index(index) for index in range(audio.get_device_count()))
    numbers = {str(info["name"]): int(info["index"]) for info in infos}
    common: dict[str, Any] = {
        "format": pyaudio.paInt16,
        "channels": 1,
        "rate": RATE_HZ,
        "frames_per_buffer": RATE_HZ * frame_ms // 1000,
    }
    return (
        audio.open(output=True, output_device_index=numbers[playback], stream_callback=on_play, **common),
        audio.open(input=True, input_device_index=numbers[capture], stream_callback=on_captured, **common),
    )


def main(argv: list[str]) -> int:
    """Run a relay."""
    parser = argparse.ArgumentParser(prog="python -m lab.bench.relay", description=__doc__)
    parser.add_argument("capture")
    parser.add_argument("playback")
    parser.add_argument("frame_ms", type=int)
    options = parser.parse_args(argv)
    relay = Relay(options.capture, options.playback, options.frame_ms)
    print("ready", flush=True)
    threading.Event().wait()
    del relay
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
