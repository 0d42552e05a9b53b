"""Rows of the registry's tables to its words and back; what people type is checked here before it becomes a row."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from dispatch.registry.port import RegistryError
from dispatch.registry.words import Code, ConsoleLogin, Kick, Office, Region, SecretHash, TokenIssue, User
from dispatch.store.errors import StoreDamaged
from protocol.ids import OfficeId
from protocol.messages import Hardware, Priority, VoicePath
from protocol.rest import REPLAY_COUNT, REPLAY_COUNT_MAX, REPLAY_KEEP_S_MAX, Role
from protocol.topics import BadTopic, check_id

NAME_CHARS_MAX = 64
WHY_CHARS_MAX = 200
CHANNEL_BYTES_MAX = 63
"""Agora's bound of a channel name."""


# --- what is given ---------------------------------------------------------------------------------------------------


def checked_id(value: str, what: str) -> str:
    """Give an id back, or raise RegistryError."""
    try:
        return check_id(value, what)
    except BadTopic as error:
        raise RegistryError(str(error)) from None


def checked_name(name: str) -> str:
    """Give a name without blanks around it; raises RegistryError for one that cannot be shown or told."""
    name = name.strip()
    if not 1 <= len(name) <= NAME_CHARS_MAX or not name.isprintable():
        raise RegistryError(f"a name has 1 to {NAME_CHARS_MAX} printable characters -> give another name")
    return name


def checked_hardware(hardware: str) -> str:
    """Give a unit's hardware id back, or raise RegistryError."""
    try:
        return msgspec.convert(hardware, Hardware)
    except msgspec.ValidationError:
        raise RegistryError("the hardware id is none: 8 to 64 of a-z, 0-9 and '-' -> update the unit") from None


def clean(text: str, chars_max: int = WHY_CHARS_MAX) -> str:
    """Give free text on one line, bounded, without what moves a terminal's cursor or ends a C string."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:chars_max]


def checked_replay(keep_s: int, count: int) -> tuple[int, int]:
    """Give back for how long, and how many, bursts are to be kept; raises RegistryError."""
    if not 0 <= keep_s <= REPLAY_KEEP_S_MAX:
        raise RegistryError(f"bursts are kept for 1 to {REPLAY_KEEP_S_MAX} s, or not at all (off)")
    if not 1 <= count <= REPLAY_COUNT_MAX:
        raise RegistryError(f"1 to {REPLAY_COUNT_MAX} bursts are kept -> give another --count")
    return keep_s, count


def channel_of(office: OfficeId) -> str:
    """Give the name of an office's Agora channel; raises RegistryError where its ids are too long for one."""
    channel = f"{office.region}_{office.office}_ptt"
    if len(channel) > CHANNEL_BYTES_MAX:
        most = CHANNEL_BYTES_MAX - len("__ptt")
        raise RegistryError(f"region and office are longer than {most} characters together -> choose shorter ids")
    return channel


# --- what is kept ----------------------------------------------------------------------------------------------------


@contextmanager
def _reading(what: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:
        raise StoreDamaged(f"{what} in the registry cannot be read ({error}) -> restore a backup") from error


def read_region(row: Any) -> Region:
    """Make a region of its row."""
    return Region(region=row.region, name=row.name)


def read_office(row: Any) -> Office:
    """Make an office of its row; raises StoreDamaged."""
    with _reading("an office"):
        return Office(
            id=OfficeId(row.region, row.office),
            name=row.name,
            channel=row.channel,
            voice=VoicePath(row.voice),
            created_at=row.created_at,
            replay_keep_s=row.keep_s or 0,
            replay_keep_count=row.keep_count or REPLAY_COUNT,
        )


def read_user(row: Any) -> User:
    """Make a user of its row; raises StoreDamaged."""
    with _reading("a user"):
        return User(
            office=OfficeId(row.region, row.office),
            user=row.user,
            role=Role(row.role),
            name=row.name,
            uid=row.uid,
            priority=Priority(row.priority),
            listen_only=bool(row.listen_only),
            revoked_at=row.revoked_at,
            revoked_why=row.revoked_why,
            generation=row.generation,
            hardware=row.hardware,
            secret=_secret(row),
            clone=row.clone,
            clone_at=row.clone_at,
            created_at=row.created_at,
        )


def secret_columns(secret: SecretHash | None) -> dict[str, object]:
    """Give the columns that keep a secret."""
    if secret is None:
        return {"secret_salt": None, "secret_iterations": None, "secret_hash": None}
    return {"secret_salt": secret.salt, "secret_iterations": secret.iterations, "secret_hash": secret.hash}


def read_console(row: Any) -> ConsoleLogin:
    """Make a console's login of its row."""
    return ConsoleLogin(
        office=OfficeId(row.region, row.office),
        user=row.user,
        issue=row.issue,
        secret=_secret(row),
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
    )


def _secret(row: Any) -> SecretHash | None:
    if row.secret_hash is None:
        return None
    return SecretHash(salt=row.secret_salt, iterations=row.secret_iterations, hash=row.secret_hash)


def read_code(row: Any) -> Code:
    """Make a code of its row."""
    return Code(
        digest=row.digest,
        office=OfficeId(row.region, row.office),
        user=row.user,
        made_at=row.made_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
        used_by=row.used_by,
        withdrawn_at=row.withdrawn_at,
    )


def read_kick(row: Any) -> Kick:
    """Make a kick of its row."""
    return Kick(
        id=row.id,
        channel=row.channel,
        uid=row.uid,
        lift=bool(row.lift),
        rule_id=row.rule_id,
        done_at=row.done_at,
        tries=row.tries,
        error=row.error,
    )


def read_token(row: Any) -> TokenIssue:
    """Make a token issue of its row."""
    return TokenIssue(
        at=row.at,
        office=OfficeId(row.region, row.office),
        user=row.user,
        publisher=bool(row.publisher),
        took_us=row.took_us,
    )
