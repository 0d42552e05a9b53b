"""The board map: sane by default, refused where it would be dangerous, and equal to the wiring document."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hw.board import HEADER_PINS, INPUTS, RESERVED, SIGNALS, Active, Board, Pins, Pull
from hw.hardware import HardwareSettings
from service.settings import Invalid, SettingsError, dump, load, parse

ROOT = Path(__file__).resolve().parents[2]


def test_the_wiring_document_has_the_default_boards_pins_and_no_others() -> None:
    text = (ROOT / "docs" / "wiring.md").read_text()

    rows = re.findall(
        r"^\| `(\w+)` \| (\d+) \| (\d+) \| (in|out) \| (low|high) \| (up|down|none) \|", text, re.MULTILINE
    )

    board = Board()
    assert rows == [
        (
            signal,
            str(board.pin(signal)),
            str(HEADER_PINS[board.pin(signal) or 0]),
            "in" if signal in INPUTS else "out",
            board.active_level(signal),
            getattr(board.pull, signal, "none"),
        )
        for signal in SIGNALS
    ]


def test_the_standard_board_file_is_the_default_board() -> None:
    path = ROOT / "hw" / "boards" / "standard.toml"

    assert load(path, Board) == Board()
    assert dump(Board()) in path.read_text()


@pytest.mark.parametrize("path", sorted((ROOT / "hw" / "boards").glob("*.toml")), ids=lambda path: path.name)
def test_every_board_file_can_be_used(path: Path) -> None:
    assert load(path, Board).pin("ptt") is not None


@pytest.mark.parametrize("pin", RESERVED)
def test_a_reserved_pin_is_refused_with_the_reason(pin: int) -> None:
    with pytest.raises(Invalid) as caught:
        Board(pins=Pins(ptt=pin))

    assert [(fault.field, RESERVED[pin] in fault.what) for fault in caught.value.faults] == [("pins.ptt", True)]


def test_a_pin_given_twice_is_refused_naming_both_signals() -> None:
    with pytest.raises(Invalid, match=r"pins\.motor: BCM 17 is ptt's \(use one of 7, 8"):
        Board(pins=Pins(motor=17))


def test_two_signals_that_are_not_fitted_are_no_conflict() -> None:
    assert Board(pins=Pins(replay="none", emergency="none")).fitted(INPUTS) == (
        "ptt",
        "ignition",
        "phone_busy",
        "nav_busy",
    )


def test_a_pull_towards_the_active_level_is_refused_as_a_broken_wire_would_key() -> None:
    with pytest.raises(Invalid, match="broken wire"):
        Board(pull=Pull(ptt="down"))


@pytest.mark.parametrize("active", [Active(motor="low"), Active(buzzer="low")])
def test_a_motor_or_buzzer_that_would_run_unattended_is_refused(active: Active) -> None:
    with pytest.raises(Invalid, match="cannot be active low"):
        Board(active=active)


def test_all_faults_of_a_board_file_come_together_each_with_its_line() -> None:
    text = '[pins]\nptt = 2\nmotor = 24\nmute = 13\nreplay = "off"\n[pull]\nptt = "down"\n'

    with pytest.raises(SettingsError) as first:
        parse(text, Board, "board.toml")
    with pytest.raises(SettingsError) as second:
        parse(text.replace('"off"', '"none"'), Board, "board.toml")

    assert [(problem.key, problem.line) for problem in first.value.problems] == [("pins.replay", 5)]
    assert [(problem.key, problem.line) for problem in second.value.problems] == [
        ("pins.ptt", 2),
        ("pins.motor", 3),
        ("pins.mute", 4),
        ("pull.ptt", 7),
    ]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('factory = "virtual"', "pins_socket"),
        ('factory = "lgpio"\npins_socket = "/run/x"', "pins_socket"),
        ('factory = "lgpio"\nheld = ["ptt"]', "held"),
        ('factory = "virtual"\npins_socket = "/run/x"\nheld = ["ppt"]', "held"),
        ('factory = "lgpio"\nboard_file = "x"\n[board]', "board_file"),
        ('factory = "pigpio"', "factory"),
        ("", "factory"),
    ],
)
def test_hardware_settings_that_contradict_themselves_are_refused(text: str, key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(text, HardwareSettings, "gateway.toml")

    assert [problem.key for problem in caught.value.problems] == [key]
