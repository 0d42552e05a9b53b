"""Who heard a traced press, and how long after its edge: moments of two machines, each by the office's clock. Pure."""

from collections.abc import Sequence

from msgspec import Struct

from protocol.messages import BurstPlayed, PressTrace

NEAR_MS = 600_000
"""A report belongs to a press where it came within so long of it: another store counts bursts anew."""


class Reported(Struct, frozen=True, kw_only=True):
    """A listener's report as it is kept. `received_at`: Unix ms."""

    user: str
    received_at: int
    report: BurstPlayed


class Listener(Struct, frozen=True, kw_only=True):
    """One listener of a press. Null: not measured there."""

    user: str
    heard_ms: int | None = None
    """From the edge until the first sample was at its loudspeaker."""
    error_ms: int | None = None
    """How wrong that can be: the errors of both clocks together."""
    join_ms: int | None = None
    """How long it took to join the channel, where it did for this burst."""
    frames: int = 0
    concealed: int = 0


class FirstHeard(Struct, frozen=True, kw_only=True):
    """All reports of one burst together. Null: nobody measured it."""

    received_at: int
    """When the first of them came (Unix ms)."""
    heard_at: int | None = None
    """When the first listener heard it, by the office's clock (Unix ms)."""
    error_ms: int | None = None
    """How wrong the worst of their moments can be."""
    join_ms: int | None = None
    """How long the slowest took to join the channel, where one had to."""

    def of(self, trace: PressTrace, told_at: int) -> bool:
        """Whether it is of this press, and not of another burst of that number before a store was restored."""
        return min(abs(self.received_at - trace.edge_at), abs(self.received_at - told_at)) <= NEAR_MS


def listeners_of(trace: PressTrace, told_at: int, reports: Sequence[Reported]) -> tuple[Listener, ...]:
    """Give a press's listeners, the first first, those that told no moment last. `told_at`: when the trace came.

    Only where the edge and what was heard are both by the office's clock they are compared.
    """
    if not trace.burst:
        return ()
    found = [
        _listener(trace, one)
        for one in reports
        if one.report.burst == trace.burst
        and min(abs(one.received_at - trace.edge_at), abs(one.received_at - told_at)) <= NEAR_MS
    ]
    return tuple(sorted(found, key=lambda each: (each.heard_ms is None, each.heard_ms or 0, each.user)))


def slowest_join(listeners: Sequence[Listener]) -> int | None:
    """Give how long the slowest took to join, where any had to (ms)."""
    return max((one.join_ms for one in listeners if one.join_ms is not None), default=None)


def _listener(trace: PressTrace, one: Reported) -> Listener:
    said = one.report
    heard_ms = error_ms = None
    if trace.edge_error_ms is not None and said.heard_at is not None and said.heard_error_ms is not None:
        heard_ms, error_ms = max(0, said.heard_at - trace.edge_at), trace.edge_error_ms + said.heard_error_ms
    return Listener(
        user=one.user,
        heard_ms=heard_ms,
        error_ms=error_ms,
        join_ms=said.join_ms,
        frames=said.frames,
        concealed=said.concealed,
    )
