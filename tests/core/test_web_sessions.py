"""Sign-ins: when they end, by themselves and by what the registry says."""

from __future__ import annotations

from itertools import count

import pytest
from msgspec.structs import replace

from dispatch.registry.secrets import hash_secret, new_secret
from dispatch.registry.words import User
from dispatch.web.asking import local_path
from dispatch.web.sessions import IDLE_S, LONGEST_S, OWN_MAX, SESSIONS_MAX, Sessions, holds
from protocol.ids import OfficeId
from protocol.rest import Role

OFFICE = OfficeId("seoul", "1")
BOSS = User(office=OFFICE, user="boss", role=Role.ADMIN, name="Boss", uid=1, secret=hash_secret(new_secret()))


class Hand:
    def __init__(self) -> None:
        self.now = 0.0
        numbers = count()
        self.sessions = Sessions(lambda: self.now, lambda: f"token-{next(numbers)}")


def test_a_session_is_found_by_its_token_alone() -> None:
    hand = Hand()
    token, session = hand.sessions.begin(BOSS)

    assert hand.sessions.find(token) is session
    assert hand.sessions.find(session.csrf) is None
    assert hand.sessions.find(session.digest) is None
    assert hand.sessions.find("") is None


def test_a_session_that_is_used_lives_on_and_one_that_is_not_is_over_after_twelve_hours() -> None:
    hand = Hand()
    used, _ = hand.sessions.begin(BOSS)
    left, _ = hand.sessions.begin(BOSS)
    hand.now = IDLE_S - 1
    assert hand.sessions.find(used) is not None

    hand.now = IDLE_S + 1

    assert hand.sessions.find(used) is not None
    assert hand.sessions.find(left) is None
    assert len(hand.sessions) == 1


def test_no_session_lives_longer_than_the_longest_however_it_is_used() -> None:
    hand = Hand()
    _, session = hand.sessions.begin(BOSS)
    while hand.now + IDLE_S / 2 <= LONGEST_S:
        hand.now += IDLE_S / 2
        assert hand.sessions.touch(session)

    hand.now = LONGEST_S + 1

    assert not hand.sessions.touch(session)


def test_a_session_that_was_signed_out_is_gone() -> None:
    hand = Hand()
    token, session = hand.sessions.begin(BOSS)

    hand.sessions.end(session)

    assert hand.sessions.find(token) is None
    assert not hand.sessions.touch(session)


def test_one_user_and_all_users_together_have_a_bounded_number_of_sessions() -> None:
    hand = Hand()
    first, _ = hand.sessions.begin(BOSS)
    for _ in range(OWN_MAX):
        hand.sessions.begin(BOSS)
    assert len(hand.sessions) == OWN_MAX
    assert hand.sessions.find(first) is None

    for number in range(SESSIONS_MAX + 5):
        hand.sessions.begin(replace(BOSS, user=f"u{number}"))
    assert len(hand.sessions) == SESSIONS_MAX


def test_a_console_is_to_be_ended_once_however_its_session_ends() -> None:
    # given two sessions with a console each, and one without
    hand = Hand()
    one, two = (hand.sessions.begin(replace(BOSS, user=user))[1] for user in ("one", "two"))
    hand.sessions.begin(replace(BOSS, user="three"))
    one.console_issue, two.console_issue = 5, 6
    assert hand.sessions.over() == []

    # when one is too many of its user, and the other was not used for too long
    for _ in range(OWN_MAX):
        hand.sessions.begin(replace(BOSS, user="one"))
    assert hand.sessions.over() == [one]
    hand.now = IDLE_S + 1

    # then each is told once, though nobody asked for it
    assert (hand.sessions.over(), hand.sessions.over(), len(hand.sessions)) == ([two], [], 0)


def test_a_console_that_a_sign_out_has_ended_is_left_alone_and_the_one_pushed_out_by_all_others_is_not() -> None:
    hand = Hand()
    out, pushed = (hand.sessions.begin(replace(BOSS, user=user))[1] for user in ("out", "pushed"))
    out.console_issue, pushed.console_issue = 5, 6
    hand.sessions.end(out)
    out.console_issue = None

    for number in range(SESSIONS_MAX):
        hand.sessions.begin(replace(BOSS, user=f"u{number}"))

    assert hand.sessions.over() == [pushed]


@pytest.mark.parametrize(
    "user",
    [
        None,
        replace(BOSS, revoked_at=1, secret=None),
        replace(BOSS, secret=None),
        replace(BOSS, secret=hash_secret(new_secret())),
        replace(BOSS, role=Role.MONITOR),
    ],
    ids=["gone", "revoked", "without-secret", "another-secret", "another-role"],
)
def test_a_session_ends_with_what_it_was_given_for(user: User | None) -> None:
    _, session = Hand().sessions.begin(BOSS)

    assert holds(session, BOSS)
    assert not holds(session, user)


def test_who_may_command_and_who_may_change_the_registry_follows_from_the_role() -> None:
    sessions = Hand().sessions
    made = {role: sessions.begin(replace(BOSS, role=role))[1] for role in Role}

    assert {role for role, each in made.items() if each.admin} == {Role.ADMIN}
    assert {role for role, each in made.items() if each.commands} == {Role.ADMIN, Role.CALL_MANAGER, Role.TECHNICIAN}


@pytest.mark.parametrize(
    "text", ["//evil.example", "https://evil.example", "/\\evil", "", "/a\nb", "x", "/" + "a" * 300]
)
def test_nobody_is_sent_on_to_another_site(text: str) -> None:
    assert local_path(text) == "/"


def test_one_is_sent_back_to_the_page_one_was_on() -> None:
    assert local_path("/vehicle/car-1") == "/vehicle/car-1"
