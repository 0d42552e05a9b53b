"""Stores of every kind, and what a store's tests ask again and again."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from dispatch.core.state import Floor
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
