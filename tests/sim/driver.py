"""What a simulated vehicle's driver does with it, and what may be said from when to when."""

from abc import ABC, abstractmethod

from gateway.core.emergency import EmergencySettings
from gateway.core.vehicle import Vehicle
from gateway.core.words import CoreEvent, InputChanged, Released
from tests.sim.clock import Clock

EMERGENCY = EmergencySettings(hold_s=1.0, cancel_s=3.0, open_s=5.0)


class Driver(ABC):
    """A driver, and what is known of the vehicle driven."""

    vehicle: Vehicle | None = None

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.keyed_spans: list[list[float]] = []
        self.busy: dict[str, float] = {}
        """Inputs of telephone and navigation that are active, since when."""
        self.ignition: bool | None = None
        """Its level; None where it is not wired."""
        self.raised = False
        """An emergency was held long enough at a loop that turned, and was not taken back."""
        self._talk_span: list[float] | None = None
        self._window_span: list[float] | None = None
        self._emergency_at: float | None = None

    @abstractmethod
    def put(self, event: CoreEvent) -> None:
        """Have the vehicle take an event."""

    @abstractmethod
    def button_down(self) -> None:
        """The talk button goes down."""

    @property
    @abstractmethod
    def turning(self) -> bool:
        """Whether the vehicle's loop turns."""

    def press(self) -> None:
        """Button down."""
        if self._talk_span is not None:
            return
        self._talk_span = self._keyed()
        self.button_down()

    def release(self) -> None:
        """Button up."""
        if self._talk_span is not None:
            self._talk_span[1] = self.clock.now
            self._talk_span = None
            self.put(Released(at=self.clock.now))

    def input(self, signal: str, active: bool) -> None:
        """Telephone or navigation begin or end."""
        if active is (signal in self.busy):
            return
        if active:
            self.busy[signal] = self.clock.now
        else:
            del self.busy[signal]
        self.put(InputChanged(signal=signal, active=active, at=self.clock.now))

    def _keyed(self) -> list[float]:
        """From now on what is said may leave."""
        span = [self.clock.now, float("inf")]
        self.keyed_spans.append(span)
        return span

    def turn_ignition(self, on: bool) -> None:
        """The key is turned, or the starter drops it."""
        self.ignition = on
        self.put(InputChanged(signal="ignition", active=on, at=self.clock.now))

    def hold_emergency(self) -> None:
        """Emergency button down: what an earlier one opened is over; held long enough this one opens a window."""
        at = self.clock.now
        self._emergency_at = at
        self.close_window()
        self.put(InputChanged(signal="emergency", active=True, at=at))
        vehicle, alive = self.vehicle, self.turning

        def counts() -> None:
            if self._emergency_at == at and vehicle is not None and self.vehicle is vehicle:
                self.close_window()
                self._window_span = self._keyed()
                self.raised = self.raised or (alive and self.turning)

        self.clock.at(at + EMERGENCY.hold_s, counts)

    def let_go_emergency(self) -> None:
        """Emergency button up."""
        if self._emergency_at is not None:
            self._emergency_at = None
            self.put(InputChanged(signal="emergency", active=False, at=self.clock.now))

    def close_window(self) -> None:
        if self._window_span is not None:
            self._window_span[1] = self.clock.now
            self._window_span = None

    def window_granted(self) -> None:
        """It speaks: bounded from here on, whatever the vehicle thinks."""
        span = self._window_span

        def over() -> None:
            if self._window_span is span:
                self.close_window()

        if span is not None:
            self.clock.after(EMERGENCY.open_s, over)
