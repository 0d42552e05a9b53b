"""Emergencies in the office's log: raised by a request of that priority or by the alert alone, cleared with the alert.

The alert is the vehicle's own, retained at the broker; `Member.emergency` remembers that the log has it, so that every
replica, restart and repetition tells it once; what was cleared while no server listened is told once that is sure
(`dispatch.core.standing`).
"""

from dispatch.core.standing import Standing
from dispatch.core.state import Member
from dispatch.core.strangers import shut_out
from dispatch.core.turn import Turn
from protocol.messages import EventType

EMERGENCY = "emergency"
"""Id of the alert."""


class EmergencyLog:
    """What one process has heard of an office's emergencies and not logged yet. Times are those of `handle` (s)."""

    def __init__(self) -> None:
        """Nothing was heard."""
        self.standing: Standing[str] = Standing()
        self._waiting: dict[str, bool] = {}
        self._due_at = 0.0

    def see(self, user: str, raised: bool, due_at: float) -> None:
        """Take notice of a member's alert; it is logged from `due_at` on."""
        if not self._waiting:
            self._due_at = due_at
        self._waiting[user] = raised
        self.standing.see(user, raised)

    def next_deadline(self) -> float | None:
        """Give when `log` has something to do."""
        due_at = self._due_at if self._waiting else None
        return min((at for at in (due_at, self.standing.settle_at) if at is not None), default=None)

    def due(self, now: float) -> bool:
        """Whether `log` has something to do."""
        at = self.next_deadline()
        return at is not None and now >= at

    def log(self, turn: Turn, now: float) -> None:
        """Log what is news; may run again. `committed` is to be called once its transaction is."""
        for user, raised in self._waiting.items():
            alert_seen(turn, user, raised=raised)
        if self.standing.settled(now):
            for member in turn.tx.members():
                if member.emergency and member.present and member.user not in self.standing:
                    alert_seen(turn, member.user, raised=False)

    def committed(self, now: float) -> None:
        """Forget what was logged."""
        self._waiting.clear()
        self.standing.committed(now)


def asked(turn: Turn, member: Member, *, allowed: bool) -> Member:
    """A new request of that priority: an emergency, `allowed` as such or not; gives the member as it is now."""
    turn.event(EventType.EMERGENCY, member.user, turn.name_of(member), by="request", allowed=allowed)
    return turn.put_member(member, emergency=True)


def alert_seen(turn: Turn, user: str, *, raised: bool) -> None:
    """The broker has the alert, or has it no more: news only where the log does not say so already.

    Who does not belong (any more) raises none; one that it raised before can be cleared.
    """
    member = turn.member(user)
    if member.emergency is raised or (raised and shut_out(turn.rules, user) is not None):
        return
    name = turn.name_of(member)
    if raised:
        turn.event(EventType.EMERGENCY, user, name, by="alert", allowed=None)
    else:
        turn.event(EventType.EMERGENCY_CLEARED, user, name)
    turn.put_member(member, emergency=raised)
