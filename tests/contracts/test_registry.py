"""What every registry must hold: bounds, uids nobody had, its rev, many at once, the store it stands on, secrets."""

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from dispatch.ports import StoreUnavailable
from dispatch.registry.port import AlreadyThere, NotThere, RegistryError
from dispatch.registry.secrets import hash_secret, new_secret, verify
from dispatch.registry.sql import SqlRegistry
from dispatch.registry.words import Office, SecretHash
from dispatch.store.errors import StoreError
from dispatch.store.sql import SqlStore
from protocol.ids import OfficeId
from protocol.messages import Priority, VoicePath
from protocol.rest import Role
from service.settings import Secret
from tests.contracts.registry_rig import (
    HQ,
    OTHER_UNIT,
    TEN,
    UNIT,
    Clock,
    Opener,
    code,
    issue,
    nothing,
    some_hash,
    there,
)

# --- regions, offices, users ------------------------------------------------------------------------------------------


def test_a_new_registry_is_empty(empty: SqlRegistry) -> None:
    assert (empty.regions(), empty.offices(), empty.users(), empty.codes(), empty.kicks()) == ((), (), (), (), ())
    assert empty.user(HQ, "car-1") is None
    assert empty.office(HQ) is None


def test_what_is_added_is_there_for_every_process(registry: SqlRegistry, opener: Opener, clock: Clock) -> None:
    made = registry.add_user(HQ, "boss", Role.CALL_MANAGER, " 김 과장 ", priority=Priority.EMERGENCY, listen_only=True)

    other = opener()
    assert other.user(HQ, "boss") == made
    assert (made.name, made.priority, made.listen_only, made.created_at) == (
        "김 과장",
        Priority.EMERGENCY,
        True,
        clock.ms,
    )
    assert not made.admitted
    assert [u.user for u in other.users(HQ)] == ["boss", "car-1", "wall"]
    assert [(str(u.office), u.user) for u in other.users()] == [
        *[("seoul/1", user) for user in ("boss", "car-1", "wall")],
        ("seoul/10", "car-1"),
    ]
    assert [o.id for o in other.offices()] == [HQ, TEN]
    assert other.office(HQ) == Office(
        id=HQ, name="본사", channel="seoul_1_ptt", voice=VoicePath.AGORA, created_at=clock.ms
    )
    assert [(r.region, r.name) for r in other.regions()] == [("seoul", "서울")]


def test_an_office_never_sees_the_users_of_one_whose_id_begins_alike(registry: SqlRegistry) -> None:
    registry.revoke(HQ, "car-1", "gone")

    assert there(registry, TEN).revoked_at is None
    assert [u.name for u in registry.users(TEN)] == ["10-1호차"]


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda r: r.add_region("seoul", "x"), AlreadyThere, "region seoul already"),
        (lambda r: r.add_region("Seoul", "x"), RegistryError, "use 1 to 32 of a-z"),
        (
            lambda r: r.add_office(OfficeId("busan", "1"), "x", VoicePath.MQTT),
            NotThere,
            "no region busan -> add it first",
        ),
        (lambda r: r.add_office(HQ, "x", VoicePath.MQTT), AlreadyThere, "office seoul/1 already"),
        (lambda r: r.add_office(OfficeId("seoul", "+"), "x", VoicePath.MQTT), RegistryError, "use 1 to 32 of a-z"),
        (lambda r: r.change_office(OfficeId("seoul", "2"), name="x"), NotThere, "no office seoul/2"),
        (lambda r: r.add_user(HQ, "car-1", Role.MONITOR, "x"), AlreadyThere, "user car-1 in seoul/1 already"),
        (lambda r: r.add_user(HQ, "car.2", Role.MONITOR, "x"), RegistryError, "use 1 to 32 of a-z"),
        (lambda r: r.add_user(HQ, "car/2", Role.MONITOR, "x"), RegistryError, "use 1 to 32 of a-z"),
        (lambda r: r.add_user(HQ, "#", Role.MONITOR, "x"), RegistryError, "use 1 to 32 of a-z"),
        (lambda r: r.add_user(HQ, "dispatch", Role.VEHICLE_GATEWAY, "x"), RegistryError, "the office itself"),
        (lambda r: r.add_user(OfficeId("seoul", "2"), "c", Role.MONITOR, "x"), NotThere, "no office seoul/2"),
        (lambda r: r.add_user(HQ, "car-2", Role.MONITOR, "\n"), RegistryError, "1 to 64 printable"),
        (lambda r: r.add_user(HQ, "car-2", Role.MONITOR, "a\0b"), RegistryError, "1 to 64 printable"),
        (lambda r: r.change_user(HQ, "car-2", name="x"), NotThere, "no user car-2 in seoul/1"),
        (lambda r: r.change_user(HQ, "car-1", name="x" * 65), RegistryError, "1 to 64 printable"),
        (lambda r: r.set_secret(HQ, "car-2", some_hash()), NotThere, "no user car-2"),
        (lambda r: r.revoke(HQ, "car-2", ""), NotThere, "no user car-2"),
        (lambda r: r.restore(HQ, "car-2"), NotThere, "no user car-2"),
        (lambda r: r.add_code(HQ, "wall", "0" * 64, 3600), RegistryError, r"wall \(monitor\) has a secret, not a unit"),
        (lambda r: r.add_code(HQ, "car-2", "0" * 64, 3600), NotThere, "no user car-2"),
        (lambda r: r.add_code(HQ, "car-1", "0" * 64, 59), RegistryError, "60 s to 30 days"),
        (lambda r: r.enrol(code(r), "short", some_hash(), nothing), RegistryError, "hardware id is none"),
        (lambda r: r.note_clone(HQ, "car-1", "UPPER-CASE"), RegistryError, "hardware id is none"),
        (lambda r: r.kick_done(99, None), NotThere, "no kick 99"),
    ],
)
def test_a_change_that_cannot_be_is_refused_in_words_and_leaves_nothing_behind(
    registry: SqlRegistry, change: Callable[[SqlRegistry], object], error: type[Exception], says: str
) -> None:
    before = (registry.regions(), registry.offices(), registry.users())

    with pytest.raises(error, match=says):
        change(registry)

    assert (registry.regions(), registry.offices(), registry.users()) == before


def test_ids_too_long_for_an_agora_channel_are_refused(registry: SqlRegistry) -> None:
    registry.add_region("r" * 32, "x")

    with pytest.raises(RegistryError, match="longer than 58 characters together"):
        registry.add_office(OfficeId("r" * 32, "o" * 27), "x", VoicePath.AGORA)

    made = registry.add_office(OfficeId("r" * 32, "o" * 26), "x", VoicePath.AGORA)
    assert len(made.channel) == 63


def test_what_is_changed_is_changed_and_the_rest_stays(registry: SqlRegistry) -> None:
    before = there(registry)

    named = registry.change_user(HQ, "car-1", name="새 이름")
    high = registry.change_user(HQ, "car-1", priority=Priority.HIGH)
    mute = registry.change_user(HQ, "car-1", listen_only=True)
    back = registry.change_user(HQ, "car-1", listen_only=False)

    assert named == replace(before, name="새 이름")
    assert high == replace(named, priority=Priority.HIGH)
    assert mute == replace(high, listen_only=True)
    assert back == there(registry) == high
    assert registry.change_office(HQ, voice=VoicePath.MQTT).name == "본사"
    assert registry.change_office(HQ, name="x").voice is VoicePath.MQTT


def test_an_office_takes_a_thousand_users_and_no_more(empty: SqlRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatch.registry.users.USERS_MAX", 3)
    empty.add_region("seoul", "x")
    for office in (HQ, TEN):
        empty.add_office(office, "x", VoicePath.MQTT)
        for number in range(3):
            empty.add_user(office, f"car-{number}", Role.VEHICLE_GATEWAY, "x")

    with pytest.raises(RegistryError, match="has 3 users, and no more"):
        empty.add_user(HQ, "car-3", Role.VEHICLE_GATEWAY, "x")


# --- rev --------------------------------------------------------------------------------------------------------------


def test_every_change_raises_rev_by_one_and_a_change_that_is_none_does_not(registry: SqlRegistry) -> None:
    digest = code(registry)
    steps: list[tuple[Callable[[], object], int]] = [
        (lambda: registry.change_user(HQ, "car-1", name="x"), 1),
        (lambda: registry.set_secret(HQ, "car-1", some_hash()), 1),
        (lambda: registry.enrol(digest, UNIT, some_hash(), nothing), 1),
        (lambda: registry.note_clone(HQ, "car-1", OTHER_UNIT), 1),
        (lambda: registry.note_clone(HQ, "car-1", OTHER_UNIT), 0),
        (lambda: registry.note_clone(HQ, "car-1", UNIT), 0),
        (lambda: registry.note_clone(HQ, "car-1", "c" * 16), 0),
        (lambda: registry.cure_clone(HQ, "car-1"), 1),
        (lambda: registry.cure_clone(HQ, "car-1"), 0),
        (lambda: registry.revoke(HQ, "car-1", "x"), 1),
        (lambda: registry.revoke(HQ, "car-1", "x"), 0),
        (lambda: registry.kick_failed(registry.kicks()[0].id, "x"), 0),
        (lambda: registry.restore(HQ, "car-1"), 1),
        (lambda: registry.restore(HQ, "car-1"), 0),
        (lambda: registry.note_token(issue(1)), 0),
        (lambda: registry.change_office(HQ, name="x"), 1),
    ]
    raised = []
    for step, _ in steps:
        before = registry.rev()
        step()
        raised.append(registry.rev() - before)

    assert raised == [wanted for _, wanted in steps]


def test_rev_and_everything_else_is_still_there_when_it_is_opened_again(registry: SqlRegistry, opener: Opener) -> None:
    code(registry)
    registry.revoke(HQ, "wall", "left the company")
    before = (registry.rev(), registry.users(), registry.offices(), registry.codes())

    again = opener()

    assert (again.rev(), again.users(), again.offices(), again.codes()) == before


# --- uids -------------------------------------------------------------------------------------------------------------


def test_a_uid_that_somebody_had_is_never_given_again(opener: Opener) -> None:
    drawn = iter([7, 7, 7, 9, 2**32 - 1])
    registry = opener(lambda: next(drawn))
    registry.add_region("seoul", "x")
    registry.add_office(HQ, "x", VoicePath.MQTT)

    given = [registry.add_user(HQ, f"car-{n}", Role.VEHICLE_GATEWAY, "x").uid for n in range(3)]

    assert given == [7, 9, 2**32 - 1]
    assert [u.uid for u in registry.users()] == given


def test_randomness_that_is_broken_is_told_and_adds_nobody(opener: Opener) -> None:
    registry = opener(lambda: 7)
    registry.add_region("seoul", "x")
    registry.add_office(HQ, "x", VoicePath.MQTT)
    registry.add_user(HQ, "car-1", Role.VEHICLE_GATEWAY, "x")

    with pytest.raises(RegistryError, match="randomness broken"):
        registry.add_user(HQ, "car-2", Role.VEHICLE_GATEWAY, "x")

    assert registry.user(HQ, "car-2") is None


# --- the store it stands on -------------------------------------------------------------------------------------------


def test_a_store_that_has_no_registry_yet_is_given_one_and_stays_the_same_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/office.db"
    store = SqlStore(url)

    registry = SqlRegistry(url)
    registry.add_region("seoul", "x")

    assert registry.rev() == 2
    assert SqlStore(url).store_id == store.store_id
    assert (tmp_path / "office.db").stat().st_mode & 0o777 == 0o600
    registry.close()
    store.close()


def test_a_registry_of_a_newer_version_is_refused_saying_how_to_mend_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/office.db"
    SqlRegistry(url).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "office.db")) as connection:
        connection.execute("UPDATE registry SET version = 9")
        connection.commit()

    with pytest.raises(StoreError, match=r"registry in .* has version 9, this program works with 1 -> install"):
        SqlRegistry(url)


def test_a_row_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    registry = SqlRegistry(f"sqlite:///{tmp_path}/office.db")
    registry.add_region("seoul", "x")
    registry.add_office(HQ, "x", VoicePath.MQTT)
    with contextlib.closing(sqlite3.connect(tmp_path / "office.db")) as connection:
        connection.execute("UPDATE registry_office SET voice = 'smoke'")
        connection.commit()

    with pytest.raises(StoreUnavailable, match="an office in the registry cannot be read"):
        registry.offices()
    registry.close()


def test_reading_goes_on_while_another_process_writes_and_a_change_waits_for_it(tmp_path: Path) -> None:
    registry = SqlRegistry(f"sqlite:///{tmp_path}/office.db")
    intruder = sqlite3.connect(tmp_path / "office.db", isolation_level=None, check_same_thread=False)
    intruder.execute("BEGIN IMMEDIATE")
    freed = threading.Timer(0.7, intruder.execute, ("ROLLBACK",))  # longer than a grant waits for the store

    assert registry.rev() == 1
    freed.start()
    registry.add_region("seoul", "x")

    freed.join()
    assert registry.rev() == 2
    intruder.close()
    registry.close()


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_a_secret_is_random_and_verified_only_by_itself() -> None:
    one, other = new_secret(), new_secret()

    kept = hash_secret(one)

    assert one != other
    assert len(one.reveal()) == 43
    assert verify(one, kept)
    assert not verify(other, kept)
    assert not verify(one, None)
    assert not verify(Secret("\0" * 43), None)
    assert hash_secret(one) != kept
    assert one.reveal() not in str(kept)


def test_a_hash_is_what_the_algorithm_says() -> None:
    import base64
    import hashlib

    kept = hash_secret(Secret("correct horse"), salt=b"123456789012")

    wanted = hashlib.pbkdf2_hmac("sha512", b"correct horse", b"123456789012", 101, 64)
    assert kept == SecretHash(salt="MTIzNDU2Nzg5MDEy", iterations=101, hash=base64.b64encode(wanted).decode())
