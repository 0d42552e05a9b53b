"""Alerts of devices in the office's log: raised and cleared, each once, by what the log knows of them already.

The alert is the device's own, retained at the broker; `Member.alerts` remembers which the log has, so that every
replica, restart and repetition tells it once; what was cleared while no server listened is told once that is sure
(`dispatch.core.standing`).
"""

from msgspec import Struct

from dispatch.core.standing import Standing
from dispatch.core.state import Member
from dispatch.core.strangers import shut_out
from dispatch.core.turn import Turn
from protocol.messages import Alert, EventType

WAITING_MAX = 2000
"""Words of alerts that wait to be logged; beyond, the oldest are dropped: the broker has how it stands."""
ALERTS_MAX = 32
"""Alerts of one device that the log follows at once; further ones are not told of."""


class AlertWord(Struct, frozen=True, kw_only=True):
    """What the broker said of one alert; `alert` None: cleared."""

    user: str
    id: str
    alert: Alert | None


class AlertLog:
    """What one process has heard of an office's alerts and not logged yet. Times are those of `handle` (s)."""

    def __init__(self) -> None:
        self.standing: Standing[tuple[str, str]] = Standing()
        self._waiting: list[AlertWord] = []
        self._due_at: float | None = None

    def see(self, word: AlertWord, due_at: float) -> bool:
        """Take notice of a word; it is logged from `due_at` on. False: an older one had to be dropped for it."""
        self.standing.see((word.user, word.id), word.alert is not None)
        full = len(self._waiting) >= WAITING_MAX
        if full:
            del self._waiting[0]
        self._waiting.append(word)
        if self._due_at is None:
            self._due_at = due_at
        return not full

    def due(self, now: float) -> bool:
        """Whether `log` has something to do."""
        return any(at is not None and now >= at for at in (self._due_at, self.standing.settle_at))

    def next_deadline(self) -> float | None:
        """Give when `log` has something to do."""
        return min((at for at in (self._due_at, self.standing.settle_at) if at is not None), default=None)

    def log(self, turn: Turn, now: float) -> None:
        """Log what is news; may run again. `committed` is to be called once its transaction is."""
        for word in self._waiting:
            _tell(turn, word)
        if self.standing.settled(now):
            for member in turn.tx.members():
                for alert in member.alerts if member.present else ():
                    if (member.user, alert) not in self.standing:
                        _clear(turn, turn.member(member.user), alert, "broker")

    def committed(self, now: float) -> None:
        """Forget what was logged."""
        self._waiting.clear()
        self._due_at = None
        self.standing.committed(now)


def _tell(turn: Turn, word: AlertWord) -> None:
    if shut_out(turn.rules, word.user) is not None:
        return
    member = turn.member(word.user)
    if word.alert is None:
        if word.id in member.alerts:
            _clear(turn, member, word.id, "device")
    elif word.id not in member.alerts and len(member.alerts) < ALERTS_MAX:
        told = word.alert
        turn.event(
            EventType.ALERT_RAISED,
            word.user,
            turn.name_of(member),
            alert=word.id,
            severity=told.severity.value,
            what=told.what,
        )
        turn.put_member(member, alerts=(*member.alerts, word.id))


def _clear(turn: Turn, member: Member, alert: str, by: str) -> None:
    turn.event(EventType.ALERT_CLEARED, member.user, turn.name_of(member), alert=alert, by=by)
    turn.put_member(member, alerts=tuple(one for one in member.alerts if one != alert))
