"""One-time codes and what becomes of one that is used, inside a transaction of somebody else's.

An enrolment is two transactions: the first claims the code for one unit alone, the second uses it up. Between them the
broker is given the new secret while nothing is locked, so that a slow broker never makes a grant wait. A claim whose
process died is void after CLAIM_MS.
"""

import sqlalchemy as sa
from msgspec.structs import replace

from dispatch.registry import users
from dispatch.registry.port import CodeRefused, RegistryError
from dispatch.registry.rows import read_code
from dispatch.registry.schema import code
from dispatch.registry.words import Code, CodeFault, Office, User
from protocol.ids import OfficeId
from protocol.rest import Role

ENROLLED_ROLES = (Role.VEHICLE_GATEWAY, Role.PICKUP_DRIVER)
"""Roles of units; everybody else is given a secret."""
KEPT_MS = 90 * 86_400_000
CODES_MAX = 20_000
VALID_S_MIN, VALID_S_MAX = 60, 30 * 86_400
CLAIM_MS = 60_000


def add(connection: sa.Connection, made: Code) -> Code:
    """Note a code, withdrawing an older unused one of the same user. Raises NotThere, RegistryError."""
    user = users.there(connection, made.office, made.user)
    if user.role not in ENROLLED_ROLES:
        raise RegistryError(
            f"{user.user} ({user.role}) has a secret, not a unit -> ptt-dispatch user rotate {user.user}"
        )
    if user.revoked_at is not None:
        raise RegistryError(f"{user.user} is revoked -> first: ptt-dispatch user restore")
    valid_ms = made.expires_at - made.made_at
    if not VALID_S_MIN * 1000 <= valid_ms <= VALID_S_MAX * 1000:
        raise RegistryError(f"a code is valid for {VALID_S_MIN} s to {VALID_S_MAX // 86_400} days")
    if len(made.digest) != 64 or set(made.digest) - set("0123456789abcdef"):
        raise ValueError("a code is kept as its SHA-256 in hex")
    mine = sa.and_(code.c.region == made.office.region, code.c.office == made.office.office, code.c.user == made.user)
    unused = sa.and_(code.c.used_at.is_(None), code.c.withdrawn_at.is_(None))
    connection.execute(sa.update(code).where(mine, unused).values(withdrawn_at=made.made_at))
    connection.execute(sa.delete(code).where(code.c.made_at < made.made_at - KEPT_MS))
    if (connection.scalar(sa.select(sa.func.count()).select_from(code)) or 0) >= CODES_MAX:
        raise RegistryError(f"{CODES_MAX} codes were made in {KEPT_MS // 86_400_000} days -> wait until some are gone")
    row = {"region": made.office.region, "office": made.office.office, "user": made.user, "digest": made.digest}
    connection.execute(sa.insert(code).values(**row, made_at=made.made_at, expires_at=made.expires_at))
    return made


def kept(connection: sa.Connection, of: OfficeId | None, now_ms: int) -> tuple[Code, ...]:
    """Give those of the last 90 days, newest first."""
    chosen = sa.select(code).where(code.c.made_at >= now_ms - KEPT_MS)
    if of is not None:
        chosen = chosen.where(code.c.region == of.region, code.c.office == of.office)
    return tuple(map(read_code, connection.execute(chosen.order_by(code.c.made_at.desc(), code.c.digest))))


def claim(connection: sa.Connection, digest: str, claim_id: str, now_ms: int) -> tuple[User, Office]:
    """Hold a code for one unit; gives whose it is. Raises CodeRefused."""
    row = connection.execute(sa.select(code).where(code.c.digest == digest)).first()
    if row is None:
        raise CodeRefused(CodeFault.UNKNOWN, None)
    found = read_code(row)
    user = users.there(connection, found.office, found.user)
    held = row.claim is not None and now_ms - CLAIM_MS < row.claimed_at <= now_ms
    faults = {
        CodeFault.USED: found.used_at is not None or held,
        CodeFault.REVOKED: user.revoked_at is not None,
        CodeFault.WITHDRAWN: found.withdrawn_at is not None,
        CodeFault.EXPIRED: now_ms >= found.expires_at,
    }
    for fault, so in faults.items():
        if so:
            raise CodeRefused(fault, found)
    connection.execute(sa.update(code).where(code.c.digest == digest).values(claim=claim_id, claimed_at=now_ms))
    return user, users.office_there(connection, found.office)


def release(connection: sa.Connection, digest: str, claim_id: str) -> None:
    """Let a claimed code be good again."""
    mine = sa.and_(code.c.digest == digest, code.c.claim == claim_id, code.c.used_at.is_(None))
    connection.execute(sa.update(code).where(mine).values(claim=None, claimed_at=None))


def use(connection: sa.Connection, digest: str, claim_id: str, will_be: User, now_ms: int) -> User:
    """Use a claimed code up and enrol its unit. Raises CodeRefused where user or code is good no more."""
    found = read_code(connection.execute(sa.select(code).where(code.c.digest == digest)).one())
    user = users.there(connection, found.office, found.user)
    if user.revoked_at is not None:
        raise CodeRefused(CodeFault.REVOKED, found)
    if found.withdrawn_at is not None:  # by a newer code, or by a revocation that was taken back already
        raise CodeRefused(CodeFault.WITHDRAWN, found)
    mine = sa.and_(code.c.digest == digest, code.c.claim == claim_id, code.c.used_at.is_(None))
    values = {"used_at": now_ms, "used_by": will_be.hardware, "claim": None, "claimed_at": None}
    if connection.execute(sa.update(code).where(mine).values(**values)).rowcount != 1:
        raise CodeRefused(CodeFault.USED, found)
    if user.generation + 1 != will_be.generation:  # another code of this user was used meanwhile
        raise CodeRefused(CodeFault.WITHDRAWN, found)
    enrolled = {"generation": will_be.generation, "hardware": will_be.hardware, "secret": will_be.secret}
    return users.put(connection, replace(user, **enrolled, clone=None, clone_at=None))
