"""SdkSessions on an Agora channel in memory, scripted by a test: what is pushed is heard by who subscribed, later."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from protocol.worker import Token
from service.loop import Loop
from voice.transports.agora.port import Closed, Connected, SdkEvent, Speech

STEP_S = 0.01


class FakeChannel:
    """What all sessions of one channel share. `join_s` and `delay_s` are how long a join and the way of sound take."""

    def __init__(self, loop: Loop, rate_hz: int = 48000, *, join_s: float = 0.05, delay_s: float = 0.05) -> None:
        self.loop = loop
        self.step_bytes = round(2 * rate_hz * STEP_S)
        self.join_s = join_s
        self.delay_s = delay_s
        self.sessions: list[FakeSession] = []

    def session(self, tell: Callable[[SdkEvent], None]) -> FakeSession:
        """Make a member's session; `tell` as AgoraVoice gives it."""
        self.sessions.append(FakeSession(self, tell))
        return self.sessions[-1]


class FakeSession:
    """Keeps to voice.transports.agora.port.SdkSession; notes every call in `calls`."""

    def __init__(self, channel: FakeChannel, tell: Callable[[SdkEvent], None]) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.tell = tell
        self.answers = True
        """False: a connect is never answered; the test tells what it wants."""
        self._channel = channel
        self._token: Token | None = None
        self._joined = False
        self._publishing = False
        self._subscribed: int | None = None
        self._queue: deque[bytes] = deque()
        self._playing = False
        self._generation = 0

    @property
    def pushed(self) -> list[tuple[float, bytes]]:
        """When what was pushed."""
        return [(call[1], call[2]) for call in self.calls if call[0] == "push"]  # type: ignore[misc]

    def named(self) -> list[object]:
        """The names of the calls so far, pushes left out."""
        return [call[0] for call in self.calls if call[0] != "push"]

    def connect(self, token: Token) -> None:
        """As the port says."""
        self.calls.append(("connect", token))
        self._token = token
        self._generation += 1
        if self.answers:
            self._later(self._channel.join_s, self._connected)

    def disconnect(self) -> None:
        """As the port says."""
        self.calls.append(("disconnect",))
        self._generation += 1
        self._joined = self._publishing = False

    def renew(self, token: Token) -> None:
        """As the port says."""
        self.calls.append(("renew", token))
        self._token = token

    def publish(self) -> None:
        """As the port says."""
        self.calls.append(("publish",))
        self._publishing = True

    def push(self, pcm: bytes) -> None:
        """As the port says."""
        self.calls.append(("push", time.monotonic(), pcm))
        assert self._publishing, "pushed while not publishing"
        assert len(pcm) % self._channel.step_bytes == 0, f"{len(pcm)} bytes are no multiple of 10 ms"
        size = self._channel.step_bytes
        self._queue.extend(pcm[begin : begin + size] for begin in range(0, len(pcm), size))
        if not self._playing:
            self._playing = True
            self._play()

    def unpublish(self) -> None:
        """As the port says."""
        self.calls.append(("unpublish",))
        self._publishing = False
        self._queue.clear()

    def subscribe(self, uid: int) -> None:
        """As the port says."""
        self.calls.append(("subscribe", uid))
        self._subscribed = uid

    def unsubscribe(self) -> None:
        """As the port says."""
        self.calls.append(("unsubscribe",))
        self._subscribed = None

    def stuck_s(self, now: float) -> float:
        """As the port says: nothing here hangs."""
        return 0.0

    @property
    def unpushed(self) -> int:
        """As the port says: nothing comes late."""
        return 0

    def close(self) -> None:
        """As the port says."""
        self.calls.append(("close",))
        self._generation += 1
        self._joined = self._publishing = False

    def lose(self, reason: str, *, again: bool) -> None:
        """Lose the connection, as a network does."""
        self._joined = self._publishing = False
        self.tell(Closed(reason, again))

    def _connected(self) -> None:
        assert self._token is not None
        self._joined = True
        self.tell(Connected(self._token.channel, round(1000 * self._channel.join_s)))

    def _play(self) -> None:
        """Send the next step in real time, to all who subscribed to us."""
        if not self._queue:
            self._playing = False
            return
        step = self._queue.popleft()
        assert self._token is not None
        for other in self._channel.sessions:
            if other is not self and self._joined:
                other._later(self._channel.delay_s, lambda other=other, uid=self._token.uid: other._hear(uid, step))  # type: ignore[misc]
        self._channel.loop.call_at(time.monotonic() + STEP_S, self._play)

    def _hear(self, uid: int, step: bytes) -> None:
        if self._joined and self._subscribed == uid:
            self.tell(Speech(uid, step, time.monotonic()))

    def _later(self, delay_s: float, fn: Callable[[], None]) -> None:
        generation = self._generation

        def run() -> None:
            if generation == self._generation:
                fn()

        self._channel.loop.call_at(time.monotonic() + delay_s, run)
