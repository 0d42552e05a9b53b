"""Where it is kept what came of each of the probe's presses: a table of the office's store, one row a press."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dispatch.history.availability import Probes, probes_of
from dispatch.probing.pressing import Result
from dispatch.store.database import Database
from dispatch.store.reader import StoreReader

BUSY_S = 0.5
LOCK = "probe"
PRUNE = 1000
"""Rows deleted at once, in one short transaction."""

metadata = sa.MetaData()

probe = sa.Table(
    "probe",
    metadata,
    sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("answered", sa.Boolean, nullable=False),
    sa.Column("took_ms", sa.Float),
    sa.Column("why", sa.Text, nullable=False),
)
"""`at`: when it was pressed, Unix ms; `took_ms`: until the grant."""


class ProbeStore:
    """Writes it. Construction raises StoreError, every other call StoreUnavailable."""

    def __init__(self, store_url: str) -> None:
        self._database = Database(store_url, more=(metadata,), busy_s=BUSY_S)
        kind = postgresql if self._database.dialect.name == "postgresql" else sqlite
        self._insert = kind.insert(probe).on_conflict_do_nothing()

    def close(self) -> None:
        """Give the connection back."""
        self._database.close()

    def put(self, results: Sequence[Result]) -> None:
        """Keep results; of two with the same moment (a clock that was set back) the first stays."""
        rows = [{"at": r.at, "answered": r.answered, "took_ms": r.took_ms, "why": r.why} for r in results]
        if rows:
            self._database.transact(LOCK, lambda connection: connection.execute(self._insert, rows), durable=False)

    def newest(self, count: int) -> tuple[Result, ...]:
        """Give the last so many, the newest first."""
        chosen = sa.select(probe).order_by(probe.c.at.desc()).limit(count)
        rows = self._database.view(lambda connection: connection.execute(chosen).all())
        return tuple(Result(at=r.at, answered=bool(r.answered), took_ms=r.took_ms, why=r.why) for r in rows)

    def prune(self, before_ms: int) -> int:
        """Delete at most PRUNE of those before then; gives how many."""
        old = sa.select(probe.c.at).where(probe.c.at < before_ms).limit(PRUNE)

        def run(connection: sa.Connection) -> int:
            return connection.execute(sa.delete(probe).where(probe.c.at.in_(old))).rowcount

        return self._database.transact(LOCK, run, durable=False)


def read_probes(reader: StoreReader, since_ms: int, until_ms: int) -> Probes | None:
    """Give what came of the presses of [since_ms, until_ms); None where there never was a probe.

    Raises StoreUnavailable.
    """
    columns = (probe.c.at, probe.c.answered, probe.c.took_ms)
    chosen = sa.select(*columns).where(probe.c.at >= since_ms, probe.c.at < until_ms)
    with reader.read() as connection:
        if not sa.inspect(connection).has_table(probe.name):
            return None
        rows = connection.execute(chosen.order_by(probe.c.at)).all()
    return probes_of([(row.at, row.answered, row.took_ms) for row in rows], since_ms, until_ms)
