"""Patterns: the plan's four exactly, the player's time, and a motor's kick."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.motor import duty
from hw.patterns import (
    HOLD,
    SESSION_NOTIFICATION,
    START_FAIL,
    START_SUCCESS,
    Pattern,
    PatternPlayer,
    blink,
    steady,
    with_kick,
)


def played(pattern: Pattern, until: float) -> list[tuple[float, int]]:
    """Times (ms from the start) and levels a player gives when it is ticked exactly at its deadlines."""
    player, start = PatternPlayer(), 100.0
    player.start(pattern, start)
    told = [(0, player.tick(start))]
    while (deadline := player.next_deadline()) is not None and deadline <= start + until:
        told.append((round((deadline - start) * 1000), player.tick(deadline)))
    return [(at, level) for at, level in told if level is not None]


@pytest.mark.parametrize(
    ("pattern", "levels"),
    [
        (START_SUCCESS, [(0, 255), (100, 0)]),
        (START_FAIL, [(0, 200), (80, 0), (160, 200), (240, 0)]),
        (SESSION_NOTIFICATION, [(0, 150), (300, 0)]),
        (HOLD, [(0, 100), (50, 0), (250, 100), (300, 0), (500, 100), (550, 0), (750, 100), (800, 0)]),
    ],
)
def test_the_plans_patterns_play_as_the_plan_has_them(pattern: Pattern, levels: list[tuple[float, int]]) -> None:
    assert played(pattern, until=0.9) == levels


def test_a_new_pattern_replaces_the_one_under_way() -> None:
    player = PatternPlayer()
    player.start(HOLD, 0.0)
    player.tick(0.0)

    player.start(START_FAIL, 0.02)

    assert [player.tick(at) for at in (0.02, 0.05, 0.1)] == [200, None, 0]


def test_stop_is_told_once_and_nothing_is_due_after_it() -> None:
    player = PatternPlayer()
    player.start(HOLD, 0.0)
    player.tick(0.0)

    player.stop()
    due, level = player.next_deadline(), player.tick(0.01)

    assert (due, level) == (float("-inf"), 0)
    assert (player.next_deadline(), player.tick(0.02)) == (None, None)


def test_a_steady_level_and_a_player_at_rest_wake_nobody() -> None:
    player = PatternPlayer()
    at_rest = player.next_deadline()
    player.start(steady(255), 0.0)

    assert (at_rest, player.tick(0.0), player.next_deadline(), player.tick(1e6)) == (None, 255, None, None)


def test_a_tick_a_day_late_goes_to_where_the_pattern_is_by_then() -> None:
    player = PatternPlayer()
    player.start(blink(100, 100), 0.0)
    player.tick(0.0)

    off, on = player.tick(86400.15), player.tick(86400.25)

    assert (off, on) == (0, 255)


@pytest.mark.parametrize(
    ("steps", "gap_ms"),
    [
        ((), None),
        (((0, 1),), None),
        (((1, -1),), None),
        (((1, 1),), -1),
        (((1, 1),) * 65, None),
        (((60_001, 1),), None),
    ],
)
def test_a_pattern_that_makes_no_sense_is_refused(steps: tuple[tuple[int, int], ...], gap_ms: int | None) -> None:
    with pytest.raises(ValueError, match=r"pattern|step"):
        Pattern(steps, gap_ms)


def test_a_kick_is_full_drive_at_the_start_of_each_pulse_and_takes_no_time_more() -> None:
    assert with_kick(HOLD, 20).steps == (
        (20, 255),
        (30, 100),
        (200, 0),
        (20, 255),
        (30, 100),
        (200, 0),
        (20, 255),
        (30, 100),
    )
    assert with_kick(START_FAIL, 0) == START_FAIL
    assert with_kick(Pattern(((10, 50),)), 20).steps == ((10, 255),)


patterns = st.builds(
    Pattern,
    st.lists(st.tuples(st.integers(1, 500), st.integers(0, 255)), min_size=1, max_size=8).map(tuple),
    st.none() | st.integers(0, 500),
)


@given(patterns, st.integers(0, 100))
def test_a_kick_keeps_the_length_and_the_silences(pattern: Pattern, kick_ms: int) -> None:
    kicked = with_kick(pattern, kick_ms)

    assert sum(ms for ms, _ in kicked.steps) == sum(ms for ms, _ in pattern.steps)
    assert sum(ms for ms, level in kicked.steps if level == 0) == sum(ms for ms, level in pattern.steps if level == 0)


@given(patterns, st.lists(st.floats(0, 3), max_size=30))
def test_the_level_at_any_tick_is_the_patterns_level_then(pattern: Pattern, waits: list[float]) -> None:
    player = PatternPlayer()
    player.start(pattern, 0.0)
    now = 0.0

    for wait in waits:
        now = round(now + wait, 3) + 0.0005  # between two milliseconds, where rounding cannot matter
        player.tick(now)
        assert player.level == level_at(pattern, now * 1000)


def level_at(pattern: Pattern, ms: float) -> int:
    """What a pattern's level is, reckoned from its start."""
    length = sum(step_ms for step_ms, _ in pattern.steps)
    at = ms if pattern.repeat_after_ms is None else ms % (length + pattern.repeat_after_ms)
    for step_ms, level in pattern.steps:
        if at < step_ms:
            return level
        at -= step_ms
    return 0


@given(st.integers(-10, 300), st.floats(0, 0.9))
def test_a_motors_duty_rises_from_its_least_to_full_and_is_zero_only_at_zero(amplitude: int, least: float) -> None:
    assert 0 <= duty(amplitude, least) <= duty(amplitude + 1, least) <= 1.0
    assert duty(max(amplitude, 1), least) >= least
    assert duty(0, least) == 0.0
    assert duty(255, least) == pytest.approx(1.0)
