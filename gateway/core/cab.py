"""The car around the radio: audio focus, the head unit's mute line, and a talk button that may be stuck."""

from gateway.core.alerts import Alerts
from gateway.core.cab_settings import ButtonSettings, FocusSettings
from gateway.core.context import Context
from gateway.core.floor_machine import FloorMachine
from gateway.core.focus import FocusKeeper
from gateway.core.mute_line import MuteLine
from gateway.core.stuck_button import StuckButton
from gateway.core.words import InputChanged
from protocol.messages import Priority
from protocol.worker import Hello, Pong, Through, WorkerEvent


class Cab:
    """Hands each event to the part it concerns."""

    def __init__(
        self, ctx: Context, floor: FloorMachine, alerts: Alerts, focus: FocusSettings, button: ButtonSettings
    ) -> None:
        """Nothing is active."""
        self._participant = floor.participant
        self._focus = FocusKeeper(ctx, focus, alerts, floor.take)
        self._button = StuckButton(ctx, floor, alerts, button)
        self._line = MuteLine(focus.mute_hang_ms / 1000)

    def held_at_start(self, wall_ms: int) -> None:
        """The talk button was down when the day began."""
        self._button.held_at_start(wall_ms)

    def released(self, at: float, wall_ms: int) -> None:
        """The talk button went up; before the floor hears of it."""
        self._participant.let_go(at)
        self._button.released(wall_ms)

    def input(self, change: InputChanged, now: float, wall_ms: int) -> None:
        """Telephone or navigation changed."""
        self._focus.changed(change, now, wall_ms)

    def said(self, said: WorkerEvent, now: float) -> None:
        """The worker said this; after the others have heard it."""
        if isinstance(said, Hello):
            self._focus.worker_ready()
        elif isinstance(said, Through | Pong):
            self._button.speech(said.speech_at, now)

    def worker_gone(self) -> None:
        """The worker ended."""
        self._button.worker_gone()

    def look(self, now: float) -> None:
        """After every event."""
        self._button.look(now)

    def mute_line(self, voice: bool, now: float) -> bool:
        """Give whether the head unit is to be muted; `voice`: the microphone is open, or a colleague is heard."""
        talk = self._participant.talk
        emergency = talk is not None and talk.priority is Priority.EMERGENCY
        self._line.follow(voice, emergency or self._focus.rule.mute_line, now)
        return self._line.muted

    def tick(self, now: float, wall_ms: int) -> None:
        """Do what is due."""
        self._focus.tick(now, wall_ms)
        self._button.tick(now, wall_ms)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        times = (self._focus.next_deadline(), self._button.next_deadline(), self._line.next_deadline())
        return min((at for at in times if at is not None), default=None)
