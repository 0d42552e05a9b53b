"""Moments when the machine itself stood still, and what that excuses: what was heard or told then, and nothing else.

A host that takes a core away from a virtual machine for half a second cuts a hole into every sound on it; that says
nothing about the product. A check is excused only where it judges sound or time, and where a stall lies in its span.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lab.demo.checks import Check

STALL_S_MIN = 0.12
"""A shorter one is bridged by jitter buffers and concealed: it excuses nothing."""
BEFORE_S = 0.3
"""A stall that ended so long before a span still delays what falls into it: threads catch up."""


class Stall(Struct, frozen=True, kw_only=True):
    """From `start_s` to `end_s` (CLOCK_MONOTONIC) nothing ran on `core`."""

    core: int
    start_s: float
    end_s: float

    @property
    def ms(self) -> float:
        """How long it was."""
        return (self.end_s - self.start_s) * 1000


def behind(check: Check, stalls: Sequence[Stall]) -> tuple[Stall, ...]:
    """Those that may be why a check failed: in its span, or ended shortly before it. None for one that holds."""
    if check.ok or check.span is None:
        return ()
    from_s, until_s = check.span[0] - BEFORE_S, check.span[1]
    return tuple(
        stall
        for stall in stalls
        if stall.end_s >= from_s and stall.start_s <= until_s and stall.ms >= check.stall_s * 1000
    )


def excused(checks: Sequence[Check], stalls: Sequence[Stall]) -> bool:
    """Whether checks failed, and each of those that did may be laid to a machine that stood still."""
    failed = [check for check in checks if not check.ok]
    return bool(failed) and all(behind(check, stalls) for check in failed)


def longest(checks: Sequence[Check], stalls: Sequence[Stall]) -> tuple[Check, Stall] | None:
    """Give the longest stall behind failed checks, and the check that it is behind."""
    found = [(check, stall) for check in checks for stall in behind(check, stalls)]
    return max(found, key=lambda both: both[1].ms, default=None)
