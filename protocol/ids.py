"""Identifiers and the orders by which the older of two things loses (DESIGN section 5)."""

from typing import Annotated, NewType

from msgspec import Meta, Struct

JSON_INT_MAX = 2**53 - 1
"""Largest integer every JSON reader keeps exactly; all numbers on the wire stay below it."""

ID_PATTERN = r"^[a-z0-9][a-z0-9-]{0,31}$(?!\n)"

Id = Annotated[
    str,
    Meta(
        pattern=ID_PATTERN,
        title="an id of 1 to 32 of a-z, 0-9 and '-'",
        description="lower-case letters, digits and hyphens, 1 to 32 characters",
    ),
]
"""A region, office, user or alert: safe inside an MQTT topic, a file name and a channel name."""

Count = Annotated[int, Meta(ge=0, le=JSON_INT_MAX)]

Rev = Annotated[int, Meta(ge=0, le=JSON_INT_MAX, description="rises with every change of the office's floor")]
Burst = Annotated[int, Meta(ge=0, le=JSON_INT_MAX, description="one grant; rises strictly in an office; 0 is none")]
Seq = Annotated[int, Meta(ge=0, le=2**32 - 1, description="number of a voice frame inside its burst, from 0")]

ConnectionId = tuple[Count, Count, Count]
"""(enrolment generation, boot counter, connection number): compares as a tuple, the larger is the newer connection."""

RequestId = tuple[Count, Count, Count, Count]
"""(connection id..., number of the press): compares as a tuple, the larger is the newer request of that member."""

EventId = Annotated[str, Meta(min_length=1, max_length=64, description="one session of an office")]

Name = Annotated[str, Meta(max_length=64, description="what people call the member, as the driver hears it")]

UnixMs = Annotated[int, Meta(ge=0, le=JSON_INT_MAX, description="Unix time in ms, for people; never compared")]

Epoch = NewType("Epoch", int)
_EPOCH_SHIFT = 32
EPOCH_MAX = JSON_INT_MAX >> _EPOCH_SHIFT
"""2 097 151 openings of a store: one a minute for four years."""


class OfficeId(Struct, frozen=True, order=True):
    """An office of a region; `str()` gives `region/office`."""

    region: Id
    office: Id

    def __str__(self) -> str:
        """Give the form used in file names, logs and configuration."""
        return f"{self.region}/{self.office}"


def ordered_number(epoch: int, n: int) -> int:
    """One rising number on the wire from (epoch, n); raises ValueError where either is out of range."""
    if not 0 <= epoch <= EPOCH_MAX or not 0 <= n < 1 << _EPOCH_SHIFT:
        raise ValueError(f"epoch {epoch} or count {n} out of range")
    return epoch << _EPOCH_SHIFT | n


def epoch_of(number: int) -> int:
    """Give the epoch inside a burst or rev number."""
    return number >> _EPOCH_SHIFT


def connection_of(request_id: RequestId) -> ConnectionId:
    """Give the connection a request was first made on."""
    return request_id[:3]
