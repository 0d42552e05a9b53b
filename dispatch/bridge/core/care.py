"""Keeps the voice worker running: starts it, asks whether it is alive, restarts it with back-off."""

from dispatch.bridge.core.context import Context
from dispatch.bridge.core.words import KillWorker, StartWorker
from protocol.messages import VoiceHealth
from protocol.worker import Ping, Pong

PING_S = 1.0
SILENT_S = 4.0
"""A worker that answers no ping for this long is killed."""
STARTING_S = 10.0
"""A worker that says nothing for this long after its start is killed."""
WAIT_S, WAIT_S_MAX = 0.2, 5.0
STEADY_S = 30.0
_DOWN = VoiceHealth(worker="down", capture=False, playback=False, link=False)


class WorkerCare:
    """One worker at a time. `ready` from its Hello on, until it is gone."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._failures = 0
        self._ping_no = 0
        self._up_since = 0.0
        self._ticked_at = 0.0
        self._ping_at: float | None = None
        self._silent_at: float | None = None
        self._restart_at: float | None = None
        self.ready = False
        self.problem = ""
        """Why there is no worker; empty where there is one, or one is being started for the first time."""
        self.health = _DOWN

    def start(self, now: float) -> None:
        """Start it."""
        self._restart_at = None
        self._ctx.emit(StartWorker())
        self._silent_at = now + STARTING_S

    def hello(self, now: float) -> None:
        """It runs."""
        self.ready = True
        self.problem = ""
        self._up_since = self._ping_at = now
        self._silent_at = now + SILENT_S

    def gone(self, reason: str, now: float) -> None:
        """It died: start it again, later the oftener it happens."""
        if self.ready and now - self._up_since >= STEADY_S:
            self._failures = 0
        wait_s = min(WAIT_S_MAX, WAIT_S * 2 ** min(self._failures, 8))
        self._failures += 1
        self.ready = False
        self.problem = reason
        self.health = _DOWN
        self._ctx.note("voice worker gone", warning=True, reason=reason, restart_in_s=wait_s)
        self._ping_at = self._silent_at = None
        self._restart_at = now + wait_s

    def pong(self, pong: Pong, now: float) -> None:
        """It is alive."""
        self._silent_at = now + SILENT_S
        self.health = VoiceHealth(
            worker="ok",
            capture=pong.capture,
            playback=pong.playback,
            link=pong.link,
            frames_played=pong.frames_played,
            frames_concealed=pong.frames_concealed,
            frames_late=pong.frames_late,
            buffer_ms=min(pong.buffer_ms, 10_000),
        )

    def stop(self) -> None:
        """Care no more."""
        self.ready = False
        self._ping_at = self._silent_at = self._restart_at = None

    def tick(self, now: float) -> None:
        """Ping, kill, restart."""
        stood_still = now - self._ticked_at > 2 * PING_S
        self._ticked_at = now
        if stood_still and self.ready:
            self._silent_at = now + SILENT_S  # this loop did not turn, so the worker could not answer
        if self._ping_at is not None and now >= self._ping_at:
            self._ping_no += 1
            self._ctx.voice(Ping(no=self._ping_no))
            self._ping_at = now + PING_S
        if self._silent_at is not None and now >= self._silent_at:
            self._silent_at = now + SILENT_S
            self._ctx.emit(KillWorker(reason="it answers no ping"))
        if self._restart_at is not None and now >= self._restart_at:
            self.start(now)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        times = (self._ping_at, self._silent_at, self._restart_at)
        return min((at for at in times if at is not None), default=None)
