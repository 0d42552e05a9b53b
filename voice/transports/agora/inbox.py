"""From the SDK's threads to the loop: a bounded queue whose `put` never waits for anybody.

Sound may be dropped where the loop is too slow; it is counted. Words about the connection may not: should even those
pile up to the bound, `flooded` says that what is known of the connection cannot be trusted any more.
"""

import threading
from collections import deque
from collections.abc import Callable

from msgspec import Struct

from voice.transports.agora.port import SdkEvent, Speech

SOUND_MAX = 100
"""Frames of sound that may wait (1 s of 10 ms frames)."""
WORDS_MAX = 200
"""Other events that may wait on top."""


class Noted(Struct, frozen=True, gc=False):
    """An event of connection `generation`; for sound, of the subscription `interval`."""

    generation: int
    interval: int
    event: SdkEvent


class Inbox:
    """`put` in any thread; `take` in the loop's. `wake` is called in the putting thread, once until the next `take`.

    `wake` returns False where the loop cannot be woken; the next `put` tries again.
    """

    def __init__(self, wake: Callable[[], bool]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._waiting: deque[Noted] = deque()
        self._sound = 0
        self._woken = False
        self._dropped = 0
        self._flooded = False

    def put(self, generation: int, event: SdkEvent, interval: int = 0) -> None:
        """Add an event, or drop and count it where the bound is reached."""
        sound = isinstance(event, Speech)
        with self._lock:
            if sound and self._sound >= SOUND_MAX:
                self._dropped += 1
            elif not sound and len(self._waiting) - self._sound >= WORDS_MAX:
                self._dropped += 1
                self._flooded = True
            else:
                self._waiting.append(Noted(generation, interval, event))
                self._sound += sound
            wake, self._woken = not self._woken, True
        if wake and not self._wake():
            with self._lock:
                self._woken = False

    def take(self) -> tuple[list[Noted], int, bool]:
        """Give what waits, how much was dropped since the last time, and whether words were among that."""
        with self._lock:
            noted, dropped, flooded = list(self._waiting), self._dropped, self._flooded
            self._waiting.clear()
            self._sound = self._dropped = 0
            self._woken = self._flooded = False
        return noted, dropped, flooded
