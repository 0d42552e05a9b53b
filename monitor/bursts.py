"""The last bursts of an office, put together from sessions and events, whichever comes first."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from protocol.messages import Event, EventType, Session

BURSTS_KEPT_MAX = 50


class Burst(Struct):
    """One talk burst. Wall times are Unix ms, for people; `_s` times are this machine's monotonic clock."""

    number: int
    user: str = ""
    name: str = ""
    priority: str = ""
    ended: str = ""
    """How it ended; empty while it goes on or where that is not known."""
    last_seq: int | None = None
    heard_by: int | None = None
    heard_of: int | None = None
    """By how many of how many it was heard; None until that is counted."""
    started_ms: int | None = None
    """By the server's event."""
    ended_ms: int | None = None
    """By the server's event."""
    seen_ms: int | None = None
    """When its session was first seen."""
    seen_start_s: float | None = None
    seen_end_s: float | None = None
    exact: bool = False
    """Whether its begin was seen happening, not found retained."""

    def length_s(self) -> float | None:
        """How long it was: by the server's events, else as it was seen; None where either end is not known."""
        if self.started_ms is not None and self.ended_ms is not None:
            return max(0, self.ended_ms - self.started_ms) / 1000
        if self.seen_start_s is not None and self.seen_end_s is not None and self.exact:
            return self.seen_end_s - self.seen_start_s
        return None

    def start_ms(self) -> int | None:
        """When it began: by the server's event, else when it was first seen."""
        return self.started_ms if self.started_ms is not None else self.seen_ms


class Bursts:
    """The newest bursts by number, at most BURSTS_KEPT_MAX."""

    def __init__(self) -> None:
        self._held: dict[int, Burst] = {}

    def get(self, number: int) -> Burst | None:
        """Give a burst, if it is known."""
        return self._held.get(number)

    def newest(self, count: int) -> list[Burst]:
        """Give the newest ones, newest first."""
        return [self._held[number] for number in sorted(self._held, reverse=True)[:count]]

    def see_session(self, session: Session, live: bool, now: float, wall_ms: int) -> None:
        """Note what a session says of its burst; the caller has sorted out older sessions."""
        for burst in self._held.values():
            if burst.number < session.burst and burst.seen_start_s is not None and burst.seen_end_s is None:
                burst.seen_end_s = now  # pre-empted, or its end was not seen
        burst_ = self._note(session.burst)
        if burst_ is None:
            return
        if session.current_speaker is not None:
            burst_.user = session.current_speaker
            burst_.name = session.speaker_name or ""
            burst_.priority = session.priority.value
            if burst_.seen_start_s is None:
                burst_.seen_start_s, burst_.seen_ms, burst_.exact = now, wall_ms, live
            return
        if burst_.seen_end_s is None and burst_.seen_start_s is not None:
            burst_.seen_end_s = now
        if session.ended is not None:
            burst_.ended = session.ended.value
            burst_.last_seq = session.last_seq
        if session.heard_by is not None and session.heard_of is not None:
            burst_.heard_by, burst_.heard_of = session.heard_by, session.heard_of

    def see_event(self, event: Event, now: float) -> None:
        """Note what an event says of a burst; events of other kinds, or without a burst's number, say nothing."""
        if event.event not in (EventType.SPEAKER_CHANGED, EventType.BURST_ENDED, EventType.BURST_HEARD):
            return
        burst = self._note(_whole(event.metadata.get("burst")))
        if burst is None:
            return
        burst.user = event.user or burst.user
        burst.name = event.name or burst.name
        if event.event is EventType.SPEAKER_CHANGED:
            burst.started_ms = event.at
            burst.priority = _word(event.metadata.get("priority")) or burst.priority
            return
        if event.event is EventType.BURST_HEARD:
            by, of = _whole(event.metadata.get("heard_by")), _whole(event.metadata.get("heard_of"))
            if 0 <= by <= of:
                burst.heard_by, burst.heard_of = by, of
            return
        burst.ended_ms = event.at
        burst.ended = _word(event.metadata.get("ended")) or burst.ended
        last_seq = _whole(event.metadata.get("last_seq"))
        burst.last_seq = last_seq if last_seq >= 0 else burst.last_seq
        if burst.seen_start_s is not None and burst.seen_end_s is None:
            burst.seen_end_s = now

    def _note(self, number: int) -> Burst | None:
        if number <= 0:
            return None
        burst = self._held.get(number)
        if burst is None:
            if len(self._held) >= BURSTS_KEPT_MAX:
                oldest = min(self._held)
                if number < oldest:
                    return None
                del self._held[oldest]
            burst = self._held[number] = Burst(number)
        return burst


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _word(value: Any) -> str:
    return value[:32] if isinstance(value, str) else ""
