"""One press of a light member, and the trace that is told of it. Pure; moments are seconds of the member's clock."""

from __future__ import annotations

from protocol.ids import RequestId
from protocol.messages import PressTrace, Priority, TracedWord

HANDLED_S = 0.004
"""From the edge until a vehicle takes it up: debouncing, and the loop's turn."""


class Press:
    """What became of it so far."""

    def __init__(
        self, request_id: RequestId, priority: Priority, edge_at: float, edge_wall_ms: int, error_ms: int
    ) -> None:
        self.request_id = request_id
        self.priority = priority
        self.edge_at = edge_at
        self.asked_at: float | None = None
        self.permitted_at: float | None = None
        self.through_at: float | None = None
        self.key_up_at: float | None = None
        self.released_at: float | None = None
        self.burst: int | None = None
        self.renew_no = 0
        self.releases = 0
        self.frames = 0
        self.speaker: str | None = None
        self.remaining_s: float | None = None
        self._told: list[TracedWord] = []
        self._edge_wall_ms, self._error_ms = edge_wall_ms, error_ms

    @property
    def answered(self) -> bool:
        """Whether the driver was told anything."""
        return bool(self._told)

    def tell(self, what: str, now: float) -> None:
        """The driver is told this."""
        self._told.append(TracedWord(ms=self._ms(now), what=what))

    def trace(self, now: float, link_down_s: float | None = None) -> PressTrace:
        """Give what the office is told; it is over at `now`."""
        return PressTrace(
            request_id=self.request_id,
            edge_at=self._edge_wall_ms,
            edge_error_ms=self._error_ms,
            priority=self.priority,
            handled_ms=self._ms(self.edge_at + HANDLED_S),
            asked_ms=self._since(self.asked_at),
            permitted_ms=self._since(self.permitted_at),
            through_ms=self._since(self.through_at),
            key_up_ms=self._ms(self.key_up_at if self.key_up_at is not None else now),
            released_ms=self._since(self.released_at),
            burst=self.burst,
            told=tuple(self._told),
            speaker=self.speaker,
            remaining_s=self.remaining_s,
            link_down_s=link_down_s,
        )

    def _ms(self, moment: float) -> int:
        return max(0, round((moment - self.edge_at) * 1000))

    def _since(self, moment: float | None) -> int | None:
        return None if moment is None else self._ms(moment)
