"""The vehicle's core: one `handle(event, now)` that hands each event to the part it concerns, in a fixed order."""

from collections.abc import Callable
from typing import assert_never

from msgspec import Struct

from gateway.core.agora_care import AgoraCare
from gateway.core.alerts import Alerts
from gateway.core.context import Context
from gateway.core.floor_machine import FloorMachine
from gateway.core.link import Link
from gateway.core.listener import Listener
from gateway.core.membership import Membership
from gateway.core.outlook import Outlook
from gateway.core.participant import Participant
from gateway.core.participant_words import State, Word
from gateway.core.presence import PresenceKeeper
from gateway.core.releases import Releases
from gateway.core.self_check import SelfCheck
from gateway.core.tokens import Tokens
from gateway.core.voice_reports import VoiceReports
from gateway.core.words import (
    Acked,
    CoreEvent,
    Effect,
    FromWorker,
    HangUp,
    HeldAtStart,
    HelloFailed,
    InputChanged,
    LinkDown,
    LinkUp,
    Pressed,
    Received,
    Released,
    Shutdown,
    TokenCame,
    TokenFailed,
    Told,
    Trouble,
    Welcomed,
    WorkerGone,
)
from gateway.core.worker_care import WorkerCare
from protocol.messages import (
    DeviceInfo,
    DeviceState,
    FloorAck,
    FloorDeny,
    FloorGranted,
    FloorQueued,
    FloorRenewed,
    FloorRevoke,
    Message,
    Presence,
    Session,
)
from protocol.topics import Kind
from protocol.worker import (
    Quit,
)


class Who(Struct, frozen=True, kw_only=True):
    """What the core must know of its vehicle."""

    user: str
    generation: int
    boot: int
    presence: Presence
    info: DeviceInfo
    lang: str = "ko"
    enrolled: bool = False
    foreign: bool = False
    """The enrolment was made for another machine's hardware."""
    agora: bool = False
    """Voice goes over Agora too."""


class Vehicle:
    """Pure: `handle` and `tick` give effects, `next_deadline` says when to tick. Times are monotonic seconds."""

    def __init__(self, who: Who, chance: Callable[[], float]) -> None:
        """`chance()` gives a number in [0, 1)."""
        self._who = who
        self._ctx = ctx = Context(who.user, chance)
        self._releases = Releases(ctx)
        self.participant = Participant(ctx, self._releases)
        self._floor = FloorMachine(self.participant, self._releases)
        self._presence = PresenceKeeper(ctx, who.presence)
        self.link = Link(ctx, self._presence, who.generation, who.boot)
        self._listener = Listener(ctx, self._presence)
        self.worker = WorkerCare(ctx, who.agora)
        self.membership = Membership(ctx, enrolled=who.enrolled, foreign=who.foreign)
        self.tokens = Tokens(ctx, used=who.agora)
        self._agora = AgoraCare(ctx)
        self._alerts = Alerts(ctx)
        self._check = SelfCheck(ctx, self._alerts, self.worker, self._agora, self.tokens)
        self._voice = VoiceReports(
            ctx, self.worker, self._floor, self._listener, self.tokens, self._agora, lang=who.lang
        )
        self._outlook = Outlook(ctx, self.participant, self.link, self._listener, self.worker, lang=who.lang)
        self._stopping = False

    # --- what shells and monitors may ask ---------------------------------------------------------------------------

    @property
    def link_up(self) -> bool:
        """Whether the broker can be reached."""
        return self._ctx.link_up

    @property
    def session(self) -> Session | None:
        """The newest session known."""
        return self._ctx.session

    @property
    def barred(self) -> bool:
        """Whether this unit must be enrolled before it may connect."""
        return self._ctx.barred

    def status(self) -> DeviceState:
        """Give the device's state as monitors see it."""
        return self._outlook.status()

    # --- driving ----------------------------------------------------------------------------------------------------

    def start(self, now: float, wall_ms: int) -> tuple[Effect, ...]:
        """Begin: start the worker, dial the broker (unless this unit is no member)."""
        self.membership.start(now)
        self.worker.start(now)
        if not self._ctx.barred:
            self.link.start(now)
            self.tokens.start(now)
        return self._finish(now, wall_ms)

    def handle(self, event: CoreEvent, now: float, wall_ms: int) -> tuple[Effect, ...]:
        """Take one event; gives the effects in the order they are to be carried out."""
        match event:
            case Pressed(at=at):
                self._pressed(at, now)
            case Released(at=at):
                self._released(at, now, wall_ms)
            case HeldAtStart():
                self._ctx.keyed = True
                self._check.held_at_start(wall_ms)
            case InputChanged():
                self._input(event, now, wall_ms)
            case LinkUp():
                self._link_up(now, wall_ms)
            case LinkDown(reason=reason, refused=refused):
                self._link_down(reason, now, refused)
            case Received(kind=kind, message=message):
                self._received(kind, message, now)
            case Acked(token=token):
                self._presence.acked(token)
            case FromWorker(event=said):
                self._voice.said(said, now)
            case WorkerGone(reason=reason):
                self._voice.gone(reason, now)
            case Trouble(alert=alert, holds=holds):
                self._alerts.set(alert, holds, wall_ms)
            case TokenCame():
                self.tokens.came(event, now)
            case TokenFailed():
                self.tokens.failed(event, now)
            case Welcomed():
                if self.membership.welcomed():
                    self._admitted(now)
            case HelloFailed():
                if self.membership.refused(event, now):
                    self._kept_out(now)
            case Shutdown():
                self._shutdown(now)
            case _:
                assert_never(event)
        return self._finish(now, wall_ms)

    def tick(self, now: float, wall_ms: int) -> tuple[Effect, ...]:
        """Do what is due."""
        self._floor.tick(now)
        self._settle_release()
        if not self._stopping:
            self.link.tick(now)
            self._presence.tick(now)
            self.worker.tick(now)
            self.membership.tick(now)
            self.tokens.tick(now)
        self._check.tick(now, wall_ms)
        self._outlook.tick(now)
        return self._finish(now, wall_ms)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        times = (
            self._floor.next_deadline(),
            self.link.next_deadline(),
            self._presence.next_deadline(),
            self.worker.next_deadline(),
            self.membership.next_deadline(),
            self.tokens.next_deadline(),
            self._check.next_deadline(),
            self._outlook.next_deadline(),
        )
        return min((t for t in times if t is not None), default=None)

    # --- button -----------------------------------------------------------------------------------------------------

    def _pressed(self, at: float, now: float) -> None:
        if self._stopping:
            return
        self._ctx.keyed = True
        self._floor.take(Word.PRESS, now, at)

    def _released(self, at: float, now: float, wall_ms: int) -> None:
        self._ctx.keyed = False
        self._check.released(wall_ms)
        self._floor.take(Word.KEY_UP, now, at)

    def _input(self, change: InputChanged, now: float, wall_ms: int) -> None:
        """Hand a change of any other input to its part; none of them keys but an emergency button held long enough."""
        match change.signal:
            case "emergency" | "replay" | "ignition" | "phone_busy" | "nav_busy":
                pass

    # --- link -------------------------------------------------------------------------------------------------------

    def _link_up(self, now: float, wall_ms: int) -> None:
        self.link.up(now)
        self._presence.connected(now, wall_ms)
        self._floor.take(Word.LINK_UP, now)
        self._alerts.connected()
        self._ctx.publish(Kind.DEVICE_INFO, self._who.info)
        self._outlook.say_anew()

    def _link_down(self, reason: str, now: float, refused: bool = False) -> None:
        was_up = self._ctx.link_up
        self.link.down(now, reason, refused)
        self._presence.disconnected()
        if was_up:
            self._floor.take(Word.LINK_DOWN, now)
        if refused:
            self.membership.broker_refused(now)
        if self._stopping or self._ctx.barred:
            self.link.stop()

    def _kept_out(self, now: float) -> None:
        """Another unit is the member: leave without a will, which would speak for that one, and stay away."""
        self._floor.take(Word.VOICE_LOST, now, Told.NOT_ENROLLED)
        self._ctx.emit(HangUp())
        self._link_down("this unit must be enrolled", now)
        self.tokens.stop()
        self._listener.forget()
        self.worker.renew("it must not connect as the member")

    def _admitted(self, now: float) -> None:
        self.worker.renew("this unit is admitted")
        self.link.start(now)
        self.tokens.start(now)

    def _received(self, kind: Kind, message: Message, now: float) -> None:
        if isinstance(message, Session):
            self._session(message, now)  # a retained one may come before the subscriptions are all acknowledged
            return
        if not self._ctx.link_up:
            return
        match message:
            case Presence() if kind is Kind.PRESENCE:
                if self._presence.retained(message, now) and self.link.outdo(message.connection_id):
                    self._link_down("connecting anew, above a newer connection known of this user", now)
            case FloorGranted():
                self._floor.take(Word.GRANTED, now, message)
            case FloorDeny():
                self._floor.take(Word.DENY, now, message)
            case FloorQueued():
                self._floor.take(Word.POSITION, now, message)
            case FloorRenewed():
                self._floor.take(Word.RENEWED, now, message)
            case FloorRevoke():
                self._floor.take(Word.REVOKE, now, message)
            case FloorAck(request_id=request_id):
                if self._releases.acked(request_id):
                    self.participant.release_answered()
            case _:
                self.participant.discarded += 1

    def _session(self, session: Session, now: float) -> None:
        if not self._listener.session(session):
            return
        self._presence.burst = self._listener.playing
        self.tokens.session(session, now)
        self._floor.take(Word.SESSION, now, session)
        self._releases.burst_over(session.burst - (session.current_speaker == self._ctx.user))
        self._settle_release()

    def _settle_release(self) -> None:
        """`U: pending Release` ends with the last release answered, announced over, or given up."""
        if self._releases.next_deadline() is None:
            self.participant.release_answered()

    # --- the end -----------------------------------------------------------------------------------------------------

    def _shutdown(self, now: float) -> None:
        self._stopping = True
        self.participant.stop(now)
        if self._ctx.link_up:
            self._presence.goodbye()
        self._ctx.voice(Quit())
        self.worker.stop()
        self.membership.stop()
        self.tokens.stop()
        self.link.stop()

    # --- after every event ------------------------------------------------------------------------------------------

    def _finish(self, now: float, wall_ms: int) -> tuple[Effect, ...]:
        self._presence.voice = self.worker.health
        self._check.look(now, wall_ms, idle=self.participant.state is State.NO_PERMISSION)
        self._outlook.after(now)
        return self._ctx.take()
