"""Which bursts of a period are recorded as they must be: ended in time, their session's joins and leavings equal. Pure.

A burst is sound where its end was logged at most END_S after it was last renewed (or granted) and every USER_JOINED of
its session has its USER_LEFT. A burst that was never ended is not sound. Whoever has not left SETTLE_S after the
session's end never left; before that nothing is said against the session.
"""

from typing import Final

from msgspec import Struct

from dispatch.history.day import Period
from protocol.messages import Event, EventType

END_S: Final = 5.0
SETTLE_S: Final = 200.0
"""A member that vanishes is declared gone 170 s after its last sign of life."""
OPEN_S: Final = 700.0
"""No burst is longer: the talk-time limit is 600 s at most."""
SHOWN_MAX: Final = 20


class Unsound(Struct, frozen=True, kw_only=True):
    """A burst that is not recorded as it must be."""

    burst: int
    at: int
    user: str | None
    why: str
    """`late`: ended too late; `open`: never ended; `joins`: joins and leavings of its session do not match."""


class Integrity(Struct, frozen=True, kw_only=True):
    """Bursts of a period; those of a log that does not say when they were renewed are `unknown` and not judged."""

    sound: int = 0
    unsound: int = 0
    unknown: int = 0
    shown: tuple[Unsound, ...] = ()
    """The first SHOWN_MAX that are not sound."""

    @property
    def rate(self) -> float | None:
        """Part of the judged ones that are sound, 0 to 1; None where none was judged."""
        judged = self.sound + self.unsound
        return self.sound / judged if judged else None


class _Session:
    """Joins less leavings of one session, by user."""

    __slots__ = ("balance", "ended_at", "seen_start")

    def __init__(self) -> None:
        self.balance: dict[str, int] = {}
        self.ended_at: int | None = None
        self.seen_start = False

    def matches(self, read_until: int) -> bool:
        if any(balance < 0 for balance in self.balance.values()):
            return not self.seen_start  # who joined before the log was read leaves without having joined
        settled = self.ended_at is not None and read_until - self.ended_at > SETTLE_S * 1000
        return not (settled and any(self.balance.values()))


class IntegrityTally:
    """Reads a log from before the period to behind it."""

    def __init__(self, period: Period) -> None:
        self._period = period
        self._sessions: dict[str, _Session] = {}
        self._ended: list[tuple[Event, bool]] = []
        self._unknown = 0
        self._open: Event | None = None
        self._never: list[Event] = []

    def take(self, event: Event) -> None:
        """Read the next event."""
        match event.event:
            case EventType.SESSION_STARTED:
                self._session(event).seen_start = True
            case EventType.SESSION_ENDED:
                self._session(event).ended_at = event.at
            case EventType.USER_JOINED | EventType.USER_LEFT if event.user is not None:
                balance = self._session(event).balance
                step = 1 if event.event is EventType.USER_JOINED else -1
                balance[event.user] = balance.get(event.user, 0) + step
            case EventType.SPEAKER_CHANGED:
                self._left_open()
                self._open = event
            case EventType.BURST_ENDED:
                self._end_burst(event)
            case _:
                pass

    def end(self, read_until: int) -> Integrity:
        """Judge what was read up to `read_until` (Unix ms)."""
        if self._open is not None and read_until - self._open.at > OPEN_S * 1000:
            self._left_open()
        faults = [Unsound(burst=_burst(e), at=e.at, user=e.user, why="open") for e in self._never]
        sound = 0
        for event, in_time in self._ended:
            session = self._sessions.get(event.event_id or "")
            why = "late" if not in_time else "joins" if session and not session.matches(read_until) else ""
            sound += not why
            if why:
                faults.append(Unsound(burst=_burst(event), at=event.at, user=event.user, why=why))
        faults.sort(key=lambda fault: fault.at)
        return Integrity(sound=sound, unsound=len(faults), unknown=self._unknown, shown=tuple(faults[:SHOWN_MAX]))

    def _session(self, event: Event) -> _Session:
        name = event.event_id or ""
        found = self._sessions.get(name)
        if found is None:
            found = self._sessions[name] = _Session()
        return found

    def _end_burst(self, event: Event) -> None:
        if self._open is not None and _burst(self._open) != _burst(event):
            self._left_open()
        self._open = None
        if not self._inside(event):
            return
        unrenewed_ms = event.metadata.get("unrenewed_ms")
        if isinstance(unrenewed_ms, int):
            self._ended.append((event, unrenewed_ms <= END_S * 1000))
        else:
            self._unknown += 1

    def _left_open(self) -> None:
        if self._open is not None and self._inside(self._open):
            self._never.append(self._open)
        self._open = None

    def _inside(self, event: Event) -> bool:
        return self._period.since <= event.at < self._period.until


def _burst(event: Event) -> int:
    number = event.metadata.get("burst")
    return number if isinstance(number, int) else 0
