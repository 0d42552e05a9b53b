"""What happened lately at one office, from its log, and how it stands: the facts that alerts are made of. Pure."""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping

from dispatch.core.office_alerts import AlertRules, OfficeFacts
from dispatch.core.state import Floor, Member
from dispatch.history.kpi import UNEXPLAINED
from protocol.messages import Ended, Event, EventType, PresenceState, Telemetry

VOICE_ALERTS = frozenset({"microphone", "speaker", "voice-worker", "voice-link"})
"""Alerts of a vehicle that mean that it cannot speak, or not be heard."""
BAD_ENDS = frozenset({Ended.LOST.value, Ended.CLEANED.value})
PRESSES_TELLING = 5
"""A median of fewer presses tells nothing."""
KEPT_MAX = 100_000


class Ledger:
    """One office's. Times are the log's own (Unix ms)."""

    def __init__(self, rules: AlertRules) -> None:
        self._rules = rules
        self._presses: deque[tuple[int, bool]] = deque(maxlen=KEPT_MAX)
        self._cleaned: deque[int] = deque(maxlen=KEPT_MAX)
        self._telemetry: dict[str, Telemetry] = {}
        self.events: Counter[str] = Counter()
        """Events taken since the start, by type."""
        self.denied: Counter[str] = Counter()
        """Denials since the start, by cause."""
        self.ended: Counter[str] = Counter()
        """Bursts that ended since the start, by how."""

    def take(self, events: Iterable[Event]) -> None:
        """Take events of the log, in order."""
        for event in events:
            self._count(event)

    def see(self, user: str, telemetry: Telemetry | None) -> None:
        """Take a device's telemetry; None: it is no longer told."""
        if telemetry is None:
            self._telemetry.pop(user, None)
        else:
            self._telemetry[user] = telemetry

    @property
    def telemetry(self) -> Mapping[str, Telemetry]:
        """The newest of each device."""
        return self._telemetry

    def facts(
        self,
        members: Collection[Member],
        watched: Collection[str] | None,
        not_served: str,
        wall_ms: int,
        unanswered: str = "",
    ) -> OfficeFacts:
        """Sum up. `watched`: users whose silence matters (admitted units); None: there is no registry, all members."""
        _forget(self._presses, wall_ms - self._rules.window_s * 1000)
        while self._cleaned and self._cleaned[0] < wall_ms - self._rules.cleaner_s * 1000:
            self._cleaned.popleft()
        known = [m for m in members if watched is None or m.user in watched]
        return OfficeFacts(
            not_served=not_served,
            unanswered=unanswered,
            silent=frozenset(m.user for m in known if m.state is PresenceState.LOST),
            presses=len(self._presses),
            failed=sum(bad for _, bad in self._presses),
            cleaned=len(self._cleaned),
            slow={m.user: ms for m in known if m.present and (ms := self._slow_ms(m.user)) is not None},
            unhealthy=frozenset(m.user for m in known if m.present and VOICE_ALERTS & set(m.alerts)),
        )

    def _slow_ms(self, user: str) -> float | None:
        told = self._telemetry.get(user)
        median = None if told is None or told.presses.presses < PRESSES_TELLING else told.presses.answer_ms_p50
        return median if median is not None and median > self._rules.latency_ms else None

    def _count(self, event: Event) -> None:
        self.events[event.event.value] += 1
        if event.event is EventType.DENIED:
            cause = str(event.metadata.get("cause", "other"))
            self.denied[cause] += 1
            self._presses.append((event.at, cause in UNEXPLAINED))
        elif event.event is EventType.BURST_ENDED:
            how = str(event.metadata.get("ended", "other"))
            self.ended[how] += 1
            self._presses.append((event.at, how in BAD_ENDS))
        elif event.event is EventType.CLEANED:
            self._cleaned.append(event.at)


def _forget(presses: deque[tuple[int, bool]], before_ms: float) -> None:
    while presses and presses[0][0] < before_ms:
        presses.popleft()


def session_s(floor: Floor, wall_ms: int) -> float:
    """Give for how long the running session has been going on, s; 0 where there is none."""
    return max(0.0, (wall_ms - floor.started_at) / 1000) if floor.active and floor.started_at is not None else 0.0
