"""The store on a SQL database: one transaction an office, its statements compiled once."""

from collections.abc import Callable
from itertools import takewhile
from typing import TypeVar

import sqlalchemy as sa

from dispatch.ports import OfficeTx
from dispatch.store import schema
from dispatch.store.database import Database
from dispatch.store.errors import StoreDamaged
from dispatch.store.tx import SqlTx, read_event
from protocol.ids import OfficeId
from protocol.messages import Event

T = TypeVar("T")


class SqlStore:
    """The Store on `url` (see `dispatch.store.database.Database`). Raises StoreError where it cannot be opened."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._sql = schema.statements(self._database.dialect)
        self.where = self._database.where
        """The file or database, for messages; without its password."""

    @property
    def store_id(self) -> str:
        """Identity of the store, made when it was created."""
        return self._database.store_id

    def close(self) -> None:
        """Give the connection back; the last one to leave a SQLite file writes its log back."""
        self._database.close()

    def transact(self, office: OfficeId, fn: Callable[[OfficeTx], T], *, durable: bool) -> T:
        """Run `fn` alone on the office's rows and commit what it put (see `dispatch.ports.Store`)."""

        def run(connection: sa.Connection) -> T:
            tx = SqlTx(connection, self._sql, office, self._database.store_id)
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

    def prune(self, office: OfficeId, before_ms: int, first_no: int, limit: int) -> tuple[int, int | None]:
        """Delete the oldest events that were logged before `before_ms` (Unix ms) and published.

        Looks at `limit` of them, numbered `first_no` and up. Gives how many were deleted, and from which number on to
        go on; None: the rest is younger. One that no broker has acknowledged stays, however old.
        """
        oldest, delete = self._sql.oldest_events, self._sql.delete_event

        def run(connection: sa.Connection) -> tuple[int, int | None]:
            values = oldest.pack((office.region, office.office, first_no, limit))
            rows = connection.exec_driver_sql(oldest.text, values).fetchall()
            old = list(takewhile(lambda row: row[1] < before_ms, rows))
            gone = [delete.pack((office.region, office.office, no)) for no, _, published in old if published]
            if gone:
                connection.exec_driver_sql(delete.text, gone)
            return len(gone), old[-1][0] + 1 if len(old) == limit else None

        return self._run(office, run, durable=False)

    def tidy(self) -> None:
        """Write SQLite's log back into its file; for quiet moments, as it takes some ms. Raises StoreUnavailable."""
        self._database.tidy()

    def _run(self, office: OfficeId, fn: Callable[[sa.Connection], T], durable: bool) -> T:
        try:
            return self._database.transact(str(office), fn, durable=durable)
        except sa.exc.IntegrityError as error:
            raise StoreDamaged(
                f"the store {self.where} already has an event of this number -> restore a backup"
            ) from error
