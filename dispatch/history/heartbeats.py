"""Heartbeats of members: how many came, of how many that were to. Pure.

A member numbers its heartbeats, so those that are missing between two that came are known. Those that were to come
between the last and the moment at which its link was lost are counted as missing, one for each HEARTBEAT_S; while a
member is known to be away none is expected.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from protocol.messages import Event, EventType
from protocol.timers import HEARTBEAT_S

LOST = (EventType.LINK_LOST, EventType.HEARTBEAT_LOST)
"""Events that say until when a member was believed to be there."""


class BeatsHour(Struct, frozen=True, kw_only=True):
    """What came of one connection of a member within an hour (`hour_at`, Unix ms)."""

    user: str
    connection: str
    hour_at: int
    first_no: int
    last_no: int
    last_at: int
    """When the last of them came (Unix ms)."""
    came: int
    """How many."""


class Beats(Struct, frozen=True, kw_only=True):
    """Heartbeats of a period."""

    expected: int = 0
    came: int = 0

    @property
    def rate(self) -> float | None:
        """Part of those expected that came, 0 to 1; None where none was expected."""
        return self.came / self.expected if self.expected else None

    def __add__(self, other: "Beats") -> "Beats":
        return Beats(expected=self.expected + other.expected, came=self.came + other.came)


def count_beats(hours: Iterable[BeatsHour], events: Iterable[Event]) -> dict[str, Beats]:
    """Count each member's; `events`: of LOST and of the same time, in the log's order."""
    found: dict[str, Beats] = {}
    last_no: dict[tuple[str, str], int] = {}
    seen: dict[str, list[int]] = {}
    for hour in sorted(hours, key=lambda each: (each.hour_at, each.last_at)):
        before = last_no.get((hour.user, hour.connection), hour.first_no - 1)
        last_no[hour.user, hour.connection] = max(before, hour.last_no)
        expected = max(hour.came, hour.last_no - before)
        found[hour.user] = found.get(hour.user, Beats()) + Beats(expected=expected, came=hour.came)
        seen.setdefault(hour.user, []).append(hour.last_at)
    blamed: set[tuple[str, int]] = set()
    for event in events:
        if event.event not in LOST or event.user not in found or event.metadata.get("of", "member") != "member":
            continue
        last_at = max((at for at in seen[event.user] if at <= event.at), default=None)
        if last_at is None or (event.user, last_at) in blamed:
            continue
        blamed.add((event.user, last_at))
        found[event.user] += Beats(expected=int((event.at - last_at) / 1000 // HEARTBEAT_S))
    return found


def total(beats: Mapping[str, Beats]) -> Beats:
    """Give those of all members together."""
    return sum(beats.values(), start=Beats())
