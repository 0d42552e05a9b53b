"""What an admin does from the pages while the broker is away: nothing by halves, and it is said."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dispatch import pki
from dispatch.broker.admin import BrokerError, BrokerUnreachable
from dispatch.registry.port import NotThere, RegistryError
from dispatch.registry.secrets import verify
from dispatch.registry.sql import SqlRegistry
from dispatch.registry.words import User
from dispatch.web.desk import AdminDesk
from protocol.ids import OfficeId
from protocol.messages import VoicePath
from protocol.rest import Role
from service.settings import Secret

ONE, TEN = OfficeId("seoul", "1"), OfficeId("seoul", "10")


class Office:
    """A registry on a file, and a broker that can be away."""

    def __init__(self, folder: Path) -> None:
        self.away = False
        self.put: list[tuple[str, Secret]] = []
        self.disabled: list[str] = []
        self.registry = SqlRegistry(f"sqlite:///{folder}/office.db")
        self.registry.add_region("seoul", "Seoul")
        for office in (ONE, TEN):
            self.registry.add_office(office, str(office), VoicePath.MQTT)
        ca = folder / "ca.pem"
        authority = pki.new_authority("test", dt.datetime.now(dt.UTC))
        pki.write_file(ca, pki.certificate_pem(authority.certificate), 0o644)
        self.desk = AdminDesk(self.registry, self.broker, "https://office:8443", ca)

    @contextmanager
    def broker(self) -> Iterator[Office]:
        if self.away:
            raise BrokerUnreachable("nobody answers")
        yield self

    def put_user(self, user: User, secret: Secret) -> None:
        self.put.append((user.user, secret))

    def disable(self, user: User) -> None:
        self.disabled.append(user.user)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.registry.close()


def test_a_person_gets_the_very_secret_that_broker_and_registry_have(office: Office) -> None:
    made, secret = office.desk.add(ONE, "eve", Role.MONITOR, "Eve")

    kept = office.registry.user(ONE, "eve")
    assert secret is not None
    assert kept is not None
    assert (made.user, office.put) == ("eve", [("eve", secret)])
    assert verify(secret, kept.secret)


def test_a_device_needs_no_broker_and_gets_no_secret(office: Office) -> None:
    office.away = True

    _, secret = office.desk.add(ONE, "car-1", Role.VEHICLE_GATEWAY, "1")

    assert secret is None
    assert office.registry.user(ONE, "car-1") is not None


def test_without_the_broker_nobody_is_added_and_no_secret_is_changed(office: Office) -> None:
    _, before = office.desk.add(ONE, "eve", Role.MONITOR, "Eve")
    office.away = True

    with pytest.raises(BrokerError):
        office.desk.add(ONE, "bob", Role.MONITOR, "Bob")
    with pytest.raises(BrokerError):
        office.desk.rotate(ONE, "eve")

    kept = office.registry.user(ONE, "eve")
    assert office.registry.user(ONE, "bob") is None
    assert before is not None
    assert kept is not None
    assert verify(before, kept.secret)


def test_a_revocation_holds_though_the_broker_is_away_and_that_is_said(office: Office) -> None:
    office.desk.add(ONE, "car-1", Role.VEHICLE_GATEWAY, "1")
    office.away = True

    revoked, why = office.desk.revoke(ONE, "car-1", "stolen")

    assert revoked.revoked_at is not None
    assert why == "nobody answers"
    office.away = False
    assert office.desk.revoke(ONE, "car-1", "stolen")[1] == ""
    assert office.disabled == ["car-1"]


def test_what_is_of_another_office_is_not_there(office: Office) -> None:
    office.desk.add(TEN, "car-1", Role.VEHICLE_GATEWAY, "1")

    for call in (office.desk.code, office.desk.rotate, office.desk.restore):
        with pytest.raises(NotThere):
            call(ONE, "car-1")
    with pytest.raises(NotThere):
        office.desk.revoke(ONE, "car-1", "")


def test_a_code_is_for_units_and_a_new_secret_for_people(office: Office) -> None:
    office.desk.add(ONE, "car-1", Role.VEHICLE_GATEWAY, "1")
    office.desk.add(ONE, "eve", Role.MONITOR, "Eve")
    shown = office.desk.code(ONE, "car-1")

    assert shown.code.reveal() not in repr(shown)
    assert shown.qr.reveal().startswith("<svg")
    with pytest.raises(RegistryError):
        office.desk.code(ONE, "eve")
    with pytest.raises(RegistryError):
        office.desk.rotate(ONE, "car-1")
