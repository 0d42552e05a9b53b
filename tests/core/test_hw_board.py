"""The board map: sane by default, refused where it would be dangerous, and its board files usable."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.answers import Answers
from gateway.cli import main
from gateway.core.indicators import LIGHTS, TABLE, Colour
from gateway.core.told import Told
from gateway.core.words import Look, Show, Tell
from hw.board import INPUTS, OUTPUTS, RESERVED, SIGNALS, Active, Board, Pins, Pull
from hw.factory import open_factory
from hw.hardware import HardwareSettings
from hw.panel import Panel
from hw.virtual import VirtualFactory
from service.settings import Invalid, SettingsError, dump, load, parse

ROOT = Path(__file__).resolve().parents[2]
BOARDS = sorted((ROOT / "hw" / "boards").glob("*.toml"))
STANDARD, I2S = ROOT / "hw/boards/standard.toml", ROOT / "hw/boards/i2s-codec.toml"


def test_the_standard_board_file_is_the_default_board() -> None:
    path = ROOT / "hw" / "boards" / "standard.toml"

    assert load(path, Board) == Board()
    assert dump(Board()) in path.read_text()


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.name)
def test_every_board_file_can_be_used(path: Path) -> None:
    assert load(path, Board).pin("ptt") is not None


def test_the_board_for_codec_hats_fits_everything_and_keeps_off_their_pins() -> None:
    board = load(I2S, Board)

    taken_by_hats = {2, 3, 4, 17, 18, 19, 20, 21, 22, 23, 24, 27}
    assert board.fitted() == SIGNALS
    assert {board.pin(signal) for signal in SIGNALS} & taken_by_hats == set()
    assert {board.pin(signal) for signal in INPUTS} >= {10, 11}, "lights of a HAT: only as inputs"


def test_motor_buzzer_and_mute_are_on_pins_that_are_pulled_down_at_boot() -> None:
    for path in BOARDS:
        board = load(path, Board)
        pins = [board.pin(signal) for signal in ("motor", "buzzer", "mute")]
        assert [pin for pin in pins if pin is not None and pin <= 8] == [], path.name


@pytest.mark.parametrize("path", [STANDARD, I2S], ids=lambda path: path.name)
def test_every_cue_of_the_driver_reaches_a_device_on_a_full_board(path: Path) -> None:
    # given the panel as the daemon opens it
    board = load(path, Board)
    factory = open_factory("virtual", board)
    panel = Panel.open(board, factory, lambda signal, active, at_s: None)

    # when everything that can be told and shown is, each beginning with all outputs off
    told, shown = {}, {}
    for what in Told:
        answers = Answers(panel)
        answers.tell(Tell(what=what), now=0.0)
        answers.tick(0.0)
        told[what] = driven(board, factory)
        panel.safe()
    for look in Look:
        answers = Answers(panel)
        answers.show(Show(look=look, mute_radio=True), now=0.0)
        answers.tick(0.0)
        shown[look] = driven(board, factory)
        panel.safe()
    panel.close()
    factory.close()

    # then each moves the pins that its row names
    assert told == {what: wanted_of(what) for what in Told}
    assert set().union(*shown.values()) == {"led_red", "led_green", "led_blue", "mute"}
    assert [look for look in Look if LIGHTS[look].colour is not Colour.OFF and shown[look] == {"mute"}] == []


def driven(board: Board, factory: VirtualFactory) -> set[str]:
    return {signal for signal in OUTPUTS if factory.pin(board.pin(signal)).state > 0}


def wanted_of(told: Told) -> set[str]:
    row = TABLE[told]
    return {signal for signal, kind in (("motor", row.vibration), ("buzzer", row.beep)) if kind is not None}


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.name)
def test_check_config_takes_every_board_file(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(
        '[vehicle]\nuser = "car-1"\nname = "one"\nregion = "seoul"\noffice = "hq"\n'
        f'[pins]\nfactory = "lgpio"\nboard_file = "{path}"\n[state]\ndir = "{tmp_path}"\n'
    )

    status = main(["check-config", "--config", str(config), "--lang", "en"])

    said = capsys.readouterr().out.splitlines()
    assert (status, said[0]) == (0, f"{config}: the configuration is good")
    assert all("dimming_hz" in line for line in said[1:])


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
