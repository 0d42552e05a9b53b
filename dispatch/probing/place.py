"""Whose the probe's presses are: an office, a user and a login of its own, which no page, report or figure shows. Pure.

A press there goes the way of every other: broker, login, rights, floor, store. It takes no real office's floor.
"""

from collections.abc import Iterable
from typing import Final

from protocol.ids import OfficeId
from protocol.login import Login
from protocol.rest import Role

PROBE_OFFICE: Final = OfficeId("ptt-probe", "probe")
PROBE_USER: Final = "probe"
PROBE_LOGIN: Final = str(Login(PROBE_OFFICE, PROBE_USER))
PROBE_ROLE: Final = Role.VEHICLE_GATEWAY
"""It may do at the broker what a vehicle may, in its own office."""
PROBE_NAME: Final = "availability probe"
EVENTS_KEEP_DAYS: Final = 7
"""Events of its office, some 7000 a day, are kept no longer: the probe's own table says what came of them."""


def real(offices: Iterable[OfficeId]) -> tuple[OfficeId, ...]:
    """Give the offices that are not the probe's, in the same order."""
    return tuple(office for office in offices if office != PROBE_OFFICE)
