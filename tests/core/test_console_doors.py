"""A call manager's page at the broker: its logins, what they may, and how the guard keeps and ends them."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from dispatch.broker.accounts import accounts, console_accounts, consoles_of, dynsec_file, secret_mark
from dispatch.broker.conf import conf
from dispatch.broker.dynsec import ClientWords
from dispatch.broker.guard import ANSWER_S, CONFIRM_S, SETTLE_S
from dispatch.registry.words import ConsoleLogin, SecretHash, User
from dispatch.web.websocket import Websocket, origin_of
from protocol.ids import OfficeId
from protocol.login import BadLogin, Login, parse_login
from protocol.rest import Role
from protocol.timers import ADMISSION_POLL_S
from tests.core.broker_guard_rig import CAR, HASH, OFFICE, World, revoked

DESK = User(office=OFFICE, user="desk", role=Role.CALL_MANAGER, name="desk", uid=9, secret=HASH)
OWN = ("seoul.1.desk", "seoul.1.desk.voice")
PAGE = ("seoul.1.desk.console", "seoul.1.desk.console.voice")
FIRST = SecretHash(salt="BBBBBBBBBBBBBBBB", iterations=101, hash="C" * 88)
SECOND = SecretHash(salt="CCCCCCCCCCCCCCCC", iterations=101, hash="D" * 88)
AT, HOUR_MS = 1_700_000_000_000, 3_600_000


def issued(secret: SecretHash | None = FIRST, at: int = AT, issue: int = 1) -> ConsoleLogin:
    return ConsoleLogin(office=OFFICE, user="desk", issue=issue, secret=secret, issued_at=at, expires_at=at + HOUR_MS)


def opened(world: World, secret: SecretHash = FIRST) -> None:
    """What the page's server does at the broker."""
    for account in console_accounts(DESK, secret):
        made = ClientWords(username=account.login, clientid=account.login, textname=account.mark, roles=account.roles)
        world.clients[account.login] = made
        world._role("createRole", {"rolename": account.login, "acls": account.acls})  # type: ignore[dict-item]
    world.changes.clear()


def quiet(world: World) -> bool:
    """Whether nothing was changed, and an operator is told of nothing."""
    guard = world.guard
    told = (guard.missing, guard.unknown, guard.pending, guard.fault)
    return (world.changes, told) == ([], ((), (), (), ""))


# --- names and rules ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("console", [False, True])
@pytest.mark.parametrize("voice", [False, True])
def test_a_pages_login_reads_back_as_it_was_written(console: bool, voice: bool) -> None:
    login = Login(OfficeId("seoul", "1"), "desk", voice=voice, console=console)
    assert parse_login(str(login)) == login


@pytest.mark.parametrize("bad", ["a.b.c.voice.console", "a.b.c.console.console", "a.b.c.console.x", "a.b.c.d", "a.b"])
def test_what_is_no_pages_login_is_refused(bad: str) -> None:
    with pytest.raises(BadLogin):
        parse_login(bad)


def test_a_page_may_what_its_user_may_and_nobody_but_a_call_manager_has_one() -> None:
    assert consoles_of(DESK) == PAGE
    assert [a.acls for a in console_accounts(DESK, FIRST)] == [a.acls for a in accounts(DESK)]
    assert {role for role in Role if consoles_of(replace(DESK, role=role))} == {Role.CALL_MANAGER}


def test_the_file_made_of_the_registry_holds_no_page() -> None:
    assert {client.username for client in dynsec_file([DESK], HASH).clients} == {"ptt-dispatch", *OWN}


# --- the guard --------------------------------------------------------------------------------------------------------


def test_a_page_that_is_as_it_should_be_is_left_alone_and_one_that_never_came_is_told_of_by_nobody() -> None:
    world = World(CAR, DESK)
    world.guard.want([CAR, DESK], [issued()], AT)
    world.run(200.0)
    assert quiet(world)
    opened(world)
    world.run(200.0)
    assert quiet(world)


def test_a_page_whose_hour_is_over_is_shut_at_the_next_tick() -> None:
    world = World(CAR, DESK)
    opened(world)
    world.guard.want([CAR, DESK], [issued()], AT)
    world.run(10.0)
    world.guard.want([CAR, DESK], [issued()], AT + HOUR_MS)
    world.guard.tick(world.now)
    assert world.changes == [(world.now, "disableClient", login) for login in PAGE]
    world.run(200.0)
    assert world.shut() == list(PAGE)
    assert (world.guard.missing, world.guard.unknown, world.guard.pending) == ((), (), ())


def test_a_page_that_expired_while_nobody_looked_is_shut_within_5_s_of_the_next_connection() -> None:
    world = World(CAR, DESK)
    opened(world)
    world.guard.want([CAR, DESK], [issued()], AT + HOUR_MS)
    connected = world.now
    world.run(60.0, until=lambda: len(world.changes) == 2)
    assert world.shut() == list(PAGE)
    assert max(at for at, _, _ in world.changes) - connected <= CONFIRM_S + ADMISSION_POLL_S <= 5.0


def test_what_becomes_of_a_revoked_users_page_is_what_becomes_of_the_user() -> None:
    world = World(CAR, DESK)
    opened(world)
    world.guard.want([CAR, DESK], [issued()], AT)
    world.run(10.0)
    world.guard.want([CAR, revoked(DESK)], [issued(secret=None)], AT)
    world.guard.tick(world.now)
    assert world.shut() == sorted((*OWN, *PAGE))
    world.run(1.0)
    assert world.guard.pending == ()


def test_a_page_issued_anew_is_not_shut_whoever_hears_of_it_first() -> None:
    # given a page, whose next login stands at the broker before the guard hears of it
    world = World(CAR, DESK)
    opened(world)
    world.guard.want([CAR, DESK], [issued()], AT)
    world.run(10.0)
    opened(world, SECOND)
    world.guard.connected(world.now)  # lists at once

    # when it hears within the time in which the registry is asked
    world.run(2 * ADMISSION_POLL_S)
    world.guard.want([CAR, DESK], [issued(SECOND, AT + 1, 2)], AT + 1)
    world.run(200.0)

    # then it is left alone, and so it is where an expired one is issued anew
    assert quiet(world)
    world.guard.want([CAR, DESK], [issued(SECOND, AT + 1, 2)], AT + 1 + HOUR_MS)
    opened(world, FIRST)
    world.guard.want([CAR, DESK], [issued(FIRST, AT + HOUR_MS, 3)], AT + 1 + HOUR_MS)
    world.run(200.0)
    assert quiet(world)


@pytest.mark.parametrize("page", [(), (issued(SECOND),)], ids=["none", "another"])
def test_a_page_out_of_an_older_file_of_the_broker_is_shut(page: tuple[ConsoleLogin, ...]) -> None:
    # given a broker whose file holds a page's login that the registry never had, or has no more
    world = World(CAR, DESK)
    opened(world)

    # when the guard looks
    world.guard.want([CAR, DESK], page, AT)
    world.run(SETTLE_S + ANSWER_S)

    # then it is shut, and an operator need not do anything
    assert world.shut() == list(PAGE)
    world.run(200.0)
    assert (world.guard.missing, world.guard.unknown, world.guard.pending, world.guard.fault) == ((), (), (), "")


def test_rules_of_a_page_that_an_older_version_made_are_set_right() -> None:
    world = World(CAR, DESK)
    opened(world)
    world.roles[PAGE[0]] = replace(world.roles[PAGE[0]], acls=())
    world.guard.want([CAR, DESK], [issued()], AT)
    world.run(10.0)
    assert [(what, name) for _, what, name in world.changes] == [("modifyRole", PAGE[0])]
    assert secret_mark(FIRST) == world.clients[PAGE[0]].textname


# --- the broker's listener --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "lines"),
    [
        ("", ["listener 8884"]),
        ("127.0.0.1", ["listener 8884 127.0.0.1", "socket_domain ipv4"]),
        ("::1", ["listener 8884 ::1", "socket_domain ipv6"]),
    ],
)
def test_browsers_come_in_where_the_office_listens_and_the_bound_of_the_others_stays_theirs(
    address: str, lines: list[str]
) -> None:
    made = conf(folder=Path("/b"), dynsec="d", cert="c", key="k", plugin=Path("/p"), listen=address, port=8883,
                websocket_port=8884).splitlines()  # fmt: skip
    first, second = (place for place, line in enumerate(made) if line.startswith("listener "))
    assert made[first : made.index("protocol websockets")] == lines
    assert {"certfile /b/c", "keyfile /b/k", "tls_version tlsv1.2"} <= set(made[first:second])
    assert [line for line in made[second:] if line.startswith("max_connections ")] == ["max_connections 1500"]
    assert made[second] == f"listener 8883 {address}".rstrip()


@pytest.mark.parametrize("address", ["", "127.0.0.1", "office.example.com"])
def test_an_office_without_consoles_has_one_listener(address: str) -> None:
    made = conf(folder=Path("/b"), dynsec="d", cert="c", key="k", plugin=Path("/p"), listen=address, port=8883,
                websocket_port=0)  # fmt: skip
    assert ("websocket" in made, made.count("\nlistener ")) == (False, 1)
    assert f"listener 8883 {address}".rstrip() in made.splitlines()


def test_a_name_is_no_place_for_browsers_and_never_becomes_every_address() -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        conf(folder=Path("/b"), dynsec="d", cert="c", key="k", plugin=Path("/p"), listen="office.example.com",
             port=8883, websocket_port=8884)  # fmt: skip


# --- where a page reaches it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("office.example.com:8444", "wss://office.example.com:8884/mqtt"),
        ("10.0.0.7", "wss://10.0.0.7:8884/mqtt"),
        ("[fd00::7]:8444", "wss://[fd00::7]:8884/mqtt"),
    ],
)
def test_a_page_reaches_the_broker_at_the_host_it_came_from(host: str, url: str) -> None:
    assert Websocket(port=8884).url_for(host) == url
    assert origin_of(url) == url.removesuffix("/mqtt")


@pytest.mark.parametrize("host", ["", "a b", "evil; script-src *", "x/y", "a:1:2", "a'b", "[x]"])
def test_a_host_that_is_none_gets_no_place_in_a_policy(host: str) -> None:
    assert Websocket(port=8884).url_for(host) is None


def test_the_configuration_may_say_another_place_or_none() -> None:
    assert Websocket(port=8884, url="wss://mq.example.com/x").url_for("office") == "wss://mq.example.com/x"
    assert Websocket(port=0).url_for("office") is None
    assert origin_of("wss://mq.example.com:444/x") == "wss://mq.example.com:444"
