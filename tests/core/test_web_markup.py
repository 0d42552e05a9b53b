"""Text stays text in every page; the script's sentences are there; numbers of the past are drawn as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dispatch.broker.acl import SERVERS_ALERTS
from dispatch.core.office_alerts import ALERTS as OFFICES_ALERTS
from dispatch.core.trouble import FOREIGN, STORE
from dispatch.web import live_pages, shell
from dispatch.web.markup import data, el, text
from dispatch.web.shell import Seen
from dispatch.web.words import _TEXT, LANGUAGES, LIVE_WORDS, known, language, say
from gateway.core.alerts import KNOWN as VEHICLES_ALERTS
from protocol.messages import DenyCause, Ended, Lifecycle, PresenceState
from protocol.rest import Role

EVIL = "<script>alert('x')</script>&\"</td>"
STATIC = Path(live_pages.__file__).parent / "static"
SCRIPTS = tuple(STATIC / name for name in ("live.js", "board.js", "rows.js", "console/shown.js"))
HANGUL = re.compile("[가-힣]")


def test_text_and_attributes_are_escaped_whatever_they_hold() -> None:
    made = el("a", EVIL, [EVIL, 7, None], href=EVIL, hidden=True, title=None)

    assert "<script" not in made
    assert made.startswith('<a href="&lt;script&gt;')
    assert made.endswith("7</a>")


def test_a_block_of_data_cannot_be_ended_by_what_is_in_it() -> None:
    made = data("start", {"name": EVIL, "also": "<!--"})

    assert made.count("<") == 2
    inside = made.partition(">")[2].rpartition("</script>")[0]
    assert json.loads(inside) == {"name": EVIL, "also": "<!--"}


@pytest.mark.parametrize("name", ["style", "onclick", "onload"])
def test_nothing_that_the_policy_forbids_can_be_written(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        el("p", **{name: "x"})


def test_a_page_of_an_office_with_a_wicked_name_holds_no_markup_of_it() -> None:
    seen = Seen(lang="ko", office_name=EVIL)
    made = live_pages.vehicle(seen, "car-1", EVIL, {"put": {"user/car-1": {"name": EVIL}}}, "Asia/Seoul", text(EVIL))

    assert b"<script>alert" not in made
    assert b"alert('x')" not in shell.error(seen, EVIL)


def test_every_sentence_is_there_in_both_languages_with_the_same_fields() -> None:
    fields = re.compile(r"\{(\w+)\}")
    for key, (english, korean) in _TEXT.items():
        assert sorted(fields.findall(english)) == sorted(fields.findall(korean)), key
        assert not HANGUL.search(english) or key == "other_language", key


def test_every_sentence_that_the_script_says_is_given_to_it() -> None:
    script = (STATIC / "live.js").read_text("utf-8")
    said = set(re.findall(r'say\("(\w+)"', script))
    said |= {f"k_{key}" for key in re.findall(r'\["(\w+)", ', script.partition("function drawVehicle")[2])}
    said |= {"state_online", "state_sleeping", "state_offline", "state_lost", "ended_", "ended_released"}
    said |= {"alert_critical", "alert_warning", "focus_phone", "focus_navigation", "supply_ok", "supply_low"}
    missing = sorted(key for key in said if key not in LIVE_WORDS)

    assert missing == []


def test_every_alert_there_is_has_korean_words_for_what_is_wrong_and_for_its_mend() -> None:
    ids = [*VEHICLES_ALERTS, *OFFICES_ALERTS, *SERVERS_ALERTS, FOREIGN, STORE]
    missing = [key for each in ids for key in (f"alert_what_{each}", f"alert_mend_{each}") if key not in LIVE_WORDS]

    assert missing == []
    assert say("alert_what_microphone", "ko") == "마이크가 없습니다"


def test_every_word_that_a_vehicle_can_tell_is_given_to_the_script_too() -> None:
    told = [f"why_{cause.value}" for cause in DenyCause] + [f"life_{each.value}" for each in Lifecycle]
    told += [f"state_{state.value}" for state in PresenceState] + [f"ended_{each.value}" for each in Ended]

    assert [key for key in told if key not in LIVE_WORDS] == []
    assert [role for role in Role if not known(f"role_{role.value}")] == []


def test_a_page_that_shows_sizes_and_colours_needs_no_style_of_its_own() -> None:
    written = "".join(script.read_text("utf-8") for script in SCRIPTS)
    assert ".style" not in written
    assert "innerHTML" not in written


@pytest.mark.parametrize(
    ("cookie", "accept", "chosen"),
    [
        (None, "", "ko"),
        (None, "en-GB,en;q=0.9,ko;q=0.5", "en"),
        (None, "fr,ko;q=0.8,en;q=0.7", "ko"),
        ("en", "ko", "en"),
        ("../", "en", "en"),
    ],
)
def test_the_language_is_the_chosen_one_else_the_browsers_else_korean(
    cookie: str | None, accept: str, chosen: str
) -> None:
    assert language(cookie, accept) == chosen
    assert chosen in LANGUAGES


def test_the_plans_four_cards_stand_on_the_office_page_in_its_words() -> None:
    made = live_pages.office(Seen(lang="ko"), {"put": {}}, "Asia/Seoul").decode()

    places = [made.index(f"<dt>{name}</dt>") for name in ("활성 세션", "참여자 수", "오늘 사용량", "평균 세션")]
    assert places == sorted(places)
    assert say("card_usage", "en") == "Used today"
