"""The driver's card names everything the vehicle shows, plays and shakes, in both languages, and needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from html.parser import HTMLParser
from typing import Any

import pytest

from gateway.core.indicators import LIGHTS, TABLE, Beep, Colour, Vibration
from gateway.core.told import Told
from gateway.core.words import Look
from lab.docs import driver_card
from lab.docs import driver_card_words as says
from lab.docs.driver_card_words import COLOURS, EMERGENCY, HEADS, OTHERS, SAID_ELSEWHERE, TALK, Words
from protocol.worker import Sound
from voice.cue_recipes import RECIPES

TABLES: dict[type, Mapping[Any, Words]] = {
    Look: says.LOOKS,
    Told: says.EVENTS,
    Sound: says.SOUNDS,
    Beep: says.BEEPS,
    Vibration: says.VIBRATIONS,
    Colour: COLOURS,
}


class Cells(HTMLParser):
    """The texts of a page, the tags left open and the addresses it asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.open: list[str] = []
        self.asked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.asked += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in ("meta", "br", "rect", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


@pytest.mark.parametrize("kind", TABLES, ids=lambda kind: kind.__name__)
def test_everything_has_words_in_korean_and_english(kind: type) -> None:
    # the tables of the card have an entry for every state there is, in their order
    assert list(TABLES[kind]) == list(kind)  # type: ignore[call-overload]
    for words in TABLES[kind].values():
        assert re.search("[가-힣]", words.ko)
        assert re.fullmatch("[ -~]+", words.en)


def test_the_page_says_it_all_and_asks_the_network_for_nothing() -> None:
    # given the page
    page = driver_card.page()
    cells = Cells()
    cells.feed(page)
    # then every word is on it, its tags are closed, and it is whole in itself
    said = set(cells.texts)
    words = [one for kind in (Look, Beep, Vibration) for one in TABLES[kind].values()]
    words += driver_card.sounds().values()
    words += [says.EVENTS[told] for told in Told if told not in SAID_ELSEWHERE]
    wanted = {text for one in (*words, *EMERGENCY, *TALK, *OTHERS, *HEADS.values()) for text in (one.ko, one.en)}
    assert {text for text in wanted if text not in said and not any(text in one for one in said)} == set()
    assert cells.open == []
    assert cells.asked == []
    assert "url(" not in page
    assert "@import" not in page


def test_a_sound_is_on_the_card_where_and_only_where_something_is_told_by_it() -> None:
    played = {row.sound for row in TABLE.values() if row.sound is not None}
    assert set(driver_card.sounds()) == played
    unplayed = [RECIPES[sound] for sound in Sound if sound not in played]
    assert [recipe.en for recipe in unplayed if recipe.en in driver_card.signals() + driver_card.page()] == []


def test_lights_that_differ_are_described_differently() -> None:
    described = {look: driver_card._light(LIGHTS[look]) for look in Look}
    assert len(set(described.values())) == len({LIGHTS[look] for look in Look})


def test_every_event_stands_below_what_is_felt_of_it_or_is_said_elsewhere_on_the_page() -> None:
    # given what the printed card lists
    groups = driver_card.grouped()
    listed = [told for tolds in groups.values() for told in tolds]
    # then each event is there once, below its vibration
    assert sorted([*listed, *SAID_ELSEWHERE]) == sorted(Told)
    assert all(TABLE[told].vibration is vibration for vibration, tolds in groups.items() for told in tolds)
    # and where it is said elsewhere, that is on the page
    page = driver_card.page()
    assert [words for words in SAID_ELSEWHERE.values() if escape(words.ko) not in page] == []
    # and a sign that says it is a sign of it
    for told, words in SAID_ELSEWHERE.items():
        signs = {*says.VIBRATIONS.values(), *says.SOUNDS.values()} & {words}
        row = TABLE[told]
        own = {says.VIBRATIONS.get(row.vibration), says.SOUNDS.get(row.sound)}  # type: ignore[arg-type]
        assert signs <= own, told


def test_every_vibration_is_drawn_above_what_it_may_mean() -> None:
    drawn = driver_card.events_by_sign()

    assert drawn.count("<svg") == len(Vibration)
    assert [drawn.count(f">{escape(words.ko)}<") for words in says.VIBRATIONS.values()] == [1] * len(Vibration)
