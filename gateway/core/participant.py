"""Procedures of the floor participant (TS 24.380 6.2.4, profile of docs/protocol.md); floor_machine has their table.

`U: has permission` transmits only while `talk.permitted`; permission is a lease counted from the sending of the last
answered message. Every doubt unkeys: an unanswered lease, a lost link, worker or microphone mutes at once.
"""

from gateway.core.participant_asking import Asking
from gateway.core.participant_ending import Ending
from gateway.core.participant_holding import Holding


class Participant(Asking, Holding, Ending):
    """The vehicle's floor participant: one procedure for each cell of the table in floor_machine."""
