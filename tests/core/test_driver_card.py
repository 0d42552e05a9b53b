"""The driver's card names everything the vehicle shows, plays and shakes, in both languages, and needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import pytest

from gateway.core.indicators import LIGHTS, TABLE, Beep, Colour, Vibration
from gateway.core.words import Look, Told
from lab.docs import driver_card, driver_card_words
from lab.docs.driver_card_words import COLOURS, HEADS, TALK, Words
from protocol.worker import Sound

TABLES: dict[type, Mapping[Any, Words]] = {
    Look: driver_card_words.LOOKS,
    Told: driver_card_words.EVENTS,
    Sound: driver_card_words.SOUNDS,
    Beep: driver_card_words.BEEPS,
    Vibration: driver_card_words.VIBRATIONS,
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
    words = [one for kind in (Look, Told, Sound, Beep, Vibration) for one in TABLES[kind].values()]
    wanted = {text for one in (*words, *TALK, *HEADS.values()) for text in (one.ko, one.en)}
    assert {text for text in wanted if text not in said and not any(text in one for one in said)} == set()
    assert cells.open == []
    assert cells.asked == []
    assert "url(" not in page
    assert "@import" not in page


def test_lights_that_differ_are_described_differently() -> None:
    described = {look: driver_card._light(LIGHTS[look]) for look in Look}
    assert len(set(described.values())) == len({LIGHTS[look] for look in Look})


def test_every_event_that_is_felt_or_heard_shows_how() -> None:
    rows = re.findall(r"<tr><td>.*?</tr>", driver_card._events())
    signs = [row.count("<svg") for row in rows]
    assert signs == [(TABLE[told].vibration is not None) + (TABLE[told].sound is not None) for told in Told]
