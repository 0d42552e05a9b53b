"""Control messages: JSON objects with a `type`, one frozen struct each.

Unknown fields are ignored on reading, so that a newer peer can add some. docs/protocol.md is generated from these
classes: their docstrings and field descriptions are the specification a stranger reads.
"""

from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct

from protocol.ids import Burst, ConnectionId, Count, EventId, Id, Name, RequestId, Rev, Seq, UnixMs

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


class _Control(Struct, frozen=True, kw_only=True, tag_field="type"):
    """Base of every control message."""


class Session(_Control, frozen=True, kw_only=True, tag="session"):
    """The office's floor as the server's store has it. Retained; the one with the lower `rev` loses."""

    rev: Rev
    store: Annotated[str, Meta(min_length=1, max_length=64, description="which store issued it; another's is refused")]
    active: Annotated[bool, Meta(description="true from the first grant until the hang time after the last burst")]
    channel_name: Annotated[ChannelName, Meta(description="voice channel that members join while active")]
    burst: Annotated[Burst, Meta(description="the burst being spoken, else the last one; 0 if there was none yet")] = 0
    current_speaker: Annotated[Id | None, Meta(description="who holds the floor; null while it is idle")] = None
    speaker_name: Name | None = None
    speaker_uid: Annotated[int, Meta(ge=0, le=2**32 - 1, description="the speaker's Agora uid; 0 is none")] = 0
    priority: Priority = Priority.NORMAL
    event_id: Annotated[EventId | None, Meta(description="id of the running session, else of the last one")] = None
    started_at: Annotated[UnixMs | None, Meta(description="when that session started, Unix ms, for people")] = None
    ended: Annotated[Ended | None, Meta(description="how `burst` ended; null while it is being spoken")] = None
    last_seq: Annotated[Seq | None, Meta(description="number of a released burst's last voice frame, if any")] = None
    heard_by: Annotated[Count | None, Meta(description="once the session is over: how many played its last burst")] = (
        None
    )
    heard_of: Annotated[Count | None, Meta(description="of how many who were in the channel when it ended")] = None


class FloorRequest(_Control, frozen=True, kw_only=True, tag="floor_request"):
    """Floor Request: the button went down. Sent again (to `floor/<user>/again`) until answered."""

    request_id: Annotated[RequestId, Meta(description="rises with every press; equal gets the same answer again")]
    priority: Priority = Priority.NORMAL


class FloorRenew(_Control, frozen=True, kw_only=True, tag="floor_renew"):
    """Keeps the lease of a burst: at once after the grant, then every second while its voice gets through."""

    burst: Burst
    renew_no: Annotated[Count, Meta(description="1, 2, 3, ... within the burst")]


class FloorRelease(_Control, frozen=True, kw_only=True, tag="floor_release"):
    """Floor Release: the talk is over, or a request is given up. Sent again until acknowledged."""

    request_id: RequestId
    burst: Annotated[Burst | None, Meta(description="the burst granted to it; null if no grant had arrived")] = None
    last_seq: Annotated[Seq | None, Meta(description="number of the last voice frame sent; null if none was")] = None


class FloorGranted(_Control, frozen=True, kw_only=True, tag="floor_granted"):
    """Floor Granted: speak. Renew at once and every second, or the floor is freed."""

    rev: Rev
    request_id: RequestId
    burst: Burst
    duration_s: Annotated[Seconds, Meta(description="talk-time limit of this burst")]
    lease_s: Annotated[Seconds, Meta(description="unrenewed for this long, the floor is freed")]
    all_joined: Annotated[bool, Meta(description="every other member present has joined the Agora channel")] = False


class FloorDeny(_Control, frozen=True, kw_only=True, tag="floor_deny"):
    """Floor Deny: who speaks, why not you, and how long at most it can last."""

    rev: Rev
    request_id: RequestId
    cause: DenyCause
    speaker: Annotated[Id | None, Meta(description="who holds the floor")] = None
    speaker_name: Name | None = None
    remaining_s: Annotated[Seconds | None, Meta(description="time until the speaker's limit, if known")] = None
    priority: Annotated[Priority, Meta(description="of the burst being spoken")] = Priority.NORMAL


class FloorQueued(_Control, frozen=True, kw_only=True, tag="floor_queued"):
    """Floor Queue Position Info: wait, keep the button down, repeat the request every second."""

    rev: Rev
    request_id: RequestId
    position: Annotated[int, Meta(ge=1, le=1000, description="1 is next")]


class FloorRenewed(_Control, frozen=True, kw_only=True, tag="floor_renewed"):
    """Answers a floor_renew: the burst is still yours."""

    rev: Rev
    burst: Burst
    renew_no: Count
    all_joined: Annotated[bool, Meta(description="every other member present has joined the Agora channel")] = False


class FloorRevoke(_Control, frozen=True, kw_only=True, tag="floor_revoke"):
    """Floor Revoke: stop; nothing more of this burst is played anywhere. Answer with a floor_release."""

    rev: Rev
    burst: Burst
    cause: RevokeCause


class FloorAck(_Control, frozen=True, kw_only=True, tag="floor_ack"):
    """Floor Ack: answers a floor_release; that request is over for good."""

    rev: Rev
    request_id: RequestId


class FloorHeard(_Control, frozen=True, kw_only=True, tag="floor_heard"):
    """Who heard you: sent to the speaker once all have answered, or 4 s after its burst; the newest burst counts."""

    burst: Burst
    heard_by: Annotated[Count, Meta(description="how many played at least half of its frames")]
    heard_of: Annotated[Count, Meta(description="how many were in the channel when it ended, or played it")]


class TimeAnswer(_Control, frozen=True, kw_only=True, tag="time_answer"):
    """Answers a time_probe, behind all floor messages; half the round trip is how wrong a clock set by it can be."""

    probe_no: Annotated[Count, Meta(description="that of the probe; of several answers to it the first counts")]
    at: Annotated[UnixMs, Meta(description="the server's wall clock when it answered")]


class Presence(_Control, frozen=True, kw_only=True, tag="presence"):
    """What a member is. Retained; (connection_id, presence_no) gives the order, a will has the highest presence_no."""

    state: PresenceState
    connection_id: ConnectionId
    presence_no: Annotated[Count, Meta(description="1, 2, 3, ... within the connection")]
    in_channel: Annotated[EventId | None, Meta(description="event_id of the session whose channel it joined")] = None
    voice: Annotated[VoicePath, Meta(description="what it hears in that channel; agora also hears mqtt")] = (
        VoicePath.MQTT
    )
    app_type: AppType = AppType.VEHICLE_GATEWAY
    name: Name | None = None
    device_info: Text | None = None
    hardware: Annotated[Hardware | None, Meta(description="fingerprint of the unit; must be the enrolled one's")] = None
    joined_at: Annotated[UnixMs | None, Meta(description="when this connection came online, for people")] = None
    reason: Annotated[Text | None, Meta(description="why, where the server or a will speaks for the member")] = None


class VoiceHealth(Struct, frozen=True, kw_only=True):
    """State of a member's voice side, as its worker reports it."""

    worker: Annotated[str, Meta(max_length=16, description="ok, starting or down")] = "ok"
    capture: Annotated[bool, Meta(description="microphone open")] = True
    playback: Annotated[bool, Meta(description="speaker open")] = True
    link: Annotated[bool, Meta(description="voice connection up")] = True
    frames_played: Count = 0
    frames_concealed: Count = 0
    frames_late: Count = 0
    buffer_ms: Annotated[int, Meta(ge=0, le=10_000, description="present delay of the jitter buffer")] = 0


class Heartbeat(_Control, frozen=True, kw_only=True, tag="heartbeat"):
    """Sign of life every 60 s, QoS 1; a member silent for 170 s of connected time is gone."""

    connection_id: ConnectionId
    beat_no: Annotated[Count, Meta(description="1, 2, 3, ... within the connection")]
    burst: Annotated[Burst, Meta(description="the burst it is listening to; 0 is none")] = 0
    voice: VoiceHealth = VoiceHealth()


class BurstPlayed(_Control, frozen=True, kw_only=True, tag="burst_played"):
    """What a listener's loudspeaker played of a burst that is over; sent within 0.3 s, at random, and not repeated.

    What came and did not sound is none of it: without a loudspeaker, in a telephone call, with the microphone open.
    """

    connection_id: ConnectionId
    burst: Burst
    frames: Annotated[Count, Meta(description="voice frames that sounded as they were sent")]
    concealed: Annotated[Count, Meta(description="frames that were missing and made up, or came and did not sound")] = 0


class TimeProbe(_Control, frozen=True, kw_only=True, tag="time_probe"):
    """Asks the server for its time: five after each connection and every ten minutes. Nothing of the floor needs it."""

    probe_no: Annotated[Count, Meta(description="1, 2, 3, ... within the process")]


class RosterMember(Struct, frozen=True, kw_only=True):
    """One member in the roster."""

    user: Id
    state: PresenceState
    name: Name | None = None
    app_type: AppType = AppType.VEHICLE_GATEWAY
    in_channel: Annotated[bool, Meta(description="joined to the running session's channel")] = False


class Roster(_Control, frozen=True, kw_only=True, tag="roster"):
    """Who is there, for monitors. Retained, published on change and at most once a second."""

    participants: Annotated[Count, Meta(description="members joined to the running session's channel")]
    members: tuple[RosterMember, ...]


class Event(_Control, frozen=True, kw_only=True, tag="event"):
    """One line of the office's durable log. Once in the log; at least once here, so take each `no` once."""

    no: Annotated[Count, Meta(description="1, 2, 3, ... within the office")]
    event: EventType
    at: UnixMs
    event_id: Annotated[EventId | None, Meta(description="the session it belongs to")] = None
    user: Id | None = None
    name: Name | None = None
    metadata: Annotated[dict[str, Any], Meta(description="per type, see the table of events")] = {}


class Severity(StrEnum):
    """How much an alert matters."""

    WARNING = "warning"
    CRITICAL = "critical"


class Alert(_Control, frozen=True, kw_only=True, tag="alert"):
    """Something is wrong with a device. Retained until cured, then cleared by an empty payload."""

    alert: Id
    severity: Severity
    what: Annotated[Text, Meta(description="what is wrong")]
    mend: Annotated[Text, Meta(description="how to mend it")]
    since: UnixMs


class DeviceInfo(_Control, frozen=True, kw_only=True, tag="device_info"):
    """What a device is. Retained, published once per connection."""

    version: Text
    python: Text
    board: Text
    pins: Annotated[Text, Meta(description="pin factory in use")]
    capture: Text
    playback: Text


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


class DeviceState(_Control, frozen=True, kw_only=True, tag="device_state"):
    """What a device is doing. Retained, published on change and at most once a second."""

    floor: Annotated[Text, Meta(description="state of its floor participant, e.g. `U: has permission`")]
    keyed: Annotated[bool, Meta(description="the button is down, or an emergency has the microphone open")]
    voice: VoiceHealth
    last_press: Annotated[Text | None, Meta(description="how its last press was answered")] = None
    mic_db: Annotated[float, Meta(ge=-20, le=20, description="level set for the microphone, in dB")] = 0.0
    speaker_db: Annotated[float, Meta(ge=-20, le=20, description="level set for the speaker, in dB")] = 0.0
    heard_by: Annotated[Count | None, Meta(description="how many heard its last burst; null until counted")] = None
    heard_of: Annotated[Count | None, Meta(description="of how many")] = None
    lifecycle: Annotated[Lifecycle, Meta(description="by the ignition; a parked one listens on")] = Lifecycle.DRIVING
    focus: Annotated[AudioFocus, Meta(description="whose turn loudspeaker and microphone are")] = AudioFocus.RADIO
    transmitter_muted: Annotated[bool, Meta(description="the office lets this unit only listen")] = False


Ms = Annotated[float, Meta(ge=0, le=3_600_000)]
NotLess = Annotated[float, Meta(ge=0)]


class Throttling(Struct, frozen=True, kw_only=True):
    """What a Raspberry Pi says of its supply and its heat: now, and at any time since it was started."""

    undervoltage: Annotated[bool, Meta(description="the supply is below 4.63 V now")] = False
    frequency_capped: bool = False
    throttled: bool = False
    hot: Annotated[bool, Meta(description="the soft temperature limit holds now")] = False
    undervoltage_since_boot: bool = False
    frequency_capped_since_boot: bool = False
    throttled_since_boot: bool = False
    hot_since_boot: bool = False


class LinkHealth(Struct, frozen=True, kw_only=True):
    """A device's control connection."""

    since_s: Annotated[float, Meta(ge=0, description="how long it has been up")] = 0.0
    reconnects: Annotated[Count, Meta(description="connections since the start, the first one apart")] = 0
    rtt_ms: Annotated[Ms | None, Meta(description="median time of the last QoS 1 acknowledgements")] = None
    queue_bytes: Annotated[Count, Meta(description="sent, and not yet acknowledged by the broker's machine")] = 0


class PressCounts(Struct, frozen=True, kw_only=True):
    """How presses were answered since the daemon's start."""

    presses: Count = 0
    granted: Count = 0
    denied: Annotated[dict[str, Count], Meta(description="every other first answer of a press, with its count")] = {}
    answer_ms_p50: Annotated[Ms | None, Meta(description="press to first answer, of the last 100")] = None
    answer_ms_p99: Ms | None = None


class Telemetry(_Control, frozen=True, kw_only=True, tag="telemetry"):
    """How a device is. Retained, every minute and on what matters, at most every 10 s; null: not to be had there."""

    at: Annotated[UnixMs, Meta(description="when it was measured, by the device's clock, for people")]
    uptime_s: Annotated[float, Meta(ge=0, description="since the daemon's start")]
    temperature_c: Annotated[float | None, Meta(description="of the processor")] = None
    throttling: Throttling | None = None
    load_1min: Annotated[NotLess | None, Meta(description="processes that want to run, mean of a minute")] = None
    memory_free_mb: Annotated[NotLess | None, Meta(description="memory that can be had")] = None
    disk_free_mb: Annotated[NotLess | None, Meta(description="on the state directory's file system")] = None
    link: LinkHealth = LinkHealth()
    voice: VoiceHealth = VoiceHealth()
    worker_restarts: Annotated[Count, Meta(description="deaths of the voice worker nobody wanted")] = 0
    presses: PressCounts = PressCounts()


TracedMs = Annotated[int, Meta(ge=0, le=3_600_000)]
"""From the button's edge, ms; what comes later than after an hour is told as after one."""


class TracedWord(Struct, frozen=True, kw_only=True):
    """Something that a driver was told of a press."""

    ms: Annotated[TracedMs, Meta(description="since the edge")]
    what: Annotated[str, Meta(max_length=32, description="as in the driver's card, e.g. `granted` or `no connection`")]


class PressTrace(_Control, frozen=True, kw_only=True, tag="press_trace"):
    """One press, told once it is over; what was pressed without a connection is told later. Null: it never came to it.

    The first word told is its answer. At most 50 presses are kept while they cannot be told, and in memory only.
    """

    request_id: Annotated[RequestId, Meta(description="the press; of one that asked for nothing, nobody else has it")]
    edge_at: Annotated[UnixMs, Meta(description="when the button went down, by the server's clock where measured")]
    edge_error_ms: Annotated[
        TracedMs | None, Meta(description="how wrong that can be; null: not measured, it is the device's own clock")
    ] = None
    priority: Priority = Priority.NORMAL
    handled_ms: Annotated[TracedMs, Meta(description="the device took it up")] = 0
    asked_ms: Annotated[TracedMs | None, Meta(description="the request was sent")] = None
    permitted_ms: Annotated[TracedMs | None, Meta(description="the microphone's voice was let out")] = None
    through_ms: Annotated[TracedMs | None, Meta(description="its first voice frame had left")] = None
    key_up_ms: Annotated[TracedMs | None, Meta(description="the button went up")] = None
    released_ms: Annotated[TracedMs | None, Meta(description="the floor, or the request, was given back")] = None
    burst: Annotated[Burst | None, Meta(description="the burst granted to it")] = None
    told: Annotated[tuple[TracedWord, ...], Meta(max_length=16, description="what the driver was told, in order")] = ()
    speaker: Annotated[Name | None, Meta(description="who spoke, as the denial said")] = None
    remaining_s: Annotated[Seconds | None, Meta(description="how long at most that could last, as it said")] = None
    link_down_s: Annotated[
        Seconds | None, Meta(description="at the edge, the control connection had been away for so long")
    ] = None


CommandId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z._:-]+$(?!\n)")]


class Command(_Control, frozen=True, kw_only=True, tag="command"):
    """Asks something of a device; never retained, with a message expiry of 30 s. None can key a vehicle."""

    id: Annotated[CommandId, Meta(description="the sender's; the same one is done once and answered again")]
    op: Annotated[str, Meta(min_length=1, max_length=32, description="what to do, see Commands")]
    by: Annotated[Text | None, Meta(description="who asks, for people; the broker's login is what counts")] = None
    params: Annotated[dict[str, Any], Meta(description="per op, see Commands")] = {}


class CommandReply(_Control, frozen=True, kw_only=True, tag="command_reply"):
    """Answers a command: done, or refused and why."""

    id: CommandId
    op: Annotated[str, Meta(max_length=32)]
    ok: bool
    what: Annotated[Text, Meta(description="what was done, or why not")]
    data: Annotated[dict[str, Any], Meta(description="of self_check: what was found")] = {}


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
