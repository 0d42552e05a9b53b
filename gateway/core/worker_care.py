"""Keeps a voice worker running: starts it, asks whether it is alive, restarts it with back-off, knows its devices."""

from gateway.core.context import Context, Timers
from gateway.core.told import Told
from gateway.core.words import KillWorker, StartWorker
from protocol.messages import VoiceHealth
from protocol.worker import Device, Hello, Ping, Pong, SoundDevice, SpeechEngine, VoiceLink

PING_S = 1.0
SILENT_S = 4.0
"""A worker that answers no ping for this long is killed."""
STARTING_S = 10.0
"""A worker that says nothing for this long after its start is killed (a Pi's first start reads cold files)."""
WAIT_S = 0.2
WAIT_S_MAX = 5.0
STEADY_S = 30.0
CRASHES, CRASHES_WITHIN_S = 2, 60.0
"""A worker that dies so often within this time while it has Agora's native code in it..."""
WITHOUT_AGORA_S = 600.0
"""...goes on without for so long."""
QUIET_AGAIN_S = 10.0
"""Agora is taken up again only while nobody talks; looked at so often."""


class WorkerCare:
    """State of the worker as the daemon knows it; `ctx.voice_problem` says what keeps a press from being sent."""

    def __init__(self, ctx: Context, agora: bool = False) -> None:
        """Nothing runs yet. `agora`: voice goes over Agora too, as long as its native code behaves."""
        self._ctx = ctx
        self._agora = agora
        self._crashes: tuple[float, ...] = ()
        self._planned = ""
        self.replacing = False
        """It ends because we want another one: no trouble."""
        self.without_agora = False
        """Agora is left out for a while, because the worker crashed with it."""
        self._timers = Timers()
        self._failures = 0
        self._ping_no = 0
        self.restarts = 0
        """Deaths that nobody wanted."""
        self._up_since = 0.0
        self._ticked_at = 0.0
        self.state = "down"
        self.devices: dict[Device, SoundDevice] = {}
        self.link = False
        self.speech_trouble = ""
        """Why sentences are not spoken; empty where they are."""
        self.health = VoiceHealth(worker="down", capture=False, playback=False, link=False)

    def start(self, now: float) -> None:
        """Start the worker."""
        self.state = "starting"
        self.replacing = False
        self._ctx.emit(StartWorker(agora=self._agora and not self.without_agora, outside=self._ctx.barred))
        self._timers.set("silent", now + STARTING_S)
        self._judge()

    def hello(self, hello: Hello, now: float) -> None:
        """It runs."""
        self.state = "ok"
        self._up_since = now
        self._ctx.note("voice worker up", pid=hello.pid, transport=hello.transport)
        self._timers.set("ping", now)
        self._timers.set("silent", now + SILENT_S)
        self._judge()

    def gone(self, reason: str, now: float) -> None:
        """It died: restart it, later the oftener it happens."""
        if now - self._up_since >= STEADY_S:
            self._failures = 0
        self.state = "down"
        self.devices.clear()
        self.link = False
        self.speech_trouble = ""
        planned, self._planned = self._planned, ""
        self.replacing = bool(planned)
        if planned:
            wait_s = 0.0
        else:
            self._count_crash(now)
            wait_s = min(WAIT_S_MAX, WAIT_S * 2 ** min(self._failures, 8))
            self._failures += 1
            self.restarts += 1
        self._ctx.note("voice worker gone", warning=not planned, reason=reason, restart_in_s=wait_s)
        self._timers.stop("ping", "silent")
        self._timers.set("restart", now + wait_s)
        self._judge()

    def renew(self, why: str) -> None:
        """Replace the worker by one with what is to hold from now on; no failure of it."""
        if self.state != "down":
            self._planned = why
            self._ctx.emit(KillWorker(reason=why))

    def _count_crash(self, now: float) -> None:
        if not self._agora or self.without_agora or self._ctx.barred:
            return
        self._crashes = (*(at for at in self._crashes if now - at <= CRASHES_WITHIN_S), now)
        if len(self._crashes) >= CRASHES:
            self._crashes = ()
            self.without_agora = True
            self._timers.set("agora", now + WITHOUT_AGORA_S)
            self._ctx.note("the voice worker keeps dying: it goes on without Agora", warning=True)

    def device(self, device: SoundDevice) -> None:
        """A sound device came or went."""
        known = self.devices.get(device.device)
        self.devices[device.device] = device
        if known is None or known.ok != device.ok:
            self._ctx.note(
                "sound device open" if device.ok else "sound device missing",
                warning=not device.ok,
                device=device.device.value,
                detail=device.detail,
            )
        self._judge()

    def speech(self, engine: SpeechEngine) -> None:
        """What makes sentences failed, or works again: nothing else waits for it."""
        self.speech_trouble = "" if engine.ok else engine.detail or "sentences cannot be made into speech"
        self._ctx.note("speech engine", warning=not engine.ok, ok=engine.ok, detail=engine.detail)

    def voice_link(self, link: VoiceLink) -> None:
        """The voice transport's own connection came or went."""
        if link.up != self.link:
            self._ctx.note("voice link up" if link.up else "voice link down", warning=not link.up, detail=link.detail)
        self.link = link.up
        self._judge()

    def pong(self, pong: Pong, now: float) -> None:
        """It is alive."""
        self._timers.set("silent", now + SILENT_S)
        self.health = VoiceHealth(
            worker=self.state,
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
        self._timers.stop()

    def tick(self, now: float) -> None:
        """Ping, kill, restart."""
        stood_still = now - self._ticked_at > 2 * PING_S
        self._ticked_at = now
        if stood_still and self.state == "ok":
            self._timers.set("silent", now + SILENT_S)  # this loop did not turn, so the worker could not answer
        while (name := self._timers.expire(now)) is not None:
            match name:
                case "ping":
                    self._ping_no += 1
                    self._ctx.voice(Ping(no=self._ping_no))
                    self._timers.set("ping", now + PING_S)
                case "silent":
                    self._ctx.emit(KillWorker(reason="it answers no ping"))
                    self._timers.set("silent", now + SILENT_S)
                case "restart":
                    self.start(now)
                case "agora":
                    self._take_agora_up(now)

    def _take_agora_up(self, now: float) -> None:
        session = self._ctx.session
        if self._ctx.keyed or (session is not None and session.active):
            self._timers.set("agora", now + QUIET_AGAIN_S)
            return
        self.without_agora = False
        self.renew("Agora is taken up again")

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        return self._timers.next()

    @property
    def crashed_with_agora(self) -> str:
        """What is told of that; empty where Agora is not left out."""
        if not self.without_agora:
            return ""
        return f"the voice worker died {CRASHES} times within {CRASHES_WITHIN_S:.0f} s: Agora is off for a while"

    @property
    def alive(self) -> bool:
        """Whether a worker runs, or is being started in time."""
        return self.state != "down"

    def _judge(self) -> None:
        capture = self.devices.get(Device.CAPTURE)
        if self.state != "ok":
            problem: Told | None = Told.NO_VOICE
        elif capture is None or not capture.ok:
            problem = Told.NO_MICROPHONE
        elif not self.link:
            problem = Told.NO_CONNECTION
        else:
            problem = None
        self._ctx.voice_problem = problem
        if self.state != "ok":
            self.health = VoiceHealth(worker=self.state, capture=False, playback=False, link=False)
