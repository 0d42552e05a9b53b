"""Registries of every kind, a clock by hand, and what a registry's tests ask again and again."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from dispatch.registry.secrets import code_digest, hash_secret, new_secret
from dispatch.registry.sql import SqlRegistry
from dispatch.registry.words import Office, SecretHash, TokenIssue, User
from protocol.ids import OfficeId
from protocol.messages import VoicePath
from protocol.rest import Role

HQ, TEN = OfficeId("seoul", "1"), OfficeId("seoul", "10")
POSTGRESQL = os.environ.get("PTT_TEST_POSTGRESQL", "")
BACKENDS = ("file", "memory", *(["postgresql"] if POSTGRESQL else []))
UNIT, OTHER_UNIT = "a" * 16, "b" * 16


class Clock:
    """Wall time that stands until it is moved."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.ms


class Opener(Protocol):
    def __call__(self, draw_uid: Callable[[], int] | None = None) -> SqlRegistry: ...


def make_opener(backend: str, folder: Path, clock: Clock, stack: contextlib.ExitStack) -> Opener:
    """Opens the same registry again and again; memory can be opened only once and is shared."""
    if backend == "postgresql":
        wipe_postgresql()
    urls = {"memory": "sqlite://", "postgresql": POSTGRESQL, "file": f"sqlite:///{folder}/office.db"}
    opened: list[SqlRegistry] = []

    def open_again(draw_uid: Callable[[], int] | None = None) -> SqlRegistry:
        if backend == "memory" and opened:
            return opened[0]
        more = {} if draw_uid is None else {"draw_uid": draw_uid}
        opened.append(SqlRegistry(urls[backend], wall_ms=clock, **more))
        stack.callback(opened[-1].close)
        return opened[-1]

    return open_again


def two_offices(empty: SqlRegistry) -> SqlRegistry:
    """Two offices whose names begin alike, a car in each, a monitor."""
    empty.add_region("seoul", "서울")
    empty.add_office(HQ, "본사", VoicePath.AGORA)
    empty.add_office(TEN, "열째", VoicePath.MQTT)
    empty.add_user(HQ, "car-1", Role.VEHICLE_GATEWAY, "1호차")
    empty.add_user(TEN, "car-1", Role.VEHICLE_GATEWAY, "10-1호차")
    empty.add_user(HQ, "wall", Role.MONITOR, "상황판")
    return empty


def wipe_postgresql() -> None:
    import sqlalchemy as sa

    from dispatch.registry import schema as ours
    from dispatch.store import schema as store

    engine = sa.create_engine(POSTGRESQL)
    ours.metadata.drop_all(engine)
    store.metadata.drop_all(engine)
    engine.dispose()


def nothing(_user: User, _office: Office) -> None:
    """A broker that takes everything."""


def some_hash() -> SecretHash:
    return hash_secret(new_secret())


def code(
    registry: SqlRegistry, office: OfficeId = HQ, user: str = "car-1", secret: str = "S", valid_s: int = 3600
) -> str:
    return registry.add_code(office, user, code_digest(secret), valid_s).digest


def there(registry: SqlRegistry, office: OfficeId = HQ, user: str = "car-1") -> User:
    found = registry.user(office, user)
    assert found is not None
    return found


def issue(at: int, office: OfficeId = HQ) -> TokenIssue:
    return TokenIssue(at=at, office=office, user="car-1", publisher=True, took_us=at * 10)
