"""Who works at the practice office. Pure."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from protocol.messages import AppType, Priority
from protocol.rest import Role

OFFICE_NAME: Final = "연습 사무실 / practice office"
"""Stands on every page: nobody takes these days for real ones."""
CARS_MAX: Final = 60
DISPATCHER: Final = "desk"
"""Whose login is told: for whoever sits before the pages."""
ROOM: Final = "room"
"""The dispatcher who is made up, too."""


class Person(Struct, frozen=True, kw_only=True):
    """One user of the practice office; a `virtual` one is played by us."""

    user: str
    name: str
    role: Role = Role.VEHICLE_GATEWAY
    priority: Priority = Priority.NORMAL
    virtual: bool = True

    @property
    def vehicle(self) -> bool:
        """Whether it sits in a vehicle."""
        return self.role is Role.VEHICLE_GATEWAY

    @property
    def app_type(self) -> AppType:
        """What it says that it is."""
        return AppType.VEHICLE_GATEWAY if self.vehicle else AppType.CALL_MANAGER


def people(cars: int) -> tuple[Person, ...]:
    """Give everybody but the admin, vehicles first; raises ValueError for a number of cars that is not served."""
    if not 2 <= cars <= CARS_MAX:
        raise ValueError(f"{cars} vehicles: give 2 to {CARS_MAX}")
    vehicles = tuple(Person(user=f"car-{number:02}", name=f"{number}호차") for number in range(1, cars + 1))
    room = Person(user=ROOM, name="배차실", role=Role.CALL_MANAGER, priority=Priority.HIGH)
    desk = Person(user=DISPATCHER, name="배차 담당", role=Role.CALL_MANAGER, priority=Priority.HIGH, virtual=False)
    return (*vehicles, room, desk)
