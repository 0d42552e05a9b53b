"""What a denial is to the driver: why, who speaks and how long at most; told in short to one who presses on."""

from msgspec import Struct

from gateway.core.told import Told
from protocol.messages import DenyCause, FloorDeny, Priority

SHORT_WITHIN_S = 10.0
"""Denied for the same reason by the same speaker within this time of the whole sentence, the name alone is said."""

_TOLD = {
    DenyCause.ANOTHER_HAS_PERMISSION: Told.DENIED,
    DenyCause.QUEUE_FULL: Told.QUEUE_FULL,
    DenyCause.RECEIVE_ONLY: Told.NOT_ALLOWED,
    DenyCause.NOT_ADMITTED: Told.NOT_ADMITTED,
    DenyCause.NO_RESOURCES: Told.OFFICE_FULL,
    DenyCause.ONLY_PARTICIPANT: Told.NOBODY_THERE,
    DenyCause.INTERNAL_ERROR: Told.NO_ANSWER,
    DenyCause.RETRY_AFTER: Told.REFUSED,
    DenyCause.OTHER: Told.REFUSED,
}
_FLOOR_TAKEN = (DenyCause.ANOTHER_HAS_PERMISSION, DenyCause.QUEUE_FULL)


class Denial(Struct, frozen=True, kw_only=True):
    """One denial as it is told; `short`: the driver has just heard the whole of it."""

    told: Told
    short: bool


class Denials:
    """Remembers what was said last."""

    def __init__(self) -> None:
        """Nothing was said."""
        self._said: tuple[Told, str | None] | None = None
        self._said_at = 0.0

    def judge(self, deny: FloorDeny, now: float) -> Denial:
        """Say how a denial that came now is told."""
        told = _TOLD[deny.cause]
        if deny.cause in _FLOOR_TAKEN and deny.priority is Priority.EMERGENCY:
            told = Told.EMERGENCY_ON
        short = self._said == (told, deny.speaker) and now - self._said_at < SHORT_WITHIN_S
        if not short:
            self._said, self._said_at = (told, deny.speaker), now
        return Denial(told=told, short=short)
