"""The vehicle's core: one `handle(event, now)` that hands each event to the part it concerns, in a fixed order."""

from collections.abc import Callable
from typing import assert_never

from gateway.core.participant_words import Word
from gateway.core.told import Told
from gateway.core.vehicle_parts import VehicleParts
from gateway.core.who import Who
from gateway.core.words import (
    Acked,
    ClearEmergency,
    CoreEvent,
    Effect,
    EmergencyKept,
    FromWorker,
    HangUp,
    HeldAtStart,
    HelloFailed,
    InputChanged,
    Kept,
    LevelsKept,
    LinkDown,
    LinkUp,
    Measured,
    Pressed,
    Received,
    Released,
    SetLevels,
    Shutdown,
    ShutdownAsked,
    TokenCame,
    TokenFailed,
    Trouble,
    WantMeter,
    Welcomed,
    WorkerGone,
)
from protocol.messages import Command, DeviceState, Session, TimeAnswer
from protocol.topics import Kind
from protocol.worker import Quit, Through


class Vehicle(VehicleParts):
    """Pure: `handle` and `tick` give effects, `next_deadline` says when to tick. Times are monotonic seconds."""

    def __init__(self, who: Who, chance: Callable[[], float]) -> None:
        """`chance()` gives a number in [0, 1)."""
        super().__init__(who, chance)
        self._stopping = False

    # --- what shells and monitors may ask ---------------------------------------------------------------------------

    @property
    def link_up(self) -> bool:
        """Whether the broker can be reached."""
        return self._ctx.link_up

    @property
    def session(self) -> Session | None:
        """The newest session known."""
        return self._ctx.session

    @property
    def alerts(self) -> dict[str, tuple[str, str]]:
        """What is wrong and how to mend it, by alert."""
        return self._alerts.told

    @property
    def barred(self) -> bool:
        """Whether this unit must be enrolled before it may connect."""
        return self._ctx.barred

    def status(self) -> DeviceState:
        """Give the device's state as monitors see it."""
        return self._outlook.status()

    # --- driving ----------------------------------------------------------------------------------------------------

    def start(self, now: float, wall_ms: int) -> tuple[Effect, ...]:
        """Begin: start the worker, dial the broker (unless this unit is no member)."""
        self._emergency.restore(self._who.emergency_since)
        self.membership.start(now)
        self.worker.start(now)
        self._upkeep.start(now)
        if not self._ctx.barred:
            self.link.start(now)
            self.tokens.start(now)
        return self._finish(now, wall_ms)

    def handle(self, event: CoreEvent, now: float, wall_ms: int) -> tuple[Effect, ...]:
        """Take one event; gives the effects in the order they are to be carried out."""
        match event:
            case Pressed(at=at):
                self._pressed(at, now, wall_ms)
            case Released(at=at):
                self._released(at, now, wall_ms)
            case HeldAtStart():
                self._ctx.keyed = True
                self._cab.held_at_start(wall_ms)
            case InputChanged():
                self._input(event, now, wall_ms)
            case LinkUp():
                self._link_up(now, wall_ms)
            case LinkDown(reason=reason, refused=refused):
                self._link_down(reason, now, refused)
            case Received(message=Command() as command, retained=retained):
                self._upkeep.command(command, now, retained=retained)
            case Received(message=TimeAnswer() as answer):
                self._traces.probes.answered(answer, now)
            case Received(kind=kind, message=message):
                if self._office.said(kind, message, now):
                    self._link_down("connecting anew, above a newer connection known of this user", now)
            case Trouble(alert="state-dir", holds=holds):
                self._disk.kept("at the start", "damaged" if holds else "", wall_ms)
            case Kept(flag=flag, problem=problem):
                self._disk.kept(flag.value, problem, wall_ms)
                self._upkeep.answered(event, now, wall_ms)
            case Measured() | ShutdownAsked():
                self._upkeep.answered(event, now, wall_ms)
            case Acked(token=token):
                self._ctx.round_trips.acked(token, now)
                self._presence.acked(token)
                self._traces.acked(token)
            case FromWorker(event=said):
                if isinstance(said, Through):
                    self._traces.through(said)
                self._voice.said(said, now)
                self._cab.said(said, now)
            case WorkerGone(reason=reason):
                self._voice.gone(reason, now)
                self._cab.worker_gone()
            case Trouble(alert=alert, holds=True, what=what) if what:
                self._alerts.say(alert, what, wall_ms)
            case Trouble(alert=alert, holds=holds):
                self._alerts.set(alert, holds, wall_ms)
            case TokenCame():
                self.tokens.came(event, now)
            case TokenFailed():
                self.tokens.failed(event, now)
            case Welcomed(welcome=welcome):
                self._again.office(welcome.replay_keep_s)
                if self.membership.welcomed():
                    self._admitted(now)
            case HelloFailed():
                if self.membership.refused(event, now):
                    self._kept_out(now)
            case SetLevels():
                self.levels.set(event)
            case LevelsKept(problem=problem):
                self.levels.kept(event)
                self._disk.kept("levels", problem, wall_ms)
            case WantMeter():
                self.levels.want_meter(event, now)
            case EmergencyKept(problem=problem):
                self._emergency.kept(problem)
                self._disk.kept("emergency", problem, wall_ms)
            case ClearEmergency(by=by):
                self._emergency.clear(by)
            case Shutdown():
                self._shutdown(now)
            case _:
                assert_never(event)
        return self._finish(now, wall_ms)

    def tick(self, now: float, wall_ms: int) -> tuple[Effect, ...]:
        """Do what is due."""
        self._floor.tick(now)
        self._office.settle_release()
        if not self._stopping:
            self.link.tick(now)
            self._presence.tick(now)
            self.worker.tick(now)
            self.membership.tick(now)
            self.tokens.tick(now)
            self._upkeep.tick(now, wall_ms)
            self._again.tick(now)
            self._played.tick(now)
            self._traces.tick(now)
        self._emergency.tick(now, wall_ms)
        self._cab.tick(now, wall_ms)
        self._check.tick(now, wall_ms)
        self._outlook.tick(now)
        return self._finish(now, wall_ms)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        times = (
            self._floor.next_deadline(),
            self.link.next_deadline(),
            self._presence.next_deadline(),
            self.worker.next_deadline(),
            self.membership.next_deadline(),
            self.tokens.next_deadline(),
            self._upkeep.next_deadline(),
            self._again.next_deadline(),
            self._played.next_deadline(),
            self._traces.next_deadline(),
            self._emergency.next_deadline(),
            self._cab.next_deadline(),
            self._check.next_deadline(),
            self._outlook.next_deadline(),
        )
        return min((t for t in times if t is not None), default=None)

    # --- button -----------------------------------------------------------------------------------------------------

    def _pressed(self, at: float, now: float, wall_ms: int) -> None:
        if self._stopping:
            return
        self._traces.pressed(at, now, wall_ms)
        self._upkeep.pressed(at, now, wall_ms)
        self._ctx.keyed = True
        self.link.pressed()
        if not self._emergency.talk_pressed():
            self._floor.take(Word.PRESS, now, at)
        self._again.cut()

    def _released(self, at: float, now: float, wall_ms: int) -> None:
        self._ctx.keyed = False
        self._traces.released(at)
        self._cab.released(at, wall_ms)
        if not self._ctx.hands_free:
            self._floor.take(Word.KEY_UP, now, at)

    def _input(self, change: InputChanged, now: float, wall_ms: int) -> None:
        """Hand a change of any other input to its part; none of them keys but an emergency button held long enough."""
        match change.signal:
            case "replay":
                self._again.button(change.active, change.at, now, at_start=change.at_start)
            case "ignition":
                self._upkeep.ignition(change, now, wall_ms)
            case "emergency":
                self._emergency.button(change, now, wall_ms)
            case "phone_busy" | "nav_busy":
                self._cab.input(change, now, wall_ms)

    # --- link -------------------------------------------------------------------------------------------------------

    def _link_up(self, now: float, wall_ms: int) -> None:
        self.link.up(now)
        self._presence.connected(now, wall_ms)
        self._floor.take(Word.LINK_UP, now)
        self._alerts.connected()
        self._upkeep.connected()
        self._traces.connected(now)
        self._ctx.publish(Kind.DEVICE_INFO, self._who.info)
        self._outlook.say_anew()

    def _link_down(self, reason: str, now: float, refused: bool = False) -> None:
        was_up = self._ctx.link_up
        self.link.down(now, reason, refused)
        self._presence.disconnected()
        self._traces.disconnected()
        if was_up:
            self._again.link_down()
            self._emergency.link_lost(now)
            self._floor.take(Word.LINK_DOWN, now)
        if refused:
            self.membership.broker_refused(now)
        if self._stopping or self._ctx.barred:
            self.link.stop()

    def _kept_out(self, now: float) -> None:
        """Another unit is the member: leave without a will, which would speak for that one, and stay away."""
        self._floor.take(Word.VOICE_LOST, now, Told.NOT_ENROLLED)
        self._ctx.emit(HangUp())
        self._link_down("this unit must be enrolled", now)
        self.tokens.stop()
        self._again.stop()
        self._listener.forget()
        self.worker.renew("it must not connect as the member")

    def _admitted(self, now: float) -> None:
        self.worker.renew("this unit is admitted")
        self.link.start(now)
        self.tokens.start(now)

    # --- the end -----------------------------------------------------------------------------------------------------

    def _shutdown(self, now: float) -> None:
        self._stopping = True
        self._emergency.stop()
        self.participant.stop(now)
        if self._ctx.link_up:
            self._presence.goodbye()
        self._again.stop()
        self._ctx.voice(Quit())
        self.worker.stop()
        self.membership.stop()
        self._upkeep.stop()
        self.tokens.stop()
        self._traces.stop(now)
        self.link.stop()

    # --- after every event ------------------------------------------------------------------------------------------

    def _finish(self, now: float, wall_ms: int) -> tuple[Effect, ...]:
        self._presence.voice = self.worker.health
        self._emergency.look(now)
        self._upkeep.look(now, wall_ms)
        self._alerts.say("noise-suppression", self.levels.trouble, wall_ms)
        self._check.look(now, wall_ms)
        self._cab.look(now)
        self._outlook.after(now)
        self._played.look(self._ctx.out, now)
        self._traces.look(self._ctx.out, now, wall_ms)
        return self._ctx.take()
