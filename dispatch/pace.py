"""How many floor messages of one member are judged: what no driver's thumb can do is dropped unread by the floor.

Each new request costs a committed transaction and, where it is denied, an event that is kept. A gateway's button gives
some six presses a second at most, and renews once a second.
"""

from dispatch.rest.limits import Allowance
from protocol.ids import OfficeId
from protocol.messages import FloorRequest, Message, Priority
from service.logs import Log

REQUESTS_AT_ONCE, REQUESTS_PER_S = 100, 10.0
"""New and repeated requests; a repetition comes every 0.3 s at the soonest."""
OTHERS_AT_ONCE, OTHERS_PER_S = 300, 50.0
"""Renewals, and releases: cheap. Each has its own, as emergencies have: what ends a talk must get through."""
MEMBERS_MAX = 20_000
_log = Log(__name__)


class Pace:
    """One table for all offices. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._requests = Allowance(REQUESTS_AT_ONCE, REQUESTS_PER_S, MEMBERS_MAX)
        self._others = Allowance(OTHERS_AT_ONCE, OTHERS_PER_S, MEMBERS_MAX)

    def allow(self, office: OfficeId, user: str, message: Message, now: float) -> bool:
        """Count a floor message of a member; False where it must not be judged."""
        asks = isinstance(message, FloorRequest)
        allowance = self._requests if asks else self._others
        urgent = isinstance(message, FloorRequest) and message.priority is Priority.EMERGENCY
        member = f"{office}/{user} {type(message).__name__}{' emergency' if urgent else ''}"
        if allowance.wait_s(member, now) > 0:
            _log.warning(
                "floor messages dropped: more than a button can make; is its program broken, or its login abused? "
                "`ptt-dispatch user revoke` shuts it out",
                office=office,
                user=user,
                per_s=REQUESTS_PER_S if asks else OTHERS_PER_S,
            )
            return False
        allowance.spend(member, now)
        return True
