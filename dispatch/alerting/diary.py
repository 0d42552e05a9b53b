"""The office's alerts in its own log: each raising and clearing once, and what stood when the process before ended."""

from collections import deque
from collections.abc import Callable, Iterable

from dispatch.core import notices
from dispatch.core.office_alerts import ALERTS, Change
from dispatch.core.trouble import SERVER
from dispatch.core.turn import Turn
from dispatch.ports import Store
from protocol.ids import OfficeId
from protocol.messages import Alert, Event, EventType, Severity
from service.logs import Log

WAITING_MAX = 1000
"""So many words may wait for the store; beyond, the oldest are lost, and that is logged."""
TYPES = (EventType.ALERT_RAISED, EventType.ALERT_CLEARED)

_log = Log(__name__)


class Diary:
    """Writes what changed, in order, as soon as the store is there."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[OfficeId, int, Change]] = deque()

    def note(self, office: OfficeId, change: Change, wall_ms: int) -> None:
        """Have a change written by the next `write`, unless only its words have changed."""
        if not change.news:
            return
        if len(self._waiting) >= WAITING_MAX:
            self._waiting.popleft()
            _log.error("an alert is missing in the log of events: the store is away for too long")
        self._waiting.append((office, wall_ms, change))

    def write(self, store: Callable[[], Store]) -> None:
        """Write what waits, with `store` where something does. Raises StoreUnavailable; what waits then waits on."""
        while self._waiting:
            office, wall_ms, change = self._waiting[0]
            notices.log(store(), office, wall_ms, lambda turn, told=change: _tell(turn, told))  # type: ignore[misc]
            self._waiting.popleft()


def standing_in(events: Iterable[Event]) -> dict[str, Alert]:
    """Give the alerts that a log's events, in order, leave raised; their mend is not in the log."""
    found: dict[str, Alert] = {}
    for event in events:
        alert = event.metadata.get("alert")
        if event.user != SERVER or alert not in ALERTS:
            continue
        found.pop(alert, None)
        if event.event is EventType.ALERT_RAISED:
            critical = event.metadata.get("severity") == Severity.CRITICAL.value
            severity = Severity.CRITICAL if critical else Severity.WARNING
            what = str(event.metadata.get("what") or alert)[:256]
            found[alert] = Alert(alert=alert, severity=severity, what=what, mend="ptt-dispatch doctor", since=event.at)
    return found


def _tell(turn: Turn, change: Change) -> None:
    alert = change.alert
    if alert is None:
        turn.event(EventType.ALERT_CLEARED, SERVER, None, alert=change.id, by=SERVER)
    else:
        turn.event(
            EventType.ALERT_RAISED, SERVER, None, alert=change.id, severity=alert.severity.value, what=alert.what
        )
