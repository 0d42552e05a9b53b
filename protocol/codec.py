"""Bytes to messages and back, with the limits that keep bad input harmless."""

import msgspec

from protocol.messages import Message
from protocol.topics import Kind

PAYLOAD_BYTES_MAX = 4096
"""The most a member or the server sends in one control message, rosters apart."""
ROSTER_BYTES_MAX = 256 * 1024
"""500 members of 200 bytes, twice over."""

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)

CARRIES: dict[Kind, frozenset[str]] = {
    Kind.SESSION: frozenset({"session"}),
    Kind.FLOOR: frozenset({"floor_request", "floor_renew", "floor_release"}),
    Kind.FLOOR_AGAIN: frozenset({"floor_request", "floor_renew", "floor_release"}),
    Kind.REPLY: frozenset(
        {"floor_granted", "floor_deny", "floor_queued", "floor_renewed", "floor_revoke", "floor_ack", "floor_heard"}
        | {"time_answer"}
    ),
    Kind.PRESENCE: frozenset({"presence"}),
    Kind.ROSTER: frozenset({"roster"}),
    Kind.HEARTBEAT: frozenset({"heartbeat", "burst_played", "time_probe"}),
    Kind.EVENTS: frozenset({"event"}),
    Kind.VOICE: frozenset(),
    Kind.DEVICE_STATE: frozenset({"device_state"}),
    Kind.DEVICE_INFO: frozenset({"device_info"}),
    Kind.ALERT: frozenset({"alert"}),
    Kind.DEVICE_TELEMETRY: frozenset({"telemetry"}),
    Kind.DEVICE_TRACE: frozenset({"press_trace"}),
    Kind.COMMAND: frozenset({"command"}),
    Kind.COMMAND_REPLY: frozenset({"command_reply"}),
}
"""Which message types a topic may carry; anything else there is malformed."""


class Malformed(ValueError):
    """A payload that is no message of this protocol, or is on the wrong topic. Drop, count, report; never fatal."""


def encode(message: Message) -> bytes:
    """Give the UTF-8 JSON of a message."""
    return _encoder.encode(message)


def decode(payload: bytes, kind: Kind) -> Message:
    """Read one control message from a topic of `kind`; raises Malformed saying what is wrong, never echoing it all."""
    limit = ROSTER_BYTES_MAX if kind is Kind.ROSTER else PAYLOAD_BYTES_MAX
    if len(payload) > limit:
        raise Malformed(f"{len(payload)} bytes on {kind.name}: the limit is {limit}")
    try:
        message = _decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise Malformed(f"on {kind.name}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"on {kind.name}: not JSON: {error}") from None
    tag = type(message).__struct_config__.tag
    if tag not in CARRIES[kind]:
        raise Malformed(f"on {kind.name}: a {tag} does not belong there")
    return message
