"""The push-to-talk button that is not believed: down from the start, with the floor and no speech, or long without it.

A long talker is not taken for one: silence counts only while the worker says, newly, that it listens and heard no
speech. A worker that cannot tell leaves it to the talk-time limit.
"""

from gateway.core.alerts import Alerts
from gateway.core.cab_settings import ButtonSettings
from gateway.core.context import Context, Timers
from gateway.core.floor_machine import FloorMachine
from gateway.core.participant_words import State, Word
from gateway.core.told import Told
from protocol.messages import Priority

REPORT_HOLDS_S = 3.0
"""What the worker says of speech holds so long; it says so every second."""
LOOK_AGAIN_S = 1.0


class StuckButton:
    """Tells the driver, raises `stuck-button` and gives the floor back; believed again once it was seen up."""

    def __init__(self, ctx: Context, floor: FloorMachine, alerts: Alerts, settings: ButtonSettings) -> None:
        """Look at the participant, and end its talk by Word.STUCK."""
        self._ctx = ctx
        self._floor = floor
        self._alerts = alerts
        self._settings = settings
        self._timers = Timers()
        self._stuck = False
        self._talks = False
        self._since = 0.0
        self._speech_at = 0.0
        self._reported_at: float | None = None

    def held_at_start(self, wall_ms: int) -> None:
        """The button was down before anybody could have pressed it."""
        self._found(wall_ms)

    def released(self, wall_ms: int) -> None:
        """The button was seen up."""
        self._stuck = False
        self._timers.stop()
        self._alerts.set("stuck-button", False, wall_ms)

    def speech(self, speech_at: float | None, now: float) -> None:
        """Take what the worker says of when it last heard speech; None says nothing."""
        if speech_at is not None:
            self._speech_at = max(self._speech_at, speech_at)
            self._reported_at = now

    def worker_gone(self) -> None:
        """What it said of speech holds no longer."""
        self._reported_at = None

    def look(self, now: float) -> None:
        """After every event: see what the button holds, and for how long it may."""
        if not self._ctx.keyed or self._stuck:
            self._timers.stop()
            return
        talk = self._floor.participant.talk
        if talk is not None and talk.priority is Priority.EMERGENCY:
            self._timers.stop()  # it needs no hand on this button
            return
        participant = self._floor.participant
        if participant.state is State.QUEUED:
            self._timers.stop()  # whoever waits must hold it; it is looked at once his turn has come
            return
        talks = participant.state is State.HAS_PERMISSION and participant.transmitting
        if talks is not self._talks:
            self._talks, self._since = talks, now
            self._timers.stop()
        if talks and self._settings.stuck_silence_s and not self._timers.running("silent"):
            self._timers.set("silent", now + self._settings.stuck_silence_s)
        elif not talks and not self._timers.running("held"):
            self._timers.set("held", now + self._settings.stuck_held_s)

    def tick(self, now: float, wall_ms: int) -> None:
        """Do what is due."""
        while (name := self._timers.expire(now)) is not None:
            left_s = self._silence_left_s(now) if name == "silent" else 0.0
            if left_s > 0:
                self._timers.set("silent", now + left_s)
            else:
                self._found(wall_ms)
                self._floor.take(Word.STUCK, now)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        return self._timers.next()

    def _silence_left_s(self, now: float) -> float:
        if self._reported_at is None or now - self._reported_at > REPORT_HOLDS_S:
            return LOOK_AGAIN_S
        return max(self._since, self._speech_at) + self._settings.stuck_silence_s - now

    def _found(self, wall_ms: int) -> None:
        self._stuck = True
        self._timers.stop()
        self._alerts.set("stuck-button", True, wall_ms)
        self._ctx.tell(Told.BUTTON_STUCK)
