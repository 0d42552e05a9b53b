"""The bridge's core: events in, effects out. See docs/adr/0009-bridge.md.

`handle(event, now, wall_ms)` and `tick(now, wall_ms)` give the effects in the order in which they are to be carried
out; `tick` is due at `next_deadline()`. `now` is monotonic seconds, `wall_ms` Unix time.
"""

from collections.abc import Callable
from typing import assert_never

from dispatch.bridge.core.alerts import Alerts
from dispatch.bridge.core.care import WorkerCare
from dispatch.bridge.core.context import Context
from dispatch.bridge.core.member import Member
from dispatch.bridge.core.relay import Relay, Way
from dispatch.bridge.core.tokens import TokenKeeper
from dispatch.bridge.core.words import (
    Acked,
    BridgeEffect,
    BridgeEvent,
    FromWorker,
    GotPresence,
    GotSession,
    LinkDown,
    LinkUp,
    Shutdown,
    TokenCame,
    TokenFailed,
    WorkerGone,
)
from protocol.worker import (
    Agora,
    AgoraState,
    Cleaning,
    Drained,
    Fault,
    Flood,
    Handover,
    Heard,
    Hello,
    Joined,
    Left,
    Metered,
    Missed,
    PlayedOut,
    Pong,
    Quit,
    Replayed,
    SoundDevice,
    SpeechEngine,
    Through,
    TokenWanted,
    VoiceLink,
    WorkerEvent,
)

_BAD = (AgoraState.LOST, AgoraState.REFUSED, AgoraState.UNUSABLE)


class Bridge:
    """One bridge of one office."""

    def __init__(self, user: str, chance: Callable[[], float], *, name: str, device_info: str, boot: int) -> None:
        """`boot`: Unix seconds of this start; `chance()` gives a number in [0, 1)."""
        ctx = self._ctx = Context(user, chance)
        self._member = Member(ctx, name=name, device_info=device_info, boot=boot)
        self._relay = Relay(ctx)
        self._tokens = TokenKeeper(ctx)
        self._care = WorkerCare(ctx)
        self._alerts = Alerts(ctx)
        self._closing = False
        self.agora = AgoraState.OFF
        """How the worker stands with Agora."""
        self.agora_detail = ""

    def start(self, now: float, wall_ms: int) -> tuple[BridgeEffect, ...]:
        """Begin: worker, connection, first token."""
        self._ctx.wall_ms = wall_ms
        self._care.start(now)
        self._member.start(now)
        self._tokens.start(now)
        return self.tick(now, wall_ms)

    def handle(self, event: BridgeEvent, now: float, wall_ms: int) -> tuple[BridgeEffect, ...]:
        """Take one event."""
        self._ctx.wall_ms = wall_ms
        match event:
            case GotSession(session=session):
                self._relay.session(session, now)
            case GotPresence(user=user, presence=presence):
                if user == self._ctx.user:
                    self._member.retained(presence, now)
                else:
                    self._relay.presence(user, presence, now)
            case FromWorker(event=said):
                self._said(said, now)
            case WorkerGone(reason=reason):
                self._worker_gone(reason, now)
            case LinkUp():
                self._relay.link_up()
                self._member.up(now)
                self._alerts.connected()
            case LinkDown(reason=reason):
                self._member.down(now, reason)
                self._relay.link_down(now)
            case Acked(token=token):
                self._member.acked(token)
            case TokenCame(grant=grant):
                self._tokens.came(grant, now)
                self._give_token(now)
                self._relay.uid(grant.uid, now)
            case TokenFailed(reason=reason, retry_after_s=retry_after_s):
                self._tokens.failed(reason, retry_after_s, now)
            case Shutdown():
                self._shut_down()
            case _:
                assert_never(event)
        return self._end(now)

    def tick(self, now: float, wall_ms: int) -> tuple[BridgeEffect, ...]:
        """Let time pass."""
        self._ctx.wall_ms = wall_ms
        return self._end(now)

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest; None after Shutdown."""
        if self._closing:
            return None
        parts = (self._member, self._relay, self._tokens, self._care)
        return min((at for at in (part.next_deadline() for part in parts) if at is not None), default=None)

    # --- what others may ask --------------------------------------------------------------------------------------

    @property
    def way(self) -> Way | None:
        """What is being carried now."""
        return self._relay.way

    @property
    def status(self) -> str:
        """One line for people: what keeps it from relaying, else what it does."""
        if self._member.reason:
            return f"no broker: {self._member.reason}"
        if not self._care.ready:
            return f"no voice worker: {self._care.problem or 'starting'}"
        if self._tokens.problem:
            return f"no token: {self._tokens.problem}"
        if self.agora in _BAD:
            return f"Agora {self.agora}: {self.agora_detail}"
        way = self.way
        if way is not None:
            return f"relaying burst {way.burst} of {way.speaker} {way.direction.value.replace('_', ' ')}"
        return "in the channel, nobody speaks" if self._relay.joined else "no session"

    # --- inside ---------------------------------------------------------------------------------------------------

    def _end(self, now: float) -> tuple[BridgeEffect, ...]:
        if not self._closing:
            for part in (self._care, self._member, self._relay, self._tokens):
                part.tick(now)
            way = self._relay.way
            self._member.burst = 0 if way is None else way.burst
            self._member.health = self._care.health
            self._alerts.set("voice-worker", self._care.problem)
            self._alerts.set("agora-token", self._tokens.problem)
            self._alerts.set("agora", f"Agora {self.agora}: {self.agora_detail}" if self.agora in _BAD else "")
        return self._ctx.take()

    def _give_token(self, now: float) -> None:
        token = self._tokens.current(now)
        if token is not None and self._care.ready:
            self._ctx.voice(token)

    def _worker_gone(self, reason: str, now: float) -> None:
        if self._closing:
            return
        self._care.gone(reason, now)
        self._relay.worker_gone()
        self._stands(AgoraState.OFF, "")

    def _stands(self, state: AgoraState, detail: str) -> None:
        self.agora, self.agora_detail = state, detail

    def _shut_down(self) -> None:
        self._relay.close()
        self._ctx.voice(Quit())
        self._care.stop()
        self._member.goodbye()
        self._closing = True

    def _said(self, said: WorkerEvent, now: float) -> None:
        ctx = self._ctx
        match said:
            case Hello(pid=pid):
                ctx.note("voice worker up", pid=pid)
                self._care.hello(now)
                self._give_token(now)
                self._relay.worker_ready(now)
            case Pong():
                self._care.pong(said, now)
            case Agora(state=state, detail=detail, join_ms=join_ms):
                ctx.note("Agora", warning=state in _BAD, state=state.value, detail=detail, join_ms=join_ms)
                self._stands(state, detail)
            case TokenWanted(why=why):
                ctx.note("another token is wanted", why=why)
                self._tokens.wanted(now)
            case VoiceLink(up=up, detail=detail):
                ctx.note("voice link up" if up else "voice link down", warning=not up, detail=detail)
            case SoundDevice(device=device, ok=ok, detail=detail):
                if not ok:
                    ctx.note("sound device missing", warning=True, device=device.value, detail=detail)
            case SpeechEngine(ok=ok, detail=detail):
                ctx.note("speech engine", warning=not ok, ok=ok, detail=detail)
            case Fault(what=what):
                ctx.note("voice worker survived a fault", warning=True, what=what)
            case Flood(user=user, frames_s=frames_s):
                ctx.note("voice flood", warning=bool(frames_s), user=user, frames_s=frames_s)
            case PlayedOut(burst=burst, frames=frames, concealed=concealed, late=late):
                ctx.note("played into Agora", burst=burst, frames=frames, concealed=concealed, late=late)
            case Heard() | Through() | Drained() | Joined() | Left() | Handover():
                pass
            case Missed() | Replayed() | Cleaning() | Metered():  # of vehicles alone
                pass
            case _:
                assert_never(said)
