"""Mouth to ear with the cab and without: who is compared with whom, and that no kind is always the first."""

from lab.bench.burst import Heard
from lab.bench.cab_sound import KINDS, figures, turned


def test_each_round_begins_with_another_kind_and_has_them_all() -> None:
    orders = [turned(KINDS, number) for number in range(len(KINDS))]
    assert [order[0] for order in orders] == list(KINDS)
    assert all(sorted(kind.name for kind in order) == sorted(kind.name for kind in KINDS) for order in orders)


def test_what_is_on_is_compared_with_off_at_the_same_rate_and_what_was_not_heard_is_counted() -> None:
    heard: dict[str, list[Heard]] = {
        "48 kHz, off": [[(0.0, 0.050)], [(0.0, 0.050)]],
        "48 kHz, defaults": [[(0.0, 0.055)], [(0.0, 0.055)]],
        "16 kHz, off": [[(0.0, 0.060), (0.5, 0.060)]],
        "16 kHz, all on": [[(0.0, 0.072), (0.5, None)]],
    }
    defaults, everything = figures(heard, "cab_sound.csv", {})
    assert (defaults.name, defaults.ratio, defaults.n) == ("cab_sound_defaults", 1.1, 2)
    assert (everything.name, everything.ratio, everything.n) == ("cab_sound_all", 1.2, 1)
    assert everything.detail["not_heard"] == {"16 kHz, all on": 1, "16 kHz, off": 0}


def test_only_kinds_that_were_heard_are_compared() -> None:
    heard: dict[str, list[Heard]] = {"16 kHz, off": [[(0.0, 0.060)]], "16 kHz, all on": [[(0.0, 0.060)]]}
    assert [figure.name for figure in figures(heard, "cab_sound.csv", {})] == ["cab_sound_all"]
