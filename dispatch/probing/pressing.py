"""One member that presses, waits for the floor and gives it back: what it sends, and what came of each press. Pure."""

from collections.abc import Callable

from msgspec import Struct

from dispatch.probing.place import PROBE_NAME
from protocol.ids import JSON_INT_MAX, ConnectionId
from protocol.messages import (
    FloorDeny,
    FloorGranted,
    FloorQueued,
    FloorRelease,
    FloorRequest,
    Heartbeat,
    Presence,
    PresenceState,
)
from protocol.topics import Kind

SETTLE_S = 1.0
"""After a connection the server is given so long to take notice of the member: no driver presses sooner."""
NOT_UP_YET = "the connection to the broker is not up yet"

Message = Presence | Heartbeat | FloorRequest | FloorRelease
Send = Callable[[Kind, Message], bool]


class Result(Struct, frozen=True, kw_only=True):
    """What came of one press."""

    at: int
    """When it was made, Unix ms."""
    answered: bool
    """Granted in time."""
    took_ms: float | None = None
    """From the request to the grant; None where there was none."""
    why: str = ""
    """Why it was not answered."""


class Pressing:
    """Times are monotonic seconds; `wall_ms` is Unix time. `send` gives False where the connection takes nothing."""

    def __init__(
        self, send: Send, note: Callable[[Result], None], *, boot: int, every_s: float, answer_s: float
    ) -> None:
        """`boot` rises from process to process (Unix s); `note` is told of every press once it is over."""
        self._send, self._note = send, note
        self._boot, self._every_s, self._answer_s = boot, every_s, answer_s
        self.outdone = False
        """The broker knows a newer connection of this member (an earlier process's clock was ahead): connect anew."""
        self._connections = 0
        self._presence_no = 0
        self._beat_no = 0
        self._press_no = 0
        self._up = False
        self._settled_at = 0.0
        self._why = NOT_UP_YET
        self._due: float | None = None
        self._pressed: tuple[float, int] | None = None
        """When the press under way was made: monotonic, Unix ms."""

    @property
    def connection(self) -> ConnectionId:
        """What this connection is told by; 0 is the generation of a user that was never enrolled."""
        return (0, self._boot, self._connections)

    @property
    def will(self) -> Presence:
        """What the broker is to say where the connection is lost; to be asked for before `connected`."""
        return Presence(
            state=PresenceState.LOST,
            connection_id=(0, self._boot, self._connections + 1),
            presence_no=JSON_INT_MAX,  # later than anything the connection says itself
            name=PROBE_NAME,
            reason="connection lost",
        )

    # --- what happens -------------------------------------------------------------------------------------------------

    def connected(self, now: float) -> None:
        """The connection stands, and replies are subscribed to."""
        self._up, self._settled_at, self._why = True, now + SETTLE_S, ""
        self._connections += 1
        self._presence_no = self._beat_no = 0
        self.outdone = False
        self._tell(PresenceState.ONLINE)

    def lost(self, why: str) -> None:
        """The connection is gone, or could not be made. A press under way is over."""
        self._up, self._why = False, why
        self._over(why)

    def leaving(self) -> None:
        """Say good-bye; a press under way is nobody's failure and is not told."""
        self._pressed = None
        self._tell(PresenceState.OFFLINE)

    def received(self, message: object, now: float) -> None:
        """Take a reply of the office, or the own presence as the broker has it."""
        match message:
            case FloorGranted(request_id=request_id, burst=burst) if request_id[:3] == self.connection:
                self._give_back(request_id[3], burst)
                if request_id[3] == self._press_no:
                    self._over("", now)
            case FloorDeny(request_id=request_id, cause=cause) if self._is_ours(request_id):
                self._over(f"denied: {cause.value}")
            case FloorQueued(request_id=request_id) if self._is_ours(request_id):
                self._give_back(self._press_no, None)
                self._over("queued behind somebody in an office where nobody else is")
            case Presence():
                self._seen(message)
            case _:
                pass

    def tick(self, now: float, wall_ms: int) -> float:
        """Do what is due; gives when to be called again."""
        pressed = self._pressed
        if pressed is not None:
            if now < pressed[0] + self._answer_s:
                return pressed[0] + self._answer_s
            self._give_back(self._press_no, None)
            self._over(f"no answer within {self._answer_s:g} s")
        if self._due is None:
            self._due = now + max(SETTLE_S, self._to_next_s(wall_ms) % self._every_s)
        if now < self._due:
            return self._due
        if self._up and now < self._settled_at:
            return self._settled_at
        self._press(now, wall_ms)
        to_next_s = self._to_next_s(wall_ms)
        self._due = now + to_next_s + (self._every_s if to_next_s < self._every_s / 2 else 0.0)
        return self._due if self._pressed is None else min(self._due, now + self._answer_s)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _to_next_s(self, wall_ms: int) -> float:
        """Time until the middle of the next stretch of the clock: a little early or late, it stays in its minute."""
        every_ms = self._every_s * 1000
        return (every_ms - (wall_ms - every_ms / 2) % every_ms) / 1000

    def _press(self, now: float, wall_ms: int) -> None:
        self._press_no += 1
        self._beat_no += 1
        if self._up:  # a sign of life with each press: once a minute, as every member's
            self._send(Kind.HEARTBEAT, Heartbeat(connection_id=self.connection, beat_no=self._beat_no))
        self._pressed = (now, wall_ms)
        request = FloorRequest(request_id=(*self.connection, self._press_no))
        if not self._up or not self._send(Kind.FLOOR, request):
            self._over(self._why or "the connection to the broker takes nothing")

    def _seen(self, seen: Presence) -> None:
        """The own presence as the broker keeps it: what is newer than ours, or says that we are gone, is outdone."""
        if seen.connection_id > self.connection:
            self._boot, self.outdone = max(self._boot, seen.connection_id[1]) + 1, True
            return
        dead = seen.state in (PresenceState.LOST, PresenceState.OFFLINE)
        if self._up and dead and seen.connection_id == self.connection and seen.presence_no < JSON_INT_MAX:
            self._presence_no = max(self._presence_no, seen.presence_no)
            self._tell(PresenceState.ONLINE)

    def _is_ours(self, request_id: tuple[int, int, int, int]) -> bool:
        return self._pressed is not None and request_id == (*self.connection, self._press_no)

    def _give_back(self, press: int, burst: int | None) -> None:
        """Whatever came of it: also a grant that comes too late must not keep the floor."""
        if self._up:
            self._send(Kind.FLOOR, FloorRelease(request_id=(*self.connection, press), burst=burst))

    def _over(self, why: str, now: float | None = None) -> None:
        pressed, self._pressed = self._pressed, None
        if pressed is not None:
            took_ms = None if now is None or why else round((now - pressed[0]) * 1000, 1)
            self._note(Result(at=pressed[1], answered=not why, took_ms=took_ms, why=why[:200]))

    def _tell(self, state: PresenceState) -> None:
        if self._up:
            self._presence_no += 1
            here = Presence(state=state, connection_id=self.connection, presence_no=self._presence_no, name=PROBE_NAME)
            self._send(Kind.PRESENCE, here)
