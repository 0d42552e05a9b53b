"""Night dimming of the status lights: by the time of day, on pins that have brightness, and never so that they lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.answers import DIM_EVERY_S, Answers
from gateway.cli import main
from gateway.core.words import Look, Show
from gateway.night import LightSettings, brightness
from hw.board import Board, Leds
from hw.panel import Panel
from hw.virtual import VirtualFactory
from service.settings import Invalid

NIGHT, DAY = 23 * 60, 12 * 60
DIMMING = Board(leds=Leds(dimming_hz=200))
SWITCHED = Board()


class Cab:
    """A panel of virtual pins and its answers, with a clock set by hand."""

    def __init__(self, board: Board, lights: LightSettings | None = None) -> None:
        self.minute: int | None = DAY
        self.panel = Panel.open(board, VirtualFactory(board), lambda signal, active, at_s: None)
        self.answers = Answers(self.panel, lights, lambda: self.minute)

    def shows(self, look: Look, now: float) -> tuple[float, float, float]:
        self.answers.show(Show(look=look, mute_radio=False), now)
        self.answers.tick(now)
        return self.lit()

    def lit(self) -> tuple[float, float, float]:
        levels = self.panel.levels()
        return tuple(round(levels[f"led_{colour}"], 3) for colour in ("red", "green", "blue"))  # type: ignore[return-value]


@pytest.fixture
def cab() -> Iterator[Cab]:
    made = Cab(DIMMING)
    yield made
    made.panel.close()


@pytest.fixture
def plain() -> Iterator[Cab]:
    made = Cab(SWITCHED)
    yield made
    made.panel.close()


@pytest.mark.parametrize(
    ("minute", "expected"),
    [
        (18 * 60 + 59, 1.0),
        (19 * 60, 0.2),
        (23 * 60 + 59, 0.2),
        (0, 0.2),
        (6 * 60 + 59, 0.2),
        (7 * 60, 1.0),
        (None, 1.0),
    ],
)
def test_the_night_goes_over_midnight_and_an_unset_clock_is_day(minute: int | None, expected: float) -> None:
    assert brightness(LightSettings(), minute) == expected


def test_a_night_within_one_day_and_a_dimmed_day() -> None:
    lights = LightSettings(day_percent=80, night_percent=5, night_from="01:30", night_to="05:00")
    assert [brightness(lights, m) for m in (89, 90, 299, 300)] == [0.8, 0.05, 0.05, 0.8]


def test_a_night_without_length_is_refused() -> None:
    with pytest.raises(Invalid, match="same as night_from"):
        LightSettings(night_from="19:00", night_to="19:00")


def test_a_light_is_bright_by_day_and_dim_at_night_in_its_own_colour(cab: Cab) -> None:
    day = cab.shows(Look.READY, 0.0)
    cab.minute = NIGHT
    cab.answers.tick(DIM_EVERY_S - 0.1)
    before = cab.lit()
    cab.answers.tick(DIM_EVERY_S)
    night = cab.lit()
    cab.minute = DAY
    cab.answers.tick(2 * DIM_EVERY_S)
    assert (day, before, night, cab.lit()) == ((0, 1, 0), (0, 1, 0), (0, 0.2, 0), (0, 1, 0))


def test_a_new_colour_at_night_is_dim_from_its_first_moment(cab: Cab) -> None:
    cab.minute = NIGHT
    cab.answers.tick(0.0)
    cab.answers.show(Show(look=Look.TALKING, mute_radio=True), 1.0)
    assert cab.lit() == (0.2, 0, 0)


def test_a_blinking_light_keeps_its_beat_at_night(cab: Cab) -> None:
    cab.minute = NIGHT
    cab.shows(Look.NO_LINK, 0.0)
    seen = []
    for tenth in range(1, 21):
        cab.answers.tick(tenth / 10 + 0.05)
        seen.append(cab.lit()[0])
    assert seen == [0.2, *[0.0] * 8, 0.2, 0.2, *[0.0] * 8, 0.2]


def test_what_is_dark_stays_dark(cab: Cab) -> None:
    cab.shows(Look.READY, 0.0)
    cab.answers.safe()
    cab.minute = NIGHT
    cab.answers.tick(DIM_EVERY_S)
    assert cab.lit() == (0, 0, 0)


def test_lights_that_are_only_on_or_off_stay_on_at_night(plain: Cab) -> None:
    plain.minute = NIGHT
    assert plain.shows(Look.READY, 0.0) == (0, 1, 0)
    plain.answers.tick(DIM_EVERY_S)
    assert plain.lit() == (0, 1, 0)
    assert plain.answers.next_deadline() is None


def test_the_time_of_day_is_looked_at_often_enough_and_no_more(cab: Cab) -> None:
    cab.shows(Look.READY, 0.0)
    assert cab.answers.next_deadline() == DIM_EVERY_S


@pytest.mark.parametrize(
    ("leds", "lights", "told"),
    [
        ("", "", True),
        ("[leds]\ndimming_hz = 200\n", "", False),
        ("", "[lights]\nnight_percent = 100\n", False),
        ("", "[lights]\nday_percent = 50\nnight_percent = 100\n", True),
    ],
)
def test_check_config_tells_where_dimming_is_without_effect(
    leds: str, lights: str, told: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board, config = tmp_path / "board.toml", tmp_path / "gateway.toml"
    board.write_text(f'name = "test"\n{leds}')
    config.write_text(
        '[vehicle]\nuser = "car-1"\nname = "one"\nregion = "seoul"\noffice = "hq"\n'
        f'[pins]\nfactory = "lgpio"\nboard_file = "{board}"\n[state]\ndir = "{tmp_path}"\n{lights}'
    )
    assert main(["check-config", "--config", str(config), "--lang", "en"]) == 0
    assert ("dimming_hz" in capsys.readouterr().out) is told
