"""The show: patterns reach the pins of a panel in the loop's own time, with the motor's kick."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hw.board import Board, Motor, Pins
from hw.leds import GREEN, RED
from hw.panel import Panel
from hw.patterns import START_FAIL, Pattern, blink
from hw.show import Show
from hw.virtual import VirtualFactory

BOARD = Board(motor=Motor(kick_ms=20, min_duty=0.0))


@pytest.fixture
def panel() -> Iterator[Panel]:
    opened = Panel.open(BOARD, VirtualFactory(BOARD), lambda signal, active, at_s: None)
    yield opened
    opened.close()


def lights(panel: Panel) -> tuple[float, float, float]:
    levels = panel.levels()
    return levels["led_red"], levels["led_green"], levels["led_blue"]


def test_the_motor_is_kicked_then_driven_then_still(panel: Panel) -> None:
    show = Show(panel)
    show.vibrate(START_FAIL, 0.0)

    driven: list[float] = []
    while (deadline := show.next_deadline()) is not None:
        show.tick(max(deadline, 0.0))
        driven.append(round(panel.levels()["motor"], 2))

    assert driven == [1.0, 0.78, 0.0, 1.0, 0.78, 0.0]


def test_the_buzzer_sounds_and_is_silent_after_it(panel: Panel) -> None:
    show = Show(panel)
    show.sound(Pattern(((50, 880), (50, 1320))), 0.0)

    heard = []
    for at in (0.0, 0.06, 0.11):
        show.tick(at)
        heard.append(panel.levels()["buzzer"])

    assert heard == [0.5, 0.5, 0.0]


def test_a_light_changes_its_colour_at_once_and_keeps_its_beat_when_told_again(panel: Panel) -> None:
    show = Show(panel)

    show.light(RED, 0.0)
    red = lights(panel)
    show.light(GREEN, 0.01, blink(100, 100))
    green = lights(panel)
    show.light(GREEN, 0.09, blink(100, 100))
    show.tick(0.115)
    between = lights(panel)
    show.dark()
    show.tick(0.12)

    assert [red, green, between, lights(panel)] == [RED, GREEN, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)]


def test_what_is_not_fitted_plays_to_nobody_and_wakes_nobody() -> None:
    bare = Board(pins=Pins(motor="none", buzzer="none", mute="none", led_red="none", led_green="none", led_blue="none"))
    panel = Panel.open(bare, VirtualFactory(bare), lambda signal, active, at_s: None)
    show = Show(panel)

    show.vibrate(START_FAIL, 0.0)
    show.sound(blink(10, 10, 440), 0.0)
    show.light(RED, 0.0)
    show.tick(0.0)

    assert (show.next_deadline(), panel.motor, panel.buzzer, panel.mute) == (None, None, None, None)
    panel.close()
