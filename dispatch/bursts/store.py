"""Where bursts are kept: a database of their own beside the store, so that a megabyte of speech never delays a grant.

For a store in a SQLite file it is another file in the same folder, `office.db` having `office-bursts.db`; on PostgreSQL
it is a table of the same database.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa
from msgspec import Struct

from dispatch.store.database import Database, parse_url
from protocol.ids import OfficeId

BUSY_S = 3.0
LOCK = "bursts"

metadata = sa.MetaData()

kept = sa.Table(
    "kept_burst",
    metadata,
    sa.Column("region", sa.Text, primary_key=True),
    sa.Column("office", sa.Text, primary_key=True),
    sa.Column("burst", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
"""`at`: Unix ms of the burst's end, by the office's clock."""


class Kept(Struct, frozen=True, kw_only=True):
    """A burst that is kept, without its sound."""

    office: OfficeId
    burst: int
    user: str
    name: str
    at: int
    seconds: float
    size: int


def bursts_url(store_url: str) -> str:
    """Give where the bursts of the office with this store are."""
    url = parse_url(store_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return store_url
    path = Path(url.database)
    return f"sqlite:///{path.with_name(f'{path.stem}-bursts{path.suffix}')}"


def bursts_file(store_url: str) -> Path | None:
    """Give the file they are in; None where they are in none."""
    url = parse_url(bursts_url(store_url))
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


class BurstStore:
    """Any thread may use it. Every method may raise StoreUnavailable; construction raises StoreError."""

    def __init__(self, store_url: str) -> None:
        self._database = Database(bursts_url(store_url), more=(metadata,), busy_s=BUSY_S)
        self._sqlite = self._database.dialect.name == "sqlite"

    def close(self) -> None:
        """Give the connection back."""
        self._database.close()

    def put(self, meta: Kept, data: bytes) -> bool:
        """Keep a burst; False where it is kept already: what is there stays as it is."""

        def run(connection: sa.Connection) -> bool:
            if connection.execute(sa.select(kept.c.burst).where(_is(meta.office, meta.burst))).first() is not None:
                return False
            row = {"region": meta.office.region, "office": meta.office.office, "burst": meta.burst, "user": meta.user}
            row |= {"name": meta.name, "at": meta.at, "seconds": meta.seconds, "size": len(data), "data": data}
            connection.execute(sa.insert(kept).values(**row))
            return True

        return self._database.transact(LOCK, run, durable=False)

    def get(self, office: OfficeId, burst: int, since_ms: int) -> tuple[Kept, bytes] | None:
        """Give a burst that ended at `since_ms` or later; None where none is kept."""

        def run(connection: sa.Connection) -> tuple[Kept, bytes] | None:
            row = connection.execute(sa.select(kept).where(_is(office, burst), kept.c.at >= since_ms)).first()
            return None if row is None else (_read(row), bytes(row.data))

        return self._database.view(run)

    def listed(
        self, office: OfficeId | None = None, *, after: int = 0, since_ms: int = 0, but: str = "", limit: int = 1000
    ) -> tuple[Kept, ...]:
        """Give the newest `limit` of those above `after` that ended at `since_ms` or later, oldest first.

        `but`: whose are left out.
        """
        columns = [column for column in kept.c if column is not kept.c.data]
        chosen = sa.select(*columns).where(kept.c.burst > after, kept.c.at >= since_ms, kept.c.user != but)
        if office is not None:
            chosen = chosen.where(kept.c.region == office.region, kept.c.office == office.office)
        chosen = chosen.order_by(kept.c.burst.desc()).limit(limit)
        found = self._database.view(lambda connection: tuple(map(_read, connection.execute(chosen))))
        return tuple(reversed(found))

    def delete(self, office: OfficeId | None = None, user: str | None = None) -> int:
        """Delete those of an office, of one of its users, or all; gives how many there were."""
        chosen = sa.delete(kept)
        if office is not None:
            chosen = chosen.where(kept.c.region == office.region, kept.c.office == office.office)
        if user is not None:
            chosen = chosen.where(kept.c.user == user)
        return self._deleted(chosen)

    def tidy(self, rules: Mapping[OfficeId, tuple[int, int]], gone: Mapping[OfficeId, frozenset[str]], now: int) -> int:
        """Delete what is too old, too many, an office's that keeps nothing, or of users that are `gone`.

        `rules`: for how many seconds, and how many at most. Gives how many were deleted. `now`: Unix ms.
        """
        doomed = []
        for office, mine in _by_office(self.listed(limit=1_000_000)).items():
            keep_s, count = rules.get(office, (0, 0))
            shut = gone.get(office, frozenset())
            alive = [one for one in mine if one.user not in shut and now - one.at < keep_s * 1000]
            left = {one.burst for one in alive[max(0, len(alive) - count) :]} if keep_s else set()
            doomed += [(office, one.burst) for one in mine if one.burst not in left]
        return sum(self._deleted(sa.delete(kept).where(_is(*one))) for one in doomed)

    def _deleted(self, chosen: sa.Delete) -> int:
        def run(connection: sa.Connection) -> int:
            if self._sqlite:  # what is deleted is overwritten in the file
                connection.exec_driver_sql("PRAGMA secure_delete=ON").close()
            return connection.execute(chosen).rowcount

        count = self._database.transact(LOCK, run, durable=True)
        if count:
            self._database.tidy()
        return count


def _by_office(found: tuple[Kept, ...]) -> dict[OfficeId, list[Kept]]:
    offices: dict[OfficeId, list[Kept]] = {}
    for one in found:
        offices.setdefault(one.office, []).append(one)
    return offices


def _is(office: OfficeId, burst: int) -> sa.ColumnElement[bool]:
    return sa.and_(kept.c.region == office.region, kept.c.office == office.office, kept.c.burst == burst)


def _read(row: sa.Row[tuple[object, ...]]) -> Kept:
    values = row._mapping
    return Kept(
        office=OfficeId(values["region"], values["office"]),
        burst=values["burst"],
        user=values["user"],
        name=values["name"],
        at=values["at"],
        seconds=values["seconds"],
        size=values["size"],
    )
