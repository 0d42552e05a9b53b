"""What happened in a story, for those who measure, draw and report it."""

from __future__ import annotations

from msgspec import Struct

from protocol.messages import FloorDeny


class Burst(Struct, kw_only=True):
    """One talk as it went. Times are CLOCK_MONOTONIC; `n` counts from 1, `number` is the one on the wire."""

    n: int
    speaker: str
    number: int
    event_id: str
    text: str
    listeners: tuple[str, ...]
    edge_s: float
    handled_s: float
    told_s: float
    end_s: float = 0.0
    """Key-up, or the kill."""
    idle_s: float = 0.0
    killed: bool = False
    ended: str = ""
    last_seq: int | None = None
    handover_s: float = 0.0
    """Over Agora: when the speaker's voice left MQTT; 0 where it was not watched."""
    denied_after: int = 0
    """Voice frames the broker had carried when its voice topics were denied, in that burst."""
    carried: int = 0
    """...and at the burst's end."""
    slower_s: float = 0.0
    """How much longer the way takes that it was handed over to."""


class Refusal(Struct, kw_only=True):
    """A press that was refused."""

    user: str
    text: str
    speaker: str
    """Who had the floor."""
    edge_s: float
    end_s: float
    deny: FloorDeny
    told_s: float
    motor_ms: tuple[float, ...] = ()
    """Of a vehicle's driver; and what the console's..."""
    page: str = ""
    """...page said of it."""


class Follow(Struct, frozen=True, kw_only=True):
    """A step of the story that had to follow within `within_s` of `since_s`, and how long it took."""

    what: str
    since_s: float
    took_s: float
    within_s: float


class Outcome(Struct, kw_only=True):
    """All that the measuring needs to know of what happened."""

    members: tuple[str, ...] = ()
    """Who took part: the vehicles, and the call manager where the console did."""
    bursts: list[Burst] = []
    refusals: list[Refusal] = []
    joins: dict[str, dict[str, float]] = {}
    """By session: user, and ms from the grant to its presence that says so."""
    answer_joins: int = -1
    """Members that joined or left between the answer's press and its end."""
    left: dict[str, float] = {}
    session_over_s: float = 0.0
    kill_s: float = 0.0
    kill_idle_ms: float = 0.0
    dead_presence: str = ""
    page_heard: str = ""
    """What the console's page said of who heard the call manager."""
    follows: list[Follow] = []
    messages: int = 0
    unreadable: list[str] = []
    events: dict[str, list[str]] = {}
    """Types of the events of each session, in order."""
