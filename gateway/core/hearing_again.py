"""Replay as the rest of the core sees it: the button, the list of bursts, and catching up with a gap, as one part."""

from collections.abc import Callable

from gateway.core.catch_up import CatchingUp
from gateway.core.context import Context
from gateway.core.listener import Listener
from gateway.core.participant import Participant
from gateway.core.participant_words import State
from gateway.core.replay import Replays
from gateway.core.replay_button import ReplayButton
from protocol.messages import Session
from protocol.worker import Missed, PlayedOut, Replayed


class HearingAgain:
    """Nothing of it is sent anywhere: it asks the worker to play, and is silent as soon as anybody speaks."""

    def __init__(
        self,
        ctx: Context,
        participant: Participant,
        listener: Listener,
        *,
        keep: int,
        lang: str,
        long_press: Callable[[float], None],
    ) -> None:
        """`keep`: how many bursts the worker keeps, 0 for none. `long_press` gets the loop's time."""
        self._ctx = ctx
        self._participant = participant
        self._listener = listener
        self.replays = Replays(ctx, keep=keep, lang=lang)
        self._catching_up = CatchingUp(ctx, self.replays)
        self._button = ReplayButton(self._short, long_press)
        self._played_out = 0

    @property
    def playing(self) -> bool:
        """Something is being replayed."""
        return self.replays.playing

    # --- what happens -------------------------------------------------------------------------------------------------

    def button(self, active: bool, at: float, now: float, *, at_start: bool) -> None:
        """Take the replay button."""
        self._button.changed(active, at, now, at_start=at_start)

    def cut(self) -> None:
        """Be silent at once: the talk button, an emergency, a telephone call."""
        self.replays.cut()

    def session(self, session: Session, now: float) -> None:
        """Take a newer session, after the listener: live voice comes first."""
        self.replays.announced(session)
        self._catching_up.session(session, now)
        if self._listener.playing:
            self.replays.cut()

    def link_down(self) -> None:
        """Take that the link is gone: what was being heard, and did not come to its last frame, is missed in part."""
        hearing = self._listener.playing
        self._catching_up.link_down(0 if hearing == self._played_out else hearing)

    def office(self, keep_s: int) -> None:
        """Take for how long the office keeps bursts."""
        self._catching_up.office(keep_s)

    def worker_ready(self) -> None:
        """A (new) worker runs."""
        self._catching_up.worker_ready()

    def worker_gone(self) -> None:
        """It took all it kept with it."""
        self.replays.forget()

    def said(self, said: PlayedOut | Missed | Replayed, now: float) -> None:
        """Take the worker's words."""
        match said:
            case PlayedOut():
                self._played_out = said.burst
                self.replays.heard(said, now)
            case Missed():
                self._catching_up.found(said, now)
            case Replayed():
                self.replays.over(said, now)

    def stop(self) -> None:
        """The service ends, or this unit is no member any more."""
        self.replays.cut()
        self._catching_up.stop()

    def tick(self, now: float) -> None:
        """Do what is due."""
        self._button.tick(now)
        self._catching_up.tick(now)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        times = (self._button.next_deadline(), self._catching_up.next_deadline())
        return min((at for at in times if at is not None), default=None)

    def _short(self, now: float) -> None:
        speaks = self._participant.state is not State.NO_PERMISSION or self._ctx.keyed
        self.replays.press(now, busy=speaks or self._listener.playing != 0)
