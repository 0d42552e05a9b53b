"""Broker logins of call managers' pages: one at a time, numbers that never fall, and what ends them."""

from __future__ import annotations

import pytest

from dispatch.registry.port import NotThere, RegistryError
from dispatch.registry.sql import SqlRegistry
from dispatch.registry.words import CLOCK_BACK_MS, ConsoleLogin
from protocol.rest import Role
from tests.contracts.registry_rig import HQ, TEN, Clock, Opener, some_hash, two_offices

HOUR_MS = 3_600_000


@pytest.fixture
def registry(opener: Opener) -> SqlRegistry:
    """Two offices; the first has a call manager who can sign in, and one who cannot."""
    made = two_offices(opener())
    for user in ("desk", "second", "new"):
        made.add_user(HQ, user, Role.CALL_MANAGER, user)
    for user in ("desk", "second"):
        made.set_secret(HQ, user, some_hash())
    made.set_secret(HQ, "wall", some_hash())
    return made


def kept(registry: SqlRegistry, user: str = "desk") -> ConsoleLogin:
    found = registry.console(HQ, user)
    assert found is not None
    return found


def test_a_login_is_kept_for_every_process_and_good_for_an_hour(opener: Opener, clock: Clock) -> None:
    registry = two_offices(opener())
    registry.add_user(HQ, "desk", Role.CALL_MANAGER, "desk")
    registry.set_secret(HQ, "desk", some_hash())
    secret, rev = some_hash(), registry.rev()
    made = registry.issue_console(HQ, "desk", secret)
    assert (made.secret, made.issued_at, made.expires_at) == (secret, clock.ms, clock.ms + HOUR_MS)
    assert opener().console(HQ, "desk") == made
    assert opener().consoles() == (made,)
    assert registry.rev() == rev + 1
    assert [made.live(clock.ms + ms) for ms in (0, HOUR_MS - 1, HOUR_MS)] == [True, True, False]


def test_the_next_one_takes_the_place_of_the_former_and_has_a_higher_number(registry: SqlRegistry) -> None:
    first = registry.issue_console(HQ, "desk", some_hash())
    other = registry.issue_console(HQ, "second", some_hash())
    again = registry.issue_console(HQ, "desk", some_hash())
    assert again.issue == first.issue + 1
    assert registry.consoles() == (again, other)


def test_no_number_is_given_again_after_the_registry_was_restored_from_a_backup(
    registry: SqlRegistry, clock: Clock
) -> None:
    given = [registry.issue_console(HQ, "desk", some_hash()).issue for _ in range(3)]
    clock.ms += 60_000  # a registry that knows nothing of them
    assert registry.issue_console(HQ, "second", some_hash()).issue > max(given)


def test_a_clock_set_back_ends_what_was_issued_after_it(registry: SqlRegistry, clock: Clock) -> None:
    made = registry.issue_console(HQ, "desk", some_hash())
    assert made.live(clock.ms - CLOCK_BACK_MS)
    assert not made.live(clock.ms - CLOCK_BACK_MS - 1)


def test_only_an_admitted_call_manager_is_given_one(registry: SqlRegistry) -> None:
    with pytest.raises(RegistryError, match="a call manager has one"):
        registry.issue_console(HQ, "wall", some_hash())
    with pytest.raises(RegistryError, match="not admitted"):
        registry.issue_console(HQ, "new", some_hash())
    with pytest.raises(NotThere):
        registry.issue_console(TEN, "desk", some_hash())
    assert registry.consoles() == ()


def test_it_ends_once_and_by_its_own_number_alone(registry: SqlRegistry, clock: Clock) -> None:
    made = registry.issue_console(HQ, "desk", some_hash())
    rev = registry.rev()
    assert not registry.end_console(HQ, "desk", made.issue - 1)
    assert not registry.end_console(HQ, "second")
    assert (registry.rev(), kept(registry).live(clock.ms)) == (rev, True)
    assert registry.end_console(HQ, "desk", made.issue)
    assert not registry.end_console(HQ, "desk", made.issue)
    ended = kept(registry)
    assert (ended.issue, ended.secret, ended.live(clock.ms), registry.rev()) == (made.issue, None, False, rev + 1)
    assert registry.issue_console(HQ, "desk", some_hash()).issue == made.issue + 1


def test_a_revocation_and_a_new_secret_of_the_user_end_it(registry: SqlRegistry, clock: Clock) -> None:
    for user in ("desk", "second"):
        registry.issue_console(HQ, user, some_hash())
    registry.revoke(HQ, "desk", "left")
    registry.set_secret(HQ, "second", some_hash())
    assert [login.live(clock.ms) for login in registry.consoles()] == [False, False]
    assert [login.secret for login in registry.consoles()] == [None, None]
