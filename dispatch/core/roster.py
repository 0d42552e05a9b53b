"""The roster: all members of an office at once, for monitors."""

from collections.abc import Iterable

from dispatch.core.audience import takes_part
from dispatch.core.state import Floor, Member, OfficeRules
from protocol.messages import Roster, RosterMember


def roster_of(members: Iterable[Member], rules: OfficeRules, floor: Floor | None) -> Roster:
    """Give the roster; bridges and monitors stand in it and are no participants."""
    running = floor.event_id if floor is not None and floor.active else None
    listed = []
    participants = 0
    for m in sorted(members, key=lambda m: m.user):
        if not m.heard_of:
            continue
        joined = m.in_channel is not None and m.in_channel == running
        participants += joined and takes_part(rules, m)
        listed.append(
            RosterMember(
                user=m.user,
                state=m.state,
                name=rules.names.get(m.user) or m.name,
                app_type=m.app_type,
                in_channel=joined,
            )
        )
    return Roster(participants=participants, members=tuple(listed))
