"""What the console's page says: every word its script asks for is there, in both languages, with the same blanks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dispatch.web.console_pages import KEYS, console
from dispatch.web.console_words import console_words
from dispatch.web.shell import Seen
from gateway.core.told import Told

STATIC = Path(__file__).resolve().parents[2] / "dispatch" / "web" / "static" / "console"
SCRIPTS = "\n".join((STATIC / name).read_text() for name in ("page.js", "shown.js"))
TYPES = (STATIC / "types.js").read_text()
PLACES = re.compile(r"\{(\w+)\}")


def union(name: str) -> set[str]:
    """The words of one of types.js' unions."""
    found = re.search(r'@typedef \{((?:"[\w ]+"\|?)+)\} ' + name, TYPES)
    assert found is not None
    return set(re.findall(r'"([\w ]+)"', found[1]))


def test_both_languages_have_the_same_words_with_the_same_places_to_fill() -> None:
    english, korean = console_words("en"), console_words("ko")
    assert {key: set(PLACES.findall(text)) for key, text in english.items()} == {
        key: set(PLACES.findall(text)) for key, text in korean.items()
    }


def test_every_word_that_the_script_says_is_there() -> None:
    said = set(re.findall(r'say\("(\w+)"', SCRIPTS))
    assert said
    assert said <= set(console_words("en"))


@pytest.mark.parametrize(("prefix", "name"), [("ptt_", "FloorState"), ("line_", "LinkState"), ("mic_", "SoundFault")])
def test_every_state_that_the_engine_has_can_be_told(prefix: str, name: str) -> None:
    assert {prefix + state for state in union(name)} <= set(console_words("en"))


def test_what_is_told_are_words_of_the_engine_and_each_tone_belongs_to_one() -> None:
    told = {key.removeprefix("told_") for key in console_words("en") if key.startswith("told_")}
    known = {word.value.replace(" ", "_") for word in Told}
    tones = re.search(r"const SOUNDS = \{(.*?)\};", SCRIPTS, re.S)
    assert tones is not None
    sounding = {(quoted or bare).replace(" ", "_") for quoted, bare in re.findall(r'(?:"([\w ]+)"|(\w+)): "', tones[1])}
    assert told <= known
    assert sounding <= known


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_the_page_has_a_place_for_everything_that_the_script_fills(lang: str) -> None:
    page = console(Seen(lang=lang, path="/console"), zone="Asia/Seoul").decode()
    ids = set(re.findall(r'\$\("([\w-]+)"\)', SCRIPTS))
    assert {name for name in ids if f'id="{name}"' not in page} == set()
    assert page.count("<option") == len(KEYS)


def test_keys_are_called_what_people_call_them() -> None:
    html = console(Seen(lang="ko"), zone="Asia/Seoul").decode()
    assert '<option value="ControlRight">오른쪽 Ctrl</option>' in html
    assert '<option value="F13">F13</option>' in html
