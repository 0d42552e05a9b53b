"""What every registry must hold: bounds, uids nobody had, atomic enrolments, revocations with their kicks."""

import contextlib
import multiprocessing
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from msgspec.structs import replace

from dispatch.ports import StoreUnavailable
from dispatch.registry.port import AlreadyThere, CodeRefused, NotThere, RegistryError
from dispatch.registry.secrets import code_digest, hash_secret, new_secret, verify
from dispatch.registry.sql import SqlRegistry
from dispatch.registry.words import CodeFault, Office, SecretHash, TokenIssue, User
from dispatch.store.errors import StoreError
from dispatch.store.sql import SqlStore
from protocol.ids import OfficeId
from protocol.messages import Priority, VoicePath
from protocol.rest import Role
from service.settings import Secret

HQ, TEN = OfficeId("seoul", "1"), OfficeId("seoul", "10")
POSTGRESQL = os.environ.get("PTT_TEST_POSTGRESQL", "")
BACKENDS = ("file", "memory", *(["postgresql"] if POSTGRESQL else []))
DAY_MS = 86_400_000
UNIT, OTHER_UNIT = "a" * 16, "b" * 16


class Clock:
    """Wall time that stands until it is moved."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.ms


class Opener(Protocol):
    def __call__(self, draw_uid: Callable[[], int] | None = None) -> SqlRegistry: ...


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=BACKENDS)
def opener(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Opener]:
    """Opens the same registry again and again; memory can be opened only once and is shared."""
    with contextlib.ExitStack() as stack:
        if request.param == "postgresql":
            wipe_postgresql()
        urls = {"memory": "sqlite://", "postgresql": POSTGRESQL, "file": f"sqlite:///{tmp_path}/office.db"}
        opened: list[SqlRegistry] = []

        def open_again(draw_uid: Callable[[], int] | None = None) -> SqlRegistry:
            if request.param == "memory" and opened:
                return opened[0]
            more = {} if draw_uid is None else {"draw_uid": draw_uid}
            opened.append(SqlRegistry(urls[request.param], wall_ms=clock, **more))
            stack.callback(opened[-1].close)
            return opened[-1]

        yield open_again


def wipe_postgresql() -> None:
    import sqlalchemy as sa

    from dispatch.registry import schema as ours
    from dispatch.store import schema as store

    engine = sa.create_engine(POSTGRESQL)
    ours.metadata.drop_all(engine)
    store.metadata.drop_all(engine)
    engine.dispose()


@pytest.fixture
def empty(opener: Opener) -> SqlRegistry:
    return opener()


@pytest.fixture
def registry(empty: SqlRegistry) -> SqlRegistry:
    """Two offices whose names begin alike, a car in each, a monitor."""
    empty.add_region("seoul", "서울")
    empty.add_office(HQ, "본사", VoicePath.AGORA)
    empty.add_office(TEN, "열째", VoicePath.MQTT)
    empty.add_user(HQ, "car-1", Role.VEHICLE_GATEWAY, "1호차")
    empty.add_user(TEN, "car-1", Role.VEHICLE_GATEWAY, "10-1호차")
    empty.add_user(HQ, "wall", Role.MONITOR, "상황판")
    return empty


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


def fault(registry: SqlRegistry, digest: str) -> CodeFault:
    with pytest.raises(CodeRefused) as refused:
        registry.enrol(digest, UNIT, some_hash(), nothing)
    return refused.value.fault


# --- regions, offices, users ----------------------------------------------------------------------------------------


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


# --- rev ------------------------------------------------------------------------------------------------------------


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


# --- uids -----------------------------------------------------------------------------------------------------------


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


# --- enrolment ------------------------------------------------------------------------------------------------------


def test_a_code_enrols_one_unit_once(registry: SqlRegistry, clock: Clock) -> None:
    digest, kept = code(registry), some_hash()
    seen: list[tuple[User, Office]] = []
    clock.ms += 3_599_999

    enrolled = registry.enrol(digest, UNIT, kept, lambda user, office: seen.append((user, office)))

    assert seen == [enrolled]
    user, office = enrolled
    assert (user.generation, user.hardware, user.secret, user.admitted, office.id) == (1, UNIT, kept, True, HQ)
    assert there(registry) == user
    [used] = registry.codes(HQ)
    assert (used.used_at, used.used_by) == (clock.ms, UNIT)
    assert fault(registry, digest) is CodeFault.USED
    assert there(registry) == user


def test_a_replacement_gets_the_next_generation_and_cures_a_clone(registry: SqlRegistry) -> None:
    registry.enrol(code(registry, secret="1"), UNIT, some_hash(), nothing)
    registry.note_clone(HQ, "car-1", "c" * 16)

    user, _ = registry.enrol(code(registry, secret="2"), OTHER_UNIT, some_hash(), nothing)

    assert (user.generation, user.hardware, user.clone, user.clone_at) == (2, OTHER_UNIT, None, None)
    assert there(registry) == user


def test_a_code_that_is_unknown_late_withdrawn_or_a_revoked_users_opens_nothing(
    registry: SqlRegistry, clock: Clock
) -> None:
    older = code(registry, secret="older")
    newer = code(registry, secret="newer")
    tens = code(registry, TEN, secret="ten")
    registry.revoke(TEN, "car-1", "x")

    assert fault(registry, code_digest("guess")) is CodeFault.UNKNOWN
    assert fault(registry, older) is CodeFault.WITHDRAWN
    assert fault(registry, tens) is CodeFault.REVOKED
    registry.restore(TEN, "car-1")
    assert fault(registry, tens) is CodeFault.WITHDRAWN
    clock.ms += 3_600_000
    assert fault(registry, newer) is CodeFault.EXPIRED
    assert [u.generation for u in registry.users()] == [0, 0, 0]


def test_a_broker_that_fails_leaves_user_and_code_as_they_were(registry: SqlRegistry) -> None:
    digest, before, rev = code(registry), there(registry), registry.rev()

    def fails(_user: User, _office: Office) -> None:
        raise LookupError("broker away")

    with pytest.raises(LookupError, match="broker away"):
        registry.enrol(digest, UNIT, some_hash(), fails)

    assert (there(registry), registry.rev()) == (before, rev)
    assert registry.enrol(digest, UNIT, some_hash(), nothing)[0].generation == 1


def test_while_a_slow_broker_is_told_others_may_change_and_a_second_unit_is_refused(
    registry: SqlRegistry, opener: Opener
) -> None:
    digest, other = code(registry), opener()
    refused: list[CodeFault] = []

    def meanwhile(_user: User, _office: Office) -> None:
        other.change_user(HQ, "car-1", name="바뀜")
        refused.append(fault(other, digest))

    user, _ = registry.enrol(digest, UNIT, some_hash(), meanwhile)

    assert refused == [CodeFault.USED]
    assert (user.name, user.hardware) == ("바뀜", UNIT)


def test_a_user_revoked_while_the_broker_is_told_stays_revoked(registry: SqlRegistry, opener: Opener) -> None:
    digest, other = code(registry), opener()

    def meanwhile(_user: User, _office: Office) -> None:
        other.revoke(HQ, "car-1", "x")

    with pytest.raises(CodeRefused) as refused:
        registry.enrol(digest, UNIT, some_hash(), meanwhile)

    assert refused.value.fault is CodeFault.REVOKED
    assert (there(registry).admitted, there(registry).generation) == (False, 0)


def test_a_revocation_that_is_taken_back_while_the_broker_is_told_leaves_no_code_good(
    registry: SqlRegistry, opener: Opener
) -> None:
    digest, other = code(registry), opener()

    def meanwhile(_user: User, _office: Office) -> None:
        other.revoke(HQ, "car-1", "x")
        other.restore(HQ, "car-1")

    with pytest.raises(CodeRefused) as refused:
        registry.enrol(digest, UNIT, some_hash(), meanwhile)

    assert refused.value.fault is CodeFault.WITHDRAWN
    assert (there(registry).admitted, there(registry).generation) == (False, 0)


def test_a_code_that_a_newer_one_withdrew_while_the_broker_is_told_enrols_nobody(
    registry: SqlRegistry, opener: Opener
) -> None:
    digest, other = code(registry), opener()

    with pytest.raises(CodeRefused) as refused:
        registry.enrol(digest, UNIT, some_hash(), lambda _user, _office: code(other, secret="newer") and None)

    assert (refused.value.fault, there(registry).generation) == (CodeFault.WITHDRAWN, 0)


def test_a_claim_whose_process_died_is_void_after_a_minute(registry: SqlRegistry, opener: Opener, clock: Clock) -> None:
    digest = code(registry)
    stolen: list[User] = []

    def dies_for_a_minute(_user: User, _office: Office) -> None:
        clock.ms += 60_000
        stolen.append(opener().enrol(digest, OTHER_UNIT, some_hash(), nothing)[0])

    with pytest.raises(CodeRefused):
        registry.enrol(digest, UNIT, some_hash(), dies_for_a_minute)

    assert there(registry) == stolen[0]
    assert there(registry).hardware == OTHER_UNIT


def test_codes_are_kept_for_ninety_days_newest_first(registry: SqlRegistry, clock: Clock) -> None:
    code(registry, secret="1")
    clock.ms += 60 * DAY_MS
    code(registry, secret="2")
    code(registry, TEN, secret="3")
    clock.ms += 31 * DAY_MS
    code(registry, secret="4")

    assert [c.digest for c in registry.codes(HQ)] == [code_digest("4"), code_digest("2")]
    assert len(registry.codes()) == 3


# --- revocation -----------------------------------------------------------------------------------------------------


def test_revoking_forgets_the_secret_withdraws_codes_and_asks_for_a_kick(registry: SqlRegistry, clock: Clock) -> None:
    registry.enrol(code(registry, secret="1"), UNIT, some_hash(), nothing)
    code(registry, secret="2")

    gone = registry.revoke(HQ, "car-1", "차량\n\x1b\0매각 ")

    assert (gone.secret, gone.revoked_at, gone.revoked_why, gone.admitted) == (None, clock.ms, "차량 매각", False)
    assert [(c.used_at is None, c.withdrawn_at) for c in registry.codes(HQ)].count((True, clock.ms)) == 1
    [kick] = registry.kicks()
    assert (kick.channel, kick.uid, kick.lift, kick.rule_id) == ("seoul_1_ptt", gone.uid, False, None)
    with pytest.raises(RegistryError, match="is revoked -> first: ptt-dispatch user restore"):
        registry.set_secret(HQ, "car-1", some_hash())
    with pytest.raises(RegistryError, match="is revoked -> first"):
        code(registry, secret="3")
    assert registry.revoke(HQ, "car-1", "again") == gone


def test_a_restored_user_needs_a_new_secret_and_its_rule_is_lifted(registry: SqlRegistry) -> None:
    registry.set_secret(HQ, "car-1", some_hash())
    registry.revoke(HQ, "car-1", "x")
    [made] = registry.kicks()
    registry.kick_failed(made.id, "no\nanswer")
    assert [(k.tries, k.error) for k in registry.kicks()] == [(1, "no answer")]
    registry.kick_done(made.id, 4711)

    back = registry.restore(HQ, "car-1")

    assert (back.revoked_at, back.revoked_why, back.secret, back.admitted) == (None, "", None, False)
    [lift] = registry.kicks()
    assert (lift.lift, lift.rule_id, lift.uid) == (True, 4711, back.uid)
    registry.kick_done(lift.id, None)
    assert registry.kicks() == ()
    assert registry.set_secret(HQ, "car-1", some_hash()).admitted


def test_a_rule_not_made_yet_when_its_user_is_restored_is_made_and_then_lifted(registry: SqlRegistry) -> None:
    registry.revoke(HQ, "car-1", "x")
    registry.restore(HQ, "car-1")
    first, second = registry.kicks()
    assert [(k.lift, k.rule_id) for k in (first, second)] == [(False, None), (True, None)]

    registry.kick_done(first.id, 5)

    assert [(k.lift, k.rule_id) for k in registry.kicks()] == [(True, 5)]


def test_who_can_never_be_in_a_channel_is_not_kicked_from_it(registry: SqlRegistry) -> None:
    registry.revoke(HQ, "wall", "x")

    assert registry.kicks() == ()


def test_kicks_that_nobody_carried_out_in_two_days_are_forgotten(registry: SqlRegistry, clock: Clock) -> None:
    registry.revoke(HQ, "car-1", "x")
    clock.ms += 2 * DAY_MS + 1
    registry.revoke(TEN, "car-1", "x")

    assert [k.channel for k in registry.kicks()] == ["seoul_10_ptt"]


# --- token issues ---------------------------------------------------------------------------------------------------


def issue(at: int, office: OfficeId = HQ) -> TokenIssue:
    return TokenIssue(at=at, office=office, user="car-1", publisher=True, took_us=at * 10)


def test_token_issues_come_back_oldest_first_by_office_and_time(registry: SqlRegistry) -> None:
    for at in range(1, 100):
        registry.note_token(issue(at, TEN if at % 2 else HQ))

    assert [t.at for t in registry.token_issues(TEN, 90)] == [91, 93, 95, 97, 99]
    assert registry.token_issues(None, 98) == (issue(98), issue(99, TEN))


def test_token_issues_are_written_when_the_next_comes_late_and_when_it_is_closed(
    registry: SqlRegistry, opener: Opener, clock: Clock
) -> None:
    registry.note_token(issue(clock.ms))
    clock.ms += 1_000
    registry.note_token(issue(clock.ms))

    assert len(opener().token_issues(HQ, 0)) == 2


def test_the_newest_token_issues_are_kept(registry: SqlRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatch.registry.sql.TOKENS_KEPT", 10)
    for at in range(1, 26):
        registry.note_token(issue(at))

    assert [t.at for t in registry.token_issues(HQ, 0)] == list(range(16, 26))


# --- many at once ---------------------------------------------------------------------------------------------------


def test_a_code_used_by_many_at_once_enrols_one_of_them(registry: SqlRegistry, opener: Opener) -> None:
    digest, entered = code(registry), threading.Barrier(4)
    outcomes: list[str] = []

    def enrol(unit: str, mine: SqlRegistry) -> None:
        entered.wait(10)
        try:
            outcomes.append(mine.enrol(digest, unit, some_hash(), nothing)[0].hardware or "")
        except CodeRefused as refused:
            outcomes.append(refused.fault.value)

    threads = [threading.Thread(target=enrol, args=(f"unit-{n}-aaaa", opener()), name=f"unit-{n}") for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    user = there(registry)
    assert sorted(outcomes) == sorted([str(user.hardware), *["used_code"] * 3])
    assert user.generation == 1


def add_users(url: str, prefix: str) -> None:
    registry = SqlRegistry(url)
    for number in range(20):
        registry.add_user(HQ, f"{prefix}-{number}", Role.VEHICLE_GATEWAY, "x")
    registry.close()


def test_processes_change_one_registry_at_once_and_a_reader_never_waits(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/office.db"
    registry = SqlRegistry(url)
    registry.add_region("seoul", "x")
    registry.add_office(HQ, "x", VoicePath.MQTT)
    before = registry.rev()
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=add_users, args=(url, prefix), name=prefix) for prefix in ("a", "b", "c")]
    for process in processes:
        process.start()
    revs = [registry.rev()]
    while any(process.is_alive() for process in processes):
        revs.append(registry.rev())
    for process in processes:
        process.join(30)

    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert revs == sorted(revs)
    assert registry.rev() == before + 60
    assert len({u.uid for u in registry.users()}) == len(registry.users()) == 60
    registry.close()


def test_a_command_that_comes_and_goes_takes_no_log_from_under_those_who_stay(tmp_path: Path) -> None:
    url, log = f"sqlite:///{tmp_path}/office.db", tmp_path / "office.db-wal"
    store, registry = SqlStore(url), SqlRegistry(url)  # as the floor control server has them
    registry.add_region("seoul", "x")
    registry.add_office(HQ, "x", VoicePath.MQTT)
    inode = log.stat().st_ino

    for prefix in ("a", "b"):
        command = multiprocessing.get_context("spawn").Process(target=add_users, args=(url, prefix), name=prefix)
        command.start()
        command.join(30)
        registry.add_user(HQ, f"ours-{prefix}", Role.MONITOR, "x")

    assert log.stat().st_ino == inode
    assert len(registry.users()) == 42
    other = SqlRegistry(url)
    assert other.users() == registry.users()
    for each in (other, registry, store):
        each.close()


# --- the store it stands on -----------------------------------------------------------------------------------------


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


# --- secrets --------------------------------------------------------------------------------------------------------


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
