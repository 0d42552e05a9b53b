"""Emergencies in the office's log: raised by a request of that priority or by the alert alone, cleared with the alert.

The alert is the vehicle's own, retained at the broker; `Member.emergency` remembers that the log has it, so that every
replica, restart and repetition tells it once.
"""

from dispatch.core.state import Member
from dispatch.core.strangers import shut_out
from dispatch.core.turn import Turn
from protocol.messages import EventType

EMERGENCY = "emergency"
"""Id of the alert."""


def asked(turn: Turn, member: Member, *, allowed: bool) -> Member:
    """A new request of that priority: an emergency, `allowed` as such or not; gives the member as it is now."""
    turn.event(EventType.EMERGENCY, member.user, turn.name_of(member), by="request", allowed=allowed)
    return turn.put_member(member, emergency=True)


def alert_seen(turn: Turn, user: str, *, raised: bool) -> None:
    """The broker has the alert, or has it no more: news only where the log does not say so already."""
    member = turn.member(user)
    if member.emergency is raised or shut_out(turn.rules, user) is not None:
        return
    name = turn.name_of(member)
    if raised:
        turn.event(EventType.EMERGENCY, user, name, by="alert", allowed=None)
    else:
        turn.event(EventType.EMERGENCY_CLEARED, user, name)
    turn.put_member(member, emergency=raised)
