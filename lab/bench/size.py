"""How much is measured: the whole, or just enough to see that it works."""

from msgspec import Struct


class Size(Struct, frozen=True, kw_only=True):
    """Counts and durations of a run."""

    presses: int = 2000
    opening_presses: int = 200
    starts: int = 7
    talk_s: float = 3.0
    """Each vehicle speaks so long before memory is looked at: codec, buffers and cues are in use by then."""
    settle_s: float = 3.0
    """Pause before memory is looked at."""
    rest_s: float = 12.0
    """From then to the measure of idle CPU: longer than audio.rest_after_s, after which sound devices rest."""
    idle_s: float = 30.0
    rounds: int = 3
    """New starts of every program for mouth to ear."""
    marks: int = 20
    """Chirps in each round and program."""
    quiet_s: float = 1.5
    """From the first sound of a burst to the first chirp: cues and the start of the burst are over."""
    stalls: bool = True
    tokens: int = 8000
    fresh_tokens: int = 1000
    """Tokens asked for over a new connection each."""
    door_rounds: int = 10
    door_presses: int = 100
    """Presses of each office in each round."""
    agora_rounds: int = 7
    """Bursts over the stand-in for Agora at each of its delays."""
    agora_talk_s: float = 4.5
    agora_frames: int = 20
    """Joins after each of which one frame is pushed and heard."""

    cue_rounds: int = 10
    cue_presses: int = 100
    """Presses in each round, of each path to a cue..."""
    cue_felt: int = 10
    """...so many of which wait for the motor too; and as many without a connection."""
    cpu_rounds: int = 3
    cpu_s: float = 10.0
    """Processor time is counted over so long, in each state."""
    memory_s: float = 300.0
    """The service's memory is watched for so long (`--minutes`)..."""
    memory_every_s: float = 5.0
    """...and sampled so often."""
    events: int = 200_000
    """In the store that the event log is measured with (`--events`; the plan's size is 5,000,000)."""
    event_writes: int = 50
    """Transactions of each kind, in each round."""
    events_deleted: int = 5000
    dashboard_members: tuple[int, ...] = (500, 10_000)
    """Vehicles in the registry of each office whose dashboard is measured."""
    dashboard_pages: int = 50
    dashboard_changes: int = 200


FULL = Size()
SHORT = Size(
    presses=6,
    opening_presses=2,
    starts=1,
    talk_s=0.3,
    settle_s=0.2,
    rest_s=0.2,
    idle_s=0.5,
    rounds=1,
    marks=3,
    quiet_s=0.2,
    stalls=False,
    tokens=80,
    fresh_tokens=16,
    door_rounds=2,
    door_presses=3,
    agora_rounds=1,
    agora_frames=2,
    cue_rounds=1,
    cue_presses=4,
    cue_felt=2,
    cpu_rounds=1,
    cpu_s=0.5,
    memory_s=3.0,
    memory_every_s=0.3,
    events=20_000,
    event_writes=3,
    events_deleted=500,
    dashboard_members=(50,),
    dashboard_pages=3,
    dashboard_changes=3,
)
