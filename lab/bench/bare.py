"""PyAudio with both devices open and nothing to do: what the devices themselves cost while nobody talks.

`python -m lab.bench.bare CAPTURE PLAYBACK` runs until it is ended, and prints `ready` first.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping

from lab.bench.relay import CONTINUE, open_streams

FRAME_MS = 10
_SILENCE = bytes(2 * 48 * FRAME_MS)


def main(argv: list[str]) -> int:
    """Run it."""
    capture, playback = argv
    streams = open_streams(capture, playback, FRAME_MS, _captured, _play)
    print("ready", flush=True)
    threading.Event().wait()
    del streams
    return 0


def _captured(_data: bytes | None, _count: int, _times: Mapping[str, float], _status: int) -> tuple[None, int]:
    return None, CONTINUE


def _play(_data: bytes | None, _count: int, _times: Mapping[str, float], _status: int) -> tuple[bytes, int]:
    return _SILENCE, CONTINUE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
