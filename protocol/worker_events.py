"""Events on the voice worker's pipe: worker -> daemon. See `protocol.worker`."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from protocol.ids import Burst, Count, EventId, Id, Name, RequestId, Seq
from protocol.vocabulary import ChannelName, VoicePath
from protocol.worker_words import MISSED_MAX, Dbfs, Device, Word


class Hello(Word, frozen=True, kw_only=True, tag="hello"):
    """The worker runs; DeviceState and VoiceLink follow as each is known."""

    pid: Count
    transport: Annotated[str, Meta(max_length=16)]


class SoundDevice(Word, frozen=True, kw_only=True, tag="device"):
    """A sound device opened (`ok`), or is missing or lost; `detail` names it and says how to mend it."""

    device: Device
    ok: bool
    detail: Annotated[str, Meta(max_length=512)] = ""


class VoiceLink(Word, frozen=True, kw_only=True, tag="voice_link"):
    """The voice transport's own connection came up or went down."""

    up: bool
    detail: Annotated[str, Meta(max_length=512)] = ""


class Joined(Word, frozen=True, kw_only=True, tag="joined"):
    """The channel of this session is joined: what is said there over `voice` (and over MQTT) is heard from now on."""

    event_id: EventId
    voice: VoicePath = VoicePath.MQTT


class Left(Word, frozen=True, kw_only=True, tag="left"):
    """No channel is joined."""


class Through(Word, frozen=True, kw_only=True, tag="through"):
    """Voice of `burst` up to `seq` really left: the first frame at once, then at most every 0.2 s while it goes on."""

    burst: Burst
    seq: Seq
    at: float
    speech_at: float | None = None
    """As in Pong."""


class Drained(Word, frozen=True, kw_only=True, tag="drained"):
    """After KeyUp: all that will ever be sent of this request was sent; `last_seq` is null where nothing was."""

    request_id: RequestId
    burst: Burst | None
    last_seq: Seq | None


class Heard(Word, frozen=True, kw_only=True, tag="heard"):
    """The first sample of `burst` reached the playback device at `at`; `aloud`: and sounded there."""

    burst: Burst
    user: Id
    seq: Seq
    at: float
    aloud: bool = True


class PlayedOut(Word, frozen=True, kw_only=True, tag="played_out"):
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


class Replayed(Word, frozen=True, kw_only=True, tag="replayed"):
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


class Missed(Word, frozen=True, kw_only=True, tag="missed"):
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


class Agora(Word, frozen=True, kw_only=True, tag="agora"):
    """The state of the Agora path changed; `join_ms` is how long the join took."""

    state: AgoraState
    detail: Annotated[str, Meta(max_length=512)] = ""
    join_ms: Count | None = None


class TokenWanted(Word, frozen=True, kw_only=True, tag="token_wanted"):
    """Agora needs a (new) token for this channel: it runs out, was refused, or there is none."""

    channel: ChannelName
    why: Annotated[str, Meta(max_length=256)]


class Handover(Word, frozen=True, kw_only=True, tag="handover"):
    """Own speech of `burst` changed its way from frame `seq` on; both may be true."""

    burst: Burst
    seq: Seq
    mqtt: bool
    agora: bool
    why: Annotated[str, Meta(max_length=256)]


class Flood(Word, frozen=True, kw_only=True, tag="flood"):
    """`user` floods the voice topic without the floor: its frames are dropped unread; `frames_s` 0 says it is over."""

    user: Id
    frames_s: Count


class SpeechEngine(Word, frozen=True, kw_only=True, tag="speech_engine"):
    """The engine that makes sentences failed (`ok` false; `detail` says how to mend it), or works again; on change."""

    ok: bool
    detail: Annotated[str, Meta(max_length=512)] = ""


class Pong(Word, frozen=True, kw_only=True, tag="pong"):
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


class Cleaning(Word, frozen=True, kw_only=True, tag="cleaning"):
    """Noise suppression and automatic gain are set and work (`ok`), or do not: voice goes on without; `detail` why."""

    ok: bool
    detail: Annotated[str, Meta(max_length=512)] = ""


class Metered(Word, frozen=True, kw_only=True, tag="metered"):
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


class Fault(Word, frozen=True, kw_only=True, tag="fault"):
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
