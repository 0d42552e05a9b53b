"""Availability: synthetic presses answered per minute, over the minutes in which one was made. Pure."""

from collections.abc import Iterable

from msgspec import Struct

from dispatch.history.presses import Durations, durations

MINUTE_MS = 60_000


class Probes(Struct, frozen=True, kw_only=True):
    """What came of the probe's presses in a period."""

    asked: int = 0
    answered: int = 0
    minutes: int = 0
    """Whole minutes of the period; of the one that has just begun nothing is asked."""
    unprobed_min: int = 0
    """Minutes of those without a press: the probe did not run."""
    took: Durations = Durations()
    """From the request to the grant, of those that were answered."""

    @property
    def rate(self) -> float | None:
        """Part of the presses that were answered; None where none was made."""
        return self.answered / self.asked if self.asked else None


def probes_of(presses: Iterable[tuple[int, bool, float | None]], since_ms: int, until_ms: int) -> Probes:
    """Count presses (Unix ms, answered, ms until the grant) of a period [since_ms, until_ms), in any order."""
    asked = answered = 0
    probed: set[int] = set()
    took: list[float] = []
    first, end = since_ms // MINUTE_MS, until_ms // MINUTE_MS
    for at, good, took_ms in presses:
        if not since_ms <= at < until_ms:
            continue
        asked += 1
        answered += good
        probed.add(at // MINUTE_MS)
        if good and took_ms is not None:
            took.append(took_ms)
    minutes = max(0, end - first)
    without = minutes - sum(first <= minute < end for minute in probed)
    return Probes(asked=asked, answered=answered, minutes=minutes, unprobed_min=without, took=durations(took))
