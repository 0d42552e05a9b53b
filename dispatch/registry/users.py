"""Regions, offices and users: what each change does to their rows, inside a transaction of somebody else's."""

import secrets
from collections.abc import Callable

import sqlalchemy as sa
from msgspec.structs import replace

from dispatch.core.trouble import SERVER
from dispatch.registry import kicks, schema
from dispatch.registry.port import AlreadyThere, NotThere, RegistryError
from dispatch.registry.rows import (
    channel_of,
    checked_id,
    checked_name,
    checked_replay,
    clean,
    read_office,
    read_region,
    read_user,
    secret_columns,
)
from dispatch.registry.words import Office, Region, User
from protocol.ids import OfficeId
from protocol.messages import VoicePath
from protocol.rest import Role

REGIONS_MAX, OFFICES_MAX, USERS_MAX = 100, 200, 1000
"""Regions and offices in all, users in one office: as many as the floor control server serves."""
UID_MAX = 2**32 - 1


def draw_uid() -> int:
    """Give a random Agora uid; 0 means none there."""
    return 1 + secrets.randbelow(UID_MAX)


# --- reading ---------------------------------------------------------------------------------------------------------


def regions(connection: sa.Connection) -> tuple[Region, ...]:
    """Give all, by id."""
    return tuple(map(read_region, connection.execute(sa.select(schema.region).order_by(schema.region.c.region))))


def offices(connection: sa.Connection) -> tuple[Office, ...]:
    """Give all, by id."""
    order = (schema.office.c.region, schema.office.c.office)
    return tuple(map(read_office, connection.execute(_offices().order_by(*order))))


def office(connection: sa.Connection, of: OfficeId) -> Office | None:
    """Give one, or None."""
    row = connection.execute(_offices().where(_in(schema.office, of))).first()
    return None if row is None else read_office(row)


def _offices() -> sa.Select[tuple[object, ...]]:
    own, rule = schema.office, schema.replay
    same = sa.and_(own.c.region == rule.c.region, own.c.office == rule.c.office)
    chosen: sa.Select[tuple[object, ...]] = sa.select(own, rule.c.keep_s, rule.c.keep_count)
    return chosen.select_from(own.outerjoin(rule, same))


def users(connection: sa.Connection, of: OfficeId | None) -> tuple[User, ...]:
    """Give those of one office or of all, by id."""
    table = schema.user
    chosen = sa.select(table).order_by(table.c.region, table.c.office, table.c.user)
    rows = connection.execute(chosen if of is None else chosen.where(_in(table, of)))
    return tuple(map(read_user, rows))


def user(connection: sa.Connection, of: OfficeId, name: str) -> User | None:
    """Give one, or None."""
    row = connection.execute(sa.select(schema.user).where(_in(schema.user, of), schema.user.c.user == name)).first()
    return None if row is None else read_user(row)


def there(connection: sa.Connection, of: OfficeId, name: str) -> User:
    """Give one; raises NotThere."""
    found = user(connection, of, name)
    if found is None:
        raise NotThere(f"there is no user {name} in {of} -> see: ptt-dispatch user list")
    return found


def office_there(connection: sa.Connection, of: OfficeId) -> Office:
    """Give one; raises NotThere."""
    found = office(connection, of)
    if found is None:
        raise NotThere(f"there is no office {of} -> see: ptt-dispatch office list")
    return found


# --- changing --------------------------------------------------------------------------------------------------------


def add_region(connection: sa.Connection, region: str, name: str) -> Region:
    """Add one; raises AlreadyThere, RegistryError."""
    made = Region(region=checked_id(region, "region"), name=checked_name(name))
    known = regions(connection)
    if region in (each.region for each in known):
        raise AlreadyThere(f"there is a region {region} already -> see: ptt-dispatch region list")
    if len(known) >= REGIONS_MAX:
        raise RegistryError(f"there are {REGIONS_MAX} regions, and no more are served")
    connection.execute(sa.insert(schema.region).values(region=made.region, name=made.name))
    return made


def add_office(connection: sa.Connection, of: OfficeId, name: str, voice: VoicePath, now_ms: int) -> Office:
    """Add one to a region that is there; raises AlreadyThere, NotThere, RegistryError."""
    checked_id(of.region, "region")
    checked_id(of.office, "office")
    made = Office(id=of, name=checked_name(name), channel=channel_of(of), voice=voice, created_at=now_ms)
    if of.region not in (each.region for each in regions(connection)):
        raise NotThere(
            f"there is no region {of.region} -> add it first: ptt-dispatch region add {of.region} --name ..."
        )
    known = offices(connection)
    if of in (each.id for each in known):
        raise AlreadyThere(f"there is an office {of} already -> see: ptt-dispatch office list")
    if len(known) >= OFFICES_MAX:
        raise RegistryError(f"there are {OFFICES_MAX} offices, and no more are served")
    row = {"name": made.name, "channel": made.channel, "voice": voice.value, "created_at": now_ms}
    connection.execute(sa.insert(schema.office).values(region=of.region, office=of.office, **row))
    return made


def change_office(connection: sa.Connection, of: OfficeId, name: str | None, voice: VoicePath | None) -> Office:
    """Change what is given; raises NotThere."""
    old = office_there(connection, of)
    new = replace(old, name=old.name if name is None else checked_name(name), voice=voice or old.voice)
    connection.execute(
        sa.update(schema.office).where(_in(schema.office, of)).values(name=new.name, voice=new.voice.value)
    )
    return new


def keep_bursts(connection: sa.Connection, of: OfficeId, keep_s: int, count: int) -> Office:
    """Say for how long, and how many, bursts of an office are kept; raises NotThere, RegistryError."""
    office_there(connection, of)
    keep_s, count = checked_replay(keep_s, count)
    connection.execute(sa.delete(schema.replay).where(_in(schema.replay, of)))
    if keep_s:
        row = {"region": of.region, "office": of.office, "keep_s": keep_s, "keep_count": count}
        connection.execute(sa.insert(schema.replay).values(**row))
    return office_there(connection, of)


def add_user(connection: sa.Connection, wanted: User, draw: Callable[[], int]) -> User:
    """Add one without a secret, with a uid nobody ever had; raises AlreadyThere, NotThere, RegistryError."""
    office_there(connection, wanted.office)
    if checked_id(wanted.user, "user") == SERVER:  # below its device topic the office's own alerts lie
        raise RegistryError(f"{SERVER} is what the office itself is called in alerts -> give another id")
    wanted = replace(wanted, name=checked_name(wanted.name))
    if user(connection, wanted.office, wanted.user) is not None:
        raise AlreadyThere(f"there is a user {wanted.user} in {wanted.office} already -> see: ptt-dispatch user list")
    count = sa.select(sa.func.count()).select_from(schema.user).where(_in(schema.user, wanted.office))
    if (connection.scalar(count) or 0) >= USERS_MAX:
        raise RegistryError(f"{wanted.office} has {USERS_MAX} users, and no more are served -> add an office")
    made = replace(wanted, uid=_new_uid(connection, draw))
    row = {"region": made.office.region, "office": made.office.office, "user": made.user, "uid": made.uid}
    connection.execute(
        sa.insert(schema.user).values(
            **row,
            role=made.role.value,
            name=made.name,
            priority=made.priority.value,
            listen_only=made.listen_only,
            revoked_why="",
            generation=0,
            created_at=made.created_at,
        )
    )
    return made


def _new_uid(connection: sa.Connection, draw: Callable[[], int]) -> int:
    for _ in range(100):  # with a million uids given, one draw in 4000 hits one of them
        uid = draw()
        if not 1 <= uid <= UID_MAX:
            raise ValueError(f"a drawn uid is {uid}")
        if connection.execute(sa.select(schema.uid).where(schema.uid.c.uid == uid)).first() is None:
            connection.execute(sa.insert(schema.uid).values(uid=uid))
            return uid
    raise RegistryError("no uid that nobody had was drawn in 100 tries -> is this machine's randomness broken?")


def put(connection: sa.Connection, changed: User) -> User:
    """Write what may change of a user."""
    connection.execute(
        sa.update(schema.user)
        .where(_in(schema.user, changed.office), schema.user.c.user == changed.user)
        .values(
            name=changed.name,
            priority=changed.priority.value,
            listen_only=changed.listen_only,
            revoked_at=changed.revoked_at,
            revoked_why=changed.revoked_why,
            generation=changed.generation,
            hardware=changed.hardware,
            clone=changed.clone,
            clone_at=changed.clone_at,
            **secret_columns(changed.secret),
        )
    )
    return changed


def revoke(connection: sa.Connection, old: User, why: str, now_ms: int) -> User:
    """Shut every door to a user who is not revoked yet."""
    codes = schema.code
    connection.execute(
        sa.update(codes)
        .where(_in(codes, old.office), codes.c.user == old.user, codes.c.used_at.is_(None))
        .where(codes.c.withdrawn_at.is_(None))
        .values(withdrawn_at=now_ms)
    )
    if has_tokens(old.role):
        kicks.want(connection, office_there(connection, old.office).channel, old.uid, lift=False, now_ms=now_ms)
    return put(connection, replace(old, revoked_at=now_ms, revoked_why=clean(why), secret=None))


def restore(connection: sa.Connection, old: User, now_ms: int) -> User:
    """Let a revoked user be admitted again, once it has a secret."""
    if has_tokens(old.role):
        kicks.want(connection, office_there(connection, old.office).channel, old.uid, lift=True, now_ms=now_ms)
    return put(connection, replace(old, revoked_at=None, revoked_why=""))


def has_tokens(role: Role) -> bool:
    """Whether this role can be in an Agora channel at all."""
    return role.member or role is Role.BRIDGE


def _in(table: sa.Table, of: OfficeId) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.region == of.region, table.c.office == of.office)
