"""A secured broker, people at its doors, and a server's connection beside them."""

from __future__ import annotations

from lab.secure_broker import SecureBroker
from protocol.rest import Role
from tests.integration.door_rig import SEOUL_1, Caller, Doors, Person

CAR = Person(SEOUL_1, "car-1", Role.VEHICLE_GATEWAY, 1)
BUS = Person(SEOUL_1, "bus-1", Role.VEHICLE_GATEWAY, 2)
TV = Person(SEOUL_1, "tv", Role.MONITOR, 3)
PEOPLE = (CAR, BUS, TV)


def come(doors: Doors, broker: SecureBroker, person: Person, voice: bool = False) -> Caller:
    return doors.enter(broker.settings(person.login(voice), person.secret), person.login(voice))


def knock(doors: Doors, broker: SecureBroker, person: Person, voice: bool = False) -> bool:
    return doors.knock(broker.settings(person.login(voice), person.secret), person.login(voice)).up
