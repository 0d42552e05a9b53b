"""Commands and events on the pipe between the daemon's loop and its voice worker.

The pipe is a Unix SOCK_SEQPACKET pair: one datagram is one message, msgpack. Times are CLOCK_MONOTONIC seconds of this
machine, which both processes share. A closed pipe means the other side is dead: the worker mutes at once and exits.
"""

from enum import StrEnum
from math import inf
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from protocol.ids import Burst, Count, EventId, Id, RequestId, Seq
from protocol.messages import AgoraUid, ChannelName, VoicePath

DATAGRAM_BYTES_MAX = 4096


class Sound(StrEnum):
    """The plan's six sounds."""

    START_SUCCESS = "start_success"
    START_FAIL = "start_fail"
    END = "end"
    SESSION_JOIN = "session_join"
    SESSION_LEAVE = "session_leave"
    SOMEONE_SPEAKING = "someone_speaking"


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
    """`burst` is over: play to `last_seq` (≤ DRAIN_S) when `drain`, else be silent at once."""

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


class Ping(_Word, frozen=True, kw_only=True, tag="ping"):
    """Are you alive? Answered by Pong; sent every second."""

    no: Count


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


class Quit(_Word, frozen=True, kw_only=True, tag="quit"):
    """Mute, close the devices and exit with 0."""


Command = Arm | Transmit | KeyUp | Hold | Mute | Join | Leave | Play | Stop | Cue | Say | Prepare | Token | Ping | Quit

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
    """Playing of a burst ended; counts are frames, `delay_ms` the jitter buffer's delay at its end."""

    burst: Burst
    user: Id
    frames: Count
    concealed: Count
    late: Count
    delay_ms: Count


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
    | Pong
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
