"""Procedures of the floor participant for audio focus: the telephone ends a talk, navigation makes it wait.

An emergency call heeds neither. A talk's tail was said before and is sent all the same.
"""

from typing import Any

from gateway.core.participant_holding import Holding
from gateway.core.participant_words import Word
from gateway.core.talk import Talk
from gateway.core.told import Told
from protocol.messages import Priority
from protocol.worker import Hold, Mute


class Pausing(Holding):
    """What a loss, a transient loss and a gain of audio focus do to what is asked for, held or waits."""

    def focus_lost(self, now: float, _: Any) -> None:
        """The telephone: give back what is held or asked for; a new press is needed."""
        if self._live().priority is not Priority.EMERGENCY:
            self._tell(Told.PHONE_TOOK)
            self._abandon(now)

    def focus_lost_waiting(self, now: float, _: Any) -> None:
        """The telephone: a press that waits for the last tail is refused; the tail is sent."""
        waiting = self.waiting
        if waiting is not None and waiting.priority is not Priority.EMERGENCY:
            self.waiting = None
            self._ctx.voice(Mute(request_id=waiting.request_id))
            self._ctx.tell(Told.PHONE_BUSY, waiting.press_no)

    def paused_asking(self, now: float, _: Any) -> None:
        """Navigation speaks: what is captured meanwhile would be its voice, so nothing is; the request goes on."""
        self._disarm(self._live())

    def paused(self, now: float, _: Any) -> None:
        """Navigation speaks: mute and tell; the floor is kept, renewed, for a while."""
        talk = self._live()
        if not self._silenced(talk):
            return
        if talk.permitted:
            talk.permitted = False
            self.timers.stop(Word.TRANSMIT, Word.LEASE)
            self._ctx.voice(Hold(burst=talk.burst))
        self._wait_for_navigation(talk, now)

    def paused_waiting(self, now: float, _: Any) -> None:
        """Navigation speaks: a press that waits for the last tail captures nothing; the tail is sent."""
        if self.waiting is not None:
            self._disarm(self.waiting)

    def resumed_asking(self, now: float, _: Any) -> None:
        """Navigation has ended: speech is kept from now on."""
        self._arm(self._live(), now)

    def resumed(self, now: float, _: Any) -> None:
        """Navigation has ended: go on in the same burst, at once where the lease is certain, else once answered."""
        talk = self._live()
        self.timers.stop(Word.PAUSED_LONG)
        self._arm(talk, now)
        if not talk.permitted and not talk.doubted and now < talk.lease_ends:
            self._permit(now)

    def resumed_waiting(self, now: float, _: Any) -> None:
        """Navigation has ended: the press that waits for the last tail captures from now on."""
        if self.waiting is not None:
            self._arm(self.waiting, now)

    def paused_too_long(self, now: float, _: Any) -> None:
        """Navigation goes on: the floor is not kept from others any longer."""
        self._tell(Told.NAVIGATION_TOOK)
        self._abandon(now)

    def stuck(self, now: float, _: Any) -> None:
        """The button is not believed any more: give back what it holds; it was told."""
        if self._live().priority is not Priority.EMERGENCY:
            self._abandon(now)

    def _disarm(self, talk: Talk) -> None:
        if talk.armed and self._silenced(talk):
            talk.armed = False
            self._ctx.voice(Mute(request_id=talk.request_id))
