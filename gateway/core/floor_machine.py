"""Floor participant machine: the table, and the runner that looks a cell up, runs it, or discards the input."""

from collections.abc import Callable
from typing import Any

from gateway.core.participant import Participant
from gateway.core.participant_words import State, Word
from gateway.core.releases import Releases

Cell = Callable[[Participant, float, Any], None]

_TIMERS = {
    word.value: word
    for word in (
        Word.ASK_AGAIN,
        Word.GIVE_UP,
        Word.TRANSMIT,
        Word.RENEW,
        Word.LEASE,
        Word.LOST,
        Word.PAUSED_LONG,
        Word.WARNING,
        Word.LIMIT,
        Word.TAIL,
    )
}

_MESSAGES = {Word.GRANTED, Word.DENY, Word.POSITION, Word.RENEWED, Word.REVOKE}


class FloorMachine:
    """Feeds the participant. Messages without a cell are discarded and counted, the state kept."""

    def __init__(self, participant: Participant, releases: Releases) -> None:
        """`releases` are sent again on this machine's ticks."""
        self.participant = participant
        self._releases = releases

    def take(self, word: Word, now: float, data: Any = None) -> None:
        """Run the cell for (state, word); `data` is the message or time that came with it."""
        cell = TABLE.get((self.participant.state, word))
        if cell is not None:
            cell(self.participant, now, data)
        elif word in _MESSAGES:
            self.participant.discarded += 1

    def tick(self, now: float) -> None:
        """Run every timer that has come due, and the releases' own."""
        while (name := self.participant.timers.expire(now)) is not None:
            self.take(_TIMERS[name], now)
        self._releases.tick(now)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        times = (self.participant.timers.next(), self._releases.next_deadline())
        return min((t for t in times if t is not None), default=None)


def _draining(cell: Cell) -> Cell:
    """Give a cell of `U: pending Release` that makes sense only before the release is sent."""

    def run(self: Participant, now: float, data: Any) -> None:
        if self.talk is None:
            self.discarded += 1
        else:
            cell(self, now, data)

    run.__name__ = getattr(cell, "__name__", "cell")
    run.__doc__ = cell.__doc__
    return run


_N, _P, _H, _R, _Q = (
    State.NO_PERMISSION,
    State.PENDING_REQUEST,
    State.HAS_PERMISSION,
    State.PENDING_RELEASE,
    State.QUEUED,
)
_M = Participant

TABLE: dict[tuple[State, Word], Cell] = {
    (_N, Word.PRESS): _M.ask,
    (_N, Word.EMERGENCY): _M.ask_urgently,
    (_N, Word.GRANTED): _M.release_stray,
    (_P, Word.KEY_UP): _M.cancel,
    (_P, Word.EMERGENCY): _M.ask_urgently,
    (_P, Word.GRANTED): _M.granted,
    (_P, Word.DENY): _M.denied,
    (_P, Word.POSITION): _M.queued,
    (_P, Word.FOCUS_LOST): _M.focus_lost,
    (_P, Word.PAUSED): _M.paused_asking,
    (_P, Word.RESUMED): _M.resumed_asking,
    (_P, Word.STUCK): _M.stuck,
    (_P, Word.LINK_DOWN): _M.link_lost_asking,
    (_P, Word.VOICE_LOST): _M.voice_lost,
    (_P, Word.ASK_AGAIN): _M.ask_again,
    (_P, Word.GIVE_UP): _M.give_up,
    (_Q, Word.KEY_UP): _M.cancel,
    (_Q, Word.EMERGENCY): _M.ask_urgently,
    (_Q, Word.GRANTED): _M.granted,
    (_Q, Word.DENY): _M.denied,
    (_Q, Word.POSITION): _M.queued,
    (_Q, Word.FOCUS_LOST): _M.focus_lost,
    (_Q, Word.STUCK): _M.stuck,
    (_Q, Word.LINK_DOWN): _M.link_lost_asking,
    (_Q, Word.VOICE_LOST): _M.voice_lost,
    (_Q, Word.ASK_AGAIN): _M.ask_again,
    (_Q, Word.GIVE_UP): _M.give_up,
    (_H, Word.KEY_UP): _M.key_up,
    (_H, Word.EMERGENCY): _M.ask_urgently,
    (_H, Word.GRANTED): _M.release_stray,
    (_H, Word.RENEWED): _M.renewed,
    (_H, Word.REVOKE): _M.revoked,
    (_H, Word.SESSION): _M.session_moved,
    (_H, Word.FOCUS_LOST): _M.focus_lost,
    (_H, Word.PAUSED): _M.paused,
    (_H, Word.RESUMED): _M.resumed,
    (_H, Word.PAUSED_LONG): _M.paused_too_long,
    (_H, Word.STUCK): _M.stuck,
    (_H, Word.LINK_DOWN): _M.link_lost_holding,
    (_H, Word.LINK_UP): _M.link_back_holding,
    (_H, Word.THROUGH): _M.through,
    (_H, Word.VOICE_LOST): _M.voice_lost,
    (_H, Word.TRANSMIT): _M.transmit,
    (_H, Word.RENEW): _M.renew,
    (_H, Word.LEASE): _M.lease_unanswered,
    (_H, Word.LOST): _M.burst_unanswered,
    (_H, Word.WARNING): _M.limit_near,
    (_H, Word.LIMIT): _M.limit_reached,
    (_R, Word.PRESS): _M.ask_after_tail,
    (_R, Word.KEY_UP): _M.key_up_after_tail,
    (_R, Word.EMERGENCY): _M.ask_urgently,
    (_R, Word.GRANTED): _M.release_stray,
    (_R, Word.RENEWED): _draining(_M.renewed),
    (_R, Word.REVOKE): _draining(_M.revoked),
    (_R, Word.SESSION): _draining(_M.session_moved),
    (_R, Word.FOCUS_LOST): _M.focus_lost_waiting,
    (_R, Word.PAUSED): _M.paused_waiting,
    (_R, Word.RESUMED): _M.resumed_waiting,
    (_R, Word.LINK_DOWN): _draining(_M.link_lost_holding),
    (_R, Word.LINK_UP): _draining(_M.link_back_holding),
    (_R, Word.THROUGH): _draining(_M.through),
    (_R, Word.DRAINED): _draining(_M.drained),
    (_R, Word.VOICE_LOST): _draining(_M.voice_lost),
    (_R, Word.TRANSMIT): _draining(_M.transmit),
    (_R, Word.RENEW): _draining(_M.renew),
    (_R, Word.LEASE): _draining(_M.lease_unanswered),
    (_R, Word.LOST): _draining(_M.burst_unanswered),
    (_R, Word.TAIL): _draining(_M.tail_over),
}
"""(state, input) -> procedure. An empty cell discards the message and keeps the state (TS 24.380 6.2.4.1)."""
