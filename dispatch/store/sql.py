"""The store on a SQL database: SQLite in a file (the embedded default) or in memory, PostgreSQL for many replicas.

Every transaction has the office to itself from its first statement on: SQLite begins IMMEDIATE (a deferred
read-then-write fails at once under contention), PostgreSQL takes an advisory lock of the office.
"""

import contextlib
import os
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from dispatch.ports import OfficeTx, StoreUnavailable
from dispatch.store import schema
from dispatch.store.errors import StoreDamaged, StoreError, in_words, is_conflict, needs_new_connection
from dispatch.store.tx import SqlTx, read_event
from protocol.ids import OfficeId
from protocol.messages import Event
from service.logs import Log

T = TypeVar("T")

BUSY_S = 0.5
"""How long a transaction waits for another process's; the loop stands still meanwhile."""
BUSY_AGAIN_S = 0.02
"""The same while the store is known to be locked: one waiting member must not make a hundred others wait."""
CONFLICTS_MAX = 10
_log = Log(__name__)
WAL_PAGES_MAX = 20_000
"""The write-ahead log is written back by `tidy` in quiet moments; at 80 MB a commit does it, whoever waits."""


LOG_READY_BYTES = 4 << 20
"""The log's file is made so large at once. A synced commit that makes its file longer waits for the file system's
journal too: two stores side by side took 0.73 and 0.85 ms for a grant at the median (ext4; p99 is the disk's own)."""


class SqlStore:
    """The Store on `url` (`sqlite:////var/lib/x/office.db`, `sqlite://` in memory, `postgresql+psycopg://...`).

    Creates what is not there: the file with mode 0600, its folder with 0700. Raises StoreError, saying how to mend it,
    where the store cannot be opened or was written by a newer version. Any thread may use it, one at a time goes in.
    """

    def __init__(self, url: str) -> None:
        self._url = parse_url(url)
        self.where = self._url.database or self._url.render_as_string(hide_password=True)
        """The file or database, for messages; without its password."""
        self._sqlite = self._url.get_backend_name() == "sqlite"
        self._file = Path(self._url.database) if self._sqlite and self._url.database else None
        self._lock = threading.Lock()
        self._connection: sa.Connection | None = None
        self._store_id = ""
        self._durable = True
        self._busy_s = BUSY_S
        if self._file is not None:
            _make_file(self._file)
        try:
            self._engine = _engine(self._url)
            self._sql = schema.statements(self._engine.dialect)
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

    def close(self) -> None:
        """Give the connection back; the last one to leave a SQLite file writes its log back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if hasattr(self, "_engine"):
            self._engine.dispose()

    # --- the port ---------------------------------------------------------------------------------------------------

    def transact(self, office: OfficeId, fn: Callable[[OfficeTx], T], *, durable: bool) -> T:
        """Run `fn` alone on the office's rows and commit what it put (see `dispatch.ports.Store`)."""

        def run(connection: sa.Connection) -> T:
            tx = SqlTx(connection, self._sql, office, self._store_id)
            result = fn(tx)
            tx.flush()
            return result

        return self._run(office, run, durable)

    def unpublished(self, office: OfficeId, limit: int) -> tuple[Event, ...]:
        """Give the oldest events not yet marked as published, at most `limit`."""
        statement = self._sql.unpublished
        values = statement.pack((office.region, office.office, limit))

        def run(connection: sa.Connection) -> tuple[Event, ...]:
            return tuple(read_event(row) for row in connection.exec_driver_sql(statement.text, values).fetchall())

        return self._run(office, run, durable=False)

    def mark_published(self, office: OfficeId, numbers: tuple[int, ...]) -> None:
        """Remember that these events reached the broker; losing this repeats some, never drops any."""
        statement = self._sql.mark_published
        rows = [statement.pack((office.region, office.office, number)) for number in numbers]
        if rows:
            self._run(office, lambda connection: connection.exec_driver_sql(statement.text, rows), durable=False)

    def tidy(self) -> None:
        """Write SQLite's log back into its file; for quiet moments, as it takes some ms. Raises StoreUnavailable."""
        if self._file is not None:
            with self._lock:
                try:
                    self._connected().exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").close()
                except sa.exc.SQLAlchemyError as error:
                    raise self._failed(error) from error

    # --- transactions -----------------------------------------------------------------------------------------------

    def _run(self, office: OfficeId, fn: Callable[[sa.Connection], T], durable: bool) -> T:
        with self._lock:
            for _ in range(CONFLICTS_MAX):
                try:
                    return self._once(office, fn, durable)
                except sa.exc.IntegrityError as error:
                    raise StoreDamaged(
                        f"the store {self.where} already has an event of this number -> restore a backup"
                    ) from error
                except sa.exc.SQLAlchemyError as error:
                    if not is_conflict(error):
                        raise self._failed(error) from error
            raise StoreUnavailable(f"the store {self.where} is too busy: {CONFLICTS_MAX} conflicts in a row")

    def _once(self, office: OfficeId, fn: Callable[[sa.Connection], T], durable: bool) -> T:
        connection = self._connected()
        self._begin(connection, office, durable)
        try:
            result = fn(connection)
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            _rollback(connection)
            raise
        self._wait(connection, BUSY_S)
        return result

    def _begin(self, connection: sa.Connection, office: OfficeId, durable: bool) -> None:
        run = connection.exec_driver_sql
        if self._sqlite:
            if self._file is not None and durable != self._durable:
                run(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            run("BEGIN IMMEDIATE")
            return
        run("BEGIN")
        try:
            run(f"SET LOCAL synchronous_commit = {'on' if durable else 'off'}")
            run("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"ptt:{office}",))
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
        self._busy_s, self._durable = BUSY_S, True
        pragmas = [f"busy_timeout={int(BUSY_S * 1000)}"]
        if self._file is not None:
            pragmas += ["journal_mode=WAL", "synchronous=FULL", f"wal_autocheckpoint={WAL_PAGES_MAX}"]
        for pragma in pragmas:
            connection.exec_driver_sql(f"PRAGMA {pragma}").close()
        if self._file is not None:
            self._lengthen_log(connection, self._file.with_name(f"{self._file.name}-wal"))

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
            schema.metadata.create_all(connection)
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
    folder = path.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(
            f"the store {path} cannot be opened ({error.strerror}) -> give the service's user write access to {folder}"
        ) from error


def _rollback(connection: sa.Connection) -> None:
    with contextlib.suppress(sa.exc.SQLAlchemyError):  # where the database did it by itself (disk full, link lost)
        connection.exec_driver_sql("ROLLBACK")


def _opening_words(where: str, error: sa.exc.SQLAlchemyError | ImportError) -> str:
    if isinstance(error, ImportError):
        return f"the store {where} needs the Python package {error.name} -> install it, or use sqlite"
    return in_words(where, error)
