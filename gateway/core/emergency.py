"""The emergency button: held long enough it opens the microphone for a while and raises an alert that stays.

The hold is measured here, from the debounced edge. From then on the *window* is open: the vehicle asks for the floor
with the highest priority and speaks, hands-free, as soon as it is granted, until `open_s` are over, the button is
pressed again, the floor is denied or taken back, the link is lost or the vehicle restarts. The alert outlives all
that: it stays until the office clears it, or the driver takes it back within `cancel_s`.
"""

from typing import Annotated

from msgspec import Meta, Struct

from gateway.core.alerts import Alerts
from gateway.core.context import Context, Timers
from gateway.core.floor_machine import FloorMachine
from gateway.core.participant_words import Word
from gateway.core.talk import Talk
from gateway.core.told import Told
from gateway.core.words import InputChanged, KeepEmergency

ALERT = "emergency"
STUCK_ALERT = "stuck-emergency"
STUCK_AFTER_S = 30.0
"""A button that stays down so long hangs."""


class EmergencySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The emergency button: how long it is held, and what follows."""

    hold_s: Annotated[float, Meta(ge=0.5, le=3, description="held so long it raises an emergency, s")] = 1.0
    cancel_s: Annotated[
        float, Meta(ge=0, le=15, description="pressed again within this time it takes a false alarm back, s; 0: never")
    ] = 5.0
    open_s: Annotated[
        float,
        Meta(
            ge=5,
            le=120,
            description="the microphone stays open so long from the grant on, s; at most the office's talk time",
        ),
    ] = 20.0


class Emergency:
    """One button, the window it opens, and the alert it raises."""

    def __init__(self, ctx: Context, floor: FloorMachine, alerts: Alerts, settings: EmergencySettings) -> None:
        """`floor` is asked with the highest priority."""
        self._ctx = ctx
        self._floor = floor
        self._alerts = alerts
        self._settings = settings
        self._timers = Timers()
        self._down_at: float | None = None
        self._answered = False
        """The press under way did something already: it ended or took back what an earlier one had begun."""
        self._window: Talk | None = None
        self._speaks = False
        """The window was granted the floor: its time runs from there."""
        self._stopped = False
        self._fresh = False
        """The alert that stands was raised by the last hold, and no earlier one."""

    # --- what happens -----------------------------------------------------------------------------------------------

    def restore(self, since: int | None) -> None:
        """An emergency that stood when the vehicle went down (Unix ms) stands still: nobody has cleared it."""
        if since is not None:
            self._alerts.set(ALERT, True, since)

    def button(self, change: InputChanged, now: float, wall_ms: int) -> None:
        """The button went down or up. One that is down at the start counts for nothing until it was seen up."""
        if self._stopped:
            return
        if not change.active:
            self._up(change.at, now, wall_ms)
            return
        self._timers.set("stuck", change.at + STUCK_AFTER_S)
        if not change.at_start:
            self._down(change.at, now)

    def talk_pressed(self) -> bool:
        """The talk button went down: True where nothing comes of it, as the microphone is open already; it is told."""
        if self._window is None:
            return False
        unheard = self._window.spoke and not self._floor.participant.transmitting
        answer = Told.NOT_HEARD if unheard else Told.GRANTED if self._window.spoke else Told.EMERGENCY
        self._floor.participant.answer_press(answer)
        return True

    def link_lost(self, now: float) -> None:
        """No window outlives the link; one that waits for its answer is ended by the floor's own procedure."""
        if self._window is not None and self._window.spoke:
            self._ctx.tell(Told.EMERGENCY_OFFLINE, self._window.press_no)
            self._floor.participant.stop(now)

    def clear(self, by: str) -> bool:
        """The office takes the alert down; False where none stands. The microphone is the driver's."""
        if ALERT not in self._alerts.standing:
            return False
        self._ctx.note("the emergency is cleared", by=by)
        self._quiet()
        self._ctx.tell(Told.EMERGENCY_CLEARED)
        return True

    def kept(self, problem: str) -> None:
        """It is on the disk whether an emergency stands; where it is not, a restart would forget it: that is told."""
        if problem:
            self._ctx.note("the emergency would not survive a restart", warning=True, why=problem)

    def stop(self) -> None:
        """The service ends: what is held opens nothing any more. The alert is kept."""
        self._stopped = True
        self._timers.stop()

    def tick(self, now: float, wall_ms: int) -> None:
        """Do what is due."""
        while (name := self._timers.expire(now)) is not None:
            match name:
                case "hold":
                    self._raise(now, wall_ms, now if self._down_at is None else self._down_at + self._settings.hold_s)
                case "end":
                    self._end(now, now)
                case "stuck":
                    self._alerts.set(STUCK_ALERT, True, wall_ms)
                    self._ctx.tell(Told.EMERGENCY_STUCK)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        return self._timers.next()

    def look(self, now: float) -> None:
        """After every event: the window follows its talk."""
        talk = self._window
        if talk is None:
            self._timers.stop("end")
        elif talk is not self._floor.participant.talk or talk.draining:
            self._window = None
            self._timers.stop("end")
        elif talk.spoke and not self._speaks:
            self._speaks = True
            self._timers.set("end", now + self._settings.open_s)
        self._ctx.hands_free = self._window is not None
        self._ctx.counting = self._timers.running("hold")

    # --- inside -----------------------------------------------------------------------------------------------------

    def _down(self, at: float, now: float) -> None:
        self._down_at = at
        self._timers.set("hold", at + self._settings.hold_s)
        self._answered = True
        if at < self._timers.at("cancel", at):
            self._cancel(now)
        elif self._window is not None:
            self._end(now, at)
        else:
            self._answered = False
            self._ctx.tell(Told.EMERGENCY_HELD)

    def _up(self, at: float, now: float, wall_ms: int) -> None:
        down_at, self._down_at = self._down_at, None
        counting = self._timers.running("hold")
        self._timers.stop("hold", "stuck")
        self._alerts.set(STUCK_ALERT, False, wall_ms)
        if down_at is None or not counting:
            return
        if at - down_at >= self._settings.hold_s:  # held long enough, and the loop was late
            self._raise(now, wall_ms, down_at + self._settings.hold_s)
        elif not self._answered:
            self._ctx.tell(Told.EMERGENCY_NOT_HELD)

    def _raise(self, now: float, wall_ms: int, edge_at: float) -> None:
        """Ask for the floor first; the alert comes behind it, the file last. A window that waits does not for ever."""
        self._ctx.tell(Told.EMERGENCY)
        self._floor.take(Word.EMERGENCY, now, min(edge_at, now))
        self._window = self._floor.participant.talk
        self._speaks = False
        self._timers.stop("cancel")
        self._timers.set("end", now + self._settings.open_s)
        if self._settings.cancel_s:
            self._timers.set("cancel", now + self._settings.cancel_s)
        self._fresh = ALERT not in self._alerts.standing
        if self._fresh:
            self._alerts.set(ALERT, True, wall_ms)
            self._ctx.emit(KeepEmergency(since=wall_ms))

    def _cancel(self, now: float) -> None:
        """A false alarm: everything of it is taken back; an alert that stood before it stays."""
        press_no = 0
        if self._window is not None:
            press_no = self._window.press_no
            self._floor.participant.stop(now)
        if self._fresh:
            self._quiet()
        self._ctx.tell(Told.EMERGENCY_CANCELLED, press_no)
        self._timers.stop("cancel", "end")

    def _quiet(self) -> None:
        self._fresh = False
        self._alerts.set(ALERT, False, 0)
        self._ctx.emit(KeepEmergency(since=None))

    def _end(self, now: float, at: float) -> None:
        """The window closes as if a button were let go `at` that time; the talk tells it."""
        self._timers.stop("cancel")
        self._floor.take(Word.KEY_UP, now, at)
