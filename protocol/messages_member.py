"""Control messages of members: what each is, its signs of life, what it played, and who is there."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from protocol.ids import Burst, ConnectionId, Count, EventId, Id, Name, UnixMs
from protocol.vocabulary import AppType, Control, EventType, Hardware, PresenceState, Text, TracedMs, VoicePath


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


class Presence(Control, frozen=True, kw_only=True, tag="presence"):
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


class Heartbeat(Control, frozen=True, kw_only=True, tag="heartbeat"):
    """Sign of life every 60 s, QoS 1; a member silent for 170 s of connected time is gone."""

    connection_id: ConnectionId
    beat_no: Annotated[Count, Meta(description="1, 2, 3, ... within the connection")]
    burst: Annotated[Burst, Meta(description="the burst it is listening to; 0 is none")] = 0
    voice: VoiceHealth = VoiceHealth()


class BurstPlayed(Control, frozen=True, kw_only=True, tag="burst_played"):
    """What a listener's loudspeaker played of a burst that is over; sent within 0.3 s, at random, and not repeated.

    What came and did not sound is none of it: without a loudspeaker, in a telephone call, with the microphone open.
    What is null was not measured: nothing is concluded from that.
    """

    connection_id: ConnectionId
    burst: Burst
    frames: Annotated[Count, Meta(description="voice frames that sounded as they were sent")]
    concealed: Annotated[Count, Meta(description="frames that were missing and made up, or came and did not sound")] = 0
    heard_at: Annotated[
        UnixMs | None, Meta(description="when its first sample was at the loudspeaker, by the server's clock")
    ] = None
    heard_error_ms: Annotated[TracedMs | None, Meta(description="how wrong `heard_at` can be")] = None
    join_ms: Annotated[
        TracedMs | None, Meta(description="the first burst heard of a session: how long joining its channel took")
    ] = None


class TimeProbe(Control, frozen=True, kw_only=True, tag="time_probe"):
    """Asks the server for its time: five after each connection and every ten minutes. Nothing of the floor needs it."""

    probe_no: Annotated[Count, Meta(description="1, 2, 3, ... within the process")]


class RosterMember(Struct, frozen=True, kw_only=True):
    """One member in the roster."""

    user: Id
    state: PresenceState
    name: Name | None = None
    app_type: AppType = AppType.VEHICLE_GATEWAY
    in_channel: Annotated[bool, Meta(description="joined to the running session's channel")] = False


class Roster(Control, frozen=True, kw_only=True, tag="roster"):
    """Who is there, for monitors. Retained, published on change and at most once a second."""

    participants: Annotated[Count, Meta(description="members joined to the running session's channel")]
    members: tuple[RosterMember, ...]


class Event(Control, frozen=True, kw_only=True, tag="event"):
    """One line of the office's durable log. Once in the log; at least once here, so take each `no` once."""

    no: Annotated[Count, Meta(description="1, 2, 3, ... within the office")]
    event: EventType
    at: UnixMs
    event_id: Annotated[EventId | None, Meta(description="the session it belongs to")] = None
    user: Id | None = None
    name: Name | None = None
    metadata: Annotated[dict[str, Any], Meta(description="per type, see the table of events")] = field(
        default_factory=dict
    )
