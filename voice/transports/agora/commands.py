"""Calls on their way to the SDK's thread: in order, bounded, never waited for by those who give them."""

import threading
import time
from collections import deque
from collections.abc import Callable

COMMANDS_MAX = 200
"""So many calls may wait for the SDK; one more means that it hangs."""
PUSHES_MAX = 50
"""Calls that carry sound among them (0.5 s of 10 ms frames); one more means that the SDK takes no sound."""


class Commands:
    """`put` and `put_sound` say False where one more cannot wait; `run_next` belongs to the thread that makes them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[tuple[bool, Callable[[], None]]] = deque()
        self._sound = 0
        self._last = False
        self._making_since: float | None = None

    def stuck_s(self, now: float) -> float:
        """How long the call that is being made has lasted by `now` (CLOCK_MONOTONIC); 0 where none is. Any thread."""
        since = self._making_since
        return 0.0 if since is None else now - since

    def put(self, run: Callable[[], None]) -> bool:
        """Add a call."""
        with self._changed:
            return len(self._waiting) < COMMANDS_MAX and self._add(False, run)

    def put_sound(self, run: Callable[[], None]) -> bool:
        """Add a call that carries sound."""
        with self._changed:
            return self._sound < PUSHES_MAX and len(self._waiting) < COMMANDS_MAX and self._add(True, run)

    def put_last(self, run: Callable[[], None]) -> None:
        """Forget what waits, make this call and no more."""
        with self._changed:
            self._waiting.clear()
            self._sound = 0
            self._last = True
            self._add(False, run)

    def run_next(self) -> bool:
        """Wait for a call and make it; False once the last was made."""
        with self._changed:
            while not self._waiting:
                self._changed.wait()
            sound, run = self._waiting.popleft()
            self._sound -= sound
            last = self._last and not self._waiting
        self._making_since = time.monotonic()
        try:
            run()
        finally:
            self._making_since = None
        return not last

    def _add(self, sound: bool, run: Callable[[], None]) -> bool:
        self._waiting.append((sound, run))
        self._sound += sound
        self._changed.notify()
        return True
