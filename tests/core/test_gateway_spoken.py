"""Names and sentences as they are spoken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.indicators import TABLE, ahead, sentence
from gateway.core.spoken import NAME_MAX, spoken_name
from gateway.core.told import Told


@pytest.mark.parametrize(
    ("name", "ko", "en"),
    [
        ("김기사", "김기사", "김기사"),
        ("1호차", "1호차", "1호차"),
        ("PTT 1호차", "피티티 1호차", "PTT 1호차"),
        ("ptt반", "피티티반", "ptt반"),
        ("Ptterson", "Ptterson", "Ptterson"),
        ("Jürgen", "Jürgen", "Jürgen"),
        ("O'Neill-Kim", "O'Neill-Kim", "O'Neill-Kim"),
        ("김기사🚕(예비)", "김기사 예비", "김기사 예비"),
        ("[[abc]]<break/>", "abc break", "abc break"),
        ("王 기사", "기사", "기사"),
        ("Иван", "동료", "A colleague"),
        ("محمد", "동료", "A colleague"),
        ("田中", "동료", "A colleague"),
        ("", "동료", "A colleague"),
        ("\n\t-", "동료", "A colleague"),
        ("１호차", "1호차", "1호차"),
        (
            "서울 강남 제1영업소 심야 예비 차량 담당 기사",
            "서울 강남 제1영업소 심야 예비 차량 담당",
            "서울 강남 제1영업소 심야 예비 차량 담당",
        ),
        ("가" * 60, "가" * NAME_MAX, "가" * NAME_MAX),
    ],
)
def test_a_name_is_spoken_as_far_as_a_voice_can_read_it(name: str, ko: str, en: str) -> None:
    assert (spoken_name(name, "ko"), spoken_name(name, "en")) == (ko, en)


@given(st.text(max_size=200), st.sampled_from(("ko", "en")))
def test_any_text_at_all_makes_a_short_name_that_says_something(name: str, lang: str) -> None:
    said = spoken_name(name, lang)
    assert any(character.isalnum() for character in said)
    assert len(said) <= 3 * NAME_MAX
    assert not set(said) & set("[]<>{}&\0\n")


@given(st.sampled_from(Told), st.text(max_size=200), st.sampled_from(("ko", "en")))
def test_a_sentence_fits_the_pipe_whatever_the_name_is(told: Told, name: str, lang: str) -> None:
    assert len(sentence(told, lang, name, 27.4)) <= 300


def test_a_denial_says_who_speaks_and_how_long_at_most() -> None:
    assert sentence(Told.DENIED, "ko", "김기사", 27.4).startswith("김기사, 최대 27초 남음. ")
    assert sentence(Told.DENIED, "en", "Иван", 0.2).startswith("A colleague, 1 second left")


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_sentences_that_name_nobody_are_made_ahead_urgent_ones_first(lang: str) -> None:
    # given what is made ahead
    made = ahead(lang)
    # then it is every sentence as it is spoken, but for those with a name
    spoken = {told: sentence(told, lang, "", None) for told in Told}
    named = {told for told in Told if "{" in TABLE[told].ko}
    assert {Told.SOMEONE_SPEAKS, Told.HEARD_BY} <= named
    assert set(made) == {text for told, text in spoken.items() if text and told not in named}
    assert len(made) == len(set(made))
    urgent = [any(TABLE[told].urgent for told in Told if spoken[told] == text) for text in made]
    assert urgent == sorted(urgent, reverse=True)


def test_no_sentence_has_a_word_that_its_voice_says_wrongly() -> None:
    assert [row.ko for row in TABLE.values() if "PTT" in row.ko.upper()] == []
