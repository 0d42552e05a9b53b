"""A real gateway on the stand-in of lgpio, pins of its panel held by another program: told, and no press blocked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.gateway_rig import Office, Tap, Vehicle
from tests.support.broker import Broker
from tests.support.procs import ROOT, eventually

PTT, MOTOR, BUZZER = 17, 12, 13
LIGHTS = (5, 6, 16)
GREEN, RED = (0, 1, 0), (1, 0, 0)
CABLED = """
import importlib.util
import threading
import time
from pathlib import Path

import gpiozero.pins.local

gpiozero.pins.local.get_pi_revision = lambda: 0xC03111
_spec = importlib.util.spec_from_file_location("fake_lgpio", {fake!r})
_fake = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fake)
_fake.busy.update({held!r})


def _written(handle, gpio, level):
    with open({log!r}, "a") as file:
        print(gpio, int(level), file=file)
    _fake.gpio_write(handle, gpio, level)


def _follow():
    while True:
        for wire in Path({wires!r}).glob("[0-9]*"):
            if _fake.line(int(wire.name)).driven != (level := int(wire.read_text() or 1)):
                _fake.wire(int(wire.name), level)
        time.sleep(0.01)


globals().update({{name: what for name, what in vars(_fake).items() if not name.startswith("__")}})
gpio_write = _written
threading.Thread(target=_follow, daemon=True).start()
"""
"""An lgpio whose inputs follow files named after them, and which writes down each level it is told to drive."""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


class Panel:
    """The pins of a vehicle, from outside."""

    def __init__(self, folder: Path, held: set[int]) -> None:
        self._wires, self._log = folder / "wires", folder / "driven"
        library = folder / "lib"
        for made in (self._wires, library):
            made.mkdir()
        self._log.touch()
        fake = ROOT / "tests/contracts/fake_gpio/lgpio.py"
        text = CABLED.format(fake=str(fake), held=held, log=str(self._log), wires=str(self._wires))
        (library / "lgpio.py").write_text(text)
        self.env = {"PYTHONPATH": f"{library}:{ROOT}", "LG_WD": str(folder)}

    def wire(self, pin: int, level: int) -> None:
        (self._wires / str(pin)).write_text(str(level))

    def lit(self) -> tuple[int, ...]:
        """The lights' levels now."""
        driven = dict(line.split() for line in self._log.read_text().splitlines())
        return tuple(int(driven.get(str(pin), "0")) for pin in LIGHTS)


def cabled(stack: ExitStack, folder: Path, port: int, held: set[int]) -> tuple[Vehicle, Panel]:
    panel = Panel(folder, held)
    car = Vehicle(stack, folder, port)
    text = car.config.read_text().replace('factory = "virtual"', 'factory = "lgpio"')
    car.config.write_text(re.sub(r"(?m)^pins_socket.*$", f'work_dir = "{folder}"', text))
    return car, panel


def test_a_motor_and_a_buzzer_that_another_program_holds_are_told_and_the_press_is_granted_and_shown(
    stack: ExitStack, tmp_path: Path
) -> None:
    broker = stack.enter_context(Broker(folder=tmp_path / "broker"))
    tap = Tap(stack, broker.port)
    office = Office(tap)
    car, panel = cabled(stack, tmp_path, broker.port, {MOTOR, BUZZER})
    car.start(panel.env).online()
    alert = tap.wait("device/car-1/alert/panel")
    eventually(lambda: panel.lit() == GREEN, 4, lambda: f"the light of ready, not {panel.lit()}")

    panel.wire(PTT, 0)
    burst = office.grant("car-1", office.request("car-1"))
    eventually(lambda: car.transmitting, 4, lambda: f"it talks; its log:\n{car.daemon.log}")
    eventually(lambda: panel.lit() == RED, 4, lambda: f"the light of talking, not {panel.lit()}")
    panel.wire(PTT, 1)
    eventually(lambda: not car.transmitting, 4, "it ends with the button")
    late = Tap(stack, broker.port)
    kept = late.wait("device/car-1/alert/panel")

    assert alert["severity"] == "warning"
    assert "motor on BCM 12 (header pin 32) is busy" in alert["what"]
    assert "buzzer on BCM 13 (header pin 33) is busy" in alert["what"]
    assert "move pins.motor" in alert["what"]
    assert kept == alert
    assert burst in {frame.burst for _, frame in tap.voice("car-1")}


def test_without_the_buttons_pin_the_gateway_does_not_start_and_says_which(stack: ExitStack, tmp_path: Path) -> None:
    car, panel = cabled(stack, tmp_path, 1, {PTT})

    car.start(panel.env, ready=False)
    status = car.daemon.wait(10)

    assert status == 1
    assert "ptt on BCM 17 (header pin 11) is busy" in car.daemon.log
