"""Broker logins for consoles while the broker comes and goes: nothing by halves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dispatch.broker.admin import BrokerRefused, BrokerUnreachable
from dispatch.core.state import FloorRules
from dispatch.registry.port import NotThere, RegistryError
from dispatch.registry.secrets import hash_secret, new_secret, verify
from dispatch.registry.sql import SqlRegistry
from dispatch.registry.words import SecretHash, User
from dispatch.web.asking import Refusal
from dispatch.web.console_desk import BURST, PER_S, SWEEP_GRACE_MS, ConsoleDesk
from protocol.ids import OfficeId
from protocol.messages import VoicePath
from protocol.rest import Role
from service.settings import Secret

ONE = OfficeId("seoul", "1")
ANSWERS = Path(__file__).resolve().parents[2] / "docs" / "dashboard.md"
"""What a page is told stands there."""


class Office:
    """A registry on a file, a broker that can be away or refuse, and clocks by hand."""

    def __init__(self, folder: Path) -> None:
        self.away = self.refuses = False
        self.put: list[tuple[str, SecretHash, Secret]] = []
        self.opened: set[str] = set()
        self.listings = 0
        self.meanwhile: Callable[[], object] = lambda: None
        self.now = 100.0
        self.ms = 1_700_000_000_000
        self.registry = SqlRegistry(f"sqlite:///{folder}/office.db", wall_ms=lambda: self.ms)
        self.registry.add_region("seoul", "Seoul")
        self.registry.add_office(ONE, "one", VoicePath.AGORA)
        for user, role in (("desk", Role.CALL_MANAGER), ("second", Role.CALL_MANAGER), ("tv", Role.MONITOR)):
            self.registry.add_user(ONE, user, role, user)
            self.registry.set_secret(ONE, user, hash_secret(new_secret()))
        rules = FloorRules(talk_limit_s=12.0, emergency=False)
        self.desk = ConsoleDesk(self.registry, self.broker, lambda office: rules, lambda: self.ms, lambda: self.now)

    @contextmanager
    def broker(self) -> Iterator[Office]:
        if self.away:
            raise BrokerUnreachable("nobody answers")
        yield self

    def put_console(self, user: User, kept: SecretHash, secret: Secret) -> None:
        if self.refuses:
            raise BrokerRefused("no")
        self.put.append((user.user, kept, secret))
        self.opened.add(f"{user.login}.console")
        self.meanwhile()

    def shut_console(self, user: User) -> None:
        self.opened.discard(f"{user.login}.console")

    def users(self) -> dict[str, bool]:
        self.listings += 1
        return {f"{user.login}.console": f"{user.login}.console" not in self.opened for user in self.registry.users()}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.registry.close()


def test_broker_and_registry_are_given_the_same_secret_and_the_page_is_told_it_once(office: Office) -> None:
    made = office.desk.issue(ONE, "desk")
    [(user, kept, secret)] = office.put
    known = office.registry.console(ONE, "desk")
    assert known is not None
    assert (user, known.secret, known.issue) == ("desk", kept, made.login.issue)
    answer = made.answer("wss://office:8884/mqtt")
    assert verify(Secret(answer["secret"]), kept)
    assert (answer["talk_limit_s"], answer["voice"]) == (12.0, "agora")
    said = ANSWERS.read_text(encoding="utf-8").split("`POST /console/login`")[1].split("\n")[0]
    assert [name for name in answer if f"`{name}`" not in said] == [], "told, and not promised"
    assert secret.reveal() not in repr(made)


def test_with_the_broker_away_the_page_that_speaks_keeps_its_login(office: Office) -> None:
    before = office.desk.issue(ONE, "desk").login
    office.away = True
    with pytest.raises(BrokerUnreachable):
        office.desk.issue(ONE, "desk")
    assert office.registry.console(ONE, "desk") == before
    assert office.desk.standing(ONE, "desk").valid


def test_a_login_that_the_broker_did_not_take_is_ended(office: Office) -> None:
    office.refuses = True
    with pytest.raises(BrokerRefused):
        office.desk.issue(ONE, "desk")
    standing = office.desk.standing(ONE, "desk")
    assert (standing.valid, standing.issue > 0) == (False, True)


def test_who_has_no_console_gets_none_and_stands_nowhere(office: Office) -> None:
    for user, error in (("tv", RegistryError), ("nobody", NotThere)):
        with pytest.raises(error):
            office.desk.issue(ONE, user)
        standing = office.desk.standing(ONE, user)
        assert (standing.issue, standing.valid, standing.since) == (0, False, None)
    assert office.put == []


def test_one_who_asks_without_end_waits_and_another_does_not(office: Office) -> None:
    for _ in range(BURST):
        office.desk.issue(ONE, "desk")
    with pytest.raises(Refusal, match="console_too_many"):
        office.desk.issue(ONE, "desk")
    office.desk.issue(ONE, "second")
    office.now += 1 / PER_S
    office.desk.issue(ONE, "desk")


def test_the_end_of_an_older_login_leaves_the_newer_one_alone(office: Office) -> None:
    older, newer = office.desk.issue(ONE, "desk").login, office.desk.issue(ONE, "desk").login
    office.desk.end(ONE, "desk", older.issue)
    assert office.desk.standing(ONE, "desk").valid
    office.ms = newer.expires_at
    assert not office.desk.standing(ONE, "desk").valid


def test_who_is_revoked_while_a_login_is_made_is_not_let_in_by_it(office: Office) -> None:
    office.meanwhile = lambda: office.registry.revoke(ONE, "desk", "left")
    with pytest.raises(RegistryError, match="any more"):
        office.desk.issue(ONE, "desk")
    assert office.opened == set()


def test_without_a_floor_control_server_an_ended_login_is_shut_all_the_same(office: Office) -> None:
    # given two pages, one of them an hour old, and nobody else who looks after the broker
    over = office.desk.issue(ONE, "desk").login
    office.ms = over.expires_at - 1
    office.desk.issue(ONE, "second")
    office.ms += SWEEP_GRACE_MS
    assert office.desk.sweep() == 0 and office.listings == 0

    # when its hour is over, and the floor control server has had its time
    office.ms += 1
    counts = [office.desk.sweep() for _ in range(3)]

    # then that one is shut, and the broker is asked once
    assert (counts, office.listings) == ([1, 0, 0], 1)
    assert office.opened == {"seoul.1.second.console"}


def test_what_could_not_be_shut_is_shut_when_the_broker_is_back(office: Office) -> None:
    made = office.desk.issue(ONE, "desk").login
    office.ms = made.expires_at + SWEEP_GRACE_MS
    office.away = True
    with pytest.raises(BrokerUnreachable):
        office.desk.sweep()
    office.away = False
    assert office.desk.sweep() == 1


def test_a_login_that_was_made_anew_is_not_shut_for_the_end_of_the_one_before(office: Office) -> None:
    office.desk.end(ONE, "desk", office.desk.issue(ONE, "desk").login.issue)
    office.desk.issue(ONE, "desk")
    office.desk.cut(ONE, "desk")
    assert office.opened == {"seoul.1.desk.console"}
    office.desk.end(ONE, "desk", office.desk.issue(ONE, "desk").login.issue)
    office.desk.cut(ONE, "desk")
    assert office.opened == set()
