"""Events that reach the vehicle's core, and the effects it asks of the shells."""

from enum import StrEnum

from msgspec import Struct

from gateway.core.told import Told
from protocol.ids import ConnectionId
from protocol.messages import Message, Presence
from protocol.rest import TokenGrant, Welcome
from protocol.topics import Kind
from protocol.worker import Command, WorkerEvent


class _Word(Struct, frozen=True, kw_only=True):
    """Base of events and effects."""


class Flag(StrEnum):
    """What is kept over restarts as a yes or no; the value is its file in the state directory."""

    TRANSMITTER_MUTED = "transmitter-muted"
    IGNITION_WIRED = "ignition-wired"


class Machine(_Word, frozen=True, kw_only=True):
    """How the machine is; None where it does not say. `throttled` is the firmware's bit field."""

    temperature_c: float | None = None
    throttled: int | None = None
    load_1min: float | None = None
    memory_free_mb: float | None = None
    disk_free_mb: float | None = None
    queue_bytes: int = 0


# --- events ---------------------------------------------------------------------------------------------------------


class Pressed(_Word, frozen=True, kw_only=True):
    """The button went down; `at` is the edge's time."""

    at: float


class Released(_Word, frozen=True, kw_only=True):
    """The button went up."""

    at: float


class HeldAtStart(_Word, frozen=True, kw_only=True):
    """The button was down when the daemon started: it does not transmit until it was seen up."""


class InputChanged(_Word, frozen=True, kw_only=True):
    """A fitted input other than the push-to-talk button has this level now.

    `signal` is of hw.board.INPUTS (a test keeps it so); `at` is the edge's time. `at_start`: with this level the day
    begins, told once for every fitted input; one that is active then may be a button that hangs.
    """

    signal: str
    active: bool
    at: float
    at_start: bool = False


class LinkUp(_Word, frozen=True, kw_only=True):
    """The broker accepted the connection and acknowledged every subscription."""


class LinkDown(_Word, frozen=True, kw_only=True):
    """The connection is gone, or an attempt failed; `refused`: the broker does not let this user in."""

    reason: str
    refused: bool = False


class Received(_Word, frozen=True, kw_only=True):
    """A well-formed message of one of this vehicle's topics."""

    kind: Kind
    message: Message
    retained: bool = False
    """It lay at the broker; nobody sent it just now."""


class Acked(_Word, frozen=True, kw_only=True):
    """The broker acknowledged the publication with this token."""

    token: int


class FromWorker(_Word, frozen=True, kw_only=True):
    """The voice worker says."""

    event: WorkerEvent


class WorkerGone(_Word, frozen=True, kw_only=True):
    """The voice worker died or could not be started."""

    reason: str


class Trouble(_Word, frozen=True, kw_only=True):
    """The machine has (`holds`) or has no longer one of the troubles of `alerts.KNOWN`; `what`: in words of its own."""

    alert: str
    holds: bool
    what: str = ""


class TokenCame(_Word, frozen=True, kw_only=True):
    """The office gave an Agora token. `repr` hides it."""

    grant: TokenGrant


class TokenFailed(_Word, frozen=True, kw_only=True):
    """No token: the office refused (`code` of its problem) or was not reached (no code); `why` says it to people."""

    code: str
    why: str
    retry_after_s: float | None = None


class Welcomed(_Word, frozen=True, kw_only=True):
    """The office knows this unit as the user's only and newest one."""

    welcome: Welcome


class HelloFailed(_Word, frozen=True, kw_only=True):
    """The office refused this unit (`code` of its problem) or was not reached (no code)."""

    code: str
    why: str
    retry_after_s: float | None = None


class Measured(_Word, frozen=True, kw_only=True):
    """What was asked for by `Measure`."""

    machine: Machine


class Kept(_Word, frozen=True, kw_only=True):
    """What was asked for by `Keep` is done; `problem` is empty, or says why it will not survive a restart."""

    flag: Flag
    on: bool
    problem: str = ""


class ShutdownAsked(_Word, frozen=True, kw_only=True):
    """What was asked for by `AskShutdown` is done; `problem` is empty, or says why the machine was not asked."""

    wanted: bool
    problem: str = ""


class SetLevels(_Word, frozen=True, kw_only=True):
    """Somebody (`by`) sets the sound levels, in dB; None leaves one as it is. Out of bounds is refused."""

    mic_db: float | None
    speaker_db: float | None
    by: str


class LevelsKept(_Word, frozen=True, kw_only=True):
    """The sound levels are kept, or (`problem`) cannot be."""

    problem: str = ""


class WantMeter(_Word, frozen=True, kw_only=True):
    """Somebody watches the microphone's level; `tone`: a test tone is to be played."""

    tone: bool = False


class EmergencyKept(_Word, frozen=True, kw_only=True):
    """What was asked for by `KeepEmergency` is done; `problem` is empty, or says why it will not survive a restart."""

    problem: str = ""


class ClearEmergency(_Word, frozen=True, kw_only=True):
    """The office has taken up this vehicle's emergency; `by` is who did."""

    by: str


class Shutdown(_Word, frozen=True, kw_only=True):
    """The service is being stopped: release, say goodbye."""


CoreEvent = (
    Pressed
    | Released
    | HeldAtStart
    | InputChanged
    | LinkUp
    | LinkDown
    | Received
    | Acked
    | FromWorker
    | WorkerGone
    | Trouble
    | TokenCame
    | TokenFailed
    | Welcomed
    | HelloFailed
    | Measured
    | Kept
    | ShutdownAsked
    | SetLevels
    | LevelsKept
    | WantMeter
    | EmergencyKept
    | ClearEmergency
    | Shutdown
)

# --- effects --------------------------------------------------------------------------------------------------------


class Dial(_Word, frozen=True, kw_only=True):
    """Connect to the broker under this connection id, leaving `will` with it."""

    connection_id: ConnectionId
    will: Presence


class Publish(_Word, frozen=True, kw_only=True):
    """Publish now or never (QoS 1); `message` None clears a retained topic; `token` asks for Acked."""

    kind: Kind
    ids: tuple[str, ...]
    message: Message | None
    retain: bool = False
    expiry_s: int | None = None
    token: int | None = None


class ToWorker(_Word, frozen=True, kw_only=True):
    """Send a command to the voice worker."""

    command: Command


class StartWorker(_Word, frozen=True, kw_only=True):
    """Start the voice worker's process, with Agora or without; `outside`: it may connect to nobody, only sound."""

    agora: bool = False
    outside: bool = False


class KillWorker(_Word, frozen=True, kw_only=True):
    """End a voice worker that does not answer."""

    reason: str


class HangUp(_Word, frozen=True, kw_only=True):
    """Leave the broker with a clean good-bye, so that no last will speaks for this user; nothing comes of it."""


class FetchToken(_Word, frozen=True, kw_only=True):
    """Ask the office for a token of this channel, or of its own one; answered by TokenCame or TokenFailed."""

    channel: str | None


class KeepEmergency(_Word, frozen=True, kw_only=True):
    """Keep over restarts and power cuts that an emergency stands since this Unix ms; None: that none does."""

    since: int | None


class SayHello(_Word, frozen=True, kw_only=True):
    """Tell the office which unit this is; answered by Welcomed or HelloFailed."""


class Measure(_Word, frozen=True, kw_only=True):
    """Look how the machine is; answered by Measured."""


class Keep(_Word, frozen=True, kw_only=True):
    """Keep a yes or no over restarts; answered by Kept."""

    flag: Flag
    on: bool


class AskShutdown(_Word, frozen=True, kw_only=True):
    """Ask root to switch this machine off, or take that back; answered by ShutdownAsked."""

    wanted: bool


class Restart(_Word, frozen=True, kw_only=True):
    """End this process in order, so that it is started anew."""

    reason: str


class SaveLevels(_Word, frozen=True, kw_only=True):
    """Keep the sound levels, in dB, over restarts."""

    mic_db: float
    speaker_db: float


class Tell(_Word, frozen=True, kw_only=True):
    """Tell the driver: by light, vibration, buzzer, and what the indicator table adds for the worker to sound."""

    what: Told
    press_no: int = 0
    name: str = ""
    remaining_s: float | None = None
    count: int = 0
    of: int = 0
    short: bool = False
    """The driver was told the same a moment ago: the name is enough."""
    ago_s: float | None = None
    """How long ago it was said that is replayed."""


class Look(StrEnum):
    """What the status light shows while nothing happens."""

    STARTING = "starting"
    NO_LINK = "no link"
    NOT_ENROLLED = "not enrolled"
    NO_VOICE = "no voice"
    READY = "ready"
    LISTENING = "listening"
    REPLAYING = "replaying"
    ASKING = "asking"
    WAITING = "waiting"
    TALKING = "talking"
    ENDING = "time nearly up"
    MUTED = "muted"
    HOLDING = "holding"
    EMERGENCY = "emergency"
    PARKED = "parked"
    IDENTIFY = "identify"


class Show(_Word, frozen=True, kw_only=True):
    """Set the status light; `muted_radio` drives the mute line to the car's head unit."""

    look: Look
    mute_radio: bool


class Note(_Word, frozen=True, kw_only=True):
    """A line for the log: a static text and its fields."""

    text: str
    fields: dict[str, object] = {}
    warning: bool = False


Effect = (
    Dial
    | KeepEmergency
    | HangUp
    | Publish
    | ToWorker
    | StartWorker
    | SaveLevels
    | KillWorker
    | FetchToken
    | SayHello
    | Tell
    | Show
    | Note
    | Measure
    | Keep
    | AskShutdown
    | Restart
)
