"""What both directions of the voice worker's pipe are written with: bounds, bounded types, sounds and devices."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

DATAGRAM_BYTES_MAX = 4096
MISSED_MAX = 10
"""Talks the driver is told of as missed: the newest so many."""
GAIN_DB_MAX = 20.0
METER_EVERY_S = 0.1
GainDb = Annotated[float, Meta(ge=-GAIN_DB_MAX, le=GAIN_DB_MAX)]
Dbfs = Annotated[float, Meta(ge=-100, le=0)]


class Sound(StrEnum):
    """The plan's six sounds, and the emergency's."""

    START_SUCCESS = "start_success"
    START_FAIL = "start_fail"
    END = "end"
    SESSION_JOIN = "session_join"
    SESSION_LEAVE = "session_leave"
    SOMEONE_SPEAKING = "someone_speaking"
    EMERGENCY = "emergency"


class Device(StrEnum):
    """Which of the two sound devices."""

    CAPTURE = "capture"
    PLAYBACK = "playback"


class Word(Struct, frozen=True, kw_only=True, tag_field="t"):
    """Base of both directions."""
