"""One suite for every pin factory: what a panel promises holds on virtual pins, on lgpio and on RPi.GPIO.

The two libraries are stand-ins here (tests/contracts/fake_gpio); real ones on a real kernel are the rig's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hw.board import OUTPUTS, Active, Board, Buzzer, Leds, Motor, Pull
from hw.errors import HardwareError
from hw.panel import Panel
from tests.contracts.pin_benches import Bench, open_bench

BOARD = Board(active=Active(led_red="low"), motor=Motor(kick_ms=0, min_duty=0.4))
SAFE = {"led_red": 1.0, "led_green": 0.0, "led_blue": 0.0, "motor": 0.0, "buzzer": 0.0, "mute": 0.0}

Edges = list[tuple[str, bool, float]]


@pytest.fixture(params=["virtual", "lgpio", "rpigpio"])
def bench(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with open_bench(request.param, BOARD, tmp_path, monkeypatch) as opened:
        yield opened


@pytest.fixture
def edges() -> Edges:
    return []


@pytest.fixture
def panel(bench: Bench, edges: Edges) -> Iterator[Panel]:
    opened = Panel.open(BOARD, bench.factory, lambda signal, active, at_s: edges.append((signal, active, at_s)))
    yield opened
    opened.close()


def measured(bench: Bench) -> dict[str, float]:
    return {signal: bench.measure(BOARD.pin(signal) or 0) for signal in OUTPUTS}


def drive_everything(panel: Panel) -> None:
    assert panel.motor is not None
    assert panel.buzzer is not None
    assert panel.mute is not None
    panel.motor.set(255)
    panel.buzzer.set(1000)
    panel.mute.set(True)
    panel.leds.set(1, 1, 1)


def test_every_output_is_off_at_the_start_whatever_its_polarity(bench: Bench, panel: Panel) -> None:
    assert measured(bench) == SAFE
    assert {panel.levels()[signal] for signal in OUTPUTS} == {0.0}


def test_outputs_follow_what_they_are_told(bench: Bench, panel: Panel) -> None:
    drive_everything(panel)

    driven = measured(bench)

    assert driven == {"led_red": 0.0, "led_green": 1.0, "led_blue": 1.0, "motor": 1.0, "buzzer": 0.5, "mute": 1.0}
    assert panel.levels()["led_red"] == 1.0


def test_the_motors_least_amplitude_is_the_boards_least_duty(bench: Bench, panel: Panel) -> None:
    assert panel.motor is not None

    panel.motor.set(1)

    assert measured(bench)["motor"] == pytest.approx(0.4, abs=0.011)  # lgpio's steps are 1 %


def test_safe_puts_everything_off_as_often_as_it_is_asked(bench: Bench, panel: Panel) -> None:
    drive_everything(panel)

    panel.safe()
    panel.safe()

    assert measured(bench) == SAFE


def test_closing_drives_everything_off_before_it_lets_go_of_the_first_pin(
    bench: Bench, panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_release: list[dict[str, float]] = []
    bench.on_release(lambda pin, level: at_release.append(measured(bench)), monkeypatch)
    drive_everything(panel)

    panel.close()
    panel.close()
    panel.safe()

    assert at_release[0] == SAFE


def test_each_output_closed_by_itself_is_off_when_it_is_let_go_of(
    bench: Bench, panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    released: list[tuple[int, float]] = []
    bench.on_release(lambda pin, level: released.append((pin, level)), monkeypatch)
    drive_everything(panel)
    assert panel.motor is not None
    assert panel.mute is not None

    panel.motor.close()
    panel.mute.close()

    assert set(released) == {(12, 0.0), (23, 0.0)}


def test_a_closed_panel_can_be_opened_again(bench: Bench, panel: Panel) -> None:
    panel.close()

    again = Panel.open(BOARD, bench.factory, lambda signal, active, at_s: None)
    found = measured(bench)
    again.close()

    assert found == SAFE


def test_a_press_and_a_release_are_edges_with_their_time(bench: Bench, panel: Panel, edges: Edges) -> None:
    before_s = time.monotonic()

    bench.wire(17, 0)
    pressed = panel.level("ptt")
    bench.wire(17, 1)

    assert [(signal, active) for signal, active, _ in edges] == [("ptt", True), ("ptt", False)]
    assert pressed
    assert not panel.level("ptt")
    assert before_s <= edges[0][2] <= edges[1][2] <= time.monotonic()


def test_every_bounce_is_delivered_as_debouncing_is_the_loops(bench: Bench, panel: Panel, edges: Edges) -> None:
    for level in (0, 1, 0, 1, 0):
        bench.wire(17, level)

    assert [active for _, active, _ in edges] == [True, False, True, False, True]


def test_each_input_reports_under_its_own_name(bench: Bench, panel: Panel, edges: Edges) -> None:
    for pin in (22, 25, 27, 4, 26):
        bench.wire(pin, 0)

    assert [signal for signal, _, _ in edges] == ["emergency", "replay", "ignition", "phone_busy", "nav_busy"]


def test_a_button_held_at_the_start_is_seen_by_its_level_and_gives_no_edge(bench: Bench, edges: Edges) -> None:
    bench.wire(17, 0)

    panel = Panel.open(BOARD, bench.factory, lambda signal, active, at_s: edges.append((signal, active, at_s)))
    held = panel.level("ptt")
    panel.close()

    assert held
    assert edges == []


def test_after_closing_no_edge_comes_any_more(bench: Bench, panel: Panel, edges: Edges) -> None:
    panel.close()

    bench.wire(17, 0)

    assert edges == []


@pytest.mark.parametrize(
    ("signal", "where"),
    [
        ("led_blue", "led_blue on BCM 16 (header pin 36)"),
        ("motor", "motor on BCM 12 (header pin 32)"),
        ("buzzer", "buzzer on BCM 13 (header pin 33)"),
        ("mute", "mute on BCM 23 (header pin 16)"),
        ("emergency", "emergency on BCM 22 (header pin 15)"),
    ],
)
def test_a_pin_held_by_another_is_named_and_the_rest_works_without_it(
    bench: Bench, edges: Edges, signal: str, where: str
) -> None:
    pin = BOARD.pin(signal) or 0
    bench.make_busy(pin)

    panel = Panel.open(BOARD, bench.factory, lambda name, active, at_s: edges.append((name, active, at_s)))
    panel.leds.set(1, 1, 1)
    bench.wire(17, 0)
    lit = {name for name, level in panel.levels().items() if name.startswith("led") and level}
    panel.close()
    bench.free(pin)
    again = Panel.open(BOARD, bench.factory, lambda name, active, at_s: None)
    missing_then = again.missing
    again.close()

    assert list(panel.missing) == [signal]
    assert where in str(panel.missing[signal])
    assert panel.missing[signal].mend
    assert lit == {"led_red", "led_green", "led_blue"} - {signal}
    assert [(name, active) for name, active, _ in edges] == [("ptt", True)]
    assert missing_then == {}


def test_without_the_pin_of_the_button_there_is_no_panel_and_what_was_opened_is_closed(bench: Bench) -> None:
    bench.make_busy(17)

    with pytest.raises(HardwareError, match=r"ptt on BCM 17 \(header pin 11\)") as caught:
        Panel.open(BOARD, bench.factory, lambda signal, active, at_s: None)
    bench.free(17)
    panel = Panel.open(BOARD, bench.factory, lambda signal, active, at_s: None)
    panel.close()

    assert caught.value.mend
    assert panel.missing == {}


def test_a_second_panel_on_the_same_pins_is_refused(bench: Bench, panel: Panel) -> None:
    with pytest.raises(HardwareError, match="already open in this process"):
        Panel.open(BOARD, bench.factory, lambda signal, active, at_s: None)


@pytest.mark.parametrize("name", ["virtual", "lgpio", "rpigpio"])
def test_lights_with_brightness_and_an_active_buzzer(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board(leds=Leds(dimming_hz=200), buzzer=Buzzer(kind="active"), active=Active(led_red="low"))
    with open_bench(name, board, tmp_path, monkeypatch) as bench:  # type: ignore[arg-type]  # parametrised as text
        panel = Panel.open(board, bench.factory, lambda signal, active, at_s: None)
        assert panel.buzzer is not None

        panel.leds.set(0.25, 0.5, 0)
        panel.buzzer.set(2000)
        lit = [bench.measure(pin) for pin in (5, 6, 16, 13)]
        panel.close()

    assert lit == pytest.approx([0.75, 0.5, 0.0, 1.0])


def test_inputs_without_an_internal_pull_read_by_their_polarity(bench: Bench, edges: Edges) -> None:
    board = Board(pull=Pull(ptt="none"))
    bench.wire(17, 1)
    panel = Panel.open(board, bench.factory, lambda signal, active, at_s: edges.append((signal, active, at_s)))

    bench.wire(17, 0)
    panel.close()

    assert [(signal, active) for signal, active, _ in edges] == [("ptt", True)]
