"""The pages of presses: a day's list against the targets, and one press in the very words of `ptt-dispatch trace`."""

from __future__ import annotations

import html
import re
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from dispatch.history.presses import ranks
from dispatch.traces.listeners import Reported
from dispatch.traces.reader import Traced
from dispatch.traces.tell import Evidence, Told, tell
from dispatch.traces.text import lines
from dispatch.web import press_pages
from dispatch.web.past import chosen_day
from dispatch.web.shell import Seen
from protocol.messages import BurstPlayed, PressTrace, TracedWord

SEOUL = ZoneInfo("Asia/Seoul")
DAY = date(2030, 3, 17)
AT = 1_899_941_520_000
"""10:32 of that day."""
EVIL = "<img src=x onerror=alert(1)>"


def traced(press: int, what: str, ms: int, **fields: object) -> Traced:
    trace = PressTrace(
        request_id=(0, 5, 1, press),
        edge_at=AT + press * 1000,
        edge_error_ms=4,
        told=(TracedWord(ms=ms, what=what),),
        **fields,  # type: ignore[arg-type]
    )
    return Traced(user="car-17", received_at=AT, trace=trace)


def told(lang: str = "en") -> tuple[Told, ...]:
    heard = BurstPlayed(connection_id=(1, 1, 1), burst=9, frames=90, heard_at=AT + 1240, heard_error_ms=5, join_ms=1031)
    found = [
        traced(1, "granted", 58, burst=9, through_ms=81, permitted_ms=60),
        traced(2, "denied", 140, speaker=EVIL, remaining_s=12.0),
        traced(3, "no connection", 2, link_down_s=95.0),
        traced(4, "cancelled", 900),
    ]
    evidence = Evidence(reports=(Reported(user="car-2", received_at=AT + 3000, report=heard),))
    return tell(found, (), (), lang, str, evidence)


def shown(only: str = "all", lang: str = "en") -> str:
    seen = Seen(lang=lang, office_name="hq")
    return press_pages.presses(seen, "car-17", "17호차", DAY, DAY, SEOUL, told(lang), only).decode()


def row(text: str, mark: str) -> str:
    found = re.search(rf"<tr[^>]*{mark}[^>]*>(.*?)</tr>", text)
    assert found is not None
    return re.sub(r"<[^>]+>", " ", found[1])


@pytest.mark.parametrize(("only", "rows"), [("all", 4), ("refused", 2), ("failed", 1)])
def test_a_days_presses_are_listed_and_can_be_narrowed_to_those_that_went_wrong(only: str, rows: int) -> None:
    text = shown(only)

    assert text.count("data-answered=") == rows
    assert [said for said in ("All (4)", "Not granted (2)", "Failures (1)") if said not in text] == []


def test_median_and_95th_stand_against_the_targets_in_words() -> None:
    text = shown()

    assert "58 ms, within" in row(text, 'data-figure="press_answer"')
    assert "140 ms, over" in row(text, 'data-figure="press_answer"')
    assert row(text, 'data-figure="press_answer"').split()[-1] == "2", "a unit without a connection answers itself"
    assert "240 ms, over" in row(text, 'data-figure="press_heard"')
    assert "1031 ms, over" in row(text, 'data-figure="press_join"')


def test_what_others_are_called_is_text_and_never_markup() -> None:
    assert EVIL not in shown()
    assert html.escape(EVIL) in shown()


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_a_press_has_a_page_with_the_very_text_of_the_command(lang: str) -> None:
    for one in told(lang):
        page = press_pages.press(Seen(lang=lang), "car-17", "17호차", DAY, SEOUL, one).decode()
        found = re.search(r'<pre[^>]*id="trace"[^>]*>(.*?)</pre>', page, re.DOTALL)

        assert found is not None
        assert html.unescape(found[1]) == "\n".join(lines(one, "car-17", lang, SEOUL))
        assert html.escape(one.verdict) in page


def test_the_page_names_the_command_that_says_the_same_at_that_second() -> None:
    page = press_pages.press(Seen(lang="en"), "car-17", "17호차", DAY, SEOUL, told()[0]).decode()

    assert "ptt-dispatch trace car-17 --day 2030-03-17 --at 10:32:01 --around 1" in page
    assert "car-2" in page


def test_a_day_without_presses_says_so() -> None:
    text = press_pages.presses(Seen(lang="en"), "car-17", "17호차", DAY, DAY, SEOUL, (), "all").decode()

    assert "No such press on this day." in text
    assert "data-figure" not in text


@pytest.mark.parametrize(
    ("text", "day"),
    [(None, DAY), ("2030-03-16", date(2030, 3, 16)), ("2030-03-18", None), ("1999-01-01", None), ("yesterday", None)],
)
def test_a_day_that_cannot_be_shown_is_none(text: str | None, day: date | None) -> None:
    assert chosen_day(text, DAY) == day


def test_ranks_are_the_nearest_ones() -> None:
    assert ranks([float(n) for n in range(1, 101)], (50, 95)) == (50.0, 95.0)
    assert ranks([7.0], (50, 95)) == (7.0, 7.0)
    assert ranks([], (50, 95)) == (None, None)
