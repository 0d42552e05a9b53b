"""Where traces of presses are kept: a table of the office's store, written by a connection of its own.

A batch is one transaction that is not synced; it is begun only while the floor has nothing to do.
"""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dispatch.store.database import Database
from protocol.ids import OfficeId
from protocol.messages import PressTrace

BUSY_S = 0.02
"""The loop waits no longer for another process's transaction: a batch can be written later."""
LOCK = "traces"

metadata = sa.MetaData()

press = sa.Table(
    "press",
    metadata,
    sa.Column("region", sa.Text, primary_key=True),
    sa.Column("office", sa.Text, primary_key=True),
    sa.Column("user", sa.Text, primary_key=True),
    sa.Column("edge_at", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("request", sa.Text, primary_key=True),
    sa.Column("received_at", sa.BigInteger, nullable=False),
    sa.Column("trace", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
"""`edge_at`: as the vehicle says; `received_at`: by the server's clock (both Unix ms); `trace`: the message."""
sa.Index("press_at", press.c.region, press.c.office, press.c.edge_at)
sa.Index("press_received", press.c.region, press.c.office, press.c.received_at)


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """A trace and whose it is."""

    office: OfficeId
    user: str
    received_at: int
    trace: PressTrace


class TraceStore:
    """Construction raises StoreError, every other call StoreUnavailable."""

    def __init__(self, store_url: str) -> None:
        self._database = Database(store_url, more=(metadata,), busy_s=BUSY_S)
        kind = postgresql if self._database.dialect.name == "postgresql" else sqlite
        self._insert = kind.insert(press).on_conflict_do_nothing()

    def close(self) -> None:
        """Give the connection back."""
        self._database.close()

    def put(self, batch: Sequence[Arrived]) -> None:
        """Keep traces; one that is kept already (another replica's, or sent twice) stays as it is."""
        rows = [
            {
                "region": one.office.region,
                "office": one.office.office,
                "user": one.user,
                "edge_at": one.trace.edge_at,
                "request": ".".join(map(str, one.trace.request_id)),
                "received_at": one.received_at,
                "trace": msgspec.json.encode(one.trace).decode(),
            }
            for one in batch
        ]
        if rows:
            self._database.transact(LOCK, lambda connection: connection.execute(self._insert, rows), durable=False)

    def prune(self, office: OfficeId, before_ms: int, first_no: int, limit: int) -> tuple[int, int | None]:
        """Delete at most `limit` of what came before then; see `dispatch.retention.Prunable`."""
        key = (press.c.user, press.c.edge_at, press.c.request)
        mine = sa.and_(press.c.region == office.region, press.c.office == office.office)
        old = sa.select(*key).where(mine, press.c.received_at < before_ms).limit(limit)

        def run(connection: sa.Connection) -> int:
            rows = connection.execute(old).all()
            for user, edge_at, request in rows:
                one = sa.and_(press.c.user == user, press.c.edge_at == edge_at, press.c.request == request)
                connection.execute(sa.delete(press).where(mine, one))
            return len(rows)

        count = self._database.transact(LOCK, run, durable=False)
        return count, 0 if count == limit else None
