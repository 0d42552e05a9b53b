"""What the control messages are written with: bounded types, and the words of causes, states and kinds.

The docstrings are part of the specification that docs/protocol.md is generated from.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Text = Annotated[str, Meta(max_length=256)]
ChannelName = Annotated[str, Meta(min_length=1, max_length=63)]
Hardware = Annotated[str, Meta(min_length=8, max_length=64, pattern=r"^[0-9a-z-]+$(?!\n)")]
"""What tells one unit from its clone: a digest of the machine's own serial numbers, never the numbers themselves."""
AgoraUid = Annotated[int, Meta(ge=0, le=2**32 - 1)]


class Priority(StrEnum):
    """Floor priority: normal, high or emergency; clamped by the server to what office and registry allow the member."""

    NORMAL = "normal"
    HIGH = "high"
    EMERGENCY = "emergency"

    @property
    def rank(self) -> int:
        """0 normal, 1 high, 2 emergency."""
        return _RANK[self]


_RANK = {Priority.NORMAL: 0, Priority.HIGH: 1, Priority.EMERGENCY: 2}


class DenyCause(StrEnum):
    """Why a floor request was denied; the numbers of TS 24.380 8.2.6.2 are in docs/protocol.md."""

    ANOTHER_HAS_PERMISSION = "another_has_permission"
    INTERNAL_ERROR = "internal_error"
    ONLY_PARTICIPANT = "only_participant"
    RETRY_AFTER = "retry_after"
    RECEIVE_ONLY = "receive_only"
    NO_RESOURCES = "no_resources"
    QUEUE_FULL = "queue_full"
    NOT_ADMITTED = "not_admitted"
    OTHER = "other"


class RevokeCause(StrEnum):
    """Why a held floor was taken back; TS 24.380 8.2.10.2."""

    ONLY_ONE_CLIENT = "only_one_client"
    BURST_TOO_LONG = "burst_too_long"
    NO_PERMISSION = "no_permission"
    PREEMPTED = "preempted"
    NO_RESOURCES = "no_resources"
    OTHER = "other"


class Ended(StrEnum):
    """How a burst ended. Only the tail of a `released` one is played out."""

    RELEASED = "released"
    LIMIT = "limit"
    PREEMPTED = "preempted"
    LOST = "lost"
    CLEANED = "cleaned"
    SUPERSEDED = "superseded"


class PresenceState(StrEnum):
    """What a member is: told by itself, by its last will (`lost`), or by the server about the dead."""

    ONLINE = "online"
    SLEEPING = "sleeping"
    OFFLINE = "offline"
    LOST = "lost"


class AppType(StrEnum):
    """What kind of member it is."""

    VEHICLE_GATEWAY = "vehicle_gateway"
    CALL_MANAGER = "call_manager"
    PICKUP_DRIVER = "pickup_driver"
    MONITOR = "monitor"
    BRIDGE = "bridge"


class VoicePath(StrEnum):
    """Over which network voice is heard: Opus on the office's own broker, or the office's Agora channel."""

    MQTT = "mqtt"
    AGORA = "agora"


class EventType(StrEnum):
    """The plan's six event types and, in lower part, the ones added here."""

    SESSION_STARTED = "SESSION_STARTED"
    SESSION_ENDED = "SESSION_ENDED"
    USER_JOINED = "USER_JOINED"
    USER_LEFT = "USER_LEFT"
    SPEAKER_CHANGED = "SPEAKER_CHANGED"
    HEARTBEAT_LOST = "HEARTBEAT_LOST"
    BURST_ENDED = "BURST_ENDED"
    BURST_HEARD = "BURST_HEARD"
    CLEANED = "CLEANED"
    ENROLLED = "ENROLLED"
    ENROL_REFUSED = "ENROL_REFUSED"
    USER_REVOKED = "USER_REVOKED"
    CLONE_FOUND = "CLONE_FOUND"
    CLONE_CURED = "CLONE_CURED"
    VOICE_CHANGED = "VOICE_CHANGED"
    EMERGENCY = "EMERGENCY"
    EMERGENCY_CLEARED = "EMERGENCY_CLEARED"
    DENIED = "DENIED"
    REVOKED = "REVOKED"
    LINK_LOST = "LINK_LOST"
    LINK_BACK = "LINK_BACK"
    ALERT_RAISED = "ALERT_RAISED"
    ALERT_CLEARED = "ALERT_CLEARED"


class Severity(StrEnum):
    """How much an alert matters."""

    WARNING = "warning"
    CRITICAL = "critical"


class Lifecycle(StrEnum):
    """What a vehicle is to the day: by its ignition, or `driving` always where that is not wired."""

    DRIVING = "driving"
    PARKING = "parking"
    PARKED = "parked"
    WAKING = "waking"
    SHUTTING_DOWN = "shutting_down"


class AudioFocus(StrEnum):
    """Whose turn a vehicle's loudspeaker and microphone are."""

    RADIO = "radio"
    NAVIGATION = "navigation"
    PHONE = "phone"


Ms = Annotated[float, Meta(ge=0, le=3_600_000)]
NotLess = Annotated[float, Meta(ge=0)]
TracedMs = Annotated[int, Meta(ge=0, le=3_600_000)]
"""Of a press, from the button's edge, or of a listener, ms; what takes more than an hour is told as an hour."""
CommandId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z._:-]+$(?!\n)")]


class Control(Struct, frozen=True, kw_only=True, tag_field="type"):
    """Base of every control message."""
