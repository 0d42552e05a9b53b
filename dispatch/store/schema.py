"""Tables of the store, and its statements: built once from SQLAlchemy Core, then used as ready-made text.

Compiling a statement anew costs more than SQLite needs to run it, and a grant waits for it. What differs between
databases is here and in `SqlStore`'s way to begin a transaction, nowhere else.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

SCHEMA_VERSION = 1
"""Version this program reads and writes; a newer store is refused."""

metadata = sa.MetaData()

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""`store_id` (made at creation) and `schema_version`."""

office = sa.Table(
    "office",
    metadata,
    sa.Column("region", sa.Text, primary_key=True),
    sa.Column("office", sa.Text, primary_key=True),
    sa.Column("rev", sa.BigInteger, nullable=False),
    sa.Column("burst", sa.BigInteger, nullable=False),
    sa.Column("floor", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
"""One floor an office as JSON; `rev` and `burst` stand beside it for people."""

member = sa.Table(
    "member",
    metadata,
    sa.Column("region", sa.Text, primary_key=True),
    sa.Column("office", sa.Text, primary_key=True),
    sa.Column("user", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("member", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
"""One member of an office as JSON; `state` stands beside it for people."""

event = sa.Table(
    "event",
    metadata,
    sa.Column("region", sa.Text, primary_key=True),
    sa.Column("office", sa.Text, primary_key=True),
    sa.Column("no", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text),
    sa.Column("user", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("metadata", sa.Text, nullable=False),
    sa.Column("published", sa.Boolean, nullable=False),
    sqlite_with_rowid=False,
)
"""The log: numbered from 1 in each office. `published`: the broker acknowledged it."""

_waiting = event.c.published == sa.false()
sa.Index(
    "event_unpublished",
    event.c.region,
    event.c.office,
    event.c.no,
    sqlite_where=_waiting,
    postgresql_where=_waiting,
)
sa.Index("event_at", event.c.region, event.c.office, event.c.at)
"""For whoever asks what was on a day: the log may be years long."""

EVENT_COLUMNS = ("no", "at", "type", "event_id", "user", "name", "metadata")
"""What is read of an event, in this order."""


class Statement:
    """SQL text of one dialect; `pack` brings values, given in the order of `names`, into the driver's form."""

    __slots__ = ("_constants", "_names", "_order", "text")

    def __init__(self, clause: sa.ClauseElement, names: Sequence[str], dialect: sa.Dialect) -> None:
        columns: Any = {"column_keys": list(names)} if isinstance(clause, sa.Insert) else {}
        compiled: Any = clause.compile(dialect=dialect, **columns)
        self.text = str(compiled)
        self._constants = tuple(value for name, value in compiled.params.items() if name not in names)
        self._names = (*names, *(name for name in compiled.params if name not in names))
        self._order = tuple(self._names.index(name) for name in compiled.positiontup) if compiled.positional else None

    def pack(self, values: tuple[object, ...]) -> Any:
        """Give `values` as the driver takes them: a tuple or a dictionary."""
        values += self._constants
        if self._order is None:
            return dict(zip(self._names, values, strict=True))
        return tuple(values[place] for place in self._order)


class Statements(NamedTuple):
    """Every statement of a transaction. The order of each one's values stands beside it in `statements`."""

    read_floor: Statement
    write_floor: Statement
    read_member: Statement
    read_members: Statement
    write_member: Statement
    add_event: Statement
    unpublished: Statement
    mark_published: Statement
    oldest_events: Statement
    delete_event: Statement


def statements(dialect: sa.Dialect) -> Statements:
    """Compile everything for one dialect."""
    region, name = sa.bindparam("in_region", type_=sa.Text), sa.bindparam("in_office", type_=sa.Text)
    user, number = sa.bindparam("in_user", type_=sa.Text), sa.bindparam("in_no", type_=sa.BigInteger)
    limit = sa.bindparam("in_limit", type_=sa.Integer)

    def of(table: sa.Table) -> sa.ColumnElement[bool]:
        return sa.and_(table.c.region == region, table.c.office == name)

    def ready(clause: sa.ClauseElement, *names: str) -> Statement:
        return Statement(clause, names, dialect)

    where = ("in_region", "in_office")
    oldest = sa.select(*(event.c[c] for c in EVENT_COLUMNS)).where(of(event), _waiting).order_by(event.c.no)
    return Statements(
        read_floor=ready(sa.select(office.c.floor).where(of(office)), *where),
        write_floor=ready(
            _upsert(dialect, office, ("rev", "burst", "floor")), "region", "office", "rev", "burst", "floor"
        ),
        read_member=ready(sa.select(member.c.member).where(of(member), member.c.user == user), *where, "in_user"),
        read_members=ready(sa.select(member.c.member).where(of(member)).order_by(member.c.user), *where),
        write_member=ready(
            _upsert(dialect, member, ("state", "member")), "region", "office", "user", "state", "member"
        ),
        add_event=ready(sa.insert(event), "region", "office", *EVENT_COLUMNS, "published"),
        unpublished=ready(oldest.limit(limit), *where, "in_limit"),
        mark_published=ready(
            sa.update(event).where(of(event), event.c.no == number).values(published=sa.true()), *where, "in_no"
        ),
        oldest_events=ready(
            sa.select(event.c.no, event.c.at, event.c.published)
            .where(of(event), event.c.no >= number)
            .order_by(event.c.no)
            .limit(limit),
            *where,
            "in_no",
            "in_limit",
        ),
        delete_event=ready(sa.delete(event).where(of(event), event.c.no == number), *where, "in_no"),
    )


def _upsert(dialect: sa.Dialect, table: sa.Table, changed: Sequence[str]) -> sa.ClauseElement:
    """Insert a row, or change these columns of the one that has its key."""
    key = list(table.primary_key.columns)
    if dialect.name == "postgresql":
        theirs = postgresql.insert(table)
        return theirs.on_conflict_do_update(index_elements=key, set_={c: theirs.excluded[c] for c in changed})
    ours = sqlite.insert(table)
    return ours.on_conflict_do_update(index_elements=key, set_={c: ours.excluded[c] for c in changed})
