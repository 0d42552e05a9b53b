"""What can be wrong with a store, in words that say how to mend it."""

import sqlite3

import sqlalchemy as sa

from dispatch.ports import StoreUnavailable

_PRIMARY_CODE = 0xFF
"""SQLite's extended result codes carry the primary one in their low byte."""

_SQLITE: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: (
        "is locked by another process",
        "end whatever else holds it open, such as a backup or a shell",
    ),
    sqlite3.SQLITE_LOCKED: ("is locked by another connection", "end whatever else holds it open"),
    sqlite3.SQLITE_FULL: ("has no room left on its disk", "free some space there"),
    sqlite3.SQLITE_READONLY: ("cannot be written", "give the service's user write access to the file and its folder"),
    sqlite3.SQLITE_PERM: ("may not be accessed", "give the service's user access to the file and its folder"),
    sqlite3.SQLITE_AUTH: ("may not be accessed", "give the service's user access to the file and its folder"),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened",
        "check that its folder is there and that the service may write in it",
    ),
    sqlite3.SQLITE_IOERR: ("cannot be read or written: the disk reports an error", "check the disk and its cables"),
    sqlite3.SQLITE_CORRUPT: ("is damaged", "stop the service, put the file aside and restore a backup"),
    sqlite3.SQLITE_NOTADB: ("is no SQLite database", "check the path, or put the file aside and restore a backup"),
    sqlite3.SQLITE_TOOBIG: ("was given a value that is too large", "report this with the log"),
    sqlite3.SQLITE_NOMEM: ("ran out of memory", "give the service more memory"),
}

_LASTING = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN}
"""After these only a new connection can tell whether the store is well again."""


class StoreError(StoreUnavailable):
    """The store cannot be opened: told at start-up, with how to mend it."""


class StoreDamaged(StoreUnavailable):
    """What the store gave back is not what was put there."""


def _sqlite_code(error: BaseException | None) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return code & _PRIMARY_CODE if isinstance(code, int) else None


def in_words(where: str, error: sa.exc.SQLAlchemyError | sqlite3.Error) -> str:
    """Say what is wrong with the store at `where` and how to mend it; never repeats a statement or its values."""
    orig = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    code = _sqlite_code(orig)
    if code in _SQLITE:
        what, mend = _SQLITE[code]
        return f"the store {where} {what} -> {mend}"
    return f"the store {where} failed: {_first_line(orig)} -> check that the database is up and reachable"


def needs_new_connection(error: sa.exc.SQLAlchemyError) -> bool:
    """Whether to go on with another connection."""
    if not isinstance(error, sa.exc.DBAPIError):
        return False
    return error.connection_invalidated or _sqlite_code(error.orig) in _LASTING


def is_conflict(error: sa.exc.SQLAlchemyError) -> bool:
    """Whether the same transaction may well succeed when it is run again (PostgreSQL: serialization, deadlock)."""
    orig = error.orig if isinstance(error, sa.exc.DBAPIError) else None
    return getattr(orig, "sqlstate", None) in ("40001", "40P01")


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().split("\n")[0][:200] or type(error).__name__
