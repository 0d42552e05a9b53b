"""The datagrams between the C stand-in and the hub; stub.c has the same letters."""

import struct
from enum import StrEnum

from msgspec import Struct

DATAGRAM_BYTES_MAX = 65_536

_HEAD = struct.Struct("=B3xII")


class Up(StrEnum):
    """What the stand-in says."""

    INITIALISE = "I"
    JOIN = "J"
    LEAVE = "L"
    RENEW = "N"
    ROLE = "O"
    PUBLISH = "P"
    UNPUBLISH = "U"
    CLEAR = "C"
    AUDIO = "A"
    SUBSCRIBE = "S"
    UNSUBSCRIBE = "s"
    SUBSCRIBE_ALL = "Y"
    UNSUBSCRIBE_ALL = "y"


class Down(StrEnum):
    """What the hub says; most become one callback of the SDK."""

    CONNECTED = "c"
    DISCONNECTED = "d"
    FAILED = "f"
    RECONNECTING = "r"
    RECONNECTED = "R"
    LOST = "l"
    WILL_EXPIRE = "w"
    EXPIRED = "e"
    USER_JOINED = "j"
    USER_LEFT = "q"
    ROLE_REFUSED = "n"
    ERROR = "E"
    AUDIO = "a"
    PUSH_ERROR = "p"
    HANG = "h"
    STORM = "t"
    CRASH = "x"
    INITIALISED = "I"


class Message(Struct, frozen=True):
    """A datagram taken apart: `a` is unsigned, and what it means depends on `kind`."""

    kind: str
    a: int
    b: int
    payload: bytes


class Join(Struct, frozen=True):
    """What a connection asks for, and how it was configured (numbers as in the package's enumerations)."""

    app_id: str
    token: str
    channel: str
    uid: int
    role: int
    rate_hz: int
    channels: int
    auto_subscribe: int
    profile: int
    scenario: int
    service_scenario: int

    def __repr__(self) -> str:
        """Show everything but the token."""
        return f"Join(channel={self.channel!r}, uid={self.uid}, role={self.role}, rate_hz={self.rate_hz})"


def encode(kind: Down, a: int = 0, b: int = 0, payload: bytes = b"") -> bytes:
    """Give a datagram; negative numbers arrive as such in C."""
    return _HEAD.pack(ord(kind), a & 0xFFFFFFFF, b & 0xFFFFFFFF) + payload


def decode(datagram: bytes) -> Message:
    """Take a datagram of the stand-in apart; raises ValueError."""
    if len(datagram) < _HEAD.size:
        raise ValueError(f"{len(datagram)} bytes are no datagram")
    kind, a, b = _HEAD.unpack_from(datagram)
    return Message(chr(kind), a, b, datagram[_HEAD.size :])


def read_join(message: Message) -> Join:
    """Read a JOIN; raises ValueError."""
    app_id, token, channel, uid, *numbers = message.payload.decode().split("\n")
    role, rate_hz, channels, auto_subscribe, profile, scenario = map(int, numbers)
    return Join(app_id, token, channel, int(uid), role, rate_hz, channels, auto_subscribe, profile, scenario, message.a)
