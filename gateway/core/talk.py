"""One press of the button, from its edge to its end."""

from gateway.core.told import Told
from protocol.ids import RequestId
from protocol.messages import Priority
from protocol.timers import FIRST_RENEW_S, LEASE_S

_URGENTLY = {
    Told.CANCELLED: Told.EMERGENCY_ENDED,
    Told.TALK_ENDED: Told.EMERGENCY_ENDED,
    Told.NO_CONNECTION: Told.EMERGENCY_OFFLINE,
    **dict.fromkeys(
        (
            Told.DENIED,
            Told.EMERGENCY_ON,
            Told.QUEUE_FULL,
            Told.OFFICE_FULL,
            Told.REFUSED,
            Told.NOT_ALLOWED,
            Told.TRANSMITTER_MUTED,
            Told.NO_ANSWER,
            Told.NO_MICROPHONE,
            Told.NO_VOICE,
            Told.REVOKED,
            Told.FLOOR_LOST,
        ),
        Told.EMERGENCY_FAILED,
    ),
}


def told_as(what: Told, priority: Priority) -> Told:
    """Give what the driver is told of a talk: an emergency has sentences of its own, as its alert stays."""
    return _URGENTLY.get(what, what) if priority is Priority.EMERGENCY else what


class Talk:
    """Mutable record of one request and, once granted, of its burst. Times are monotonic seconds."""

    def __init__(self, request_id: RequestId, edge_at: float, now: float, priority: Priority) -> None:
        """`edge_at` is when the button went down, `now` when the loop took it up."""
        self.request_id = request_id
        self.edge_at = edge_at
        self.asked_at = now
        self.priority = priority
        self.burst = 0
        self.granted_rev = 0
        self.duration_s = 0.0
        self.lease_s = LEASE_S
        self.all_joined = False
        self.permitted = False
        self.armed = False
        self.doubted = False
        self.limit_at: float | None = None
        self.confirmed = False
        self.spoke = False
        self.renew_no = 0
        self.sent: dict[int, float] = {}
        self.baseline = now
        self.through_at = now
        self.through_seq: int | None = None
        self.last_seq: int | None = None
        self.draining = False
        self.waited = False
        self.position = 0
        self.told_unheard = False
        self.ending = False
        """Its limit is near."""

    @property
    def press_no(self) -> int:
        """The number of the press within this run."""
        return self.request_id[3]

    @property
    def lease_ends(self) -> float:
        """Until when the server cannot have given the floor to another, by what it answered so far.

        Counted from when the answered message was *sent*, so a slow link shortens it and never lengthens it.
        """
        return self.baseline + (self.lease_s if self.confirmed else FIRST_RENEW_S)

    def renewed(self, renew_no: int) -> bool:
        """Take an answered renewal; False for one never sent or older than what is answered already."""
        sent_at = self.sent.get(renew_no)
        if sent_at is None:
            return False
        self.baseline = sent_at
        self.confirmed = True
        self.sent = {no: at for no, at in self.sent.items() if no > renew_no}
        return True
