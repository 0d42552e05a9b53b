"""Faults that the office's side must bear: a store that is full, locked or restored; clocks that jump; wicked names."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dispatch.cli import main
from dispatch.core.state import Floor
from dispatch.history.day import Period, Span, period, zone
from dispatch.ports import OfficeTx, StoreUnavailable
from dispatch.probing.pressing import Result
from dispatch.probing.store import ProbeStore, read_probes
from dispatch.show import csv_line
from dispatch.store.reader import StoreReader
from dispatch.store.sql import SqlStore
from dispatch.web.model import OfficeModel
from monitor.model import Model
from protocol.codec import encode
from protocol.messages import DenyCause, Event, EventType, FloorDeny, FloorGranted
from protocol.topics import Kind, topic
from tests.core.dispatch_bench import HQ, Bench, MoodyStore, one
from tests.core.history_month import SEOUL, Log

DAY = period(Span.DAY, date(2026, 11, 22), SEOUL)
CONFIG = """
time_zone = "{zone}"
[store]
path = "{store}"
[[office]]
region = "seoul"
office = "hq"
"""
Run = Callable[..., str]


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/office.db"


def fill(folder: Path, events: list[Event]) -> None:
    """Write a log as it is given, over what there was."""

    def put(tx: OfficeTx) -> None:
        tx.put_floor(Floor(store=tx.store_id, channel_name="c", event_no=len(events)))
        for event in events:
            tx.append_event(event)

    store = SqlStore(url(folder))
    with sqlite3.connect(folder / "office.db") as connection:
        connection.execute("DELETE FROM event")
    store.transact(HQ, put, durable=True)
    store.close()


# --- full -------------------------------------------------------------------------------------------------------------


def test_a_full_store_denies_with_a_reason_and_an_alert_and_loses_nothing_once_there_is_room(tmp_path: Path) -> None:
    # given an office on a store that cannot grow any more
    store = MoodyStore(url(tmp_path))
    bench = Bench(store=store)
    bench.presence("car-1", 1)
    connection = store._database._connection
    assert connection is not None
    pages = int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())
    connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    # when somebody talks until it is full
    granted = 0
    while not (denied := [m for m in bench.request("car-1", granted + 1) if isinstance(m, FloorDeny)]):
        granted += 1
        bench.release("car-1", granted)
        assert granted < 5000
    # then he is told that it is the office's fault, and the office why, and what to do
    assert denied[0].cause is DenyCause.INTERNAL_ERROR
    assert "has no room left on its disk" in str(bench.server.store_error)
    before = [event.no for event in bench.log()]
    # and once there is room, he talks again, and the log has every grant and no gap
    connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 10_000}")
    bench.advance(5.0)
    answer = one(FloorGranted, bench.request("car-1", granted + 2))
    log = bench.log()
    assert bench.server.store_error is None
    assert [event.no for event in log] == list(range(1, len(log) + 1))
    assert log[: len(before)] == [event for event in log if event.no in before]
    bursts = [event.metadata["burst"] for event in log if event.event is EventType.SPEAKER_CHANGED]
    assert (len(bursts), bursts[-1]) == (granted + 1, answer.burst)
    store.close()


def test_a_store_that_another_writer_holds_costs_no_result_of_the_probe(tmp_path: Path) -> None:
    SqlStore(url(tmp_path)).close()
    store = ProbeStore(url(tmp_path))
    result = Result(at=DAY.since, answered=True, took_ms=5.0)
    writer = sqlite3.connect(tmp_path / "office.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable, match="locked by another process"):
        store.put([result])
    writer.execute("ROLLBACK")
    store.put([result])

    reader = StoreReader(url(tmp_path))
    found = read_probes(reader, DAY.since, DAY.until)
    assert found is not None
    assert found.answered == 1
    reader.close()
    store.close()
    writer.close()


# --- restored ---------------------------------------------------------------------------------------------------------


def spoken(no: int, at: int, burst: int) -> Event:
    return Event(no=no, event=EventType.SPEAKER_CHANGED, at=at, user="car-1", name="Car 1", metadata={"burst": burst})


def test_after_a_restored_backup_the_page_counts_events_whose_numbers_come_again() -> None:
    office = OfficeModel()
    for no in range(1, 101):
        office.event(spoken(no, 1000 + no, no))
    office.event(spoken(100, 1100, 100))  # once more
    before = office.news

    for no in range(51, 55):
        office.event(spoken(no, 5000 + no, 2**32 + no))  # of another epoch

    assert (before, office.news) == (100, 104)
    assert office.board.get(f"burst/{2**32 + 54}") is not None


def test_after_a_restored_backup_the_monitor_takes_events_whose_numbers_come_again() -> None:
    model = Model(0.0)

    def say(event: Event) -> None:
        model.apply(topic(HQ, Kind.EVENTS), encode(event), False, 1.0, 1000)

    for no in (1, 2, 3, 3):
        say(spoken(no, 1000 + no, no))
    say(spoken(2, 9000, 2**32 + 1))

    [office] = model.offices.values()
    assert [burst.number for burst in office.bursts.newest(10)] == [2**32 + 1, 3, 2, 1]


def test_who_follows_the_log_over_a_restored_backup_misses_nothing_that_is_new(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a log of which five events were shown, restored to its third, on which four others follow
    old = [spoken(no, DAY.since + no, no) for no in range(1, 6)]
    new = [*old[:3], *(spoken(no, DAY.since + 1000 + no, 100 + no) for no in range(4, 8))]
    fill(tmp_path, old)
    (tmp_path / "dispatch.toml").write_text(CONFIG.format(store=tmp_path / "office.db", zone="Asia/Seoul"))
    steps: list[Callable[[], None]] = [lambda: fill(tmp_path, new[:6]), lambda: fill(tmp_path, new)]

    def sleep(_: float) -> None:
        if not steps:
            raise KeyboardInterrupt
        steps.pop(0)()

    monkeypatch.setattr("dispatch.history_cli.time.sleep", sleep)

    main(["events", "--config", str(tmp_path / "dispatch.toml"), "--jsonl", "--follow", "--lang", "en"])

    said = capsys.readouterr()
    shown = [json.loads(line)["metadata"]["burst"] for line in said.out.splitlines()]
    assert shown == [1, 2, 3, 4, 5, 104, 105, 106, 107]
    assert said.err.count("was restored from a backup") == 1


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def reported(tmp_path: Path) -> Callable[[list[Event], Period], dict[str, Any]]:
    """Make the report of a day; gives its JSON."""

    def run(events: list[Event], of: Period) -> dict[str, Any]:
        fill(tmp_path, events)
        (tmp_path / "dispatch.toml").write_text(CONFIG.format(store=tmp_path / "office.db", zone=of.zone))
        words = ("--config", str(tmp_path / "dispatch.toml"), "--out", str(tmp_path / "out"), "--lang", "en")
        assert main(["report", *words, "--day", of.name]) == 0
        made: dict[str, Any] = json.loads((tmp_path / f"out/seoul/hq/{of.name}.json").read_text())
        return made

    return run


def test_a_day_on_which_the_clock_was_set_back_has_every_event_and_no_negative_time(
    reported: Callable[[list[Event], Period], dict[str, Any]],
) -> None:
    log = Log()
    log.session("a", DAY.since + 36_000_000, ("car-1", "car-2"))
    log.add(EventType.SPEAKER_CHANGED, DAY.since + 36_060_000, "car-1", "b", burst=90)
    back_ms = DAY.since + 32_400_000  # an hour earlier, in the middle of a burst
    log.add(EventType.BURST_ENDED, back_ms, "car-1", "b", burst=90, ended="released", unrenewed_ms=100)
    log.session("c", back_ms + 1000, ("car-1", "car-2"))

    made = reported(log.events, DAY)

    figures = made["figures"]
    assert (figures["events"], figures["bursts"], figures["sessions"]) == (len(log.events), 3, 2)
    assert figures["talk_s"] == 8.0
    assert min(value for value in figures.values() if isinstance(value, int | float)) >= 0


@pytest.mark.parametrize(
    ("day", "hours", "until"),
    [("2026-03-29", 23, "2026-03-30T00:00:00+02:00"), ("2026-10-25", 25, "2026-10-26T00:00:00+01:00")],
)
def test_a_day_on_which_clocks_change_is_reported_whole_and_not_longer(
    reported: Callable[[list[Event], Period], dict[str, Any]], day: str, hours: int, until: str
) -> None:
    of = period(Span.DAY, date.fromisoformat(day), zone("Europe/Berlin"))
    log = Log()
    for hour in range(-1, hours + 1):
        log.session(f"s{hour}", of.since + hour * 3_600_000 + 600_000, ("car-1",))

    made = reported(log.events, of)

    assert (made["until"], made["figures"]["sessions"]) == (until, hours)
    assert sum(hour["sessions"] for hour in made["figures"]["hours"]) == hours


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_no_cell_begins_what_a_spreadsheet_would_run_and_each_is_read_back(sign: str) -> None:
    wicked = f'{sign}HYPERLINK("http://x",1)'

    [row] = csv.reader(io.StringIO(csv_line([wicked, -5, "fine"]) + "\n", newline=""))

    assert row == [f"'{wicked}", "-5", "fine"]


def test_a_driver_with_a_formula_or_markup_for_a_name_is_text_in_every_file_of_the_report(
    tmp_path: Path, reported: Callable[[list[Event], Period], dict[str, Any]]
) -> None:
    log = Log()
    log.session("a", DAY.since + 36_000_000, ("car-1",))
    names = {"car-1": "=cmd|' /C calc'!A0<script>alert(1)</script>"}
    wicked = [
        Event(**{f: getattr(e, f) for f in e.__struct_fields__} | {"name": names.get(e.user or "")}) for e in log.events
    ]

    reported(wicked, DAY)

    users = list(csv.reader((tmp_path / "out/seoul/hq/2026-11-22-users.csv").open(newline="")))
    assert users[1][1] == f"'{names['car-1']}"
    page = (tmp_path / "out/seoul/hq/2026-11-22.html").read_text()
    assert ("<script" in page, "&lt;script&gt;" in page) == (False, True)
