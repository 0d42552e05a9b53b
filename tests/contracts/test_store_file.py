"""What a store in an SQLite file must hold: refusals, locks, full disks, reading beside the service."""

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from dispatch.ports import OfficeTx, StoreUnavailable
from dispatch.store.errors import StoreDamaged, StoreError
from dispatch.store.reader import StoreReader
from dispatch.store.sql import SqlStore
from protocol.messages import Event, EventType
from tests.contracts.store_rig import (
    BACKENDS,
    BUSAN,
    HQ,
    ROOT,
    Opener,
    append,
    event,
    floor_of,
    make_opener,
    python,
)


@pytest.fixture(params=BACKENDS)
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    with contextlib.ExitStack() as stack:
        yield make_opener(request.param, tmp_path, stack)


@pytest.fixture
def store(opener: Opener) -> SqlStore:
    return opener()


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/office.db"


# --- SQLite files -----------------------------------------------------------------------------------------------------


def test_a_new_file_and_its_folder_are_for_the_service_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "office.db"

    store = SqlStore(f"sqlite:///{path}")
    store.transact(HQ, lambda tx: tx.put_floor(floor_of(tx)), durable=True)

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    store.close()


def spoil(name: str) -> Callable[[Path], None]:
    """Give what makes a file unusable as a store."""

    def sql(*statements: str) -> Callable[[Path], None]:
        def run(path: Path) -> None:
            with contextlib.closing(sqlite3.connect(path)) as connection:
                for statement in statements:
                    connection.execute(statement)
                connection.commit()

        return run

    def newer(path: Path) -> None:
        SqlStore(f"sqlite:///{path}").close()
        sql("UPDATE meta SET value = '99' WHERE key = 'schema_version'")(path)

    def torn(path: Path) -> None:
        SqlStore(f"sqlite:///{path}").close()
        path.write_bytes(path.read_bytes()[:100] + os.urandom(8000))

    def text(path: Path) -> None:
        path.write_text("this is no database, " * 100)

    def below_a_file(path: Path) -> None:
        path.parent.rmdir()
        path.parent.write_text("")

    return {
        "text": text,
        "torn": torn,
        "newer": newer,
        "other": sql("CREATE TABLE meta (key TEXT, value TEXT)", "INSERT INTO meta VALUES ('what', 'ever')"),
        "folder": lambda path: path.mkdir(),
        "below a file": below_a_file,
    }[name]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("text", "is no SQLite database -> check the path"),
        ("torn", "is damaged -> stop the service"),
        ("newer", "has schema version 99, this program works with 1 -> install"),
        ("other", "not of this program -> give it one of its own"),
        ("folder", "cannot be opened .* -> give the service's user write access"),
        ("below a file", "cannot be opened .* -> give the service's user write access"),
    ],
)
def test_a_file_that_is_no_store_is_refused_at_start_saying_how_to_mend_it(how: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "here" / "office.db"
    path.parent.mkdir()
    spoil(how)(path)

    with pytest.raises(StoreError, match=says):
        SqlStore(f"sqlite:///{path}")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("office.db", "is no database URL -> for example"),
        ("mysql://db/ptt", "no store on mysql -> use sqlite or postgresql"),
    ],
)
def test_a_url_that_is_none_is_refused(url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says):
        SqlStore(url)


def test_a_store_locked_by_another_process_is_unavailable_soon_and_well_again_afterwards(
    tmp_path: Path, file_url: str
) -> None:
    store = SqlStore(file_url)
    intruder = sqlite3.connect(tmp_path / "office.db", isolation_level=None)
    intruder.execute("BEGIN IMMEDIATE")

    waits = []
    for _ in range(3):
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match="is locked by another process -> end whatever else"):
            store.transact(HQ, lambda tx: tx.put_floor(floor_of(tx)), durable=True)
        waits.append(time.monotonic() - started)
    intruder.execute("ROLLBACK")
    intruder.close()

    assert waits[0] < 1.0
    assert max(waits[1:]) < 0.25
    store.transact(HQ, lambda tx: tx.put_floor(floor_of(tx)), durable=True)
    assert store.transact(HQ, lambda tx: tx.floor(), durable=False) is not None
    store.close()


FULL = """
import resource, sys
sys.path.insert(0, {root!r})
from dispatch.ports import StoreUnavailable
from dispatch.store.sql import SqlStore
from tests.contracts.store_rig import HQ, event
store = SqlStore({url!r})
store.transact(HQ, lambda tx: tx.append_event(event(1)), durable=True)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, most))
try:
    store.transact(HQ, lambda tx: [tx.append_event(event(n, text="x" * 4000)) for n in range(2, 200)], durable=True)
except StoreUnavailable as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
print([e.no for e in store.unpublished(HQ, 999)])
store.transact(HQ, lambda tx: tx.append_event(event(2)), durable=True)
print([e.no for e in store.unpublished(HQ, 999)])
"""


def test_a_disk_that_refuses_a_write_costs_that_transaction_and_no_other(file_url: str) -> None:
    with python(FULL, root=str(ROOT), url=file_url) as process:
        said = process.communicate(timeout=20)[0].splitlines()

    assert "cannot be read or written: the disk reports an error -> check the disk" in said[0]
    assert said[1:] == ["[1]", "[1, 2]"]


def test_an_unreadable_row_is_told_and_ends_nothing(tmp_path: Path, file_url: str) -> None:
    store = SqlStore(file_url)
    store.transact(HQ, lambda tx: tx.put_floor(floor_of(tx)), durable=True)
    with contextlib.closing(sqlite3.connect(tmp_path / "office.db")) as connection:
        connection.execute("UPDATE office SET floor = '{}'")
        connection.commit()

    with pytest.raises(StoreDamaged, match="a floor in the store cannot be read"):
        store.transact(HQ, lambda tx: tx.floor(), durable=False)

    assert store.transact(BUSAN, lambda tx: tx.floor(), durable=False) is None
    store.close()


def test_tidying_writes_the_log_back_and_changes_nothing(tmp_path: Path, file_url: str) -> None:
    store = SqlStore(file_url)
    store.transact(HQ, append(*map(event, range(1, 300))), durable=True)
    before = (tmp_path / "office.db").stat().st_size

    store.tidy()

    assert (tmp_path / "office.db").stat().st_size > before
    assert len(store.unpublished(HQ, 999)) == 299
    store.close()


# --- reading beside the service ---------------------------------------------------------------------------------------


def test_a_reader_sees_what_is_committed_while_a_transaction_is_under_way(file_url: str) -> None:
    store = SqlStore(file_url)
    store.transact(HQ, lambda tx: tx.put_floor(replace(floor_of(tx), burst=1)), durable=True)
    store.transact(HQ, append(event(1)), durable=True)
    reader = StoreReader(file_url)

    def change(tx: OfficeTx) -> int:
        tx.put_floor(replace(floor_of(tx), burst=2))
        seen = reader.snapshot(HQ)
        return seen.floor.burst if seen else 0

    assert store.transact(HQ, change, durable=True) == 1
    seen = reader.snapshot(HQ)
    assert seen and (seen.floor.burst, seen.members, seen.unpublished) == (2, (), 1)
    assert reader.offices() == (HQ,)
    assert reader.snapshot(BUSAN) is None
    assert reader.store_id == store.store_id
    reader.close()
    store.close()


def test_a_reader_gives_events_by_number_type_and_age(file_url: str) -> None:
    store = SqlStore(file_url)
    log = [replace(event(n), event=EventType.USER_JOINED if n % 3 == 0 else EventType.USER_LEFT) for n in range(1, 10)]
    store.transact(HQ, append(*log), durable=True)
    reader = StoreReader(file_url)

    def numbers(events: tuple[Event, ...]) -> list[int]:
        return [e.no for e in events]

    assert reader.events(HQ) == tuple(log)
    assert numbers(reader.events(HQ, first_no=3, limit=2)) == [3, 4]
    assert numbers(reader.events(HQ, limit=2, newest=True)) == [8, 9]
    assert numbers(reader.events(HQ, types=[EventType.USER_JOINED])) == [3, 6, 9]
    assert reader.events(BUSAN) == ()
    reader.close()
    store.close()


def test_a_reader_creates_nothing_where_there_is_no_store(tmp_path: Path, file_url: str) -> None:
    with pytest.raises(StoreError, match=r"there is no store at .* -> has ptt-dispatch serve run"):
        StoreReader(file_url)

    assert list(tmp_path.iterdir()) == []


def test_a_reader_scans_a_time_in_the_logs_order_page_by_page(file_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatch.store.reader.PAGE", 3)
    store = SqlStore(file_url)
    log = [replace(event(n), at=1000 + (n if n != 5 else 90)) for n in range(1, 30)]  # the clock was put back once
    store.transact(HQ, append(*log), durable=True)
    reader = StoreReader(file_url)

    def scanned(since: int, until: int) -> list[int]:
        return [e.no for e in reader.scan(HQ, since, until)]

    assert scanned(0, 9999) == list(range(1, 30))
    assert scanned(1004, 1012) == [4, 6, 7, 8, 9, 10, 11]
    assert scanned(1085, 1100) == [5]
    assert (scanned(1012, 1012), scanned(5000, 9999), list(reader.scan(BUSAN, 0, 9999))) == ([], [], [])
    assert (reader.last_no(HQ), reader.last_no(BUSAN), reader.span(HQ, 1004, 1012)) == (29, 0, (4, 11))
    reader.close()
    store.close()
