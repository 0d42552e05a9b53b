"""The log's end: what is old goes, a few at a time; what was never published stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch.ports import OfficeTx, StoreUnavailable
from dispatch.retention import BATCH, DAY_MS, EVERY_S, LOOK_EVERY_S, Retention
from dispatch.store.reader import StoreReader
from dispatch.store.sql import SqlStore
from protocol.ids import OfficeId
from protocol.messages import Event, EventType

HQ, BUSAN = OfficeId("seoul", "hq"), OfficeId("seoul", "busan")
NOW_MS = 1_800_000_000_000
OLD = 250


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """250 events of 401 days ago and 10 of yesterday at each office; the third of each was never published."""
    made = SqlStore(f"sqlite:///{tmp_path}/office.db")
    for office in (HQ, BUSAN):
        numbers = range(1, OLD + 11)

        def fill(tx: OfficeTx, numbers: range = numbers) -> None:
            for no in numbers:
                at = NOW_MS - (401 if no <= OLD else 1) * DAY_MS + no
                tx.append_event(Event(no=no, at=at, event=EventType.USER_LEFT))

        made.transact(office, fill, durable=True)
        made.mark_published(office, tuple(no for no in numbers if no != 3))
    yield made
    made.close()


def left(path: Path, office: OfficeId) -> list[int]:
    reader = StoreReader(f"sqlite:///{path}/office.db")
    found = [event.no for event in reader.events(office)]
    reader.close()
    return found


def test_old_events_go_in_small_batches_and_an_unpublished_one_stays(store: SqlStore, tmp_path: Path) -> None:
    retention = Retention(store, 400, 0.0)
    now, batches = retention.next_at, 0
    while batches < 100 and retention.next_at - now < LOOK_EVERY_S:
        before, now = retention.deleted, max(now, retention.next_at)
        retention.step((HQ, BUSAN), now, NOW_MS)
        batches += 1
        assert retention.deleted - before <= BATCH

    kept = [3, *range(OLD + 1, OLD + 11)]
    assert (left(tmp_path, HQ), left(tmp_path, BUSAN)) == (kept, kept)
    assert retention.deleted == 2 * (OLD - 1)
    assert [e.no for e in store.unpublished(HQ, 9)] == [3]


def test_nothing_is_deleted_that_may_stay(store: SqlStore, tmp_path: Path) -> None:
    retention = Retention(store, 402, 0.0)
    for turn in range(10):
        retention.step((HQ, BUSAN), float(turn), NOW_MS)

    assert (retention.deleted, len(left(tmp_path, HQ))) == (0, OLD + 10)


def test_a_store_that_is_away_is_asked_again_later() -> None:
    class Away:
        def prune(self, office: OfficeId, before_ms: int, first_no: int, limit: int) -> tuple[int, int | None]:
            raise StoreUnavailable("away -> wait")

    retention = Retention(Away(), 400, 0.0)
    retention.step((HQ,), 100.0, NOW_MS)

    assert (retention.deleted, retention.next_at) == (0, 100.0 + LOOK_EVERY_S)


def test_a_clock_that_jumps_ahead_deletes_nothing_for_a_day(store: SqlStore, tmp_path: Path) -> None:
    retention = Retention(store, 1000, 0.0)
    retention.step((HQ,), 100.0, NOW_MS)
    ahead_ms = NOW_MS + 700 * DAY_MS

    for hour in range(1, 24):
        retention.step((HQ,), 100.0 + hour * 3600, ahead_ms + hour * 3_600_000)
    assert (retention.deleted, len(left(tmp_path, HQ))) == (0, OLD + 10)

    for turn in range(5):
        retention.step((HQ,), 90_100.0 + turn, ahead_ms + 90_000_000 + turn * 1000)
    assert retention.deleted == OLD - 1


def test_a_clock_that_was_put_right_again_is_trusted_at_once(store: SqlStore) -> None:
    retention = Retention(store, 400, 0.0)
    for now, wall_ms in ((100.0, NOW_MS - 10 * DAY_MS), (101.0, NOW_MS + 700 * DAY_MS), (102.0, NOW_MS)):
        retention.step((HQ,), now, wall_ms)

    assert retention.deleted == BATCH - 1  # but for the unpublished one


def test_the_first_look_is_not_taken_at_once() -> None:
    assert Retention(SqlStore("sqlite://"), 400, 50.0).next_at >= 50.0 + EVERY_S


def test_a_store_of_an_earlier_version_is_given_the_index_by_time(store: SqlStore, tmp_path: Path) -> None:
    store.close()
    with sqlite3.connect(tmp_path / "office.db") as old:
        old.execute("DROP INDEX event_at")

    SqlStore(f"sqlite:///{tmp_path}/office.db").close()

    with sqlite3.connect(tmp_path / "office.db") as opened:
        plan = opened.execute(
            "EXPLAIN QUERY PLAN SELECT min(no), max(no) FROM event WHERE region = 'a' AND office = 'b' AND at >= 1"
        ).fetchall()
    assert "COVERING INDEX event_at" in str(plan)
