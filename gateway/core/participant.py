"""Procedures of the floor participant (TS 24.380 6.2.4, profile of docs/protocol.md); floor_machine has their table.

`U: has permission` transmits only while `talk.permitted`; permission is a lease counted from the sending of the last
answered message. Every doubt unkeys: an unanswered lease, a lost link, worker or microphone mutes at once.
"""

from gateway.core.participant_asking import Asking
from gateway.core.participant_ending import Ending
from gateway.core.participant_pausing import Pausing
from gateway.core.told import Told
from protocol.messages import Priority
from protocol.worker import Mute


class Participant(Asking, Pausing, Ending):
    """The vehicle's floor participant: one procedure for each cell of the table in floor_machine."""

    def ask_urgently(self, now: float, edge_at: float) -> None:
        """The emergency button was held: whatever is said or asked for is given up, tail and all, and asked anew."""
        for given_up in (self.talk, self.waiting):
            if given_up is not None and not given_up.spoke:
                self._ctx.tell(Told.EMERGENCY, given_up.press_no)
        if self.waiting is not None:
            self._ctx.voice(Mute(request_id=self.waiting.request_id))
            self.waiting = None
        self.stop(now)
        talk = self._new_talk(now, edge_at, Priority.EMERGENCY)
        if talk is not None:
            self._ask_for(talk, now)
