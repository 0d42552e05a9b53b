"""The event log at 5 million events on SQLite: writing, reports, the log's filters and retention, against plain SQL.

Plain SQL is the `sqlite3` module on the same file: the same rows chosen by the shortest statement that chooses them
and fetched, with nothing made of them. So a ratio holds what our statements, our types and our counting add.
"""

from __future__ import annotations

import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from dispatch.history.day import DEFAULT_ZONE, Period, Span, period, today, zone
from dispatch.history.office_log import OfficeLog
from dispatch.store.database import WAL_PAGES_MAX
from dispatch.store.reader import StoreReader
from dispatch.store.sql import SqlStore
from lab.bench.figure import Figure, ratio, write_samples
from lab.bench.long_log import DAY_MS, DAYS, RARE_USER, USERS, Row, rows, session_id
from lab.bench.machine import in_memory
from lab.bench.parts import REGION, BenchFailed
from lab.bench.progress import Say
from lab.bench.size import Size
from protocol.ids import OfficeId
from protocol.messages import Event, EventType

OFFICE = OfficeId(REGION, "log")
ZONE = zone(DEFAULT_ZONE)
END_MS = 1_795_392_000_000
"""The log's last moment."""
TIMES = 5
"""Each reading is done so often, in turn with plain SQL; the median counts."""
WRITTEN = 10
"""Events of one transaction where writing is measured."""
INSERT = "INSERT INTO event VALUES (?,?,?,?,?,?,?,?,?,?)"
CHOSEN = 'SELECT no, at, type, event_id, "user", name, metadata FROM event WHERE region = ? AND office = ?'
KEY = (OFFICE.region, OFFICE.office)
WITNESS = """
import sys
from dispatch.cli import main
status = main(sys.argv[1:])
print(next(l.split()[1] for l in open("/proc/self/status") if l.startswith("VmHWM")), file=sys.stderr)
sys.exit(status)
"""
"""The kernel's `ru_maxrss` of a child begins with its parent's: so it is asked inside, in KiB."""

Sample = tuple[str, int, float, float, float, float, int]
"""What, the round, ours and plain SQL's ms, their processor's ms, and how many events."""
Do = Callable[[], int]
"""Does it and gives how many events it was about."""


def event_log(out: Path, work: Path, say: Say, size: Size) -> list[Figure]:
    """Fill a store, then measure everything on it."""
    if in_memory(work):
        raise BenchFailed(f"{work} is kept in memory only: --out must be on a real disk")
    file = work / "office.db"
    samples: list[Sample] = []
    store = SqlStore(f"sqlite:///{file}")
    try:
        _fill(file, size.events, say)
        with closing(sqlite3.connect(file, isolation_level=None)) as plain:
            plain.execute("PRAGMA synchronous=FULL")
            plain.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES_MAX}")
            figures = [_measured(name, *pair, samples, say) for name, pair in _writing(store, plain, size).items()]
            reader = StoreReader(f"sqlite:///{file}")
            try:
                for name, pair in _reading(reader, plain, size.events).items():
                    figures.append(_measured(name, *pair, samples, say))
            finally:
                reader.close()
            for name, pair in _deleting(store, plain, size).items():
                figures.append(_measured(name, *pair, samples, say, times=1))
    finally:
        store.close()
    name = write_samples(
        out / "event_log.csv",
        ("what", "round", "ours_ms", "plain_ms", "ours_processor_ms", "plain_processor_ms", "events"),
        samples,
    )
    peaks = _peaks(work, file)
    say(f"event log: report of a day {peaks['day_mib']:.0f} MiB at most, of a month {peaks['month_mib']:.0f}")
    more = {"events": size.events, "file_mib": round(file.stat().st_size / 2**20, 1), "report_most_rss": peaks}
    return [msgspec.structs.replace(figure, samples=(name,), detail=figure.detail | more) for figure in figures]


def _fill(file: Path, count: int, say: Say) -> None:
    """Write the log's year in one go; the last DAYS' worth of what is measured is written by the measures."""
    began = time.monotonic()
    with closing(sqlite3.connect(file, isolation_level=None)) as plain:
        plain.execute("INSERT INTO office VALUES (?,?,0,0,'{}')", KEY)
        plain.execute("BEGIN")
        plain.executemany(INSERT, ((*KEY, *row, True) for row in rows(count, END_MS)))
        plain.execute("COMMIT")
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    say(f"event log: {count} events in {file.stat().st_size / 2**20:.0f} MiB, {time.monotonic() - began:.0f} s")


# --- what is compared: ours, plain SQL --------------------------------------------------------------------------------


def _writing(store: SqlStore, plain: sqlite3.Connection, size: Size) -> dict[str, tuple[Do, Do]]:
    numbers = iter(range(size.events + 1, 2 * size.events + 1_000_000))

    def made(of: int) -> list[Row]:
        return [(next(numbers), END_MS, *row[2:]) for row in rows(of, END_MS)]

    def ours(durable: bool) -> Do:
        def do() -> int:
            for _ in range(size.event_writes):
                batch = [_event(row) for row in made(WRITTEN)]
                store.transact(OFFICE, lambda tx, batch=batch: [*map(tx.append_event, batch)], durable=durable)  # type: ignore[misc]
            return size.event_writes * WRITTEN

        return do

    def theirs(durable: bool) -> Do:
        def do() -> int:
            plain.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            for _ in range(size.event_writes):
                batch = [(*KEY, *row, False) for row in made(WRITTEN)]
                plain.execute("BEGIN IMMEDIATE")
                plain.executemany(INSERT, batch)
                plain.execute("COMMIT")
            return size.event_writes * WRITTEN

        return do

    return {
        "events_written_synced": (ours(True), theirs(True)),
        "events_written": (ours(False), theirs(False)),
    }


def _reading(reader: StoreReader, plain: sqlite3.Connection, count: int) -> dict[str, tuple[Do, Do]]:
    log = OfficeLog(reader)
    last = today(END_MS - DAY_MS, ZONE)
    day, month = period(Span.DAY, last, ZONE), period(Span.MONTH, last, ZONE)
    sessions = count // 50
    chosen: dict[str, tuple[dict[str, Any], str, tuple[object, ...]]] = {
        "newest": ({"newest": True, "limit": 50}, "ORDER BY no DESC LIMIT 50", ()),
        "user": (
            {"user": USERS[3], "newest": True, "limit": 50},
            'AND "user" = ? ORDER BY no DESC LIMIT 50',
            (USERS[3],),
        ),
        "rare_user": (
            {"user": RARE_USER, "newest": True, "limit": 50},
            'AND "user" = ? ORDER BY no DESC LIMIT 50',
            (RARE_USER,),
        ),
        "nobody": ({"user": "nobody", "newest": True, "limit": 50}, 'AND "user" = ? ORDER BY no DESC', ("nobody",)),
        "session": (
            {"session": session_id(sessions // 2)},
            "AND event_id = ? ORDER BY no",
            (session_id(sessions // 2),),
        ),
        "denied": (
            {"types": [EventType.DENIED], "newest": True, "limit": 50},
            "AND type = ? ORDER BY no DESC LIMIT 50",
            (EventType.DENIED.value,),
        ),
    }

    def report(of: Period) -> tuple[Do, Do]:
        def ours() -> int:
            found = log.read(OFFICE, of, ZONE, END_MS)
            return found.figures.events

        return ours, _fetch(plain, "AND at >= ? AND at < ? ORDER BY at, no", (of.since, of.until))

    def events_of(wanted: dict[str, Any], where: str, values: tuple[object, ...]) -> tuple[Do, Do]:
        return lambda: len(reader.events(OFFICE, **wanted)), _fetch(plain, where, values)

    scan = (lambda: sum(1 for _ in reader.scan(OFFICE, day.since, day.until))), report(day)[1]
    return (
        {"report_day": report(day), "report_month": report(month), "events_day": scan}
        | {f"events_{name}": events_of(*each) for name, each in chosen.items()}
    )  # fmt: skip


def _deleting(store: SqlStore, plain: sqlite3.Connection, size: Size) -> dict[str, tuple[Do, Do]]:
    """Retention takes the oldest away, a hundred at a time; plain SQL the next ones in one statement."""
    first_ms = END_MS - DAYS * DAY_MS
    each_ms = DAYS * DAY_MS * size.events_deleted // size.events

    def ours() -> int:
        deleted, go_on = 0, 0
        while True:
            count, next_no = store.prune(OFFICE, first_ms + each_ms, go_on, 100)
            deleted += count
            if next_no is None:
                return deleted
            go_on = next_no

    def theirs() -> int:
        where = "region = ? AND office = ? AND at < ? AND published"
        plain.execute("PRAGMA synchronous=NORMAL")
        return plain.execute(f"DELETE FROM event WHERE {where}", (*KEY, first_ms + 2 * each_ms)).rowcount

    return {"events_deleted": (ours, theirs)}


def _fetch(plain: sqlite3.Connection, where: str, values: tuple[object, ...]) -> Do:
    return lambda: len(plain.execute(f"{CHOSEN} {where}", (*KEY, *values)).fetchall())


def _event(row: Row) -> Event:
    no, at, kind, event_id, user, name, metadata = row
    return Event(
        no=no,
        at=at,
        event=EventType(kind),
        event_id=event_id,
        user=user,
        name=name,
        metadata=msgspec.json.decode(metadata, type=dict[str, Any]),
    )


# --- measuring --------------------------------------------------------------------------------------------------------


def _measured(name: str, ours: Do, plain: Do, samples: list[Sample], say: Say, times: int = TIMES) -> Figure:
    """Do both in turn; the figure is the median time of ours, per thousand events where it is about any."""
    found = []
    for number in range(times):
        count, ours_ms, ours_cpu_ms = _timed(ours)
        plain_count, plain_ms, plain_cpu_ms = _timed(plain)
        found.append((ours_ms, plain_ms, ours_cpu_ms, plain_cpu_ms, count, plain_count))
        samples.append((name, number, ours_ms, plain_ms, ours_cpu_ms, plain_cpu_ms, count))
    ours_ms, plain_ms, ours_cpu_ms, plain_cpu_ms = (statistics.median(each[at] for each in found) for at in range(4))
    count, plain_count = found[-1][4:]
    say(f"event log: {name}: {ours_ms:.1f} ms for {count} events, plain {plain_ms:.1f} ms")
    detail = {
        "events": count,
        "plain_events": plain_count,
        "events_per_s": round(count / ours_ms * 1000, 1),
        "plain_events_per_s": round(plain_count / plain_ms * 1000, 1),
        "processor_ms": round(ours_cpu_ms, 3),
        "plain_processor_ms": round(plain_cpu_ms, 3),
    }
    runs = tuple({"ours_ms": round(each[0], 3), "plain_ms": round(each[1], 3)} for each in found)
    against = "plain SQL on the same file, in turn"
    return ratio(name, ours_ms, "ms", against, plain_ms, None, n=times, runs=runs, detail={"measured": detail})


def _timed(do: Do) -> tuple[int, float, float]:
    """Do it; give of how many it was, its ms, and the processor's part of them, which others do not stretch."""
    began, spent = time.perf_counter(), time.process_time()
    count = do()
    spent_ms = (time.process_time() - spent) * 1000
    return count, max(1e-6, (time.perf_counter() - began) * 1000), spent_ms


def _peaks(work: Path, file: Path) -> dict[str, float]:
    """Most memory of `ptt-dispatch report` as a process, for a day and for a month, and of the log's whole day."""
    config = work / "dispatch.toml"
    config.write_text(
        f'[broker]\nhost = "127.0.0.1"\n[store]\npath = "{file}"\n[report]\ndir = "{work}/reports"\n'
        f'[[office]]\nregion = "{OFFICE.region}"\noffice = "{OFFICE.office}"\n'
    )
    day = today(END_MS - DAY_MS, ZONE).isoformat()
    commands = {
        "day_mib": ("report", "--day", day),
        "month_mib": ("report", "--day", day, "--month"),
        "events_mib": ("events", "--json", "--limit", "0", "--from", f"{day[:8]}01"),
    }
    return {name: _most_mib((*command, "--config", str(config))) for name, command in commands.items()}


def _most_mib(command: Sequence[str]) -> float:
    """Run a command to its end in a process that then says the most memory it ever had resident."""
    done = subprocess.run(
        [sys.executable, "-c", WITNESS, *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    words = done.stderr.split()
    if done.returncode or not words or not words[-1].isdecimal():
        raise BenchFailed(f"ptt-dispatch {command[0]} ended with {done.returncode}: {done.stderr[-500:]}")
    return round(int(words[-1]) / 1024, 1)
