"""Broker logins of call managers' pages: one at a time for each, inside a transaction of somebody else's."""

import sqlalchemy as sa
from msgspec.structs import replace

from dispatch.registry import users
from dispatch.registry.port import RegistryError
from dispatch.registry.rows import read_console, secret_columns
from dispatch.registry.schema import console
from dispatch.registry.words import CONSOLE_ROLES, ConsoleLogin, SecretHash
from protocol.ids import OfficeId

VALID_S = 3600
"""How long one is good for."""


def newest(connection: sa.Connection) -> tuple[ConsoleLogin, ...]:
    """Give the newest of every user, ended and expired ones too."""
    order = (console.c.region, console.c.office, console.c.user)
    return tuple(map(read_console, connection.execute(sa.select(console).order_by(*order))))


def newest_of(connection: sa.Connection, of: OfficeId, user: str) -> ConsoleLogin | None:
    """Give the newest of one user, or None."""
    row = connection.execute(sa.select(console).where(_of(of, user))).first()
    return None if row is None else read_console(row)


def issue(connection: sa.Connection, of: OfficeId, user: str, secret: SecretHash, now_ms: int) -> ConsoleLogin:
    """Replace a user's login by a new one; raises NotThere, RegistryError.

    Its number is at least the time in seconds: a registry restored from a backup gives none that was given since.
    """
    holder = users.there(connection, of, user)
    if holder.role not in CONSOLE_ROLES:
        raise RegistryError(f"{user} ({holder.role}) has no console: a call manager has one")
    if not holder.admitted:
        raise RegistryError(f"{user} is not admitted -> see: ptt-dispatch user show {user}")
    former = newest_of(connection, of, user)
    number = max(0 if former is None else former.issue + 1, now_ms // 1000)
    expires_at = now_ms + VALID_S * 1000
    made = ConsoleLogin(office=of, user=user, issue=number, secret=secret, issued_at=now_ms, expires_at=expires_at)
    row = {"issue": number, "issued_at": now_ms, "expires_at": expires_at, "ended_at": None, **secret_columns(secret)}
    if former is None:
        connection.execute(sa.insert(console).values(region=of.region, office=of.office, user=user, **row))
    else:
        connection.execute(sa.update(console).where(_of(of, user)).values(**row))
    return made


def end(connection: sa.Connection, of: OfficeId, user: str, number: int | None, now_ms: int) -> bool:
    """End a user's login, the one of this number alone where it is given; gives whether there was one to be ended."""
    former = newest_of(connection, of, user)
    if former is None or former.ended_at is not None or number not in (None, former.issue):
        return False
    done = replace(former, ended_at=now_ms, secret=None)
    row = {"ended_at": done.ended_at, **secret_columns(done.secret)}
    connection.execute(sa.update(console).where(_of(of, user)).values(**row))
    return True


def _of(of: OfficeId, user: str) -> sa.ColumnElement[bool]:
    return sa.and_(console.c.region == of.region, console.c.office == of.office, console.c.user == user)
