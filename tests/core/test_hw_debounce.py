"""Debouncing: the leading edge acts at once, the end state is the contact's, and a held button is not trusted."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.button import Change, Debounce


def opened(active: bool = False) -> Debounce:
    debounce = Debounce(lockout_s=0.015, poll_s=0.1)
    debounce.begin(active, 0.0)
    return debounce


def test_a_press_is_reported_at_its_first_edge_with_the_edges_time() -> None:
    debounce = opened()

    changes = debounce.edge(True, 1.0)

    assert changes == (Change(pressed=True, at_s=1.0),)
    assert debounce.next_deadline() == pytest.approx(1.015)


def test_edges_within_the_lock_out_are_ignored_and_the_level_is_read_after_it() -> None:
    debounce = opened()
    debounce.edge(True, 1.0)

    ignored = [debounce.edge(level, 1.0 + ms / 1000) for ms, level in ((2, False), (4, True), (9, False))]
    after = debounce.tick(False, 1.015)

    assert ignored == [(), (), ()]
    assert after == (Change(pressed=False, at_s=1.015),)


def test_a_level_unchanged_at_the_end_of_the_lock_out_reports_nothing() -> None:
    debounce = opened()
    debounce.edge(True, 1.0)

    assert debounce.tick(True, 1.015) == ()
    assert debounce.pressed


def test_a_tick_before_its_deadline_does_nothing() -> None:
    debounce = opened()
    debounce.edge(True, 1.0)

    assert debounce.tick(False, 1.01) == ()


def test_a_release_whose_edge_was_lost_is_found_by_reading_the_pressed_button_again() -> None:
    debounce = opened()
    debounce.edge(True, 1.0)
    debounce.tick(True, 1.015)

    deadline = debounce.next_deadline()
    changes = debounce.tick(False, 1.115)

    assert deadline == pytest.approx(1.115)
    assert changes == (Change(pressed=False, at_s=1.115),)


def test_a_released_button_needs_no_deadline() -> None:
    debounce = opened()
    debounce.edge(True, 1.0)
    debounce.tick(False, 1.015)
    debounce.tick(False, 1.03)

    assert debounce.next_deadline() is None


def test_a_loop_that_was_late_still_tells_a_short_release_between_two_presses() -> None:
    debounce = opened()

    changes = [*debounce.edge(True, 1.0), *debounce.edge(False, 1.005), *debounce.edge(True, 1.05)]

    assert [change.pressed for change in changes] == [True, False, True]
    assert [change.at_s for change in changes] == pytest.approx([1.0, 1.015, 1.05])


def test_a_button_held_at_start_gives_no_press_until_it_was_released_for_a_lock_out() -> None:
    debounce = opened(active=True)

    early = [debounce.edge(True, 0.5), debounce.tick(True, 0.6), debounce.edge(False, 1.0), debounce.edge(True, 1.001)]
    still_held = debounce.tick(True, 1.015), debounce.held_at_start
    let_go = debounce.edge(False, 2.0), debounce.tick(False, 2.015), debounce.held_at_start
    pressed = debounce.edge(True, 3.0)

    assert early == [(), (), (), ()]
    assert still_held == ((), True)
    assert let_go == ((), (), False)
    assert pressed == (Change(True, 3.0),)


def test_edges_from_before_the_start_are_passed_over() -> None:
    debounce = Debounce()
    debounce.begin(False, 5.0)

    assert [debounce.edge(True, 4.9), debounce.edge(False, 4.95)] == [(), ()]
    assert debounce.edge(True, 5.1) == (Change(True, 5.1),)


def test_a_held_button_whose_release_edge_was_lost_becomes_usable_by_reading_it_again() -> None:
    debounce = opened(active=True)

    debounce.tick(False, debounce.next_deadline() or 0.0)
    debounce.tick(False, debounce.next_deadline() or 0.0)

    assert not debounce.held_at_start


trains = st.lists(st.floats(0.0001, 0.2), max_size=40)


def contact(train: list[float], at_s: float) -> bool:
    """The contact of a train of toggles, open at first, at a time."""
    toggles = list(itertools.accumulate(train, initial=1.0))[1:]
    return sum(at <= at_s for at in toggles) % 2 == 1


def run(debounce: Debounce, train: list[float], late_s: float, lost: set[int]) -> list[Change]:
    """Play a train to a loop that handles each thing `late_s` after it is due, edges before deadlines."""
    edges = [(at, n % 2 == 0, n) for n, at in enumerate(list(itertools.accumulate(train, initial=1.0))[1:])]
    queue = [edge for edge in edges if edge[2] not in lost]
    changes: list[Change] = []
    end = 1.0 + sum(train) + 5.0
    now = 1.0
    while now < end:
        due_edges = [edge for edge in queue if edge[0] <= now]
        queue = queue[len(due_edges) :]
        for at, level, _ in due_edges:
            changes += debounce.edge(level, at)
        changes += debounce.tick(contact(train, now), now)
        upcoming = [queue[0][0] + late_s] if queue else []
        deadline = debounce.next_deadline()
        upcoming += [max(deadline, now) + late_s] if deadline is not None else []
        now = max(min(upcoming, default=end), now + 1e-6)
    return changes


@given(trains, st.sampled_from([0.0, 0.0005, 0.05, 0.3]))
def test_whatever_the_bounces_the_state_ends_as_the_contact_and_reports_alternate(
    train: list[float], late_s: float
) -> None:
    debounce = opened()

    changes = run(debounce, train, late_s, lost=set())

    assert debounce.pressed == contact(train, 1e9)
    assert [change.pressed for change in changes] == [n % 2 == 0 for n in range(len(changes))]
    assert [change.at_s for change in changes] == sorted(change.at_s for change in changes)


@given(trains, st.sets(st.integers(0, 39)))
def test_a_release_is_found_even_when_edges_are_lost(train: list[float], lost: set[int]) -> None:
    debounce = opened()

    run(debounce, train, 0.0, lost)

    assert debounce.pressed <= contact(train, 1e9)


@given(trains)
def test_the_first_edge_is_reported_immediately(train: list[float]) -> None:
    changes = run(opened(), [0.001, *train], 0.0, lost=set())

    assert changes[0].pressed
    assert changes[0].at_s == pytest.approx(1.001)
