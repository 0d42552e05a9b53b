"""The practice office's day: one seed gives one day, and that day is one that people could have worked."""

from __future__ import annotations

from random import Random

import pytest

from lab.office_day.pattern import DAY_S, HOLD_S, PAUSE_S, Day, Trouble, plan
from lab.office_day.people import CARS_MAX, DISPATCHER, ROOM, people
from protocol.timers import HANG_S, TALK_LIMIT_S

CARS = tuple(person.user for person in people(20) if person.vehicle)
SEEDS = range(8)


def day(seed: int = 1, cars: tuple[str, ...] = CARS, **more: bool | float) -> Day:
    return plan(cars, Random(seed), **more)  # type: ignore[arg-type]


def test_a_seed_gives_the_same_day_again_and_another_one_another_day() -> None:
    assert day(1) == day(1)
    assert day(1) != day(2)


def test_everything_lies_within_the_day_and_in_the_order_of_time() -> None:
    for seed in SEEDS:
        made = day(seed)
        assert all(0 <= shift.from_s < shift.until_s <= DAY_S for shift in made.shifts)
        assert [t.at_s for t in made.talks] == sorted(t.at_s for t in made.talks)
        assert [i.at_s for i in made.incidents] == sorted(i.at_s for i in made.incidents)
        assert all(t.at_s >= 0 and t.at_s + t.length_s < DAY_S for t in made.talks)


def test_talks_do_not_overlap_and_only_those_on_shift_take_part() -> None:
    for seed in SEEDS:
        made = day(seed)
        for talk, after in zip(made.talks, made.talks[1:], strict=False):
            assert talk.at_s + talk.length_s < after.at_s
        for talk in made.talks:
            there = {ROOM, *made.there(talk.at_s)}
            assert {turn.user for turn in talk.turns} <= there
            assert {turn.rival for turn in talk.turns if turn.rival} <= there


def test_turns_are_short_of_the_limit_and_the_pauses_of_the_hang_time() -> None:
    turns = [turn for seed in SEEDS for talk in day(seed).talks for turn in talk.turns]

    assert all(HOLD_S[0] <= turn.hold_s <= HOLD_S[1] < TALK_LIMIT_S for turn in turns)
    assert all(turn.pause_s <= PAUSE_S[1] < HANG_S for turn in turns)
    assert all(turn.rival != turn.user for turn in turns)
    assert any(turn.rival is not None for turn in turns)


def test_rush_hours_are_busy_noon_is_a_dip_and_the_night_is_quiet() -> None:
    talks = [talk for seed in SEEDS for talk in day(seed).talks]

    def between(first_h: int, last_h: int) -> float:
        inside = [talk for talk in talks if first_h * 3600 <= talk.at_s < last_h * 3600]
        return len(inside) / (last_h - first_h) / len(SEEDS)

    assert between(7, 9) > 2 * between(12, 13)
    assert between(17, 19) > 2 * between(12, 13)
    assert between(0, 5) < 1.0 < between(9, 17)


def test_a_weekend_is_quieter_and_a_smaller_office_too() -> None:
    working = sum(len(day(seed).talks) for seed in SEEDS)

    assert sum(len(day(seed, weekend=True).talks) for seed in SEEDS) < 0.7 * working
    assert 0 < sum(len(day(seed, CARS[:5]).talks) for seed in SEEDS) < 0.5 * working


def test_every_kind_of_trouble_happens_to_somebody_on_shift_and_only_one_at_a_time() -> None:
    kinds: set[Trouble] = set()
    for seed in SEEDS:
        made = day(seed)
        kinds |= {incident.trouble for incident in made.incidents}
        for number, incident in enumerate(made.incidents):
            assert incident.user in made.there(incident.at_s)
            assert (incident.alert != "") == (incident.trouble is Trouble.ALERT)
            later = [i for i in made.incidents[number + 1 :] if i.user == incident.user]
            assert all(i.at_s > incident.at_s + incident.length_s for i in later)
    assert kinds == set(Trouble)


def test_more_trouble_can_be_had() -> None:
    usual = sum(len(day(seed).incidents) for seed in SEEDS)

    assert sum(len(day(seed, incidents=4.0).incidents) for seed in SEEDS) > 2 * usual


def test_people_are_vehicles_a_made_up_dispatcher_and_one_whose_login_is_told() -> None:
    made = people(3)

    assert [person.user for person in made] == ["car-01", "car-02", "car-03", ROOM, DISPATCHER]
    assert [person.user for person in made if not person.virtual] == [DISPATCHER]


@pytest.mark.parametrize("count", [1, CARS_MAX + 1])
def test_too_few_and_too_many_vehicles_are_refused_with_the_numbers_that_go(count: int) -> None:
    with pytest.raises(ValueError, match=f"give 2 to {CARS_MAX}"):
        people(count)
