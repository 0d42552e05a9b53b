"""Opening pins: the named library or an error that says what to install, wire or allow; never another library."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hw.board import Board
from hw.errors import HardwareError
from hw.factory import FactoryName, diagnose_chip, open_factory
from hw.hardware import HardwareSettings, open_hardware, outputs_off, outputs_persist
from tests.contracts.pin_benches import fake_libraries, forget_libraries


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fake_libraries(monkeypatch):
        yield


def refusal(name: FactoryName, work_dir: Path | None = None) -> HardwareError:
    with pytest.raises(HardwareError) as caught:
        open_factory(name, Board(), work_dir=work_dir)
    return caught.value


@pytest.mark.parametrize(
    ("name", "library", "package"), [("lgpio", "lgpio", "python3-lgpio"), ("rpigpio", "RPi", "[rpi]")]
)
def test_a_missing_library_is_an_error_naming_the_package(
    name: FactoryName, library: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_libraries()
    monkeypatch.setitem(sys.modules, library, None)  # as if it were not installed

    error = refusal(name, tmp_path)

    assert "is not installed" in error.what
    assert package in error.mend


def test_the_empty_lgpio_that_pip_finds_for_some_pythons_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_libraries()
    (tmp_path / "lgpio.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))

    error = refusal("lgpio", tmp_path)
    forget_libraries()

    assert "not the real one" in error.what
    assert "python3-lgpio" in error.mend


@pytest.mark.usefixtures("fakes")
def test_lgpio_writes_its_files_into_the_given_directory_and_not_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "current").mkdir()
    monkeypatch.chdir(tmp_path / "current")
    monkeypatch.delenv("LG_WD", raising=False)
    (tmp_path / "given").mkdir()

    open_factory("lgpio", Board(), work_dir=tmp_path / "given").close()

    assert (os.listdir(tmp_path / "given"), os.listdir(tmp_path / "current")) == ([".lgd-nfy0"], [])


@pytest.mark.usefixtures("fakes")
def test_lgpio_takes_the_units_runtime_directory_when_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LG_WD", raising=False)
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{tmp_path}:/nowhere")

    open_factory("lgpio", Board()).close()

    assert os.listdir(tmp_path) == [".lgd-nfy0"]


def test_a_work_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    assert "cannot write" in refusal("lgpio", tmp_path / "absent").what


@pytest.mark.usefixtures("fakes")
def test_a_chip_that_does_not_open_is_an_error(tmp_path: Path) -> None:
    library: Any = importlib.import_module("lgpio")
    library.chip_fails = "can not open gpiochip"

    error = refusal("lgpio", tmp_path)

    assert "gpiochip" in error.what
    assert error.mend


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("name", ["lgpio", "rpigpio"])
def test_a_machine_that_is_no_pi_is_told_of_the_virtual_factory(
    name: FactoryName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpiozero.pins.local.get_pi_revision", _no_pi)

    error = refusal(name, tmp_path)

    assert "not a Raspberry Pi" in error.what
    assert 'factory = "virtual"' in error.mend


def _no_pi() -> int:
    import gpiozero

    raise gpiozero.PinUnknownPi("unable to locate Pi revision")


def test_no_chip_in_the_device_directory_asks_whether_this_is_a_pi(tmp_path: Path) -> None:
    assert "is this a Raspberry Pi?" in diagnose_chip(tmp_path, "x").what


def test_a_chip_this_user_may_not_open_names_the_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gpiochip0").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    assert "group gpio" in diagnose_chip(tmp_path, "x").mend


@pytest.mark.usefixtures("fakes")
def test_rpi_gpio_that_cannot_watch_edges_refuses_at_the_start_naming_lgpio() -> None:
    gpio: Any = importlib.import_module("RPi.GPIO")
    gpio.edges_fail = True

    error = refusal("rpigpio")

    assert "cannot watch BCM 17 (header pin 11)" in error.what
    assert 'factory = "lgpio"' in error.mend


@pytest.mark.usefixtures("fakes")
def test_rpi_gpio_without_permission_names_the_group() -> None:
    gpio: Any = importlib.import_module("RPi.GPIO")
    gpio.setup_fails = "No access to /dev/mem.  Try running as root!"

    error = refusal("rpigpio")

    assert "No access to /dev/mem" in error.what


def test_a_name_that_is_no_factory_is_refused() -> None:
    assert "no pin factory" in refusal("native").what  # type: ignore[arg-type]  # as from an unchecked caller


def test_hardware_that_fails_half_way_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "pins").write_text("not a socket")
    settings = HardwareSettings(factory="virtual", pins_socket=tmp_path / "pins")

    with pytest.raises(HardwareError, match="in the way"):
        open_hardware(settings, lambda signal, active, at_s: None)
    (tmp_path / "pins").unlink()
    again = open_hardware(settings, lambda signal, active, at_s: None)
    again.close()
    again.close()

    assert not (tmp_path / "pins").exists()


@pytest.mark.usefixtures("fakes")
def test_outputs_left_driven_by_a_killed_process_can_be_put_off(tmp_path: Path) -> None:
    gpio: Any = importlib.import_module("lgpio")
    gpio.line(23).output, gpio.line(23).level = True, 1
    settings = HardwareSettings(factory="lgpio", work_dir=tmp_path)
    written: list[tuple[int, int]] = []
    gpio.gpio_write = lambda handle, pin, level: written.append((pin, int(level)))

    outputs_off(settings)

    assert (23, 0) in written
    assert {level for _, level in written} == {0}


@pytest.mark.parametrize(("said", "persists"), [(["Y"], True), (["N"], False), (["N", "Y"], True), ([], None)])
def test_a_kernel_that_leaves_outputs_driven_is_recognised(
    tmp_path: Path, said: list[str], persists: bool | None
) -> None:
    for n, word in enumerate(said):
        (tmp_path / f"pinctrl_{n}" / "parameters").mkdir(parents=True)
        (tmp_path / f"pinctrl_{n}" / "parameters" / "persist_gpio_outputs").write_text(f"{word}\n")

    assert outputs_persist(tmp_path) is persists
