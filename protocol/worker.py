"""Commands and events on the pipe between the daemon's loop and its voice worker.

The pipe is a Unix SOCK_SEQPACKET pair: one datagram is one message, msgpack. Times are CLOCK_MONOTONIC seconds of this
machine, which both processes share. A closed pipe means the other side is dead: the worker mutes at once and exits.
"""

from enum import StrEnum
from math import inf
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from protocol.ids import Burst, Count, EventId, Id, Name, RequestId, Seq
from protocol.messages import AgoraUid, ChannelName, VoicePath

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


class _Word(Struct, frozen=True, kw_only=True, tag_field="t"):
    """Base of both directions."""


# --- commands: daemon -> worker -------------------------------------------------------------------------------------


class Arm(_Word, frozen=True, kw_only=True, tag="arm"):
    """The button went down at `edge_at`: keep speech from there on (pre-roll, at most PRE_ROLL_S); send nothing yet."""

    request_id: RequestId
    edge_at: float
    uid: AgoraUid = 0
    """Whose Agora stream is the microphone; only the Agora bridge's worker has such a device, 0 elsewhere."""


class Transmit(_Word, frozen=True, kw_only=True, tag="transmit"):
    """Permission, a lease of TRANSMIT_LEASE_S: the first one sends the request's pre-roll as `burst`, then live."""

    request_id: RequestId
    burst: Burst
    until: float = inf
    """The floor's own lease: permission never outlives it, whatever becomes of the loop."""
    all_joined: bool = False
    """The server says that every other member has joined Agora: MQTT voice may stop before its 2 s are over."""
    as_user: Id | None = None
    """On whose `voice/` topic: null is one's own. Only the Agora bridge may speak for another."""
    from_seq: Seq = 0
    """Number of the first frame, where an earlier worker may have sent some of this burst already."""


class KeyUp(_Word, frozen=True, kw_only=True, tag="key_up"):
    """The button went up at `at`: capture ends there; what was captured is still sent (under permission, ≤ TAIL_S)."""

    request_id: RequestId
    at: float


class Hold(_Word, frozen=True, kw_only=True, tag="hold"):
    """Write nothing and drop what is captured until the next Transmit of the same burst."""

    burst: Burst


class Mute(_Word, frozen=True, kw_only=True, tag="mute"):
    """Stop capture and drop all unsent speech of this request, or of every one (null)."""

    request_id: RequestId | None = None


class Join(_Word, frozen=True, kw_only=True, tag="join"):
    """Join the voice channel of a session; answered by Joined, and by another one whenever what is heard changes."""

    event_id: EventId
    channel: ChannelName


class Leave(_Word, frozen=True, kw_only=True, tag="leave"):
    """Leave the voice channel; answered by Left."""


class Play(_Word, frozen=True, kw_only=True, tag="play"):
    """`user` speaks `burst` by the server's announcement: its frames, and no others, may be heard."""

    burst: Burst
    user: Id
    uid: AgoraUid = 0
    """Whose Agora stream carries it; 0 is none."""


class Stop(_Word, frozen=True, kw_only=True, tag="stop"):
    """`burst` is over: play to `last_seq` (≤ TAIL_HEARD_S) when `drain`, else be silent at once."""

    burst: Burst
    drain: bool
    last_seq: Seq | None = None


class Cue(_Word, frozen=True, kw_only=True, tag="cue"):
    """Play one of the sounds, never into an open microphone."""

    sound: Sound


class Say(_Word, frozen=True, kw_only=True, tag="say"):
    """Speak a sentence (urgent ones cut in), never into an open microphone, ducked under live voice."""

    text: Annotated[str, Meta(max_length=300)]
    lang: Annotated[str, Meta(max_length=8)] = "ko"
    urgent: bool = False


class Prepare(_Word, frozen=True, kw_only=True, tag="prepare"):
    """This sentence is said often: make its sound when nothing else is to be done, so that Say finds it ready."""

    text: Annotated[str, Meta(max_length=300)]
    lang: Annotated[str, Meta(max_length=8)] = "ko"


class Playback(StrEnum):
    """How loud what the office says is played."""

    FULL = "full"
    DUCKED = "ducked"
    """Navigation speaks: everything is played at `duck_percent`."""
    SILENT = "silent"
    """A telephone call: nothing is heard but urgent sentences; the others wait as they do for the microphone."""


class Focus(_Word, frozen=True, kw_only=True, tag="focus"):
    """The car's audio focus changed; a worker begins with `full`."""

    office: Playback


class Ping(_Word, frozen=True, kw_only=True, tag="ping"):
    """Are you alive? Answered by Pong; sent every second."""

    no: Count


class OfficeKeeps(_Word, frozen=True, kw_only=True, tag="office_keeps"):
    """Whether the office keeps what is said for whoever missed it: only then is one's own speech uploaded."""

    keeps: bool


class CatchUp(_Word, frozen=True, kw_only=True, tag="catch_up"):
    """Fetch from the office what others said after burst `after`, up to burst `upto`; answered by Missed."""

    after: Burst
    upto: Burst


class Replay(_Word, frozen=True, kw_only=True, tag="replay"):
    """Say `text`, then play this burst again, one that was heard or caught up with; answered by Replayed.

    It takes the place of one that is being replayed.
    """

    no: Annotated[Count, Meta(description="tells this replay from any other of this worker")]
    burst: Burst
    text: Annotated[str, Meta(max_length=300)]
    lang: Annotated[str, Meta(max_length=8)] = "ko"


class StopReplay(_Word, frozen=True, kw_only=True, tag="stop_replay"):
    """Be silent but for live voice, cues and sentences, at once."""


class Token(_Word, frozen=True, kw_only=True, tag="token"):
    """An Agora token for `channel`, valid for `expires_in_s` from now; a newer one replaces it. `repr` hides it."""

    channel: ChannelName
    app_id: Annotated[str, Meta(min_length=1, max_length=64)]
    uid: Annotated[int, Meta(ge=1, le=2**32 - 1)]
    token: Annotated[str, Meta(min_length=1, max_length=2048)]
    publisher: bool
    expires_in_s: Annotated[float, Meta(ge=0, le=86_400)]

    def __repr__(self) -> str:
        """Show everything but the token."""
        return f"Token(channel={self.channel!r}, uid={self.uid}, publisher={self.publisher}, token=***)"


class Levels(_Word, frozen=True, kw_only=True, tag="levels"):
    """Make the microphone and the speaker so much louder (or softer) than the devices give and get it."""

    mic_db: GainDb
    speaker_db: GainDb


class Meter(_Word, frozen=True, kw_only=True, tag="meter"):
    """Measure the microphone and say Metered until `until`; what is measured stays here. It keys nothing."""

    until: float
    tone: bool = False
    """Play the test tone once, as a cue: never into an open microphone."""


class Quit(_Word, frozen=True, kw_only=True, tag="quit"):
    """Mute, close the devices and exit with 0."""


Command = (
    Arm
    | Transmit
    | KeyUp
    | Hold
    | Mute
    | Join
    | Leave
    | Play
    | Stop
    | Cue
    | Say
    | Prepare
    | Token
    | Ping
    | Focus
    | OfficeKeeps
    | CatchUp
    | Replay
    | StopReplay
    | Levels
    | Meter
    | Quit
)

# --- events: worker -> daemon ---------------------------------------------------------------------------------------


class Hello(_Word, frozen=True, kw_only=True, tag="hello"):
    """The worker runs; DeviceState and VoiceLink follow as each is known."""

    pid: Count
    transport: Annotated[str, Meta(max_length=16)]


class SoundDevice(_Word, frozen=True, kw_only=True, tag="device"):
    """A sound device opened (`ok`), or is missing or lost; `detail` names it and says how to mend it."""

    device: Device
    ok: bool
    detail: Annotated[str, Meta(max_length=512)] = ""


class VoiceLink(_Word, frozen=True, kw_only=True, tag="voice_link"):
    """The voice transport's own connection came up or went down."""

    up: bool
    detail: Annotated[str, Meta(max_length=512)] = ""


class Joined(_Word, frozen=True, kw_only=True, tag="joined"):
    """The channel of this session is joined: what is said there over `voice` (and over MQTT) is heard from now on."""

    event_id: EventId
    voice: VoicePath = VoicePath.MQTT


class Left(_Word, frozen=True, kw_only=True, tag="left"):
    """No channel is joined."""


class Through(_Word, frozen=True, kw_only=True, tag="through"):
    """Voice of `burst` up to `seq` really left: the first frame at once, then at most every 0.2 s while it goes on."""

    burst: Burst
    seq: Seq
    at: float
    speech_at: float | None = None
    """As in Pong."""


class Drained(_Word, frozen=True, kw_only=True, tag="drained"):
    """After KeyUp: all that will ever be sent of this request was sent; `last_seq` is null where nothing was."""

    request_id: RequestId
    burst: Burst | None
    last_seq: Seq | None


class Heard(_Word, frozen=True, kw_only=True, tag="heard"):
    """The first sample of `burst` reached the playback device at `at`."""

    burst: Burst
    user: Id
    seq: Seq
    at: float


class PlayedOut(_Word, frozen=True, kw_only=True, tag="played_out"):
    """Playing of a burst ended; counts are frames, `delay_ms` the jitter buffer's delay at its end.

    `silent`: so many of `frames` had their time and no loudspeaker sounded them: none is there, a telephone call
    keeps it silent, or the microphone was open.
    """

    burst: Burst
    user: Id
    frames: Count
    concealed: Count
    late: Count
    delay_ms: Count
    silent: Count = 0


class ReplayEnd(StrEnum):
    """How a replay ended."""

    WHOLE = "whole"
    STOPPED = "stopped"
    """By StopReplay, live voice or an open microphone."""
    GONE = "gone"
    """The burst is not kept (any more)."""


class Replayed(_Word, frozen=True, kw_only=True, tag="replayed"):
    """A replay is over; every Replay is answered so, once."""

    no: Count
    burst: Burst
    end: ReplayEnd


class MissedBurst(Struct, frozen=True, kw_only=True):
    """What somebody said while this vehicle did not hear it; fetched, and ready to be played."""

    burst: Burst
    user: Id
    name: Name
    ago_s: Annotated[float, Meta(ge=0)]
    seconds: Annotated[float, Meta(ge=0)]


class Missed(_Word, frozen=True, kw_only=True, tag="missed"):
    """Answers CatchUp: what was missed and can be played, oldest first; `ok` false: the office was not reached."""

    after: Burst
    ok: bool
    bursts: Annotated[tuple[MissedBurst, ...], Meta(max_length=MISSED_MAX)] = ()


class AgoraState(StrEnum):
    """How the worker stands with Agora: `off` while no session needs it."""

    OFF = "off"
    JOINING = "joining"
    JOINED = "joined"
    LOST = "lost"
    REFUSED = "refused"
    """The channel, the token or this uid was refused, or a kicking rule holds."""
    UNUSABLE = "unusable"
    """The SDK is missing, is not the staged one, or cannot be loaded; `detail` says how to mend it."""


class Agora(_Word, frozen=True, kw_only=True, tag="agora"):
    """The state of the Agora path changed; `join_ms` is how long the join took."""

    state: AgoraState
    detail: Annotated[str, Meta(max_length=512)] = ""
    join_ms: Count | None = None


class TokenWanted(_Word, frozen=True, kw_only=True, tag="token_wanted"):
    """Agora needs a (new) token for this channel: it runs out, was refused, or there is none."""

    channel: ChannelName
    why: Annotated[str, Meta(max_length=256)]


class Handover(_Word, frozen=True, kw_only=True, tag="handover"):
    """Own speech of `burst` changed its way from frame `seq` on; both may be true."""

    burst: Burst
    seq: Seq
    mqtt: bool
    agora: bool
    why: Annotated[str, Meta(max_length=256)]


class Flood(_Word, frozen=True, kw_only=True, tag="flood"):
    """`user` floods the voice topic without the floor: its frames are dropped unread; `frames_s` 0 says it is over."""

    user: Id
    frames_s: Count


class SpeechEngine(_Word, frozen=True, kw_only=True, tag="speech_engine"):
    """The engine that makes sentences failed (`ok` false; `detail` says how to mend it), or works again; on change."""

    ok: bool
    detail: Annotated[str, Meta(max_length=512)] = ""


class Pong(_Word, frozen=True, kw_only=True, tag="pong"):
    """Answers Ping from the worker's own loop, with its health."""

    no: Count
    link: bool
    capture: bool
    playback: bool
    frames_played: Count = 0
    frames_concealed: Count = 0
    frames_late: Count = 0
    buffer_ms: Count = 0
    speech_at: float | None = None
    """When speech was last captured while the button was down, sent or not, or the button's first edge since the
    worker's start; null before that, or where nobody listens for speech."""


class Cleaning(_Word, frozen=True, kw_only=True, tag="cleaning"):
    """Noise suppression and automatic gain are set and work (`ok`), or do not: voice goes on without; `detail` why."""

    ok: bool
    detail: Annotated[str, Meta(max_length=512)] = ""


class Metered(_Word, frozen=True, kw_only=True, tag="metered"):
    """The microphone over the last METER_EVERY_S, as it would be sent, in dB of full scale; told while metered."""

    at: float
    peak_db: Dbfs
    rms_db: Dbfs
    floor_db: Dbfs
    """Noise floor: what is left between words."""
    clipped: Count
    """Samples at full scale as the device gave them: no level of ours mends those."""
    speech: bool
    tone_db: Dbfs | None = None
    """How loud the test tone was heard; null while none was played lately."""


class Fault(_Word, frozen=True, kw_only=True, tag="fault"):
    """Something the worker survived and the log should have."""

    what: Annotated[str, Meta(max_length=512)]


WorkerEvent = (
    Hello
    | SoundDevice
    | VoiceLink
    | Joined
    | Left
    | Through
    | Drained
    | Heard
    | PlayedOut
    | Agora
    | TokenWanted
    | Handover
    | Flood
    | Missed
    | Replayed
    | SpeechEngine
    | Pong
    | Cleaning
    | Metered
    | Fault
)

_encoder = msgspec.msgpack.Encoder()
_commands: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_events: msgspec.msgpack.Decoder[WorkerEvent] = msgspec.msgpack.Decoder(WorkerEvent)


def encode(word: Command | WorkerEvent) -> bytes:
    """Give the datagram of a command or event."""
    return _encoder.encode(word)


def decode_command(datagram: bytes) -> Command:
    """Read a command; raises msgspec.DecodeError (a programmer's error: both ends are ours)."""
    return _commands.decode(datagram)


def decode_event(datagram: bytes) -> WorkerEvent:
    """Read an event; raises msgspec.DecodeError, after which the worker is not trusted and restarted."""
    return _events.decode(datagram)
