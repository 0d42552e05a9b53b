"""Commands on the voice worker's pipe: daemon -> worker. See `protocol.worker`."""

from enum import StrEnum
from math import inf
from typing import Annotated

from msgspec import Meta

from protocol.ids import Burst, Count, EventId, Id, RequestId, Seq
from protocol.vocabulary import AgoraUid, ChannelName
from protocol.worker_words import GainDb, Sound, Word


class Arm(Word, frozen=True, kw_only=True, tag="arm"):
    """The button went down at `edge_at`: keep speech from there on (pre-roll, at most PRE_ROLL_S); send nothing yet."""

    request_id: RequestId
    edge_at: float
    uid: AgoraUid = 0
    """Whose Agora stream is the microphone; only the Agora bridge's worker has such a device, 0 elsewhere."""


class Transmit(Word, frozen=True, kw_only=True, tag="transmit"):
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


class KeyUp(Word, frozen=True, kw_only=True, tag="key_up"):
    """The button went up at `at`: capture ends there; what was captured is still sent (under permission, ≤ TAIL_S)."""

    request_id: RequestId
    at: float


class Hold(Word, frozen=True, kw_only=True, tag="hold"):
    """Write nothing and drop what is captured until the next Transmit of the same burst."""

    burst: Burst


class Mute(Word, frozen=True, kw_only=True, tag="mute"):
    """Stop capture and drop all unsent speech of this request, or of every one (null)."""

    request_id: RequestId | None = None


class Join(Word, frozen=True, kw_only=True, tag="join"):
    """Join the voice channel of a session; answered by Joined, and by another one whenever what is heard changes."""

    event_id: EventId
    channel: ChannelName


class Leave(Word, frozen=True, kw_only=True, tag="leave"):
    """Leave the voice channel; answered by Left."""


class Play(Word, frozen=True, kw_only=True, tag="play"):
    """`user` speaks `burst` by the server's announcement: its frames, and no others, may be heard."""

    burst: Burst
    user: Id
    uid: AgoraUid = 0
    """Whose Agora stream carries it; 0 is none."""


class Stop(Word, frozen=True, kw_only=True, tag="stop"):
    """`burst` is over: play to `last_seq` (≤ TAIL_HEARD_S) when `drain`, else be silent at once."""

    burst: Burst
    drain: bool
    last_seq: Seq | None = None


class Cue(Word, frozen=True, kw_only=True, tag="cue"):
    """Play one of the sounds, never into an open microphone."""

    sound: Sound


class Say(Word, frozen=True, kw_only=True, tag="say"):
    """Speak a sentence (urgent ones cut in), never into an open microphone, ducked under live voice."""

    text: Annotated[str, Meta(max_length=300)]
    lang: Annotated[str, Meta(max_length=8)] = "ko"
    urgent: bool = False


class Prepare(Word, frozen=True, kw_only=True, tag="prepare"):
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


class Focus(Word, frozen=True, kw_only=True, tag="focus"):
    """The car's audio focus changed; a worker begins with `full`."""

    office: Playback


class Ping(Word, frozen=True, kw_only=True, tag="ping"):
    """Are you alive? Answered by Pong; sent every second."""

    no: Count


class OfficeKeeps(Word, frozen=True, kw_only=True, tag="office_keeps"):
    """Whether the office keeps what is said for whoever missed it: only then is one's own speech uploaded."""

    keeps: bool


class CatchUp(Word, frozen=True, kw_only=True, tag="catch_up"):
    """Fetch from the office what others said after burst `after`, up to burst `upto`; answered by Missed."""

    after: Burst
    upto: Burst


class Replay(Word, frozen=True, kw_only=True, tag="replay"):
    """Say `text`, then play this burst again, one that was heard or caught up with; answered by Replayed.

    It takes the place of one that is being replayed.
    """

    no: Annotated[Count, Meta(description="tells this replay from any other of this worker")]
    burst: Burst
    text: Annotated[str, Meta(max_length=300)]
    lang: Annotated[str, Meta(max_length=8)] = "ko"


class StopReplay(Word, frozen=True, kw_only=True, tag="stop_replay"):
    """Be silent but for live voice, cues and sentences, at once."""


class Token(Word, frozen=True, kw_only=True, tag="token"):
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


class Levels(Word, frozen=True, kw_only=True, tag="levels"):
    """Make the microphone and the speaker so much louder (or softer) than the devices give and get it."""

    mic_db: GainDb
    speaker_db: GainDb


class Meter(Word, frozen=True, kw_only=True, tag="meter"):
    """Measure the microphone and say Metered until `until`; what is measured stays here. It keys nothing."""

    until: float
    tone: bool = False
    """Play the test tone once, as a cue: never into an open microphone."""


class Quit(Word, frozen=True, kw_only=True, tag="quit"):
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
