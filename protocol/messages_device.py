"""Control messages of devices: what one is, does and wants mended, its presses, and what is asked of it."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from protocol.ids import Burst, Count, Id, Name, RequestId, UnixMs
from protocol.messages_member import VoiceHealth
from protocol.vocabulary import (
    AudioFocus,
    CommandId,
    Control,
    Lifecycle,
    Ms,
    NotLess,
    Priority,
    Seconds,
    Severity,
    Text,
    TracedMs,
)


class Alert(Control, frozen=True, kw_only=True, tag="alert"):
    """Something is wrong with a device. Retained until cured, then cleared by an empty payload."""

    alert: Id
    severity: Severity
    what: Annotated[Text, Meta(description="what is wrong")]
    mend: Annotated[Text, Meta(description="how to mend it")]
    since: UnixMs


class DeviceInfo(Control, frozen=True, kw_only=True, tag="device_info"):
    """What a device is. Retained, published once per connection."""

    version: Text
    python: Text
    board: Text
    pins: Annotated[Text, Meta(description="pin factory in use")]
    capture: Text
    playback: Text


class DeviceState(Control, frozen=True, kw_only=True, tag="device_state"):
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


class Telemetry(Control, frozen=True, kw_only=True, tag="telemetry"):
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


class TracedWord(Struct, frozen=True, kw_only=True):
    """Something that a driver was told of a press."""

    ms: Annotated[TracedMs, Meta(description="since the edge")]
    what: Annotated[str, Meta(max_length=32, description="as in the driver's card, e.g. `granted` or `no connection`")]


class PressTrace(Control, frozen=True, kw_only=True, tag="press_trace"):
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


class Command(Control, frozen=True, kw_only=True, tag="command"):
    """Asks something of a device; never retained, with a message expiry of 30 s. None can key a vehicle."""

    id: Annotated[CommandId, Meta(description="the sender's; the same one is done once and answered again")]
    op: Annotated[str, Meta(min_length=1, max_length=32, description="what to do, see Commands")]
    by: Annotated[Text | None, Meta(description="who asks, for people; the broker's login is what counts")] = None
    params: Annotated[dict[str, Any], Meta(description="per op, see Commands")] = field(default_factory=dict)


class CommandReply(Control, frozen=True, kw_only=True, tag="command_reply"):
    """Answers a command: done, or refused and why."""

    id: CommandId
    op: Annotated[str, Meta(max_length=32)]
    ok: bool
    what: Annotated[Text, Meta(description="what was done, or why not")]
    data: Annotated[dict[str, Any], Meta(description="of self_check: what was found")] = field(default_factory=dict)
