"""Agora's kicking rules that are still to be made or lifted, inside a transaction of somebody else's.

Oldest first, and of one user in turn: made, lifted, made. A rule lasts at most a day, as a token does, so what could
not be done in two days is pointless and forgotten.
"""

import sqlalchemy as sa
from msgspec.structs import replace

from dispatch.registry.port import NotThere
from dispatch.registry.rows import clean, read_kick
from dispatch.registry.schema import kick
from dispatch.registry.words import Kick

KEPT_MS = 2 * 86_400_000
WAITING_MAX = 5_000
"""Most that wait; the oldest are forgotten beyond."""


def want(connection: sa.Connection, channel: str, uid: int, *, lift: bool, now_ms: int) -> None:
    """Note that a rule must stand, or fall, unless that is the newest thing noted of this user and not yet done."""
    mine = sa.and_(kick.c.channel == channel, kick.c.uid == uid)
    newest = connection.execute(sa.select(kick).where(mine).order_by(kick.c.id.desc()).limit(1)).first()
    if newest is not None and newest.done_at is None and bool(newest.lift) == lift:
        return
    connection.execute(sa.delete(kick).where(kick.c.made_at < now_ms - KEPT_MS))
    oldest_kept = sa.select(kick.c.id).order_by(kick.c.id.desc()).offset(WAITING_MAX).limit(1).scalar_subquery()
    connection.execute(sa.delete(kick).where(kick.c.id <= oldest_kept))
    row = {"channel": channel, "uid": uid, "lift": lift, "made_at": now_ms, "tries": 0, "error": ""}
    connection.execute(sa.insert(kick).values(**row))


def waiting(connection: sa.Connection) -> tuple[Kick, ...]:
    """Give those that are not done, oldest first; one to lift has the id of the newest rule made before it."""
    made = kick.alias()
    rule = (
        sa.select(made.c.rule_id)
        .where(made.c.channel == kick.c.channel, made.c.uid == kick.c.uid, made.c.id < kick.c.id)
        .where(made.c.lift == sa.false(), made.c.rule_id.is_not(None))
        .order_by(made.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    chosen = sa.select(kick, rule.label("made_rule")).where(kick.c.done_at.is_(None)).order_by(kick.c.id)
    return tuple(
        replace(read_kick(row), rule_id=row.made_rule) if row.lift else read_kick(row)
        for row in connection.execute(chosen)
    )


def done(connection: sa.Connection, kick_id: int, rule_id: int | None, now_ms: int) -> None:
    """Note that it is done; raises NotThere."""
    _change(connection, kick_id, {"done_at": now_ms, "rule_id": rule_id, "error": ""})


def failed(connection: sa.Connection, kick_id: int, error: str) -> None:
    """Count a try; raises NotThere."""
    _change(connection, kick_id, {"tries": kick.c.tries + 1, "error": clean(error)})


def _change(connection: sa.Connection, kick_id: int, values: dict[str, object]) -> None:
    if connection.execute(sa.update(kick).where(kick.c.id == kick_id).values(**values)).rowcount == 0:
        raise NotThere(f"there is no kick {kick_id} any more")
