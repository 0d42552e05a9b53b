"""Reading a store beside the service that writes it: for `status` and `events`, never in anybody's way."""

import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from dispatch.core.state import Floor, Member
from dispatch.ports import StoreUnavailable
from dispatch.probing.place import real
from dispatch.store.database import check_version, parse_url
from dispatch.store.errors import StoreError, in_words
from dispatch.store.schema import EVENT_COLUMNS, event, member, meta, office
from dispatch.store.tx import read_event, read_floor, read_member
from protocol.ids import OfficeId
from protocol.messages import Event, EventType

BUSY_S = 2.0
PAGE = 5000
"""Events read at once."""


class Snapshot(NamedTuple):
    """One office as of one moment."""

    office: OfficeId
    floor: Floor
    members: tuple[Member, ...]
    unpublished: int
    """Events that no broker has acknowledged yet."""


class StoreReader:
    """Reads the store on `url`, changes nothing in it and creates nothing.

    Raises StoreError where there is no store, or one of another version. Every call raises StoreUnavailable.
    """

    def __init__(self, url: str) -> None:
        parsed = parse_url(url)
        self.where = parsed.database or parsed.render_as_string(hide_password=True)
        if parsed.get_backend_name() == "sqlite":
            self._engine = sa.create_engine(
                "sqlite://", creator=_opener(parsed.database), poolclass=StaticPool, isolation_level="AUTOCOMMIT"
            )
        else:
            self._engine = sa.create_engine(parsed, pool_size=1, max_overflow=0, isolation_level="AUTOCOMMIT")
        try:
            with self._reading() as connection:
                found = {row.key: row.value for row in connection.execute(sa.select(meta.c.key, meta.c.value))}
            check_version(self.where, found)
        except StoreError:
            self.close()
            raise
        except StoreUnavailable as error:
            self.close()
            raise StoreError(str(error)) from error
        self.store_id: str = found["store_id"]
        """Identity of the store, made when it was created."""

    def close(self) -> None:
        """Give the connection back."""
        self._engine.dispose()

    def offices(self, *, probe: bool = False) -> tuple[OfficeId, ...]:
        """Give every office that was ever served or has events, in order: whoever logs one makes the office's row.

        The availability probe's own is there only with `probe`: it is no office of anybody's.
        """
        chosen = sa.select(office.c.region, office.c.office).order_by(office.c.region, office.c.office)
        with self._reading() as connection:
            found = tuple(OfficeId(row.region, row.office) for row in connection.execute(chosen))
        return found if probe else real(found)

    def snapshot(self, of: OfficeId) -> Snapshot | None:
        """Give the office's floor and members as of one moment, or None where it was never served."""
        floors = sa.select(office.c.floor).where(office.c.region == of.region, office.c.office == of.office)
        mine = sa.and_(member.c.region == of.region, member.c.office == of.office)
        members = sa.select(member.c.member).where(mine).order_by(member.c.user)
        waiting = sa.and_(event.c.region == of.region, event.c.office == of.office, event.c.published == sa.false())
        count = sa.select(sa.func.count()).select_from(event).where(waiting)
        with self._reading() as connection:
            floor = connection.scalar(floors)
            if floor is None:
                return None
            return Snapshot(
                office=of,
                floor=read_floor(floor),
                members=tuple(map(read_member, connection.scalars(members))),
                unpublished=connection.scalar(count) or 0,
            )

    def events(
        self,
        of: OfficeId,
        *,
        first_no: int = 1,
        limit: int | None = None,
        types: Collection[EventType] = (),
        newest: bool = False,
        since_ms: int = 0,
        until_ms: int | None = None,
        last_no: int | None = None,
        user: str | None = None,
        session: str | None = None,
    ) -> tuple[Event, ...]:
        """Give events numbered `first_no` to `last_no` in order; with `newest` the last `limit`, else the first.

        `since_ms`, `until_ms`: those logged at that time (Unix ms) or later, and before that time. `user`, `session`:
        those of one user, of one session (its `event_id`).
        """
        chosen = sa.select(*(event.c[c] for c in EVENT_COLUMNS)).where(
            event.c.region == of.region, event.c.office == of.office, event.c.no >= first_no
        )
        if last_no is not None:
            chosen = chosen.where(event.c.no <= last_no)
        if since_ms:
            chosen = chosen.where(event.c.at >= since_ms)
        if until_ms is not None:
            chosen = chosen.where(event.c.at < until_ms)
        if types:
            chosen = chosen.where(event.c.type.in_(sorted(t.value for t in types)))
        if user is not None:
            chosen = chosen.where(event.c.user == user)
        if session is not None:
            chosen = chosen.where(event.c.event_id == session)
        chosen = chosen.order_by(event.c.no.desc() if newest else event.c.no).limit(limit)
        with self._reading() as connection:
            found = [read_event(row) for row in connection.execute(chosen).fetchall()]
        return tuple(reversed(found)) if newest else tuple(found)

    def last_no(self, of: OfficeId) -> int:
        """Give the number of the newest event, 0 where there is none."""
        chosen = sa.select(sa.func.max(event.c.no)).where(event.c.region == of.region, event.c.office == of.office)
        with self._reading() as connection:
            return connection.scalar(chosen) or 0

    def span(self, of: OfficeId, since_ms: int, until_ms: int) -> tuple[int, int] | None:
        """Give the lowest and the highest number of what was logged in [since_ms, until_ms); None: nothing was."""
        mine = sa.and_(event.c.region == of.region, event.c.office == of.office)
        chosen = sa.select(sa.func.min(event.c.no), sa.func.max(event.c.no)).where(
            mine, event.c.at >= since_ms, event.c.at < until_ms
        )
        with self._reading() as connection:
            first, last = connection.execute(chosen).one()
        return None if first is None else (first, last)

    def scan(self, of: OfficeId, since_ms: int, until_ms: int, types: Collection[EventType] = ()) -> Iterator[Event]:
        """Give what was logged in [since_ms, until_ms) in the log's order, a page at a time.

        No page is held in anybody's way, and a log of any length takes the memory of one.
        """
        found = self.span(of, since_ms, until_ms)
        first_no, last_no = found or (1, 0)
        while first_no <= last_no:
            page = self.events(
                of, first_no=first_no, last_no=last_no, limit=PAGE, types=types, since_ms=since_ms, until_ms=until_ms
            )
            yield from page
            if len(page) < PAGE:
                return
            first_no = page[-1].no + 1

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Read other tables of the same database, as of one moment. Raises StoreUnavailable."""
        with self._reading() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("BEGIN")
                try:
                    yield connection
                finally:
                    connection.exec_driver_sql("ROLLBACK")
        except sa.exc.SQLAlchemyError as error:
            raise StoreUnavailable(in_words(self.where, error)) from error


def _opener(database: str | None) -> Callable[[], sqlite3.Connection]:
    if not database:
        raise StoreError("a store in memory can be read by nobody else -> give [store] a file")
    path = Path(database)
    if not path.exists():
        raise StoreError(f"there is no store at {path} -> has ptt-dispatch serve run with this configuration?")

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY_S, check_same_thread=False, isolation_level=None
        )

    return connect
