"""The one selector loop that every process of ours turns.

Sockets, pipes and timers call back in the loop's thread; every other thread (GPIO, audio, connecting) only hands a
call over with `call_soon_threadsafe`. One turn is: wait, foreign calls, ready I/O, due timers, then `step(now)`.
Foreign calls come before each ready descriptor: an edge that a pin's thread has told of is older than what still waits
in a socket, and a button let go must be known before a grant is.
Nothing is caught: an exception in a callback is a programmer's error and leaves `run`.
"""

from __future__ import annotations

import heapq
import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE
from typing import Protocol, TypeAlias

__all__ = ["EVENT_READ", "EVENT_WRITE", "FOREIGN_CALLS_MAX", "Loop", "Timer"]

FOREIGN_CALLS_MAX = 4096
"""So many calls of other threads may wait; beyond it they are refused and counted."""


class HasFileno(Protocol):
    """A socket, pipe or file."""

    def fileno(self) -> int:
        """Give its descriptor."""


FileObj: TypeAlias = int | HasFileno
"""What a selector takes: a descriptor, or an object that has one."""


class _Watch:
    """One registered descriptor. `live` is cleared on removal, so that a turn in progress does not call it."""

    __slots__ = ("callback", "live")

    def __init__(self, callback: Callable[[int], None]) -> None:
        self.callback = callback
        self.live = True


class Timer:
    """A call due at `when_s` of the monotonic clock; made by `Loop.call_at`."""

    __slots__ = ("_fn", "when_s")

    def __init__(self, when_s: float, fn: Callable[[], None]) -> None:
        self.when_s = when_s
        self._fn: Callable[[], None] | None = fn

    def cancel(self) -> None:
        """Never call it; harmless when it was called already."""
        self._fn = None

    @property
    def pending(self) -> bool:
        """Whether it is still going to be called."""
        return self._fn is not None

    def fire(self) -> None:
        """Call it once, unless it was cancelled (the loop does this)."""
        fn, self._fn = self._fn, None
        if fn is not None:
            fn()

    def __lt__(self, other: Timer) -> bool:
        return self.when_s < other.when_s


class Loop:
    """A selector, a bounded inbox for other threads and a heap of timers. Use it from one thread only, but for
    `call_soon_threadsafe` (any thread) and `stop` (any thread and signal handlers)."""

    def __init__(self, foreign_calls_max: int = FOREIGN_CALLS_MAX) -> None:
        self.refused = 0
        """Foreign calls refused because the inbox was full or the loop closed."""
        self._max = foreign_calls_max
        self._selector = selectors.DefaultSelector()
        self._inbox: deque[Callable[[], None]] = deque()
        self._lock = threading.RLock()  # reentrant: a signal handler may interrupt its own thread's hand-over
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._woken = False
        self._closed = False
        self._stopped = False
        self._timers: list[Timer] = []
        self.add(self._wake_fd, EVENT_READ, self._awake)

    def add(self, fileobj: FileObj, events: int, callback: Callable[[int], None]) -> None:
        """Call `callback(ready)` whenever `fileobj` is ready for any of `events` (EVENT_READ | EVENT_WRITE).

        Raises KeyError if it is registered already, ValueError for no events.
        """
        self._selector.register(fileobj, events, _Watch(callback))

    def modify(self, fileobj: FileObj, events: int) -> None:
        """Wait for other events on a registered `fileobj`; raises KeyError if it is none."""
        self._selector.modify(fileobj, events, self._selector.get_key(fileobj).data)

    def remove(self, fileobj: FileObj) -> None:
        """Forget `fileobj`: its callback is not called any more, not even later in this turn.

        Raises KeyError if it is not registered; does nothing once the loop is closed.
        """
        if self._closed:
            return
        self._selector.unregister(fileobj).data.live = False

    def call_at(self, when_s: float, fn: Callable[[], None]) -> Timer:
        """Call `fn` once `time.monotonic()` has reached `when_s`; a past time means in this turn or the next."""
        timer = Timer(when_s, fn)
        heapq.heappush(self._timers, timer)
        return timer

    def call_soon_threadsafe(self, fn: Callable[[], None]) -> bool:
        """From any thread: have `fn` called in the loop's thread, in order of hand-over.

        False, counted in `refused`, when the inbox is full (the loop does not turn) or the loop is closed.
        """
        with self._lock:
            if self._closed or len(self._inbox) >= self._max:
                self.refused += 1
                return False
            self._inbox.append(fn)
            if not self._woken:
                self._woken = True
                os.eventfd_write(self._wake_fd, 1)
        return True

    def run_foreign_calls(self) -> None:
        """Make the calls that other threads have handed over by now; in the loop's thread, at any time.

        For a callback that is about to tell of something others may have overtaken. What is handed over meanwhile
        waits, so that this ends.
        """
        with self._lock:
            count = len(self._inbox)
        for _ in range(count):
            if not self._inbox:
                break  # one of them has made the rest
            self._inbox.popleft()()

    def run(self, step: Callable[[float], float | None]) -> None:
        """Turn until `stop`. `step(now)` gives the monotonic time it wants to be called at again, or None.

        Times are `time.monotonic()` seconds. An exception of `step` or a callback leaves `run` at once.
        """
        select, monotonic = self._selector.select, time.monotonic
        try:
            deadline = step(monotonic())
            while not self._stopped:
                for key, ready in select(self._timeout(deadline)):
                    if self._inbox:
                        self.run_foreign_calls()
                    watch: _Watch = key.data
                    if watch.live:
                        watch.callback(ready)
                now = monotonic()
                if self._timers and self._timers[0].when_s <= now:
                    self._fire(now)
                deadline = step(now)
        finally:
            self._stopped = False

    def stop(self) -> None:
        """Leave `run` before its next wait; from any thread or a signal handler."""
        self._stopped = True
        if not self._closed:
            os.eventfd_write(self._wake_fd, 1)

    def close(self) -> None:
        """Give the descriptors back; later foreign calls are refused. Not while `run` runs."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._inbox.clear()
        self._timers.clear()
        self._selector.close()
        os.close(self._wake_fd)

    def _timeout(self, deadline: float | None) -> float | None:
        while self._timers and not self._timers[0].pending:
            heapq.heappop(self._timers)
        if self._timers and (deadline is None or self._timers[0].when_s < deadline):
            deadline = self._timers[0].when_s
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    def _fire(self, now: float) -> None:
        due: list[Timer] = []  # taken out first: one that re-arms itself in the past cannot hold the loop
        while self._timers and self._timers[0].when_s <= now:
            due.append(heapq.heappop(self._timers))
        for timer in due:
            timer.fire()

    def _awake(self, _ready: int) -> None:
        with self._lock:  # from here on a hand-over wakes the next turn
            os.eventfd_read(self._wake_fd)
            self._woken = False
        self.run_foreign_calls()
