"""What keeps a vehicle in order beside its talks: ignition, telemetry, and what monitors ask of it."""

from collections.abc import Callable

from gateway.core.alerts import Alerts
from gateway.core.commands import Commands
from gateway.core.context import Context
from gateway.core.deeds import Deeds
from gateway.core.floor_machine import FloorMachine
from gateway.core.ignition import Ignition, IgnitionRules
from gateway.core.levels import SoundLevels
from gateway.core.link import Link
from gateway.core.participant_words import State
from gateway.core.presence import PresenceKeeper
from gateway.core.press_count import PressCount
from gateway.core.telemetry import TelemetryKeeper, TelemetryRules
from gateway.core.words import Flag, InputChanged, Kept, Measured, ShutdownAsked
from gateway.core.worker_care import WorkerCare
from protocol.messages import Command


class Upkeep:
    """Hands each event to the part it concerns."""

    def __init__(
        self,
        ctx: Context,
        floor: FloorMachine,
        presence: PresenceKeeper,
        link: Link,
        worker: WorkerCare,
        levels: SoundLevels,
        alerts: Alerts,
        *,
        flags: frozenset[Flag],
        ignition: IgnitionRules,
        telemetry: TelemetryRules,
        emergency: Callable[[], bool],
        clear_emergency: Callable[[str, float], bool],
    ) -> None:
        """`flags`: those kept as yes. `emergency`: whether one is open here; `clear_emergency(by, now)` ends it."""
        self._floor = floor
        self._emergency = emergency
        self._presses = PressCount()
        self._ignition = Ignition(ctx, presence, alerts, ignition, wired=Flag.IGNITION_WIRED in flags)
        self._telemetry = TelemetryKeeper(ctx, link, worker, alerts, self._presses, telemetry)
        muted = Flag.TRANSMITTER_MUTED in flags
        self._deeds = Deeds(ctx, floor, worker, levels, alerts, self._telemetry, clear_emergency, muted=muted)
        self._commands = Commands(ctx, self._deeds.do)
        self._ctx = ctx

    def start(self, now: float) -> None:
        """Begin."""
        self._telemetry.start(now)

    def stop(self) -> None:
        """The service stops."""
        self._ignition.stop()
        self._telemetry.stop()
        self._deeds.stop()

    def connected(self) -> None:
        """A new connection: what is retained may have been forgotten."""
        self._telemetry.connected()

    def pressed(self, at: float, now: float, wall_ms: int) -> None:
        """The button went down; comes before the press is handled, so that the office knows that we are awake."""
        self._presses.pressed(at)
        self._ignition.used(now, wall_ms)

    def ignition(self, change: InputChanged, now: float, wall_ms: int) -> None:
        """The ignition went on or off."""
        self._ignition.changed(change, now, wall_ms)

    def command(self, command: Command, now: float, *, retained: bool) -> None:
        """A monitor asks for something."""
        self._commands.take(command, now, retained=retained)

    def answered(self, answer: Measured | Kept | ShutdownAsked, now: float, wall_ms: int) -> None:
        """The shell has done what was asked of it."""
        match answer:
            case Measured(machine=machine):
                self._telemetry.measured(machine, now, wall_ms)
            case Kept():
                self._deeds.kept(answer)
            case ShutdownAsked():
                self._ignition.shutdown_asked(answer, wall_ms)

    def look(self, now: float, wall_ms: int) -> None:
        """After every event."""
        busy = self._floor.participant.state is not State.NO_PERMISSION or self._emergency()
        self._ignition.look(now, wall_ms, busy=busy)
        self._deeds.look(wall_ms)
        self._presses.look(self._ctx.out, now)

    def tick(self, now: float, wall_ms: int) -> None:
        """Do what is due."""
        self._ignition.tick(now, wall_ms)
        self._telemetry.tick(now)
        self._deeds.tick(now)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        times = (self._ignition.next_deadline(), self._telemetry.next_deadline(), self._deeds.next_deadline())
        return min((at for at in times if at is not None), default=None)
