"""The Agora bridge's core on a bench: sessions, presences and tokens in, commands and publications out."""

from typing import TypeVar

from msgspec.structs import replace

from dispatch.bridge.core.bridge import Bridge
from dispatch.bridge.core.words import (
    BridgeEffect,
    BridgeEvent,
    FromWorker,
    GotPresence,
    GotSession,
    LinkUp,
    Publish,
    TokenCame,
    ToWorker,
)
from protocol.messages import (
    Alert,
    AppType,
    Ended,
    Heartbeat,
    Presence,
    PresenceState,
    Session,
    VoicePath,
)
from protocol.rest import TokenGrant
from protocol.topics import Kind
from protocol.worker import (
    Arm,
    Command,
    Hello,
    Hold,
    Join,
    Leave,
    Mute,
    Play,
    Stop,
    Transmit,
)

E = TypeVar("E")
C = TypeVar("C")

BRIDGE_UID, PHONE_UID, CAR_UID = 900, 700, 100
CHANNEL = "seoul-hq"
WALL_MS = 1_800_000_000_000


def car() -> Presence:
    return Presence(state=PresenceState.ONLINE, connection_id=(1, 1, 1), presence_no=1)


def phone() -> Presence:
    return replace(car(), voice=VoicePath.AGORA, app_type=AppType.PICKUP_DRIVER)


def bridge(state: PresenceState = PresenceState.ONLINE) -> Presence:
    return replace(car(), state=state, app_type=AppType.BRIDGE)


def idle(rev: int, burst: int = 0, **fields: object) -> Session:
    return replace(
        Session(rev=rev, store="s", active=False, channel_name=CHANNEL, burst=burst, event_id="e1"), **fields
    )


def spoken(rev: int, burst: int, speaker: str, uid: int, **fields: object) -> Session:
    return replace(idle(rev, burst), active=True, current_speaker=speaker, speaker_uid=uid, **fields)


def by_car(rev: int, burst: int) -> Session:
    return spoken(rev, burst, "car-1", BRIDGE_UID)


def by_phone(rev: int, burst: int) -> Session:
    return spoken(rev, burst, "phone-1", PHONE_UID)


def over(rev: int, burst: int, ended: Ended = Ended.RELEASED, last_seq: int | None = None) -> Session:
    return idle(rev, burst, active=True, ended=ended, last_seq=last_seq)


def grant(expires_in_s: int = 3600, *, publisher: bool = True) -> TokenGrant:
    return TokenGrant(
        app_id="a" * 32,
        channel=CHANNEL,
        uid=BRIDGE_UID,
        token="007token",
        publisher=publisher,
        expires_in_s=expires_in_s,
    )


class Bench:
    """A bridge under virtual time; `done` is everything it asked for since the last look."""

    def __init__(self, user: str = "bridge-1") -> None:
        self.now = 1000.0
        self.core = Bridge(user, lambda: 0.5, name="B", device_info="x86_64", boot=50)
        self.done: list[BridgeEffect] = list(self.core.start(self.now, self.wall_ms))

    @property
    def wall_ms(self) -> int:
        return WALL_MS + round((self.now - 1000.0) * 1000)

    def give(self, *events: BridgeEvent) -> None:
        for event in events:
            self.done += self.core.handle(event, self.now, self.wall_ms)

    def session(self, session: Session) -> None:
        self.give(GotSession(session=session))

    def pass_time(self, seconds: float) -> None:
        """Let time pass, ticking exactly when the core asks for it."""
        until = self.now + seconds
        while (due := self.core.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.done += self.core.tick(self.now, self.wall_ms)
        self.now = until

    def look(self) -> None:
        """Forget what was asked for so far."""
        self.done.clear()

    def all(self, kind: type[E]) -> list[E]:
        return [effect for effect in self.done if isinstance(effect, kind)]

    def every(self) -> list[Command]:
        return [effect.command for effect in self.all(ToWorker)]

    def commands(self, *kinds: type[C]) -> list[C]:
        return [command for command in self.every() if isinstance(command, kinds)]

    def voice(self) -> list[str]:
        """Names of the commands about voice, repetitions left out."""
        names = [type(c).__name__ for c in self.commands(Join, Leave, Arm, Transmit, Play, Stop, Hold, Mute)]
        return [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name]

    def presences(self) -> list[Presence]:
        return [p.message for p in self.all(Publish) if isinstance(p.message, Presence)]

    def beats(self) -> list[Publish]:
        return [p for p in self.all(Publish) if isinstance(p.message, Heartbeat)]

    def alerts(self) -> dict[str, str | None]:
        told = [p for p in self.all(Publish) if p.kind is Kind.ALERT]
        return {p.ids[1]: p.message.what if isinstance(p.message, Alert) else None for p in told}


def ready(user: str = "bridge-1") -> Bench:
    """A bridge that knows no session yet."""
    bench = Bench(user)
    bench.give(FromWorker(event=Hello(pid=9, transport="mqtt")), LinkUp(), TokenCame(grant=grant()))
    bench.give(GotPresence(user="car-1", presence=car()), GotPresence(user="phone-1", presence=phone()))
    bench.look()
    return bench
