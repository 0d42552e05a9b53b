"""The three pin factories behind one face, for the contract tests: drive a wire, measure a pin."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hw.board import Board
from hw.factory import FactoryName, open_factory
from hw.virtual import VirtualPin

FAKES = Path(__file__).parent / "fake_gpio"
LIBRARIES = ("lgpio", "RPi", "RPi.GPIO", "gpiozero.pins.lgpio", "gpiozero.pins.rpigpio")


class Bench:
    """One open factory, and what a technician's meter and jumper wire would do to its pins."""

    def __init__(self, name: FactoryName, factory: Any, library: ModuleType | None) -> None:
        self.name = name
        self.factory = factory
        self.library: Any = library

    def wire(self, pin: int, level: int) -> None:
        """Drive an input's pin from outside."""
        if self.library is None:
            self.factory.pin(pin).drive(bool(level))
        else:
            self.library.wire(pin, level)

    def measure(self, pin: int) -> float:
        """The electrical level at a pin, 0-1; a duty for PWM."""
        match self.name:
            case "lgpio":
                return float(self.library.line(pin).electrical())
            case "rpigpio":
                return float(self.library.channel(pin).electrical())
        return float(self.factory.pin(pin).state)

    def on_release(self, tell: Callable[[int, float], None], monkeypatch: pytest.MonkeyPatch) -> None:
        """Have `tell(pin, level)` called whenever a driven pin is let go of: its drive stopped, or made an input."""
        if self.library is not None:
            self.library.on_release = tell
            return
        set_frequency, set_function = VirtualPin._set_frequency, VirtualPin._set_function

        def told_frequency(pin: Any, value: Any) -> None:
            if value is None and pin.frequency is not None:
                tell(pin._number, float(pin.state))
            set_frequency(pin, value)

        def told_function(pin: Any, value: Any) -> None:
            if value == "input" and pin.function == "output":
                tell(pin._number, float(pin.state))
            set_function(pin, value)

        monkeypatch.setattr(VirtualPin, "_set_frequency", told_frequency)
        monkeypatch.setattr(VirtualPin, "_set_function", told_function)

    def make_busy(self, pin: int) -> None:
        """Let another program hold a pin."""
        if self.name == "lgpio":
            self.library.busy.add(pin)
        else:  # the others know only owners within this process
            self.factory.reserve_pins(_OTHER, pin)

    def free(self, pin: int) -> None:
        """Let the other program give it back."""
        if self.name == "lgpio":
            self.library.busy.discard(pin)
        else:
            self.factory.release_pins(_OTHER, pin)


class _Other:
    def _conflicts_with(self, other: object) -> bool:
        return True


_OTHER = _Other()


@contextmanager
def fake_libraries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the stand-ins where `import lgpio` and `from RPi import GPIO` find them, on a machine said to be a Pi 4B."""
    forget_libraries()
    monkeypatch.syspath_prepend(str(FAKES))
    monkeypatch.setattr("gpiozero.pins.local.get_pi_revision", lambda: 0xC03111)
    yield
    forget_libraries()


def forget_libraries() -> None:
    """Make the next import load the GPIO libraries anew."""
    for name in LIBRARIES:
        sys.modules.pop(name, None)


@contextmanager
def open_bench(name: FactoryName, board: Board, work_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Open one factory on its bench, and close it at the end."""
    with fake_libraries(monkeypatch):
        factory = open_factory(name, board, work_dir=work_dir)
        library = {"lgpio": "lgpio", "rpigpio": "RPi.GPIO"}.get(name)
        yield Bench(name, factory, sys.modules[library] if library else None)
        factory.close()
