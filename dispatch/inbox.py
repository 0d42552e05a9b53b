"""Messages read and not yet handled: floor messages first, then the session, then presence and heartbeats."""

from collections import deque

from dispatch.core.server import Received
from protocol.topics import Kind

FLOOR_KINDS = (Kind.FLOOR, Kind.FLOOR_AGAIN)


class Inbox:
    """Messages read and not yet handled, in the order in which they are to be handled."""

    def __init__(self) -> None:
        self._lanes: tuple[deque[Received], ...] = (deque(), deque(), deque())

    def __len__(self) -> int:
        return sum(map(len, self._lanes))

    def put(self, message: Received) -> None:
        """Add one."""
        self._lanes[0 if message.kind in FLOOR_KINDS else 1 if message.kind is Kind.SESSION else 2].append(message)

    def take(self) -> Received | None:
        """Take the next: the oldest floor message, else the oldest session, else the oldest of the rest."""
        lane = next((lane for lane in self._lanes if lane), None)
        return None if lane is None else lane.popleft()

    def drop_one(self) -> None:
        """Throw away the oldest of the least urgent."""
        lane = next(lane for lane in reversed(self._lanes) if lane)
        lane.popleft()

    def clear(self) -> None:
        """Throw all away."""
        for lane in self._lanes:
            lane.clear()
