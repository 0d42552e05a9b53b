"""How often one log message may repeat: a decision without clock or output, used by `service.logs`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["RateBound", "Suppressed"]


class Suppressed(NamedTuple):
    """What one window held back of one message: told once, after the window."""

    key: str
    times: int


@dataclass(slots=True)
class _Window:
    began_s: float
    passed: int = 0
    suppressed: int = 0


class RateBound:
    """Lets each key pass `per_window` times in `window_s` seconds and counts the rest.

    At most `keys_max` keys are followed at once; further ones share a single window (`OTHER`) until old ones expire,
    so that a flood of ever-changing messages is bounded too. Times are seconds on any monotonic clock.
    """

    OTHER = "(other messages)"

    def __init__(self, *, per_window: int, window_s: float, keys_max: int) -> None:
        self._per_window = per_window
        self._window_s = window_s
        self._keys_max = keys_max
        self._windows: dict[str, _Window] = {}

    def admit(self, key: str, now: float) -> bool:
        """Whether a message of `key` may be written at `now`; call `expire` first."""
        if key not in self._windows and len(self._windows) >= self._keys_max:
            key = self.OTHER
        window = self._windows.setdefault(key, _Window(began_s=now))
        if window.passed < self._per_window:
            window.passed += 1
            return True
        window.suppressed += 1
        return False

    def expire(self, now: float) -> tuple[Suppressed, ...]:
        """Close every window that is over at `now`; returns what they held back, oldest first."""
        ended = []
        # Windows stand in the order they began, so the first young one ends the search: this runs for every record.
        for key, window in self._windows.items():
            if now - window.began_s < self._window_s:
                break
            ended.append(key)
        return self._close(ended)

    def drain(self) -> tuple[Suppressed, ...]:
        """Close every window; returns what they held back. For the end of the process."""
        return self._close(list(self._windows))

    def _close(self, keys: list[str]) -> tuple[Suppressed, ...]:
        windows = [(key, self._windows.pop(key)) for key in keys]
        return tuple(Suppressed(key, window.suppressed) for key, window in windows if window.suppressed)
