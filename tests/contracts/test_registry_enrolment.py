"""What every registry must hold of enrolments, revocations with their kicks, and token issues."""

import pytest

from dispatch.registry.port import CodeRefused, RegistryError
from dispatch.registry.secrets import code_digest
from dispatch.registry.sql import SqlRegistry
from dispatch.registry.words import CodeFault, Office, User
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

DAY_MS = 86_400_000


def fault(registry: SqlRegistry, digest: str) -> CodeFault:
    with pytest.raises(CodeRefused) as refused:
        registry.enrol(digest, UNIT, some_hash(), nothing)
    return refused.value.fault


# --- enrolment --------------------------------------------------------------------------------------------------------


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


# --- revocation -------------------------------------------------------------------------------------------------------


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


# --- token issues -----------------------------------------------------------------------------------------------------


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
