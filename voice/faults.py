"""Faults that the worker survived, told to the daemon without flooding it."""

from __future__ import annotations

import time
from collections.abc import Callable

from protocol.worker import Fault
from service.logs import Log

FAULT_EVERY_S = 10.0
"""The same kind of fault is told to the daemon no more often."""
KINDS_MAX = 64

log = Log(__name__)


class Faults:
    """Tells each kind of fault at most every FAULT_EVERY_S. The loop's thread."""

    def __init__(self, tell: Callable[[Fault], object], clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing failed yet."""
        self._tell = tell
        self._clock = clock
        self._told: dict[str, float] = {}

    def survived(self, kind: str, what: str) -> None:
        """Log and tell a fault, unless one of its kind was told just now."""
        now = self._clock()
        if now - self._told.get(kind, float("-inf")) < FAULT_EVERY_S:
            return
        if len(self._told) >= KINDS_MAX:
            self._told.clear()
        self._told[kind] = now
        log.warning("survived a fault", what=what)
        self._tell(Fault(what=what[:512]))
