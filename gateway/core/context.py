"""What the parts of the vehicle's core share: who it is, what it knows of link, voice and session, and its effects."""

from collections.abc import Callable

from gateway.core.round_trips import RoundTrips
from gateway.core.told import Told
from gateway.core.words import Effect, Note, Publish, Tell, ToWorker
from protocol.ids import ConnectionId
from protocol.messages import AudioFocus, FromMember, Lifecycle, Message, Session
from protocol.timers import FLOOR_MESSAGE_EXPIRY_S
from protocol.topics import Kind
from protocol.worker import Command


class Context:
    """Written by the part that owns the field (named beside it), read by all."""

    def __init__(self, user: str, chance: Callable[[], float]) -> None:
        """`chance()` gives a number in [0, 1)."""
        self.user = user
        self.chance = chance
        self.link_up = False  # link
        self.connection_id: ConnectionId = (0, 0, 0)  # link
        self.refused = False  # link: the broker does not let this user in
        self.barred = False  # membership: this unit must not connect as the member
        self.voice_problem: Told | None = Told.NO_VOICE  # worker care
        self.session: Session | None = None  # listener
        self.focus = AudioFocus.RADIO  # focus keeper
        self.keyed = False  # gateway: the button is physically down
        self.hands_free = False  # emergency: its window is open, nobody holds a button
        self.counting = False  # emergency: its button is down, not yet long enough
        self.lifecycle = Lifecycle.DRIVING  # ignition
        self.transmitter_muted = False  # deeds: the office lets this unit only listen
        self.identifying = False  # deeds: the unit shows itself to who looks for it
        self.round_trips = RoundTrips()
        self.out: list[Effect] = []

    @property
    def problem(self) -> Told | None:
        """What makes a press useless at once."""
        if self.barred:
            return Told.NOT_ENROLLED
        if not self.link_up:
            return Told.NOT_ADMITTED if self.refused else Told.NO_CONNECTION
        if self.transmitter_muted:
            return Told.TRANSMITTER_MUTED
        return self.voice_problem

    def emit(self, effect: Effect) -> None:
        """Add an effect; they are carried out in order once the event is handled."""
        self.out.append(effect)

    def take(self) -> tuple[Effect, ...]:
        """Give and forget the effects so far."""
        out, self.out = tuple(self.out), []
        return out

    def voice(self, command: Command) -> None:
        """Command the voice worker."""
        self.emit(ToWorker(command=command))

    def tell(
        self,
        what: Told,
        press_no: int = 0,
        name: str = "",
        remaining_s: float | None = None,
        count: int = 0,
        ago_s: float | None = None,
        *,
        of: int = 0,
        short: bool = False,
    ) -> None:
        """Tell the driver."""
        self.emit(
            Tell(
                what=what,
                press_no=press_no,
                name=name,
                remaining_s=remaining_s,
                count=count,
                of=of,
                short=short,
                ago_s=ago_s,
            )
        )

    def note(self, text: str, *, warning: bool = False, **fields: object) -> None:
        """Write a line of the log."""
        self.emit(Note(text=text, fields=fields, warning=warning))

    def floor(self, message: FromMember, *, again: bool = False) -> None:
        """Send a floor message, only if the link is up: it is worth nothing later."""
        if self.link_up:
            kind = Kind.FLOOR_AGAIN if again else Kind.FLOOR
            self.emit(Publish(kind=kind, ids=(self.user,), message=message, expiry_s=FLOOR_MESSAGE_EXPIRY_S))

    def publish(
        self,
        kind: Kind,
        message: Message | None,
        *items: str,
        token: int | None = None,
        expiry_s: int | None = None,
    ) -> None:
        """Publish on one of the vehicle's own topics; heartbeats, traces and answers are not retained, all else is."""
        if self.link_up:
            retain = kind not in (Kind.HEARTBEAT, Kind.DEVICE_TRACE, Kind.COMMAND_REPLY)
            ids = (self.user, *items)
            self.emit(Publish(kind=kind, ids=ids, message=message, retain=retain, expiry_s=expiry_s, token=token))


class Timers:
    """Named deadlines of one machine, in seconds of the loop's monotonic clock."""

    def __init__(self) -> None:
        """None is set."""
        self._at: dict[str, float] = {}

    def set(self, name: str, at: float) -> None:
        """Set or move a deadline."""
        self._at[name] = at

    def stop(self, *names: str) -> None:
        """Forget deadlines; all where none is named."""
        for name in names or tuple(self._at):
            self._at.pop(name, None)

    def running(self, name: str) -> bool:
        """Whether this one is set."""
        return name in self._at

    def at(self, name: str, otherwise: float) -> float:
        """Give a deadline, or `otherwise` where it is not set."""
        return self._at.get(name, otherwise)

    def next(self) -> float | None:
        """Give the earliest."""
        return min(self._at.values(), default=None)

    def expire(self, now: float) -> str | None:
        """Take out and give the earliest deadline that has passed; call until None."""
        due = [(at, name) for name, at in self._at.items() if at <= now]
        if not due:
            return None
        _, name = min(due)
        del self._at[name]
        return name
