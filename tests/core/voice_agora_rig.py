"""An Agora transport over a scripted session of the SDK, a clock by hand."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from protocol.worker import AgoraState, Token
from service.loop import Loop, Timer
from voice.transports.agora.port import (
    Connected,
    SdkEvent,
)
from voice.transports.agora_voice import AgoraVoice
from voice.transports.port import (
    StateIs,
    TokenNeeded,
    TransportEvent,
)

RATE = 16000


class Clock:
    """Virtual time, and a loop's timers on it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[Timer] = []

    def monotonic(self) -> float:
        return self.now

    def call_at(self, when_s: float, fn: Callable[[], None]) -> Timer:
        self.timers.append(Timer(when_s, fn))
        return self.timers[-1]

    def run(self, for_s: float, step: Callable[[], None] = lambda: None) -> None:
        until = self.now + for_s
        while self.now < until - 1e-9:
            self.now = round(self.now + 0.01, 6)
            due = [timer for timer in self.timers if timer.when_s <= self.now]
            self.timers = [timer for timer in self.timers if timer.when_s > self.now]
            for timer in due:
                timer.fire()
            step()


class Session:
    """A scripted SdkSession."""

    def __init__(self, tell: Callable[[SdkEvent], None], clock: Clock) -> None:
        self.tell, self._clock = tell, clock
        self.calls: list[tuple[object, ...]] = []
        self.pushes: list[tuple[float, int]] = []

    def connect(self, token: Token) -> None:
        self.calls.append(("connect", token.token))

    def renew(self, token: Token) -> None:
        self.calls.append(("renew", token.token))

    def subscribe(self, uid: int) -> None:
        self.calls.append(("subscribe", uid))

    def push(self, pcm: bytes) -> None:
        self.pushes.append((self._clock.now, len(pcm)))

    def disconnect(self) -> None:
        self.calls.append(("disconnect",))

    def publish(self) -> None:
        self.calls.append(("publish",))

    def unpublish(self) -> None:
        self.calls.append(("unpublish",))

    def unsubscribe(self) -> None:
        self.calls.append(("unsubscribe",))

    def stuck_s(self, now: float) -> float:
        return 0.0

    @property
    def unpushed(self) -> int:
        return 0

    def close(self) -> None:
        self.calls.append(("close",))


class Car:
    """An AgoraVoice in virtual time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        monkeypatch.setattr("voice.transports.agora_voice.time.monotonic", self.clock.monotonic)
        self.told: list[TransportEvent] = []
        self.sessions: list[Session] = []
        loop: Loop = self.clock  # type: ignore[assignment]
        self.voice = AgoraVoice(loop, self._session, RATE, 0.02, self.told.append, random.Random(1))
        self.session = self.sessions[0]

    def _session(self, tell: Callable[[SdkEvent], None]) -> Session:
        self.sessions.append(Session(tell, self.clock))
        return self.sessions[-1]

    def run(self, for_s: float) -> None:
        self.clock.run(for_s, lambda: self.voice.tick(self.clock.now))

    def joined(self) -> None:
        self.voice.token(token())
        self.voice.join("e1", "c")
        self.session.tell(Connected("c", 120))

    def calls(self, name: str) -> list[tuple[object, ...]]:
        return [call for call in self.session.calls if call[0] == name]

    @property
    def states(self) -> list[AgoraState]:
        return [event.state for event in self.told if isinstance(event, StateIs)]

    @property
    def wanted(self) -> list[TransportEvent]:
        return [event for event in self.told if isinstance(event, TokenNeeded)]


def token(text: str = "t1", *, publisher: bool = True, expires_in_s: float = 3600.0) -> Token:
    return Token(channel="c", app_id="a", uid=1001, token=text, publisher=publisher, expires_in_s=expires_in_s)
