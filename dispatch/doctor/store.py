"""The store's file, its disk, and what waits in it."""

import contextlib
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from dispatch.doctor.rows import Row, bad, ok, warn
from dispatch.ports import StoreUnavailable
from dispatch.settings import DispatchSettings
from dispatch.store.errors import in_words
from dispatch.store.reader import Snapshot, StoreReader

MB = 1_000_000
DISK_BAD_MB, DISK_WARN_MB = 200, 1000
"""Free room on the store's disk."""
LOG_WARN_MB = 200
"""A write-ahead log is written back at 80 MB; one that is so much longer is held up by a reader."""
CHECK_S = 20.0
"""A store so large that checking it takes longer is checked in part."""
BUSY_S = 2.0
UNPUBLISHED_WARN = 1000


def look(settings: DispatchSettings) -> tuple[list[Row], tuple[Snapshot, ...]]:
    """Give the rows, and the offices as the store has them (empty where it cannot be read)."""
    try:
        reader = StoreReader(settings.store.sqlalchemy_url)
    except StoreUnavailable as error:
        return [bad("store", "said", why=str(error)), *_disk(settings.store.path)], ()
    try:
        snapshots = tuple(s for s in map(reader.snapshot, reader.offices()) if s is not None)
        rows = [ok("store", "store", where=reader.where, store=reader.store_id, offices=len(snapshots))]
    except StoreUnavailable as error:
        rows, snapshots = [bad("store", "said", why=str(error))], ()
    finally:
        reader.close()
    if settings.store.path is not None:
        rows += _file(settings.store.path)
    rows += _disk(settings.store.path)
    for snapshot in snapshots:
        if snapshot.unpublished > UNPUBLISHED_WARN:
            rows.append(warn("store", "unpublished", office=str(snapshot.office), count=snapshot.unpublished))
    return rows, snapshots


def _file(path: Path) -> Iterator[Row]:
    status = path.stat()
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield bad("store", "store_mode", path=str(path), mode=f"{stat.S_IMODE(status.st_mode):04o}")
    log = path.with_name(f"{path.name}-wal")
    log_mb = log.stat().st_size / MB if log.exists() else 0.0
    size = {"size": f"{status.st_size / MB:.1f}", "log": f"{log_mb:.1f}"}
    yield ok("store", "store_size", **size) if log_mb < LOG_WARN_MB else warn("store", "store_log", **size)
    yield _write(path)
    yield _check(path)


def _write(path: Path) -> Row:
    """Begin a transaction that writes, and take it back: some microseconds, in nobody's way."""
    try:
        with contextlib.closing(_open(path, "rw")) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        return bad("store", "said", why=in_words(str(path), error))
    return ok("store", "writable")


def _check(path: Path) -> Row:
    """SQLite's own look at every page, for CHECK_S at most."""
    begun = time.monotonic()
    try:
        with contextlib.closing(_open(path, "ro")) as connection:
            connection.set_progress_handler(lambda: int(time.monotonic() - begun > CHECK_S), 100_000)
            found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)")]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return warn("store", "check_part", seconds=int(CHECK_S))
        return bad("store", "said", why=in_words(str(path), error))
    except sqlite3.Error as error:
        return bad("store", "said", why=in_words(str(path), error))
    if found != ["ok"]:
        return bad("store", "damaged", path=str(path), why="; ".join(found)[:200])
    return ok("store", "sound", seconds=f"{time.monotonic() - begun:.1f}")


def _disk(path: Path | None) -> Iterable[Row]:
    if path is None:
        return
    folder = next((each for each in (path.parent, *path.parent.parents) if each.is_dir()), Path("/"))
    free_mb = shutil.disk_usage(folder).free / MB
    fields = {"folder": str(folder), "free": f"{free_mb:.0f}"}
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        yield bad("disk", "disk_readonly", folder=str(folder))
    elif free_mb < DISK_BAD_MB:
        yield bad("disk", "disk_full", **fields)
    elif free_mb < DISK_WARN_MB:
        yield warn("disk", "disk_full", **fields)
    else:
        yield ok("disk", "disk", **fields)


def _open(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, timeout=BUSY_S, isolation_level=None)
