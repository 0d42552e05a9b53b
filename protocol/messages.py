"""Control messages: JSON objects with a `type`, one frozen struct each.

Unknown fields are ignored on reading, so that a newer peer can add some. docs/protocol.md is generated from these
classes: their docstrings and field descriptions are the specification a stranger reads.

What they are is in `messages_floor`, `messages_member` and `messages_device`, the words they use in `vocabulary`; all
of it is imported from here.
"""

from protocol.messages_device import (
    Alert,
    Command,
    CommandReply,
    DeviceInfo,
    DeviceState,
    LinkHealth,
    PressCounts,
    PressTrace,
    Telemetry,
    Throttling,
    TracedWord,
)
from protocol.messages_floor import (
    FloorAck,
    FloorDeny,
    FloorGranted,
    FloorHeard,
    FloorQueued,
    FloorRelease,
    FloorRenew,
    FloorRenewed,
    FloorRequest,
    FloorRevoke,
    Session,
    TimeAnswer,
)
from protocol.messages_member import (
    BurstPlayed,
    Event,
    Heartbeat,
    Presence,
    Roster,
    RosterMember,
    TimeProbe,
    VoiceHealth,
)
from protocol.vocabulary import (
    AgoraUid,
    AppType,
    AudioFocus,
    ChannelName,
    CommandId,
    DenyCause,
    Ended,
    EventType,
    Hardware,
    Lifecycle,
    Ms,
    NotLess,
    PresenceState,
    Priority,
    RevokeCause,
    Seconds,
    Severity,
    Text,
    TracedMs,
    VoicePath,
)

__all__ = [
    "AgoraUid",
    "Alert",
    "AppType",
    "AudioFocus",
    "BurstPlayed",
    "ChannelName",
    "Command",
    "CommandId",
    "CommandReply",
    "DenyCause",
    "DeviceInfo",
    "DeviceState",
    "Ended",
    "Event",
    "EventType",
    "FloorAck",
    "FloorDeny",
    "FloorGranted",
    "FloorHeard",
    "FloorQueued",
    "FloorRelease",
    "FloorRenew",
    "FloorRenewed",
    "FloorRequest",
    "FloorRevoke",
    "FromDevice",
    "FromMember",
    "Hardware",
    "Heartbeat",
    "Lifecycle",
    "LinkHealth",
    "Message",
    "Ms",
    "NotLess",
    "Presence",
    "PresenceState",
    "PressCounts",
    "PressTrace",
    "Priority",
    "Reply",
    "RevokeCause",
    "Roster",
    "RosterMember",
    "Seconds",
    "Session",
    "Severity",
    "Telemetry",
    "Text",
    "Throttling",
    "TimeAnswer",
    "TimeProbe",
    "TracedMs",
    "TracedWord",
    "VoiceHealth",
    "VoicePath",
]

FromMember = FloorRequest | FloorRenew | FloorRelease
"""What travels on `floor/<user>` and `floor/<user>/again`."""

Reply = FloorGranted | FloorDeny | FloorQueued | FloorRenewed | FloorRevoke | FloorAck | FloorHeard | TimeAnswer
"""What travels on `floor/<user>/reply`."""

FromDevice = Alert | DeviceInfo | DeviceState | Telemetry | PressTrace | CommandReply
"""What travels below `device/<user>/`, commands apart."""

Message = (
    Session
    | FromMember
    | Reply
    | Presence
    | Heartbeat
    | BurstPlayed
    | TimeProbe
    | Roster
    | Event
    | FromDevice
    | Command
)
"""Every control message."""
