"""One office's rows inside one transaction: read when asked, kept, and written together at its end."""

from typing import Any

import msgspec
import sqlalchemy as sa

from dispatch.core.state import Floor, Member
from dispatch.store.errors import StoreDamaged
from dispatch.store.schema import Statements
from protocol.ids import OfficeId
from protocol.messages import Event, EventType

_encode = msgspec.json.Encoder().encode
_floor = msgspec.json.Decoder(Floor)
_member = msgspec.json.Decoder(Member)
_metadata = msgspec.json.Decoder(dict[str, Any])
_KINDS = {kind.value: kind for kind in EventType}


class SqlTx:
    """The OfficeTx of a SQL store. Lives as long as its transaction."""

    def __init__(self, connection: sa.Connection, sql: Statements, office: OfficeId, store_id: str) -> None:
        self._connection = connection
        self._sql = sql
        self._key = (office.region, office.office)
        self._store_id = store_id
        self._floor: Floor | None = None
        self._floor_read = False
        self._floor_put = False
        self._members: dict[str, Member | None] = {}
        self._all_read = False
        self._members_put: set[str] = set()
        self._events: list[Event] = []

    @property
    def store_id(self) -> str:
        """Identity of the store, made when it was created."""
        return self._store_id

    def floor(self) -> Floor | None:
        """Give the floor, or None where this store never served the office. Raises StoreDamaged."""
        if not self._floor_read:
            statement = self._sql.read_floor
            row = self._connection.exec_driver_sql(statement.text, statement.pack(self._key)).fetchone()
            self._floor = None if row is None else read_floor(row[0])
            self._floor_read = True
        return self._floor

    def put_floor(self, floor: Floor) -> None:
        """Write the floor."""
        self._floor, self._floor_read, self._floor_put = floor, True, True

    def member(self, user: str) -> Member | None:
        """Give one member, or None. Raises StoreDamaged."""
        if user not in self._members and not self._all_read:
            statement = self._sql.read_member
            row = self._connection.exec_driver_sql(statement.text, statement.pack((*self._key, user))).fetchone()
            self._members[user] = None if row is None else read_member(row[0])
        return self._members.get(user)

    def members(self) -> tuple[Member, ...]:
        """Give all members, by user. Raises StoreDamaged."""
        if not self._all_read:
            statement = self._sql.read_members
            rows = self._connection.exec_driver_sql(statement.text, statement.pack(self._key)).fetchall()
            for each in map(read_member, (row[0] for row in rows)):
                self._members.setdefault(each.user, each)
            self._all_read = True
        return tuple(m for _, m in sorted(self._members.items()) if m is not None)

    def put_member(self, member: Member) -> None:
        """Write one member."""
        self._members[member.user] = member
        self._members_put.add(member.user)

    def append_event(self, event: Event) -> None:
        """Add one event to the office's log; its `no` must be new."""
        self._events.append(event)

    def flush(self) -> None:
        """Hand all that was put to the database."""
        if self._floor_put and self._floor is not None:
            floor = self._floor
            self._write(self._sql.write_floor, [(*self._key, floor.rev, floor.burst, _encode(floor).decode())])
        put = [m for m in map(self._members.get, sorted(self._members_put)) if m is not None]
        self._write(self._sql.write_member, [(*self._key, m.user, m.state.value, _encode(m).decode()) for m in put])
        self._write(self._sql.add_event, [(*self._key, *_event_row(e), False) for e in self._events])

    def _write(self, statement: Any, rows: list[tuple[object, ...]]) -> None:
        if len(rows) == 1:
            self._connection.exec_driver_sql(statement.text, statement.pack(rows[0]))
        elif rows:
            self._connection.exec_driver_sql(statement.text, [statement.pack(row) for row in rows])


def read_floor(text: str) -> Floor:
    """Read a floor as stored; raises StoreDamaged."""
    try:
        return _floor.decode(text)
    except msgspec.MsgspecError as error:
        raise StoreDamaged(f"a floor in the store cannot be read ({error}) -> restore a backup") from error


def read_member(text: str) -> Member:
    """Read a member as stored; raises StoreDamaged."""
    try:
        return _member.decode(text)
    except msgspec.MsgspecError as error:
        raise StoreDamaged(f"a member in the store cannot be read ({error}) -> restore a backup") from error


def read_event(row: Any) -> Event:
    """Make an event of a row of EVENT_COLUMNS; raises StoreDamaged."""
    no, at, kind, event_id, user, name, metadata = row
    try:
        return Event(
            no=no,
            at=at,
            event=_KINDS[kind],
            event_id=event_id,
            user=user,
            name=name,
            metadata=_metadata.decode(metadata),
        )
    except (msgspec.MsgspecError, KeyError) as error:
        raise StoreDamaged(f"event {no} in the store cannot be read ({error}) -> restore a backup") from error


def _event_row(event: Event) -> tuple[object, ...]:
    """Give the values of EVENT_COLUMNS."""
    metadata = _encode(event.metadata).decode()
    return (event.no, event.at, event.event.value, _plain(event.event_id), event.user, _plain(event.name), metadata)


def _plain(text: str | None) -> str | None:
    """PostgreSQL takes no NUL in a text: what a member calls itself must not stop a whole batch."""
    return None if text is None else text.replace("\0", "\N{REPLACEMENT CHARACTER}")
