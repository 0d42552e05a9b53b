"""Stores of every kind, and what a store's tests ask again and again."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from dispatch.core.state import Floor, FloorState
from dispatch.ports import OfficeTx
from dispatch.store.sql import SqlStore
from protocol.ids import OfficeId
from protocol.messages import Event, EventType

ROOT = Path(__file__).resolve().parents[2]
HQ, BUSAN = OfficeId("seoul", "hq"), OfficeId("seoul", "busan")
POSTGRESQL = os.environ.get("PTT_TEST_POSTGRESQL", "")
"""URL of an empty database that may be written; with it the whole suite runs on PostgreSQL too."""
BACKENDS = ("file", "memory", *(["postgresql"] if POSTGRESQL else []))


class Opener(Protocol):
    """Opens the same store again and again; memory can be opened only once and is shared."""

    def __call__(self) -> SqlStore: ...


def make_opener(backend: str, folder: Path, stack: contextlib.ExitStack) -> Opener:
    if backend == "memory":
        shared = SqlStore("sqlite://")
        stack.callback(shared.close)
        return lambda: shared
    if backend == "postgresql":
        wipe_postgresql()
    url = POSTGRESQL if backend == "postgresql" else f"sqlite:///{folder}/office.db"

    def open_again() -> SqlStore:
        store = SqlStore(url)
        stack.callback(store.close)
        return store

    return open_again


def wipe_postgresql() -> None:
    import sqlalchemy as sa

    from dispatch.store.schema import metadata

    engine = sa.create_engine(POSTGRESQL)
    metadata.drop_all(engine)
    engine.dispose()


def floor_of(tx: OfficeTx) -> Floor:
    return tx.floor() or Floor(store=tx.store_id, channel_name="hq")


def event(no: int, **metadata: object) -> Event:
    return Event(no=no, event=EventType.SPEAKER_CHANGED, at=1_700_000_000_000 + no, user="car-1", metadata=metadata)


def append(*events: Event) -> Callable[[OfficeTx], None]:
    """Give a transaction that logs these."""

    def run(tx: OfficeTx) -> None:
        for each in events:
            tx.append_event(each)

    return run


@contextlib.contextmanager
def python(script: str, **fields: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", script.format(**fields)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def take_or_give(tx: OfficeTx, me: str) -> int | None:
    """Take the floor where it is idle, give it back where it is mine; the burst taken, else None."""
    floor = floor_of(tx)
    if floor.holder is None:
        burst, number = floor.next_burst(), floor.event_no + 1
        taken = replace(floor, holder=me, burst=burst, state=FloorState.TAKEN, event_no=number, rev=floor.rev + 1)
        tx.put_floor(taken)
        tx.append_event(event(number, took=burst, by=me))
        return burst
    if floor.holder == me:
        number = floor.event_no + 1
        tx.put_floor(replace(floor, holder=None, state=FloorState.IDLE, event_no=number, rev=floor.rev + 1))
        tx.append_event(event(number, gave=floor.burst, by=me))
    return None


def assert_one_holder_at_a_time(log: tuple[Event, ...]) -> list[int]:
    """Takes and gives alternate, each give by its taker, numbers without gaps; the bursts, in order."""
    words = [e.metadata for e in log]
    takes, gives = words[0::2], words[1::2]
    assert [e.no for e in log] == list(range(1, len(log) + 1))
    assert all("took" in w for w in takes)
    assert [(w["gave"], w["by"]) for w in gives] == [(w["took"], w["by"]) for w in takes[: len(gives)]]
    return [w["took"] for w in takes]
