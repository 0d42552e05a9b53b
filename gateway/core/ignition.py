"""The vehicle's day by its ignition: driving, parking, parked (it sleeps, and listens), waking, shutting down.

    driving --off--> parking --off for off_s, nobody talks--> parked --shutdown_after_s--> shutting down
       ^---on---------'                                         |  ^                            |
       '---on for STEADY_S--- waking <---on, a press, a talk----'--|----------------------------'
                                '------off, unused for AWAKE_S-----'

The time to the shutdown runs from when the ignition went off, whatever happens meanwhile: the hardware's own time-out
does, too, and cuts the supply. Only who talks is let finish, and who presses has AWAKE_S.

An ignition that was never seen on is taken for one that is not connected: such a vehicle always drives. That it was
seen is kept over restarts, so that a daemon restarted in a parked vehicle still lets the battery be.
"""

from typing import Annotated

from msgspec import Meta, Struct

from gateway.core.alerts import Alerts
from gateway.core.context import Context, Timers
from gateway.core.presence import PresenceKeeper
from gateway.core.told import Told
from gateway.core.words import AskShutdown, Flag, InputChanged, Keep, ShutdownAsked
from protocol.messages import Lifecycle, PresenceState

STEADY_S = 1.0
"""An ignition that is on for so long is no spike."""
AWAKE_S = 30.0
"""A parked vehicle that was woken by a press sleeps again when nobody used it for so long."""
FLUSH_S = 2.0
"""The broker gets so long to acknowledge the good-bye, before the machine is asked to switch off."""
SHUTDOWN_S = 120.0
"""A machine that still runs so long after it was asked to switch off was not asked properly."""

_PRESENCE = {Lifecycle.PARKED: PresenceState.SLEEPING, Lifecycle.SHUTTING_DOWN: PresenceState.OFFLINE}


class IgnitionRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What follows when the ignition goes off, where that is wired."""

    off_s: Annotated[
        float, Meta(ge=2, le=60, description="Off for so long (s) is parked; an engine that starts drops it for 1-3 s")
    ] = 5.0
    shutdown_after_s: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="So long (s) after the ignition went off the machine is switched off; 0: never. "
            "With the power hold of docs/wiring.md no more than 150: its time-out cuts the supply",
        ),
    ] = 150.0
    announce: Annotated[bool, Meta(description="Tell the driver that the radio goes to sleep, or is awake again")] = (
        True
    )


class Ignition:
    """Owns `ctx.lifecycle`. What it decides on is only the pin, the clock, and whether somebody talks."""

    def __init__(
        self, ctx: Context, presence: PresenceKeeper, alerts: Alerts, rules: IgnitionRules, *, wired: bool
    ) -> None:
        """`wired`: the ignition was seen on before, by an earlier run."""
        self._ctx = ctx
        self._presence = presence
        self._alerts = alerts
        self._rules = rules
        self._wired = wired
        self._on = False
        self._busy = False
        self._asked = False
        self._stopped = False
        self._off_at = 0.0
        self._timers = Timers()

    def changed(self, change: InputChanged, now: float, wall_ms: int) -> None:
        """The pin says on or off."""
        if self._stopped:
            return
        self._on = change.active
        if change.active and not self._wired:
            self._wired = True
            self._ctx.emit(Keep(flag=Flag.IGNITION_WIRED, on=True))
        if change.active:
            self._went_on(now, wall_ms)
        elif self._wired:
            self._off_at = change.at
            self._went_off(change, now)

    def used(self, now: float, wall_ms: int) -> None:
        """A button was pressed: a parked vehicle wakes, and stays awake for a while."""
        if self._ctx.lifecycle in _PRESENCE:
            self._enter(Lifecycle.WAKING, now, wall_ms)
        if self._ctx.lifecycle is Lifecycle.WAKING and not self._on:
            self._timers.set("sleep", now + AWAKE_S)

    def shutdown_asked(self, answer: ShutdownAsked, wall_ms: int) -> None:
        """The request was left for root, or could not be."""
        if answer.problem:
            self._ctx.note("the machine cannot be asked to switch off", warning=True, why=answer.problem)
            self._alerts.say("shutdown", answer.problem, wall_ms)

    def look(self, now: float, wall_ms: int, *, busy: bool) -> None:
        """After every event. `busy`: somebody talks here, or asks to, or an emergency is open; that is waited for."""
        if self._stopped:
            return
        self._busy = busy
        state = self._ctx.lifecycle
        if busy and state in _PRESENCE:
            self.used(now, wall_ms)
        elif state is Lifecycle.PARKING and not busy and not self._timers.running("off"):
            self._enter(Lifecycle.PARKED, now, wall_ms)
            if self._rules.announce:
                self._ctx.tell(Told.PARKED)
        elif state is Lifecycle.SHUTTING_DOWN and not self._asked:
            self._ask_when_flushed(now)

    def tick(self, now: float, wall_ms: int) -> None:
        """Do what is due."""
        while (name := self._timers.expire(now)) is not None:
            match name:
                case "steady":
                    self._enter(Lifecycle.DRIVING, now, wall_ms)
                    if self._rules.announce and not self._busy:
                        self._ctx.tell(Told.WAKING)
                case "sleep" if self._busy:
                    self._timers.set("sleep", now + AWAKE_S)
                case "sleep":
                    self._enter(Lifecycle.PARKED, now, wall_ms)
                case "shutdown":
                    self._enter(Lifecycle.SHUTTING_DOWN, now, wall_ms)
                    self._timers.set("flush", now + FLUSH_S)
                    self._timers.set("refused", now + SHUTDOWN_S)
                case "refused":
                    self._alerts.set("shutdown", True, wall_ms)
                    self._off_at = now  # asked again after as long
                    self._enter(Lifecycle.PARKED, now, wall_ms)

    def stop(self) -> None:
        """Decide nothing more: the good-bye is the last word of this vehicle's presence."""
        self._stopped = True
        self._timers.stop()

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        return self._timers.next()

    def _went_on(self, now: float, wall_ms: int) -> None:
        match self._ctx.lifecycle:
            case Lifecycle.PARKING:
                self._enter(Lifecycle.DRIVING, now, wall_ms)
            case Lifecycle.PARKED | Lifecycle.SHUTTING_DOWN:
                self._enter(Lifecycle.WAKING, now, wall_ms)
        if self._ctx.lifecycle is Lifecycle.WAKING:
            self._timers.stop("sleep")
            self._timers.set("steady", now + STEADY_S)

    def _went_off(self, change: InputChanged, now: float) -> None:
        match self._ctx.lifecycle:
            case Lifecycle.DRIVING if change.at_start:
                self._enter(Lifecycle.PARKED, now, 0)
            case Lifecycle.DRIVING:
                self._enter(Lifecycle.PARKING, now, 0)
                self._timers.set("off", change.at + self._rules.off_s)
            case Lifecycle.WAKING:
                self._timers.stop("steady")
                self._timers.set("sleep", now + AWAKE_S)

    def _enter(self, state: Lifecycle, now: float, wall_ms: int) -> None:
        before, self._ctx.lifecycle = self._ctx.lifecycle, state
        self._timers.stop()
        if self._asked:
            self._asked = False
            self._ctx.emit(AskShutdown(wanted=False))
        if state is Lifecycle.PARKED and self._rules.shutdown_after_s:
            self._timers.set("shutdown", max(now, self._off_at + self._rules.shutdown_after_s))
        if state is Lifecycle.DRIVING:
            self._alerts.set("shutdown", False, wall_ms)
        self._ctx.note("lifecycle", before=before.value, now=state.value)
        self._presence.be(_PRESENCE.get(state, PresenceState.ONLINE), now)

    def _ask_when_flushed(self, now: float) -> None:
        if self._ctx.link_up and not self._presence.said and self._timers.running("flush"):
            return
        self._timers.stop("flush")
        self._asked = True
        self._ctx.emit(AskShutdown(wanted=True))
