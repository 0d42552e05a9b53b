"""`ptt-dispatch report`: pages, CSV and JSON of a day, a week and a month, and what it says to bad input."""

from __future__ import annotations

import csv
import errno
import html
import json
import os
import sqlite3
from collections.abc import Callable
from datetime import date, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from dispatch.cli import main
from dispatch.core.state import Floor
from dispatch.history.day import Span, period
from dispatch.history.kpi import Kpi
from dispatch.ports import OfficeTx
from dispatch.report import words
from dispatch.report.chart import LABEL_CHARS_MAX, columns, nice, rows
from dispatch.report.command import due
from dispatch.store import reader as store_reader
from dispatch.store.sql import SqlStore
from protocol.messages import DenyCause, EventType
from tests.core.history_month import CARS, HQ, MONTH, SEOUL, Log, month

NOW = int(datetime(2026, 12, 3, 9, 30, tzinfo=SEOUL).timestamp())
DAY = period(Span.DAY, date(2026, 11, 22), SEOUL)
CONFIG = """
[store]
path = "{store}"
[[office]]
region = "seoul"
office = "hq"
"""
Report = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a made-up November."""
    return made(tmp_path_factory.mktemp("store"), month(3))


def made(folder: Path, events: list[Any]) -> Path:
    path = folder / "office.db"
    store = SqlStore(f"sqlite:///{path}")

    def fill(tx: OfficeTx) -> None:
        tx.put_floor(Floor(store=tx.store_id, channel_name="c", event_no=len(events)))
        for event in events:
            tx.append_event(event)

    store.transact(HQ, fill, durable=True)
    store.close()
    return path


@pytest.fixture
def report(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Report:
    """Run the command on the third of December; gives exit status, standard output and error."""
    monkeypatch.setattr("dispatch.report.command.time.time_ns", lambda: NOW * 1_000_000_000)

    def run(*options: str, of: Path = store) -> tuple[int, str, str]:
        config = tmp_path / "dispatch.toml"
        config.write_text(CONFIG.format(store=of))
        status = main(["report", "--config", str(config), "--out", str(tmp_path / "out"), "--lang", "en", *options])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def built(tmp_path: Path, name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((tmp_path / "out/seoul/hq" / f"{name}.json").read_text())
    return read


class Page(HTMLParser):
    """Takes a page apart; an element that is not closed, or closed twice, is a mistake."""

    VOID = frozenset({"meta"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    ("options", "name", "days"),
    [(("--day", "2026-11-22"), "2026-11-22", 1), (("--day", "2026-11-22", "--week"), "2026-W47", 7),
     (("--day", "2026-11-22", "--month"), "2026-11", 30)],
)  # fmt: skip
def test_a_report_is_four_files_that_say_the_same(
    report: Report, tmp_path: Path, options: tuple[str, ...], name: str, days: int
) -> None:
    status, out, _ = report(*options)

    folder = tmp_path / "out/seoul/hq"
    assert (status, out.split()) == (0, [str(folder / f"{name}.html")])
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{name}{end}" for end in (".html", ".csv", "-users.csv", ".json")
    )
    told = built(tmp_path, name)
    figures = dict(csv.reader((folder / f"{name}.csv").read_text().splitlines()))
    users = list(csv.DictReader((folder / f"{name}-users.csv").read_text().splitlines()))
    assert (told["complete"], len(told["figures"]["days"])) == (True, days)
    assert figures["figures.sessions"] == str(told["figures"]["sessions"]) != "0"
    assert [float(u["talk_s"]) for u in users] == [u["talk_s"] for u in told["users"]]
    assert sum(u["talk_s"] for u in told["users"]) == pytest.approx(told["figures"]["talk_s"])
    page = (folder / f"{name}.html").read_text()
    assert f"<b>{told['figures']['sessions']}</b><span>Sessions</span>" in page
    assert {"svg", "table", "h1", "h2"} <= Page(page).tags


def test_the_month_is_the_sum_of_its_days_in_the_files_too(report: Report, tmp_path: Path) -> None:
    report("--day", "2026-11-01", "--month")
    for day in range(1, 31):
        report("--day", f"2026-11-{day:02}")

    whole = built(tmp_path, "2026-11")
    days = [built(tmp_path, f"2026-11-{day:02}") for day in range(1, 31)]
    for figure in ("sessions", "bursts", "events", "talk_s", "session_s"):
        assert sum(day["figures"][figure] for day in days) == pytest.approx(whole["figures"][figure])
    for part in ("joined_min", "cost_usd"):
        assert sum(day["agora"][part] for day in days) == pytest.approx(whole["agora"][part])


def test_an_office_whose_voice_is_the_brokers_is_told_its_minutes_and_no_saving_it_never_had(
    report: Report, tmp_path: Path
) -> None:
    log = Log()
    log.session("s1", DAY.since + 3_600_000, CARS[:3])
    for event in log.events:
        if event.event is EventType.USER_JOINED:
            event.metadata["voice"] = "mqtt"
    (tmp_path / "mqtt").mkdir()

    report("--day", "2026-11-22", "--week", of=made(tmp_path / "mqtt", log.events))

    told = built(tmp_path, "2026-W47")
    page = (tmp_path / "out/seoul/hq/2026-W47.html").read_text()
    minutes = [user["channel_min"] for user in told["users"]]
    assert (told["agora"]["joined_min"], told["agora"]["saving"], told["agora"]["cost_usd"]) == (0, None, 0)
    assert told["agora"]["channel_min"] == pytest.approx(sum(minutes), abs=0.01)
    assert minutes == [pytest.approx(0.157, abs=0.01)] * 3
    assert "nobody was joined to Agora; had all voice been Agora&#x27;s, saved: " in page
    assert "<td>part of the heartbeats that did not come</td><td>not measured; heartbeats lost 0</td>" in page


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_names_are_text_whatever_they_hold_and_nothing_comes_from_elsewhere(
    report: Report, tmp_path: Path, lang: str
) -> None:
    report("--day", "2026-11-22", "--month", "--lang", lang)

    page = (tmp_path / "out/seoul/hq/2026-11.html").read_text()
    read = Page(page)
    assert html.escape("<b>car-1</b> & 기사") in page
    assert not read.tags & {"script", "link", "img", "iframe", "b>car"}
    assert read.links == []
    assert f'<html lang="{lang}">' in page


def test_the_future_is_refused_and_nothing_is_written(report: Report, tmp_path: Path) -> None:
    status, _, err = report("--day", "2026-12-04")

    assert (status, "2026-12-04 is in the future" in err, "up to 2026-12-03" in err) == (2, True, True)
    assert not (tmp_path / "out").exists()


def test_today_is_told_as_not_over_and_made_anew_when_it_is(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report("--day", "today")
    assert built(tmp_path, "2026-12-03")["complete"] is False
    assert "NOT OVER YET: as of 2026-12-03 09:30" in (tmp_path / "out/seoul/hq/2026-12-03.html").read_text()

    monkeypatch.setattr("dispatch.report.command.time.time_ns", lambda: (NOW + 86_400) * 1_000_000_000)
    report("--due")
    assert built(tmp_path, "2026-12-03")["complete"] is True


def test_what_is_due_is_made_once_and_what_was_missed_is_made_up_for(report: Report, tmp_path: Path) -> None:
    _, out, _ = report("--due")
    assert [Path(line).stem for line in out.split()] == [
        *(f"2026-11-{day}" for day in (26, 27, 28, 29, 30)), "2026-12-01", "2026-12-02", "2026-W48", "2026-11",
    ]  # fmt: skip

    (tmp_path / "out/seoul/hq/2026-11-27.json").unlink()
    (tmp_path / "out/seoul/hq/2026-11-28.json").write_text("{")
    _, out, _ = report("--due")
    assert [Path(line).stem for line in out.split()] == ["2026-11-27", "2026-11-28"]

    assert report("--due")[1:] == ("", "모든 보고서가 있습니다\n")


def test_the_week_and_the_month_that_are_due_are_over() -> None:
    for here in (date(2026, 11, 30), date(2026, 12, 1), date(2027, 1, 1), date(2024, 2, 29)):
        found = list(due(here, SEOUL))
        assert {one.span for one in found} == set(Span)
        assert all(one.last < here for one in found)


def test_a_day_without_data_is_a_report_that_says_so(report: Report, tmp_path: Path) -> None:
    assert report("--day", "2026-05-01")[0] == 0

    told = built(tmp_path, "2026-05-01")
    assert (told["figures"]["sessions"], told["figures"]["session_average_s"]) == (0, None)
    assert {row["verdict"] for row in told["kpis"]} == {"not_measured"}
    page = (tmp_path / "out/seoul/hq/2026-05-01.html").read_text()
    assert "Nothing was logged" in page
    Page(page)


def test_bursts_that_are_not_sound_stand_in_the_report(report: Report, tmp_path: Path) -> None:
    log = Log()
    end = log.session("s", MONTH.since + 3_600_000, CARS)
    log.talk("s", "car-1", end, 9000, "lost", late_ms=8000)

    report("--day", "2026-11-01", of=made(tmp_path, log.events))

    told = built(tmp_path, "2026-11-01")
    kpis = {row["kpi"]: row for row in told["kpis"]}
    assert (kpis["integrity"]["value"], kpis["integrity"]["verdict"]) == (0.5, "fail")
    assert "ended too late" in (tmp_path / "out/seoul/hq/2026-11-01.html").read_text()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--office", "seoul/nowhere"), "the store has no office seoul/nowhere"),
        (("--due", "--day", "2026-11-22"), "leave out --day, or --due"),
        (("--day", "1999-12-31"), "outside of the years"),
    ],
)
def test_what_cannot_be_is_refused(report: Report, options: tuple[str, ...], why: str) -> None:
    status, _, err = report(*options)

    assert (status, why in err) == (2, True)


def test_a_store_that_is_not_there_is_told(report: Report, tmp_path: Path) -> None:
    status, _, err = report(of=tmp_path / "missing.db")

    assert (status, "there is no store at" in err) == (1, True)


def test_a_store_that_is_locked_is_told_and_no_half_report_is_left(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path, [])
    monkeypatch.setattr(store_reader, "BUSY_S", 0.05)
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("PRAGMA journal_mode=DELETE")
        other.execute("BEGIN EXCLUSIVE")
        status, _, err = report("--day", "2026-11-22", of=path)

    assert (status, "is locked by another process" in err) == (1, True)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_told_and_the_older_report_stays_whole(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report("--day", "2026-11-22")
    page = tmp_path / "out/seoul/hq/2026-11-22.html"
    before = page.read_text()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    status, _, err = report("--day", "2026-11-22")

    assert (status, "No space left on device" in err, str(page) in err) == (1, True, True)
    assert page.read_text() == before
    assert [path.name for path in page.parent.iterdir() if path.name.startswith(".")] == []


# --- the pieces -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("largest", "end"), [(0, 1), (0.03, 0.04), (1, 1), (1.1, 2), (37, 40), (81, 100), (1e6, 1e6), (float("nan"), 1)]
)
def test_a_scale_ends_at_a_round_number_above_the_largest_value(largest: float, end: float) -> None:
    assert nice(largest) == pytest.approx(end)


def test_charts_hold_any_label_and_no_value_leaves_them() -> None:
    upright = columns("t & t", ["<a>"] * 31, [0.0, 5.0, -1.0] + [1.0] * 28)
    lying = rows("t", ["<" * 99], [0.0])

    assert "&lt;a&gt;" in upright and "<a>" not in upright
    assert "&lt;" * (LABEL_CHARS_MAX - 1) + "…" in lying
    assert 'height="-' not in upright
    Page(upright + lying + rows("t", [], []) + columns("t", [], []))


def test_every_denial_of_the_protocol_has_its_words() -> None:
    for known in DenyCause:
        assert words.cause(known.value, "ko") != known.value
    assert words.cause("new_cause", "ko") == "new_cause"
    assert set(words.CHECKS) == set(Span)
    assert len(Kpi) == 12
    assert EventType.DENIED


@pytest.mark.parametrize(
    ("seconds", "english", "korean"),
    [(None, "-", "-"), (9.24, "9.2 s", "9.2초"), (200, "3 min 20 s", "3분 20초"), (3720, "1 h 02 min", "1시간 02분")],
)
def test_lengths_are_told_as_people_say_them(seconds: float | None, english: str, korean: str) -> None:
    assert (words.length(seconds, "en"), words.length(seconds, "ko")) == (english, korean)
