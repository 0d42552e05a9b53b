"""The registry for people and, as JSON, for programs. No secret is in either."""

import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from dispatch.registry.codes import ENROLLED_ROLES
from dispatch.registry.texts import role_name, tell
from dispatch.registry.words import Code, Office, User
from dispatch.show import ZoneOf, moment
from protocol.ids import OfficeId


def user_dict(user: User) -> dict[str, object]:
    """Give a user for JSON; times are Unix ms."""
    return {
        "region": user.office.region,
        "office": user.office.office,
        "user": user.user,
        "login": user.login,
        "role": user.role.value,
        "name": user.name,
        "uid": user.uid,
        "priority": user.priority.value,
        "listen_only": user.listen_only,
        "admitted": user.admitted,
        "revoked_at": user.revoked_at,
        "revoked_why": user.revoked_why,
        "generation": user.generation,
        "hardware": user.hardware,
        "clone": user.clone,
        "clone_at": user.clone_at,
        "created_at": user.created_at,
    }


def office_lines(offices: Iterable[Office]) -> Iterator[str]:
    """Give a line an office."""
    return table([(str(each.id), each.voice.value, each.channel, each.name) for each in offices])


def user_table(users: Sequence[User], lang: str, zone_of: ZoneOf) -> Iterator[str]:
    """Give a line a user."""
    if not users:
        yield tell("no_users", lang)
        return
    yield from table(
        [
            (
                f"{each.office}/{each.user}",
                role_name(each.role, lang),
                each.priority.value,
                state(each, lang, zone_of),
                each.name,
            )
            for each in users
        ]
    )


def user_lines(user: User, lang: str, zone_of: ZoneOf) -> Iterator[str]:
    """Give all that is known of a user."""
    listens = tell("listens", lang) if user.listen_only else ""
    yield f"{user.office}/{user.user}  {user.name}"
    yield f"  {tell('login', lang, login=user.login)}"
    yield f"  {tell('role', lang, role=role_name(user.role, lang))}, {user.priority.value}{listens}"
    yield f"  Agora uid: {user.uid}"
    yield f"  {state(user, lang, zone_of)}"
    if user.hardware is not None:
        yield f"  hardware: {user.hardware}"
    if user.clone is not None:
        yield f"  {tell('state_clone', lang, at=moment(user.clone_at, zone_of(user.office)))}: {user.clone}"


def device_table(
    units: Sequence[User], codes: dict[tuple[OfficeId, str], Code], lang: str, zone_of: ZoneOf
) -> Iterator[str]:
    """Give a line a unit."""
    if not units:
        yield tell("no_users", lang)
        return
    rows = []
    for unit in units:
        notes = [state(unit, lang, zone_of)]
        if unit.clone is not None:
            notes.append(tell("state_clone", lang, at=moment(unit.clone_at, zone_of(unit.office))))
        waiting = codes.get((unit.office, unit.user))
        if waiting is not None:
            notes.append(tell("state_code", lang, at=moment(waiting.expires_at, zone_of(unit.office))))
        rows.append((f"{unit.office}/{unit.user}", ", ".join(notes), unit.hardware or "-", unit.name))
    yield from table(rows)


def open_codes(codes: Iterable[Code], now_ms: int | None = None) -> dict[tuple[OfficeId, str], Code]:
    """Give the codes that would be taken now, by whose they are."""
    now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    return {
        (code.office, code.user): code
        for code in codes
        if code.used_at is None and code.withdrawn_at is None and now < code.expires_at
    }


def state(user: User, lang: str, zone_of: ZoneOf) -> str:
    """Say whether a user is admitted."""
    if user.revoked_at is not None:
        why = f" ({user.revoked_why})" if user.revoked_why else ""
        return tell("state_revoked", lang, at=moment(user.revoked_at, zone_of(user.office)), why=why)
    if user.role in ENROLLED_ROLES and (user.generation or user.secret is None):
        key = "state_unit" if user.secret is not None else "state_unit_none"
        return tell(key, lang, generation=user.generation)
    return tell("state_admitted" if user.secret is not None else "state_none", lang)


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Give lines whose columns stand below each other, wide letters counted as two."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(cells).rstrip()


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
