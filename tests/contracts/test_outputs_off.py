"""`ptt-gateway outputs-off`, and the alert where a killed daemon's outputs would stay driven."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import app, cli
from gateway.core.alerts import KNOWN
from gateway.core.words import CoreEvent, Trouble
from gateway.settings import read
from tests.contracts.pin_benches import fake_libraries, forget_libraries

CONFIG = """
[vehicle]
user = "car-1"
name = "driver"
region = "seoul"
office = "north"
[pins]
{pins}
[broker]
host = "127.0.0.1"
[state]
dir = "{folder}/state"
"""
VIRTUAL = 'factory = "virtual"\npins_socket = "{folder}/pins.sock"'
REAL = {"lgpio": 'factory = "lgpio"\nwork_dir = "{folder}"', "rpigpio": 'factory = "rpigpio"'}
MOTOR, MUTE = 12, 23


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fake_libraries(monkeypatch):
        yield


def config(folder: Path, pins: str) -> Path:
    path = folder / "gateway.toml"
    path.write_text(CONFIG.format(folder=folder, pins=pins.format(folder=folder)))
    return path


def outputs_off(path: Path, lang: str = "en") -> int:
    return cli.main(["outputs-off", "--config", str(path), "--lang", lang])


@pytest.mark.usefixtures("fakes")
def test_lines_that_a_killed_daemon_left_driven_are_put_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # given
    gpio: Any = importlib.import_module("lgpio")
    for pin in (MOTOR, MUTE):
        gpio.line(pin).output, gpio.line(pin).level = True, 1
    path = config(tmp_path, REAL["lgpio"])
    # when
    status = outputs_off(path)
    # then
    assert [gpio.line(pin).electrical() for pin in (MOTOR, MUTE)] == [0, 0]
    assert (status, capsys.readouterr().out) == (0, "all outputs are off\n")


@pytest.mark.usefixtures("fakes")
def test_channels_that_a_killed_daemon_left_driven_are_put_off(tmp_path: Path) -> None:
    # given
    gpio: Any = importlib.import_module("RPi.GPIO")
    gpio.channel(MUTE).function, gpio.channel(MUTE).level = gpio.OUT, 1
    path = config(tmp_path, REAL["rpigpio"])
    # when
    status = outputs_off(path)
    # then
    assert (status, gpio.channel(MUTE).electrical()) == (0, 0)


@pytest.mark.usefixtures("fakes")
def test_an_output_that_another_program_holds_is_told_after_the_others_are_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # given
    gpio: Any = importlib.import_module("lgpio")
    gpio.line(MUTE).output, gpio.line(MUTE).level = True, 1
    gpio.busy.add(MOTOR)
    # when
    status = outputs_off(config(tmp_path, REAL["lgpio"]))
    # then
    assert (status, gpio.line(MUTE).electrical()) == (1, 0)
    assert "cannot be put off: motor on BCM 12 (header pin 32) is busy" in capsys.readouterr().err


def test_virtual_pins_end_with_their_process_and_need_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outputs_off(config(tmp_path, VIRTUAL), "ko") == 0
    assert capsys.readouterr().out == "모든 출력이 꺼져 있습니다\n"
    assert not (tmp_path / "pins.sock").exists()


def test_missing_hardware_is_told_and_is_not_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forget_libraries()
    monkeypatch.setitem(sys.modules, "lgpio", None)  # as if it were not installed

    status = outputs_off(config(tmp_path, REAL["lgpio"]))

    assert status == 1
    assert "cannot be put off: the library lgpio is not installed" in capsys.readouterr().err


def test_a_wrong_configuration_is_told_and_nothing_is_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = outputs_off(config(tmp_path, 'factory = "lgpoi"'))

    assert status == 2
    assert "pins.factory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pins", "kernel_says", "alerts"),
    [
        (REAL["lgpio"], True, ["outputs-persist"]),
        (REAL["lgpio"], False, []),
        (REAL["lgpio"], None, []),
        (VIRTUAL, True, []),
    ],
)
def test_monitors_are_told_where_the_kernel_would_leave_outputs_driven(
    pins: str, kernel_says: bool | None, alerts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    told: list[CoreEvent] = []
    monkeypatch.setattr(app, "outputs_persist", lambda: kernel_says)
    # when
    app._look_at_kernel(read(config(tmp_path, pins)), told.append)
    # then
    assert told == [Trouble(alert=name, holds=True) for name in alerts]
    assert set(alerts) <= set(KNOWN)
