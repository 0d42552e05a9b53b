"""Admission, which has the guard end pages' logins by the wall clock, whatever the registry does."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from dispatch.admission import Admission
from dispatch.broker.accounts import console_accounts, dynsec_file
from dispatch.broker.dynsec import ClientWords
from dispatch.broker.guard import RESPONSE_TOPIC
from dispatch.ports import StoreUnavailable
from dispatch.registry.consoles import VALID_S
from dispatch.registry.secrets import hash_secret, new_secret
from dispatch.registry.sql import SqlRegistry
from dispatch.registry.words import SecretHash
from dispatch.settings import DispatchSettings, StoreSettings
from protocol.ids import OfficeId
from protocol.messages import VoicePath
from protocol.rest import Role

HQ = OfficeId("seoul", "1")
PAGE = ["seoul.1.desk.console", "seoul.1.desk.console.voice"]


class Broker:
    """The floor's shell and a broker behind it, which answers as the plugin does and counts who is shut."""

    quiet = True

    def __init__(self) -> None:
        self.clients: dict[str, ClientWords] = {}
        self.shut: list[str] = []
        self.admission: Admission

    def change_rules(self, office: OfficeId, rules: object) -> None:
        """Nothing of the floor is looked at here."""

    def send(self, topic: str, payload: bytes) -> None:
        [asked] = msgspec.json.decode(payload)["commands"]
        data: dict[str, object] = {}
        if asked["command"] == "listClients":
            data = {"totalCount": len(self.clients), "clients": list(self.clients.values())}
        elif asked["command"] == "disableClient":
            self.shut.append(asked["username"])
        answer = {"command": asked["command"], "correlationData": asked["correlationData"], "data": data}
        self.admission.received(RESPONSE_TOPIC, msgspec.json.encode({"responses": [answer]}))


class Scene:
    """An office with a call manager, the clocks by hand."""

    def __init__(self) -> None:
        self.now, self.ms = 100.0, 1_700_000_000_000
        self.registry = SqlRegistry("sqlite://", wall_ms=lambda: self.ms)
        self.registry.add_region("seoul", "서울")
        self.registry.add_office(HQ, "본사", VoicePath.MQTT)
        self.registry.add_user(HQ, "desk", Role.CALL_MANAGER, "desk")
        self.user = self.registry.set_secret(HQ, "desk", hash_secret(new_secret()))
        settings = DispatchSettings(store=StoreSettings(url="sqlite://"), admission="registry")
        self.broker = Broker()
        self.admission = Admission(settings, self.registry, lambda: self.now, wall_ms=lambda: self.ms)
        self.broker.admission = self.admission
        self.admission.start(self.broker)
        for client in dynsec_file([self.user], hash_secret(new_secret())).clients:
            self.broker.clients[client.username] = client
        self.admission.connected(self.now)

    def issue(self) -> None:
        kept: SecretHash = hash_secret(new_secret())
        self.registry.issue_console(HQ, "desk", kept)
        for made in console_accounts(self.user, kept):
            self.broker.clients[made.login] = ClientWords(
                username=made.login, clientid=made.login, textname=made.mark, roles=made.roles
            )

    def wait(self, seconds: int) -> None:
        for _ in range(seconds * 2):
            self.now, self.ms = self.now + 0.5, self.ms + 500
            self.admission.step(self.now)


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.admission.close()


def test_a_page_is_shut_within_2_s_of_its_hours_end_and_not_before(scene: Scene) -> None:
    scene.issue()
    scene.wait(VALID_S - 1)
    assert scene.broker.shut == []
    scene.wait(3)
    assert scene.broker.shut == PAGE


def test_it_is_shut_too_while_the_registry_cannot_be_read(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> int:
        raise StoreUnavailable("locked -> wait")

    scene.issue()
    scene.wait(5)
    monkeypatch.setattr(scene.registry, "rev", away)
    scene.wait(VALID_S - 6)
    assert scene.broker.shut == []
    scene.wait(3)
    assert scene.broker.shut == PAGE


def test_one_that_is_renewed_in_time_is_never_shut(scene: Scene) -> None:
    for _ in range(3):
        scene.issue()
        scene.wait(VALID_S - 60)
    assert scene.broker.shut == []
    described = scene.admission.describe()
    assert (described.broker_missing, described.broker_unknown, described.broker_fault) == ((), (), "")


def test_a_sign_out_and_a_clock_that_is_set_back_shut_it(scene: Scene) -> None:
    scene.issue()
    scene.wait(5)
    scene.registry.end_console(HQ, "desk")
    scene.wait(2)
    assert scene.broker.shut == PAGE
    scene.issue()
    scene.wait(5)
    scene.ms -= 86_400_000
    scene.wait(2)
    assert scene.broker.shut == PAGE * 2
