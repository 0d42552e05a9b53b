"""Where traces of presses, listeners' reports and heartbeats are kept: tables of the office's store, written by a
connection of its own.

A batch is one transaction that is not synced; it is begun only while the floor has nothing to do.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dispatch.store.database import Database
from dispatch.traces.schema import BEATS_BITS, HOUR_MS, beats, metadata, played, press
from protocol.ids import OfficeId
from protocol.messages import BurstPlayed, Heartbeat, PressTrace

BUSY_S = 0.02
"""The loop waits no longer for another process's transaction: a batch can be written later."""
LOCK = "traces"

Said = PressTrace | BurstPlayed | Heartbeat
"""What is kept."""
Row = dict[str, Any]


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """What a member said, and who it is. `received_at`: Unix ms."""

    office: OfficeId
    user: str
    received_at: int
    said: Said


class TraceStore:
    """Construction raises StoreError, every other call StoreUnavailable."""

    def __init__(self, store_url: str) -> None:
        self._database = Database(store_url, more=(metadata,), busy_s=BUSY_S)
        postgres = self._database.dialect.name == "postgresql"
        kind = postgresql if postgres else sqlite
        self._press = kind.insert(press).on_conflict_do_nothing()
        self._played = kind.insert(played).on_conflict_do_nothing()
        least, most = (sa.func.least, sa.func.greatest) if postgres else (sa.func.min, sa.func.max)
        beat = kind.insert(beats)
        new = beat.excluded
        self._beat = beat.on_conflict_do_update(
            index_elements=list(beats.primary_key),
            set_={
                "first_no": least(beats.c.first_no, new.first_no),
                "last_no": most(beats.c.last_no, new.last_no),
                "last_at": most(beats.c.last_at, new.last_at),
                "came": beats.c.came.bitwise_or(new.came),
            },
        )

    def close(self) -> None:
        """Give the connection back."""
        self._database.close()

    def put(self, batch: Sequence[Arrived]) -> None:
        """Keep what was said; what is kept already (another replica's, or sent twice) stays as it is."""
        traces, reports, signs = list(_presses(batch)), list(_played(batch)), list(_beats(batch))

        def run(connection: sa.Connection) -> None:
            for insert, rows in ((self._press, traces), (self._played, reports), (self._beat, signs)):
                if rows:
                    connection.execute(insert, rows)

        if batch:
            self._database.transact(LOCK, run, durable=False)

    def prune(self, office: OfficeId, before_ms: int, first_no: int, limit: int) -> tuple[int, int | None]:
        """Delete at most `limit` of what came before then; see `dispatch.retention.Prunable`."""

        def run(connection: sa.Connection) -> int:
            left = limit
            tables = (
                (press, press.c.received_at < before_ms),
                (played, played.c.received_at < before_ms),
                # by the hour too: that is what its index knows
                (beats, sa.and_(beats.c.hour_at < before_ms, beats.c.last_at < before_ms)),
            )
            for table, old in tables:
                key = list(table.primary_key)
                mine = sa.and_(table.c.region == office.region, table.c.office == office.office)
                for row in connection.execute(sa.select(*key).where(mine, old).limit(left)).all():
                    one = sa.and_(*(column == value for column, value in zip(key, row, strict=True)))
                    connection.execute(sa.delete(table).where(one))
                    left -= 1
            return limit - left

        count = self._database.transact(LOCK, run, durable=False)
        return count, 0 if count == limit else None


def _presses(batch: Iterable[Arrived]) -> Iterable[Row]:
    for one in batch:
        if isinstance(one.said, PressTrace):
            yield _owner(one) | {
                "edge_at": one.said.edge_at,
                "request": dotted(one.said.request_id),
                "received_at": one.received_at,
                "trace": msgspec.json.encode(one.said).decode(),
            }


def _played(batch: Iterable[Arrived]) -> Iterable[Row]:
    for one in batch:
        if isinstance(one.said, BurstPlayed):
            yield _owner(one) | {
                "burst": one.said.burst,
                "connection": dotted(one.said.connection_id),
                "received_at": one.received_at,
                "heard_at": one.said.heard_at,
                "heard_error_ms": one.said.heard_error_ms,
                "join_ms": one.said.join_ms,
                "report": msgspec.json.encode(one.said).decode(),
            }


def _beats(batch: Iterable[Arrived]) -> Iterable[Row]:
    for one in batch:
        if isinstance(one.said, Heartbeat):
            yield _owner(one) | {
                "connection": dotted(one.said.connection_id),
                "hour_at": one.received_at // HOUR_MS * HOUR_MS,
                "first_no": one.said.beat_no,
                "last_no": one.said.beat_no,
                "last_at": one.received_at,
                "came": 1 << one.said.beat_no % BEATS_BITS,
            }


def _owner(one: Arrived) -> Row:
    return {"region": one.office.region, "office": one.office.office, "user": one.user}


def dotted(numbers: Sequence[int]) -> str:
    """Write the numbers of a request or a connection as a key: `1.42.3`."""
    return ".".join(map(str, numbers))
