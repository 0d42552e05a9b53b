"""One connection to the office's SQL database: opening it, its transactions, and what becomes of it when one fails.

SQLite in a file (the embedded default) or in memory, PostgreSQL for many replicas. A transaction has what it locks to
itself from its first statement on: SQLite begins IMMEDIATE (a deferred read-then-write fails at once under contention),
PostgreSQL takes an advisory lock of that name. A view is one moment of the database, and locks nobody out.
"""

import contextlib
import os
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from dispatch.ports import StoreUnavailable
from dispatch.store import schema
from dispatch.store.errors import StoreDamaged, StoreError, in_words, is_conflict, needs_new_connection
from service.logs import Log

T = TypeVar("T")
_log = Log(__name__)

BUSY_S = 0.5
"""How long a transaction waits for another process's; the loop stands still meanwhile."""
BUSY_AGAIN_S = 0.02
"""The same while the store is known to be locked: one waiting member must not make a hundred others wait."""
CONFLICTS_MAX = 10
WAL_PAGES_MAX = 20_000
"""The write-ahead log is written back by `tidy` in quiet moments; at 80 MB a commit does it, whoever waits."""
LOG_READY_BYTES = 4 << 20
"""The log's file is made so large at once. A synced commit that makes its file longer waits for the file system's
journal too: two stores side by side took 0.73 and 0.85 ms for a grant at the median (ext4; p99 is the disk's own)."""


class Database:
    """The database on `url` (`sqlite:////var/lib/x/office.db`, `sqlite://` in memory, `postgresql+psycopg://...`).

    Creates what is not there: the file with mode 0600, its folder with 0700, the store's tables and those of `more`.
    Raises StoreError, saying how to mend it, where it cannot be opened or a newer version wrote it. Any thread may use
    it, one at a time goes in. `busy_s`: how long a transaction waits for another process's.
    """

    def __init__(self, url: str, *, more: Sequence[sa.MetaData] = (), busy_s: float = BUSY_S) -> None:
        self._url = parse_url(url)
        self.where = self._url.database or self._url.render_as_string(hide_password=True)
        """The file or database, for messages; without its password."""
        self._sqlite = self._url.get_backend_name() == "sqlite"
        self.file = Path(self._url.database) if self._sqlite and self._url.database else None
        """SQLite's file, where it is one."""
        self._tables = (schema.metadata, *more)
        self._lock = threading.Lock()
        self._connection: sa.Connection | None = None
        self._store_id = ""
        self._durable = True
        self._busy_longest_s = self._busy_s = busy_s
        if self.file is not None:
            _make_file(self.file)
        try:
            self._engine = _engine(self._url)
            self._connect()
        except (sa.exc.SQLAlchemyError, ImportError) as error:
            self.close()
            raise StoreError(_opening_words(self.where, error)) from error
        except StoreUnavailable:
            self.close()
            raise

    @property
    def store_id(self) -> str:
        """Identity of the store, made when it was created."""
        return self._store_id

    @property
    def dialect(self) -> sa.Dialect:
        """What statements are compiled for."""
        return self._engine.dialect

    def close(self) -> None:
        """Give the connection back; the last one to leave a SQLite file writes its log back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if hasattr(self, "_engine"):
            self._engine.dispose()

    def tidy(self) -> None:
        """Write SQLite's log back into its file; for quiet moments, as it takes some ms. Raises StoreUnavailable."""
        if self.file is not None:
            with self._lock:
                try:
                    self._connected().exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").close()
                except sa.exc.SQLAlchemyError as error:
                    raise self._failed(error) from error

    # --- transactions -----------------------------------------------------------------------------------------------

    def transact(self, lock: str, fn: Callable[[sa.Connection], T], *, durable: bool) -> T:
        """Run `fn` alone among all that take this lock (SQLite: among all writers) and commit what it did.

        `fn` may run again after a conflict; what it raises rolls back. Raises StoreUnavailable, and
        sqlalchemy.exc.IntegrityError where a row was there already.
        """
        return self._run(lambda: self._once(lock, fn, durable))

    def view(self, fn: Callable[[sa.Connection], T]) -> T:
        """Give what `fn` reads of one moment. Raises StoreUnavailable."""
        return self._run(lambda: self._look(fn))

    def _run(self, once: Callable[[], T]) -> T:
        with self._lock:
            for _ in range(CONFLICTS_MAX):
                try:
                    return once()
                except sa.exc.IntegrityError:
                    raise
                except sa.exc.SQLAlchemyError as error:
                    if not is_conflict(error):
                        raise self._failed(error) from error
            raise StoreUnavailable(f"the store {self.where} is too busy: {CONFLICTS_MAX} conflicts in a row")

    def _look(self, fn: Callable[[sa.Connection], T]) -> T:
        connection = self._connected()
        connection.exec_driver_sql("BEGIN" if self._sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            result = fn(connection)
        finally:
            _rollback(connection)
        return result

    def _once(self, lock: str, fn: Callable[[sa.Connection], T], durable: bool) -> T:
        connection = self._connected()
        self._begin(connection, lock, durable)
        try:
            result = fn(connection)
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            _rollback(connection)
            raise
        self._wait(connection, self._busy_longest_s)
        return result

    def _begin(self, connection: sa.Connection, lock: str, durable: bool) -> None:
        run = connection.exec_driver_sql
        if self._sqlite:
            if self.file is not None and durable != self._durable:
                run(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            run("BEGIN IMMEDIATE")
            return
        run("BEGIN")
        try:
            run(f"SET LOCAL synchronous_commit = {'on' if durable else 'off'}")
            run("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"ptt:{lock}",))
        except BaseException:
            _rollback(connection)
            raise

    def _wait(self, connection: sa.Connection, busy_s: float) -> None:
        if self._sqlite and busy_s != self._busy_s:
            self._busy_s = busy_s
            connection.exec_driver_sql(f"PRAGMA busy_timeout={int(busy_s * 1000)}").close()

    def _failed(self, error: sa.exc.SQLAlchemyError) -> StoreUnavailable:
        connection = self._connection
        if connection is not None and needs_new_connection(error):
            self._connection = None
            connection.invalidate()
            connection.close()
        elif connection is not None:
            self._wait(connection, BUSY_AGAIN_S)
        return StoreUnavailable(in_words(self.where, error))

    # --- opening ----------------------------------------------------------------------------------------------------

    def _connected(self) -> sa.Connection:
        return self._connection if self._connection is not None else self._connect()

    def _connect(self) -> sa.Connection:
        connection = self._engine.connect()
        try:
            self._set_up(connection)
            store_id = self._identify(connection)
            if self._store_id not in ("", store_id):
                raise StoreDamaged(f"the store {self.where} was replaced by another -> restart the service")
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        self._store_id, self._connection = store_id, connection
        return connection

    def _set_up(self, connection: sa.Connection) -> None:
        if not self._sqlite:
            connection.exec_driver_sql("SET lock_timeout = '2s'")
            connection.exec_driver_sql("SET statement_timeout = '5s'")
            return
        self._busy_s, self._durable = self._busy_longest_s, True
        pragmas = [f"busy_timeout={int(self._busy_s * 1000)}"]
        if self.file is not None:
            pragmas += ["journal_mode=WAL", "synchronous=FULL", f"wal_autocheckpoint={WAL_PAGES_MAX}"]
        for pragma in pragmas:
            connection.exec_driver_sql(f"PRAGMA {pragma}").close()
        if self.file is not None:
            self._lengthen_log(connection, self.file.with_name(f"{self.file.name}-wal"))

    def _lengthen_log(self, connection: sa.Connection, log: Path) -> None:
        """Make SQLite's log as long as it is going to be: a large change spills into it and is then taken back.

        Only a short log is lengthened, and only where nobody else is writing: it is a matter of speed alone.
        """
        if log.exists() and log.stat().st_size >= LOG_READY_BYTES:
            return
        run = connection.exec_driver_sql
        pages = run("PRAGMA cache_size").scalar_one()
        run("PRAGMA cache_size=16").close()
        try:
            run("BEGIN IMMEDIATE")
            run("CREATE TABLE lengthening (filling BLOB)")
            run("INSERT INTO lengthening VALUES (zeroblob(?))", (LOG_READY_BYTES * 5 // 4,))
        except sa.exc.SQLAlchemyError as error:
            _log.warning("the store's log could not be prepared, commits take longer", why=in_words(self.where, error))
        finally:
            _rollback(connection)
            run(f"PRAGMA cache_size={pages}").close()

    def _identify(self, connection: sa.Connection) -> str:
        """Give the store's identity; makes tables and identity in a new store. Raises StoreError for a newer one."""
        connection.exec_driver_sql("BEGIN IMMEDIATE" if self._sqlite else "BEGIN")
        try:
            if not self._sqlite:
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtextextended('ptt:schema', 0))")
            for tables in self._tables:
                tables.create_all(connection)
                for table in tables.tables.values():  # `create_all` gives a table that is there no new index
                    for index in table.indexes:
                        index.create(connection, checkfirst=True)
            found: dict[str, str] = {
                row[0]: row[1] for row in connection.execute(sa.select(schema.meta.c.key, schema.meta.c.value))
            }
            if not found:
                found = {"store_id": uuid.uuid4().hex, "schema_version": str(schema.SCHEMA_VERSION)}
                rows = [{"key": key, "value": value} for key, value in found.items()]
                connection.execute(sa.insert(schema.meta), rows)
            check_version(self.where, found)
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            _rollback(connection)
            raise
        return found["store_id"]


def parse_url(url: str) -> sa.URL:
    """Read a store's URL; raises StoreError for what is none."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise StoreError("[store] url is no database URL -> for example sqlite:////var/lib/x/office.db") from error
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(f"no store on {parsed.get_backend_name()} -> use sqlite or postgresql")
    return parsed


def check_version(where: str, found: dict[str, str]) -> None:
    """Raise StoreError where the store is no store of ours or a newer version wrote it."""
    version = found.get("schema_version", "")
    if "store_id" not in found or not version.isdecimal():
        raise StoreError(f"{where} is a database, but not of this program -> give it one of its own")
    if int(version) != schema.SCHEMA_VERSION:
        raise StoreError(
            f"the store {where} has schema version {version}, this program works with {schema.SCHEMA_VERSION} "
            f"-> install the version that wrote it, or newer"
        )


def _engine(url: sa.URL) -> sa.Engine:
    # AUTOCOMMIT: BEGIN and COMMIT are our own statements, which the drivers' own ways of beginning would delay.
    if url.get_backend_name() == "sqlite":
        arguments = {"check_same_thread": False}
        return sa.create_engine(url, poolclass=StaticPool, isolation_level="AUTOCOMMIT", connect_args=arguments)
    return sa.create_engine(url, pool_size=1, max_overflow=0, isolation_level="AUTOCOMMIT")


def _make_file(path: Path) -> None:
    """Make the file, for its owner alone, where it is not there.

    One that is there is not even opened: closing it again would take away the locks that every connection of this
    process holds on it (POSIX locks belong to the process), and another process that thinks itself alone would delete
    the log we are writing.
    """
    folder = path.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            return
        why = "Is a directory" if path.is_dir() else "" if os.access(path, os.R_OK | os.W_OK) else "Permission denied"
    except OSError as error:
        why = error.strerror or str(error)
    if why:
        mend = f"give the service's user write access to {folder}; on the command line use sudo"
        raise StoreError(f"the store {path} cannot be opened ({why}) -> {mend}")


def _rollback(connection: sa.Connection) -> None:
    with contextlib.suppress(sa.exc.SQLAlchemyError):  # where the database did it by itself (disk full, link lost)
        connection.exec_driver_sql("ROLLBACK")


def _opening_words(where: str, error: sa.exc.SQLAlchemyError | ImportError) -> str:
    if isinstance(error, ImportError):
        return f"the store {where} needs the Python package {error.name} -> install it, or use sqlite"
    return in_words(where, error)
