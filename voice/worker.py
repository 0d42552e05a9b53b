"""The voice worker, wired: the daemon's pipe, the transport, the devices, and the gates between them, in one loop."""

from __future__ import annotations

import os
import random
import socket
import time
from array import array
from collections import deque
from functools import partial
from typing import NoReturn, assert_never

from protocol.timers import TAIL_S
from protocol.worker import (
    Arm,
    Command,
    Cue,
    Device,
    Fault,
    Hello,
    Hold,
    Join,
    Joined,
    KeyUp,
    Leave,
    Left,
    Mute,
    Ping,
    Play,
    Pong,
    Quit,
    Say,
    Sound,
    SoundDevice,
    Stop,
    Token,
    Transmit,
    VoiceLink,
    WorkerEvent,
)
from protocol.worker_settings import WorkerSettings
from service.logs import Log
from service.loop import Loop
from voice.announcer import Announcer
from voice.cues import synthesise
from voice.devices.choose import open_devices
from voice.ear import Ear
from voice.mouth import Mouth
from voice.pipe import Pipe
from voice.realtime import settle
from voice.speech import Speech, Spoken
from voice.transports.mqtt_voice import MqttVoice
from voice.transports.port import Arrived, Bad, InChannel, LinkDown, LinkUp, Sent, TransportEvent, VoiceTransport

LOOK_BACK_FRAMES = 5
"""Device frames kept while the microphone is closed, for an edge whose word comes late; see TalkGate."""
CAPTURE_INBOX_MAX = 256
FAULT_EVERY_S = 10.0
"""The same kind of fault is told to the daemon no more often."""

log = Log(__name__)


class Worker:
    """One voice worker. `run` returns when the daemon says Quit, closes the pipe or dies.

    Raises OpusMissing, BackendMissing or SettingsError where it cannot be set up.
    """

    def __init__(self, settings: WorkerSettings, sock: socket.socket, epoch_s: float) -> None:
        audio = settings.audio
        self._audio = audio
        self._loop = Loop()
        self._pipe = Pipe(self._loop, sock, self._command, self._orphaned)
        self._mouth = Mouth(audio, self._pipe.tell)
        self._ear = Ear(audio, settings.user, self._tell_from_thread)
        self._transport: VoiceTransport = MqttVoice(
            self._loop, settings.mqtt, settings.office, settings.user, self._transported, random.Random()
        )
        self._captured: deque[tuple[bytes, float]] = deque(maxlen=CAPTURE_INBOX_MAX)
        self._capture_wanted = False
        self._devices = open_devices(audio, self._on_captured, self._on_playback, self._on_device_state, epoch_s)
        self._device_ok = dict.fromkeys(Device, False)
        self._announcer: Announcer[array[int]] = Announcer(self._ear.cue, self._ear.cut_cues)
        self._speech = Speech(audio.device_rate_hz, audio.cue_volume_percent, self._on_spoken)
        self._cues: dict[Sound, array[int]] = {}
        self._faults: dict[str, float] = {}
        self._null_at = 0.0
        self._restart_allowed = True
        self._in_channel = False
        self._needed_at = epoch_s

    def run(self) -> None:
        """Work until told otherwise."""
        priority = settle()
        self._pipe.tell(Hello(pid=os.getpid(), transport=self._transport.name))
        self._transport.start()
        self._devices.start()
        self._speech.start()
        log.info("voice worker runs", transport=self._transport.name, audio=self._audio.backend, priority=priority)
        try:
            self._loop.run(self._step)
        finally:
            self._mouth.handle(Mute(), time.monotonic())
            self._transport.stop()
            self._devices.stop()
            self._speech.stop()
            self._pipe.close()
            self._loop.close()
        log.info("voice worker ends", unsent=self._mouth.dropped, unheard=self._ear.discarded)

    def stop(self) -> None:
        """Leave `run`; for signal handlers."""
        self._loop.stop()

    # --- other threads: only enqueue --------------------------------------------------------------------------------

    def _on_captured(self, frame: bytes, start_s: float) -> None:
        captured = self._captured
        captured.append((frame, start_s))
        if self._capture_wanted:
            self._loop.call_soon_threadsafe(self._take_captured)
        elif len(captured) > LOOK_BACK_FRAMES:
            captured.popleft()

    def _on_playback(self, at_s: float) -> bytes:
        try:
            return self._ear.render(at_s)
        except Exception as error:  # noqa: BLE001 - the top of the device's thread: it ends the process, in the loop
            self._loop.call_soon_threadsafe(partial(_raise, error))
            return bytes(2 * self._audio.device_rate_hz * self._audio.frame_ms // 1000)

    def _on_device_state(self, device: Device, ok: bool, detail: str) -> None:
        self._loop.call_soon_threadsafe(partial(self._device_state, device, ok, detail))

    def _on_spoken(self, spoken: Spoken) -> None:
        self._loop.call_soon_threadsafe(partial(self._spoken, spoken))

    def _tell_from_thread(self, event: WorkerEvent) -> None:
        self._loop.call_soon_threadsafe(partial(self._pipe.tell, event))

    # --- the loop ---------------------------------------------------------------------------------------------------

    def _step(self, now: float) -> float | None:
        mouth, transport = self._mouth, self._transport
        mouth.tick(now)
        transport.tick(now)
        self._pump(now)
        self._announcer.microphone(mouth.open, now)
        self._capture_wanted = not mouth.idle
        allowed = mouth.idle and not self._ear.busy
        if allowed != self._restart_allowed:
            self._restart_allowed = allowed
            self._devices.allow_restart(allowed)
        self._rest(now, allowed)
        self._devices.watch(now)
        deadlines = [mouth.next_deadline(), transport.next_deadline(), self._null_speaker(now)]
        return min((d for d in deadlines if d is not None), default=None)

    def _rest(self, now: float, quiet: bool) -> None:
        """Let the devices rest once nobody spoke, was heard or was in a session for a while (the pings turn us)."""
        if self._in_channel or not quiet:
            self._needed_at = now
        after_s = self._audio.rest_after_s
        self._devices.rest(bool(after_s) and now - self._needed_at > after_s)

    def _need_devices(self, now: float) -> None:
        self._needed_at = now
        self._devices.rest(False)

    def _pump(self, now: float) -> None:
        mouth, transport = self._mouth, self._transport
        if mouth.idle:
            return
        while transport.room(now) and (frame := mouth.pull(now)) is not None:
            transport.send(frame, now)
        mouth.tick(now)

    def _take_captured(self) -> None:
        captured, now = self._captured, time.monotonic()
        while captured:
            frame, start_s = captured.popleft()
            self._mouth.captured(frame, start_s, now)

    def _null_speaker(self, now: float) -> float | None:
        """Let time pass for what is heard where no device plays it, so that bursts end and nothing piles up."""
        if self._device_ok[Device.PLAYBACK] or not self._ear.busy:
            return None
        frame_s = self._audio.frame_ms / 1000
        if now - self._null_at > 1.0:
            self._null_at = now
        while self._null_at <= now:
            self._on_playback(self._null_at)
            self._null_at += frame_s
        return self._null_at

    def _orphaned(self) -> None:
        log.warning("the daemon is gone: voice worker ends")
        self._mouth.handle(Mute(), time.monotonic())
        self._transport.stop()
        self._loop.stop()

    # --- what is told to us -----------------------------------------------------------------------------------------

    def _command(self, command: Command) -> None:
        now = time.monotonic()
        match command:
            case Arm():
                self._need_devices(now)
                self._capture_wanted = True
                self._take_captured()
                self._announcer.microphone(True, now)
                self._mouth.handle(command, now)
            case KeyUp(at=at):
                self._mouth.handle(command, now)
                self._transport.gone_by(at + TAIL_S)
            case Transmit() | Hold() | Mute():
                self._mouth.handle(command, now)
            case Play():
                self._ear.play(command, now)
            case Stop():
                self._ear.stop(command, now)
            case Join(event_id=event_id):
                self._in_channel = True
                self._need_devices(now)
                self._transport.join(event_id)
            case Leave():
                self._in_channel = False
                self._transport.leave()
                self._pipe.tell(Left())
            case Cue(sound=sound):
                if sound not in self._cues:
                    audio = self._audio
                    self._cues[sound] = synthesise(sound, audio.device_rate_hz, audio.cue_volume_percent)
                self._need_devices(now)
                self._announcer.cue(self._cues[sound], now)
            case Say(text=text, lang=lang, urgent=urgent):
                if not self._speech.say(text, lang, urgent=urgent):
                    self._fault("sentences", "a sentence was dropped: too many wait to be spoken")
            case Token():
                pass  # MQTT voice needs none
            case Ping(no=no):
                self._pong(no)
            case Quit():
                self._loop.stop()
            case _:
                assert_never(command)

    def _transported(self, event: TransportEvent) -> None:
        match event:
            case Arrived(user=user, frame=frame, at_s=at_s):
                if not self._ear.frame(user, frame, at_s):
                    self._fault("frames", "dropped voice: no Opus packet")
            case Sent(burst=burst, seq=seq):
                self._mouth.acked(burst, seq, time.monotonic())
            case LinkUp():
                log.info("voice link is up")
                self._pipe.tell(VoiceLink(up=True))
            case LinkDown(reason=reason):
                log.warning("voice link is down", reason=reason)
                self._pipe.tell(VoiceLink(up=False, detail=reason[:500]))
            case InChannel(event_id=event_id):
                self._pipe.tell(Joined(event_id=event_id))
            case Bad(what=what):
                self._fault("frames", what)
            case _:
                assert_never(event)

    def _device_state(self, device: Device, ok: bool, detail: str) -> None:
        self._device_ok[device] = ok
        (log.info if ok else log.warning)("sound device", device=device, ok=ok, detail=detail)
        self._pipe.tell(SoundDevice(device=device, ok=ok, detail=detail[:512]))

    def _spoken(self, spoken: Spoken) -> None:
        if spoken.fault:
            self._fault(spoken.fault, spoken.fault)
        else:
            self._need_devices(time.monotonic())
            self._announcer.sentence(spoken.sound, time.monotonic(), urgent=spoken.urgent)

    def _pong(self, no: int) -> None:
        played, concealed, late, buffer_ms = self._ear.health
        self._pipe.tell(
            Pong(
                no=no,
                link=self._transport.up,
                capture=self._device_ok[Device.CAPTURE],
                playback=self._device_ok[Device.PLAYBACK],
                frames_played=played,
                frames_concealed=concealed,
                frames_late=late,
                buffer_ms=buffer_ms,
            )
        )

    def _fault(self, kind: str, what: str) -> None:
        now = time.monotonic()
        if now - self._faults.get(kind, float("-inf")) >= FAULT_EVERY_S:
            if len(self._faults) > 64:
                self._faults.clear()
            self._faults[kind] = now
            log.warning("survived a fault", what=what)
            self._pipe.tell(Fault(what=what[:512]))


def _raise(error: Exception) -> NoReturn:
    raise error
