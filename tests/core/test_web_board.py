"""The board behind a page: whatever a page has seen, it is brought to what is so, and nothing grows."""

from __future__ import annotations

import random

from dispatch.web.board import GONE_MAX, Board, Changes
from dispatch.web.stream import Marks, wants


def every(_key: str) -> bool:
    return True


def applied(shown: dict[str, object], changes: Changes) -> dict[str, object]:
    """Do what live.js does."""
    kept = {} if changes.whole else dict(shown)
    kept.update(changes.put)
    for key in changes.gone:
        kept.pop(key, None)
    return kept


def test_a_page_that_has_seen_nothing_or_an_unknown_version_is_told_everything() -> None:
    board = Board()
    board.put("floor", {"a": 1})
    board.put("member/car-1", {"b": 2})

    for version in (None, 99):
        changes = board.since(version, every)
        assert changes.whole
        assert changes.put == {"floor": {"a": 1}, "member/car-1": {"b": 2}}


def test_a_page_is_told_only_what_changed_since_its_version_and_each_key_once() -> None:
    board = Board()
    board.put("floor", {"a": 1})
    seen = board.since(None, every).version
    board.put("member/car-1", {"n": 1})
    board.put("member/car-1", {"n": 2})

    changes = board.since(seen, every)

    assert not changes.whole
    assert changes.put == {"member/car-1": {"n": 2}}
    assert board.since(changes.version, every).empty


def test_what_is_set_to_what_it_is_already_is_no_change() -> None:
    board = Board()

    assert board.put("floor", {"a": 1})
    assert not board.put("floor", {"a": 1})
    assert board.version == 1


def test_a_key_that_went_and_came_back_is_not_told_as_gone() -> None:
    board = Board()
    board.put("alert/car-1/hot", {"n": 1})
    seen = board.version
    board.drop("alert/car-1/hot")
    board.put("alert/car-1/hot", {"n": 2})

    changes = board.since(seen, every)

    assert (changes.put, changes.gone) == ({"alert/car-1/hot": {"n": 2}}, ())


def test_who_missed_more_departures_than_are_remembered_gets_everything_anew() -> None:
    board = Board()
    board.put("floor", {})
    seen = board.version
    for number in range(GONE_MAX + 1):
        board.put(f"burst/{number}", {})
        board.drop(f"burst/{number}")

    assert board.since(seen, every).whole
    assert len(board._gone) == GONE_MAX


def test_any_run_of_changes_looked_at_any_now_and_then_ends_in_the_same_page() -> None:
    for seed in range(20):
        chance = random.Random(seed)
        board, pages = Board(), [({}, None), ({}, None), ({}, None)]
        for _ in range(300):
            key = f"member/{chance.randrange(12)}"
            if chance.random() < 0.3:
                board.drop(key)
            else:
                board.put(key, {"n": chance.randrange(5)})
            place = chance.randrange(30)
            if place < len(pages):
                shown, version = pages[place]
                changes = board.since(version, every)
                pages[place] = (applied(shown, changes), changes.version)
        whole = board.since(None, every).put
        assert [applied(shown, board.since(version, every)) for shown, version in pages] == [whole] * 3


def test_an_office_page_shows_no_telemetry_and_a_vehicles_page_only_its_own() -> None:
    office, one = wants(None), wants("car-1")

    assert [office(key) for key in ("floor", "member/car-1", "telemetry/car-1", "alert/car-1/hot")] == [
        True,
        True,
        False,
        True,
    ]
    keys = ("floor", "today", "telemetry/car-1", "alert/car-1/hot", "member/car-10", "alert/car-2/hot", "burst/7")
    assert [one(key) for key in keys] == [True, True, True, True, False, False, True]


def test_a_version_of_another_process_or_no_version_at_all_counts_for_none() -> None:
    marks = Marks("aa11")

    assert marks.read(marks.give(12)) == 12
    for bad in ("", "bb22.12", "aa11.", "aa11.x", "aa11.-1", "aa11.١٢", "12"):
        assert marks.read(bad) is None
