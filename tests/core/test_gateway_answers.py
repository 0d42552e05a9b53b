"""What the panel plays: lights, motor, beeps and the mute line, and pins that fail."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from gateway.answers import HOLD_AFTER_S, Answers
from gateway.core.told import Told
from gateway.core.words import Look, Show, Tell
from hw.board import Board
from hw.factory import open_factory
from hw.panel import Panel
from hw.patterns import EMERGENCY


class InTheWay:
    """Another owner of pins."""

    def _conflicts_with(self, other: object) -> bool:
        return True


class Driver:
    """A virtual panel, and what a driver sees and feels of it."""

    def __init__(self) -> None:
        self.factory = open_factory("virtual", Board())
        self.panel = Panel.open(Board(), self.factory, lambda signal, active, at_s: None)
        self.troubles: list[str] = []
        self.answers = Answers(self.panel, on_trouble=self.troubles.append)

    def feels(self, until_s: float, step_s: float = 0.005) -> list[tuple[float, float]]:
        """(time, strength) of every change of the motor until then."""
        felt, level = [], -1.0
        now = 0.0
        while now <= until_s:
            self.answers.tick(now)
            strength = self.panel.levels()["motor"]
            if strength != level:
                level = strength
                felt.append((round(now, 3), strength))
            now += step_s
        return felt

    def close(self) -> None:
        self.panel.close()
        self.factory.close()


@pytest.fixture
def driver() -> Iterator[Driver]:
    made = Driver()
    yield made
    made.close()


def test_a_denial_is_one_long_push_and_two_short_ones(driver: Driver) -> None:
    driver.answers.tell(Tell(what=Told.DENIED), 0.0)

    felt = driver.feels(1.0)
    on = [at_s for (at_s, now), (_, before) in zip(felt, [(0.0, 0.0), *felt], strict=False) if now > 0 and before == 0]
    off = [at_s for (at_s, now), (_, before) in zip(felt, [(0.0, 0.0), *felt], strict=False) if now == 0 and before > 0]

    assert on == pytest.approx([0.0, 0.45, 0.61], abs=0.011)
    assert off == pytest.approx([0.3, 0.53, 0.69], abs=0.011)


def test_a_refusal_is_two_short_strong_pulses_and_a_low_double_beep(driver: Driver) -> None:
    driver.answers.tell(Tell(what=Told.NO_CONNECTION), 0.0)

    felt = driver.feels(0.5)
    on = [at_s for at_s, strength in felt if strength == 1.0]

    assert on == pytest.approx([0.0, 0.16], abs=0.011)
    assert felt[-1] == (pytest.approx(0.24, abs=0.011), 0.0)


def test_a_beep_sounds_only_while_the_microphone_is_closed(driver: Driver) -> None:
    driver.answers.tell(Tell(what=Told.DENIED), 0.0)
    driver.answers.tick(0.0)
    before = driver.panel.levels()["buzzer"]
    driver.answers.transmitting(True)
    driver.answers.tick(0.01)
    open_ = driver.panel.levels()["buzzer"]
    driver.answers.tell(Tell(what=Told.LINK_BACK), 0.02)
    driver.answers.tick(0.02)

    assert (before > 0, open_, driver.panel.levels()["buzzer"]) == (True, 0.0, 0.0)


def test_while_transmitting_faint_ticks_follow_the_push_of_success_and_end_with_it(driver: Driver) -> None:
    driver.answers.tell(Tell(what=Told.GRANTED), 0.0)
    driver.answers.transmitting(True)
    felt = driver.feels(1.0)
    driver.answers.transmitting(False)
    driver.answers.tick(1.2)

    starts = [at_s for (at_s, now), (_, before) in zip(felt[1:], felt, strict=False) if now > 0 and before == 0]
    assert starts[0] == pytest.approx(0.1 + HOLD_AFTER_S, abs=0.011)
    assert [b - a for a, b in itertools.pairwise(starts)] == pytest.approx([0.25] * (len(starts) - 1), abs=0.02)
    assert driver.panel.levels()["motor"] == 0.0


def test_news_of_a_session_do_not_cut_the_answer_to_a_press_short(driver: Driver) -> None:
    driver.answers.tell(Tell(what=Told.GRANTED), 0.0)
    driver.answers.tell(Tell(what=Told.SESSION_JOINED), 0.01)

    assert driver.feels(0.5)[-1] == (pytest.approx(0.1, abs=0.011), 0.0)


def test_the_pushes_of_a_raised_emergency_are_felt_whole_although_it_is_granted_meanwhile(driver: Driver) -> None:
    driver.answers.tell(Tell(what=Told.EMERGENCY), 0.0)
    driver.answers.tick(0.0)
    driver.answers.tell(Tell(what=Told.GRANTED), 0.02)

    felt = driver.feels(2.0)

    assert felt[-1] == (pytest.approx(sum(ms for ms, _ in EMERGENCY.steps) / 1000, abs=0.011), 0.0)


def test_the_light_blinks_and_the_mute_line_follows(driver: Driver) -> None:
    driver.answers.show(Show(look=Look.NO_LINK, mute_radio=True), 0.0)
    levels = []
    for now in (0.0, 0.1, 0.3, 0.9, 1.05):
        driver.answers.tick(now)
        levels.append(driver.panel.levels()["led_red"])

    assert levels == [1.0, 1.0, 0.0, 0.0, 1.0]
    assert driver.panel.levels()["mute"] == 1.0


def test_safe_is_everything_off(driver: Driver) -> None:
    driver.answers.tell(Tell(what=Told.DENIED), 0.0)
    driver.answers.show(Show(look=Look.TALKING, mute_radio=True), 0.0)
    driver.answers.transmitting(True)
    driver.answers.tick(0.0)

    driver.answers.safe()
    driver.answers.tick(5.0)

    outputs = {k: v for k, v in driver.panel.levels().items() if k.startswith(("led", "motor", "buzzer", "mute"))}
    assert set(outputs.values()) == {0.0}
    assert driver.answers.next_deadline() is None


@pytest.mark.parametrize("told", Told)
def test_everything_that_can_be_told_plays_and_comes_to_an_end(driver: Driver, told: Told) -> None:
    driver.answers.tell(Tell(what=told), 0.0)
    driver.feels(1.0, 0.05)

    assert driver.panel.levels()["motor"] == driver.panel.levels()["buzzer"] == 0.0
    assert driver.answers.next_deadline() is None


def test_a_pin_that_fails_does_not_end_the_radio(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("gone")

    monkeypatch.setattr(driver.panel.mute, "set", broken)
    monkeypatch.setattr(driver.panel.motor, "set", broken)

    driver.answers.show(Show(look=Look.TALKING, mute_radio=True), 0.0)
    driver.answers.tell(Tell(what=Told.DENIED), 0.0)
    driver.answers.tick(0.0)
    driver.answers.tick(1.0)

    assert driver.panel.levels()["led_red"] == 1.0


def test_a_pin_that_fails_is_told_once_by_its_name_and_again_when_it_obeys(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("gone")

    with monkeypatch.context() as failing:
        failing.setattr(driver.panel.motor, "set", broken)
        driver.answers.tell(Tell(what=Told.DENIED), 0.0)
        driver.feels(1.0)
        sounded = list(driver.troubles)
    driver.answers.tell(Tell(what=Told.DENIED), 2.0)
    driver.answers.tick(2.0)

    assert sounded == [
        "motor on BCM 12 (header pin 32) does not obey (gone) -> "
        "check its wiring and supply (docs/wiring.md), then restart ptt-gateway"
    ]
    assert driver.troubles[1:] == [""]


def test_signals_missing_from_the_start_are_told_with_their_mend_and_the_rest_plays() -> None:
    factory = open_factory("virtual", Board())
    other = InTheWay()  # reservations are weak
    factory.reserve_pins(other, 12, 22)
    panel = Panel.open(Board(), factory, lambda signal, active, at_s: None)
    troubles: list[str] = []

    answers = Answers(panel, on_trouble=troubles.append)
    answers.tell(Tell(what=Told.DENIED), 0.0)
    answers.show(Show(look=Look.NO_LINK, mute_radio=False), 0.0)
    answers.tick(0.0)
    lit, sounding = panel.levels()["led_red"], panel.levels()["buzzer"]
    panel.close()
    factory.close()

    assert len(troubles) == 1
    assert "motor on BCM 12 (header pin 32)" in troubles[0]
    assert "emergency on BCM 22 (header pin 15)" in troubles[0]
    assert troubles[0].count(" -> ") == 1
    assert (lit, sounding > 0) == (1.0, True)
