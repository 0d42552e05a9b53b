"""The voice worker, wired: the daemon's pipe, the transport, the devices, and the gates between them, in one loop."""

from __future__ import annotations

import os
import random
import socket
import time
from array import array
from functools import partial
from typing import NoReturn, assert_never

from msgspec.structs import replace

from protocol.timers import TAIL_S
from protocol.voice_frame import FrameFlags
from protocol.worker import (
    Agora,
    AgoraState,
    Arm,
    CatchUp,
    Cleaning,
    Command,
    Cue,
    Device,
    Drained,
    Fault,
    Focus,
    Heard,
    Hello,
    Hold,
    Join,
    KeyUp,
    Leave,
    Left,
    Levels,
    Meter,
    Mute,
    OfficeKeeps,
    Ping,
    Play,
    Playback,
    PlayedOut,
    Pong,
    Prepare,
    Quit,
    Replay,
    Replayed,
    Say,
    SoundDevice,
    SpeechEngine,
    Stop,
    StopReplay,
    Through,
    Token,
    TokenWanted,
    Transmit,
)
from protocol.worker_settings import WorkerSettings
from service.logs import Log
from service.loop import Loop
from service.wall_clock import minute_of_day
from voice.announcer import Announcer
from voice.burst_office import open_office
from voice.capturing import Capturing
from voice.core.metering import tone
from voice.devices.choose import open_agora, open_channel, open_devices
from voice.devices.port import SoundDevices
from voice.ear import Ear
from voice.half_duplex import HalfDuplex
from voice.links import Links
from voice.listening import Listening
from voice.microphone import TONE_DB, TONE_S, Microphone
from voice.mouth import Mouth
from voice.pipe import Pipe
from voice.realtime import settle
from voice.replaying import Replaying
from voice.sayings import Sayings
from voice.speaking import Speaking
from voice.speech import Spoken
from voice.speech_engine import Espeak
from voice.transports.mqtt_voice import MqttVoice
from voice.transports.port import (
    Arrived,
    Bad,
    Flooded,
    InChannel,
    LinkDown,
    LinkUp,
    Sent,
    StateIs,
    TokenNeeded,
    TransportEvent,
)

SDK_STUCK_S = 30.0
"""An SDK that does not return from a call for so long never will: nothing but a new process mends that."""
FAULT_EVERY_S = 10.0
"""The same kind of fault is told to the daemon no more often."""

log = Log(__name__)


class SdkStuck(Exception):
    """Agora's SDK does not return; nobody speaks or is heard, so the worker ends, and the daemon starts a new one."""


class Worker:
    """One voice worker. `run` returns when the daemon says Quit, closes the pipe or dies.

    Raises OpusMissing, BackendMissing or SettingsError where it cannot be set up.
    """

    def __init__(self, settings: WorkerSettings, sock: socket.socket, epoch_s: float) -> None:
        audio = settings.audio
        self._audio = audio
        self._loop = Loop()
        self._pipe = Pipe(self._loop, sock, self._command, self._orphaned)
        self._mouth = Mouth(audio, self._tell_of_mouth, lambda frame: self._replaying.said(frame))
        self._half_duplex = HalfDuplex(audio, apart=audio.backend == "agora")
        self._microphone = Microphone(
            audio, self._half_duplex, lambda word: self._loop.call_soon_threadsafe(partial(self._cleaning, word))
        )
        self._capturing = Capturing(self._loop, self._microphone, self._mouth, self._pipe.tell)
        self._ear = Ear(audio, settings.user, self._tell_from_thread, replay=settings.replay)
        rng = random.Random()
        self._mqtt = MqttVoice(self._loop, settings.mqtt, settings.office, settings.user, self._transported, rng)
        self._agora = open_agora(self._loop, settings, self._transported_by_agora, rng, _raise)
        self._speaking = Speaking(self._mouth, self._mqtt, self._agora, self._pipe.tell)
        self._listening = Listening(self._ear, self._mqtt, self._agora, rng.random)
        self._links = Links(self._mqtt, self._agora, self._pipe.tell)
        hooks = (self._capturing.captured, self._on_playback, self._on_device_state)
        self._channel = open_channel(self._loop, settings, *hooks, self._pipe.tell, _raise)
        self._devices: SoundDevices = self._channel or open_devices(audio, *hooks, epoch_s)
        self._device_ok = dict.fromkeys(Device, False)
        self._announcer: Announcer[array[int]] = Announcer(self._ear)
        self._sayings = Sayings(audio, self._announcer, Espeak(), self._on_spoken, minute_of_day, self._on_engine)
        self._office = open_office(
            settings, lambda got: self._loop.call_soon_threadsafe(partial(self._replaying.fetched, got))
        )
        self._replaying = Replaying(self._ear, self._sayings, self._office, self._pipe.tell, lambda: self._mouth.open)
        self._faults: dict[str, float] = {}
        self._null_at = 0.0
        self._restart_allowed = True
        self._needed_at = epoch_s

    def run(self) -> None:
        """Work until told otherwise."""
        priority = settle()
        transport = self._mqtt.name if self._agora is None else f"{self._mqtt.name}+{self._agora.name}"
        self._pipe.tell(Hello(pid=os.getpid(), transport=transport))
        self._microphone.start()
        self._mqtt.start()
        self._devices.start()
        self._sayings.start()
        log.info("voice worker runs", transport=transport, audio=self._audio.backend, priority=priority)
        try:
            self._loop.run(self._step)
        finally:
            self._silence()
            self._devices.stop()
            self._sayings.stop()
            if self._office is not None:
                self._office.stop()
            self._pipe.close()
            self._loop.close()
        log.info(
            "voice worker ends",
            unsent=self._mouth.dropped,
            unheard=self._ear.discarded,
            strays=self._ear.strays,
            unpushed=0 if self._agora is None else self._agora.unpushed,
            unsounded=self._ear.unsounded,
            flooded=self._mqtt.flooded,
        )

    def stop(self) -> None:
        """Leave `run`; for signal handlers."""
        self._loop.stop()

    # --- other threads: only enqueue --------------------------------------------------------------------------------

    def _on_playback(self, at_s: float) -> bytes:
        try:
            aloud = self._device_ok[Device.PLAYBACK] and not self._half_duplex.muted
            return self._half_duplex.played(self._ear.render(at_s, aloud=aloud), at_s)
        except Exception as error:  # noqa: BLE001 - the top of the device's thread: it ends the process, in the loop
            self._loop.call_soon_threadsafe(partial(_raise, error))
            return bytes(2 * self._audio.device_rate_hz * self._audio.frame_ms // 1000)

    def _on_device_state(self, device: Device, ok: bool, detail: str) -> None:
        self._loop.call_soon_threadsafe(partial(self._device_state, device, ok, detail))

    def _on_spoken(self, spoken: Spoken) -> None:
        self._loop.call_soon_threadsafe(partial(self._spoken, spoken))

    def _on_engine(self, ok: bool, why: str) -> None:
        self._loop.call_soon_threadsafe(lambda: self._pipe.tell(SpeechEngine(ok=ok, detail=why[:512])))

    def _tell_from_thread(self, event: Heard | PlayedOut | Replayed) -> None:
        self._loop.call_soon_threadsafe(partial(self._told_by_ear, event))

    # --- the loop ---------------------------------------------------------------------------------------------------

    def _step(self, now: float) -> float | None:
        mouth, mqtt, agora = self._mouth, self._mqtt, self._agora
        mouth.tick(now)
        self._speaking.follow(now)
        mqtt.tick(now)
        if agora is not None:
            agora.tick(now)
        if self._channel is not None:
            self._channel.tick(now)
        self._look_at_sdk(now)
        self._speaking.pump(now)
        self._listening.tick(now)
        self._replaying.tick(now)
        self._announcer.microphone(mouth.open, now)
        self._half_duplex.microphone_open = mouth.open
        self._capturing.want(now)
        allowed = mouth.idle and not self._ear.busy
        self._sayings.idle(allowed)
        if allowed != self._restart_allowed:
            self._restart_allowed = allowed
            self._devices.allow_restart(allowed)
        self._rest(now, allowed)
        self._devices.watch(now)
        deadlines = [
            mouth.next_deadline(),
            self._speaking.next_deadline(now),
            mqtt.next_deadline(),
            None if agora is None else agora.next_deadline(),
            None if self._channel is None else self._channel.next_deadline(),
            self._listening.next_deadline(),
            self._replaying.next_deadline(),
            self._null_speaker(now),
        ]
        return min((d for d in deadlines if d is not None), default=None)

    def _look_at_sdk(self, now: float) -> None:
        """End where the SDK hangs and nobody speaks or is heard over another way; raises SdkStuck. Pings turn us."""
        sdk = self._agora or self._channel
        if sdk is not None and sdk.stuck_s(now) > SDK_STUCK_S and self._mouth.idle and not self._ear.busy:
            raise SdkStuck(f"Agora's SDK has not returned from a call for {SDK_STUCK_S:g} s")

    def _rest(self, now: float, quiet: bool) -> None:
        """Let the devices rest once nobody spoke, was heard or was in a session for a while (the pings turn us)."""
        if self._links.in_session or not quiet or self._capturing.metering(now):
            self._needed_at = now
        after_s = self._audio.rest_after_s
        self._devices.rest(bool(after_s) and now - self._needed_at > after_s)

    def _need_devices(self, now: float) -> None:
        self._needed_at = now
        self._devices.rest(False)

    def _null_speaker(self, now: float) -> float | None:
        """Let time pass for what is heard where no device plays it, so that bursts end and nothing piles up."""
        if self._device_ok[Device.PLAYBACK] or not self._ear.busy:
            return None
        frame_s = self._audio.frame_ms / 1000
        if now - self._null_at > 1.0:
            self._null_at = now
        while self._null_at <= now:
            self._ear.render(self._null_at, aloud=False)
            self._null_at += frame_s
        return self._null_at

    def _orphaned(self) -> None:
        log.warning("the daemon is gone: voice worker ends")
        self._silence()
        self._loop.stop()

    def _silence(self) -> None:
        """Nothing leaves any more, over no way."""
        now = time.monotonic()
        self._mouth.handle(Mute(), now)
        self._speaking.cut(now)
        self._mqtt.stop()
        if self._agora is not None:
            self._agora.stop()

    # --- what is told to us -----------------------------------------------------------------------------------------

    def _command(self, command: Command) -> None:
        now = time.monotonic()
        if self._channel is not None:
            self._channel.heed(command, now)
        self._replaying.heed(command)
        match command:
            case Arm(edge_at=edge_at):
                self._microphone.begin(edge_at)
                self._half_duplex.microphone_open = True
                self._need_devices(now)
                self._capturing.begin()
                self._announcer.microphone(True, now)
                self._mouth.handle(command, now)
            case KeyUp(at=at):
                self._mouth.handle(command, now)
                self._mqtt.gone_by(at + TAIL_S)
            case Transmit():
                self._mouth.handle(command, now)
                self._speaking.permitted(command, now)
            case Hold() | Mute():
                self._mouth.handle(command, now)
                self._speaking.cut(now)
            case Play():
                self._listening.play(command, now)
            case Stop():
                self._listening.stop(command, now)
            case Join(event_id=event_id, channel=channel):
                self._need_devices(now)
                self._links.session(event_id)
                self._mqtt.join(event_id, channel)
                if self._agora is not None:
                    self._agora.join(event_id, channel)
            case Leave():
                self._links.session(None)
                self._mqtt.leave()
                if self._agora is not None:
                    self._agora.leave()
                self._pipe.tell(Left())
            case Cue(sound=sound):
                self._need_devices(now)
                self._sayings.cue(sound, now)
            case Prepare():
                self._sayings.prepare(command)
            case Say():
                if not self._sayings.say(command):
                    self._fault("sentences", "a sentence was dropped: too many wait to be spoken")
            case Token():
                if self._agora is not None:
                    self._agora.token(command)
            case Focus(office=office):
                self._ear.focus(office)
                self._announcer.hush(office is Playback.SILENT, now)
            case Ping(no=no):
                self._pong(no)
            case Levels(mic_db=mic_db, speaker_db=speaker_db):
                self._microphone.level.set(mic_db)
                self._half_duplex.speaker.set(speaker_db)
            case Meter(tone=wanted):
                self._need_devices(now)
                self._capturing.meter(command, now)
                if wanted:
                    self._announcer.cue(tone(self._audio.device_rate_hz, TONE_S, TONE_DB), now)
            case OfficeKeeps() | CatchUp() | Replay() | StopReplay():
                self._need_devices(now)
                self._replaying.take(command, now)
            case Quit():
                self._loop.stop()
            case _:
                assert_never(command)

    def _transported(self, event: TransportEvent) -> None:
        match event:
            case Arrived():
                self._arrived(event)
            case Sent(burst=burst, seq=seq):
                self._mouth.acked(burst, seq, time.monotonic())
            case LinkUp():
                log.info("voice link is up")
                self._links_changed()
            case LinkDown(reason=reason):
                log.warning("voice link is down", reason=reason)
                self._links_changed(reason)
            case InChannel():
                self._links_changed()
            case StateIs(state=state, detail=detail, join_ms=join_ms):
                quiet = state in (AgoraState.OFF, AgoraState.JOINING, AgoraState.JOINED)
                (log.info if quiet else log.warning)("agora", state=state, detail=detail, join_ms=join_ms)
                self._pipe.tell(Agora(state=state, detail=detail, join_ms=join_ms))
            case TokenNeeded(channel=channel, why=why):
                self._pipe.tell(TokenWanted(channel=channel, why=why))
            case Flooded(word=word):
                log.warning("voice flood", user=word.user, frames_s=word.frames_s)
                self._pipe.tell(word)
            case Bad(what=what):
                self._fault("frames", what)
            case _:
                assert_never(event)

    def _transported_by_agora(self, event: TransportEvent) -> None:
        if isinstance(event, LinkUp | LinkDown):
            self._links_changed(event.reason if isinstance(event, LinkDown) else "")  # StateIs goes into the log
        else:
            self._transported(event)

    def _arrived(self, event: Arrived) -> None:
        frame = event.frame
        if event.pcm is None and frame.flags & FrameFlags.ASK:
            self._speaking.asked(frame.burst)
            self._listening.another_asked(frame.burst, event.at_s)
        elif not self._listening.arrived(event):
            self._fault("frames", "dropped voice: no Opus packet")

    def _links_changed(self, reason: str = "") -> None:
        self._listening.on_agora(self._links.on_agora)
        self._links.changed(reason)

    def _device_state(self, device: Device, ok: bool, detail: str) -> None:
        self._device_ok[device] = ok
        (log.info if ok else log.warning)("sound device", device=device, ok=ok, detail=detail)
        self._pipe.tell(SoundDevice(device=device, ok=ok, detail=detail[:512]))

    def _cleaning(self, word: Cleaning) -> None:
        (log.info if word.ok else log.warning)("noise suppression", ok=word.ok, detail=word.detail)
        self._pipe.tell(word)

    def _tell_of_mouth(self, word: Drained | Through) -> None:
        if isinstance(word, Drained):
            self._replaying.drained(word)
        self._pipe.tell(replace(word, speech_at=self._microphone.speech_at) if isinstance(word, Through) else word)

    def _told_by_ear(self, event: Heard | PlayedOut | Replayed) -> None:
        if isinstance(event, PlayedOut):
            self._listening.played_out(event)
        self._pipe.tell(event)

    def _spoken(self, spoken: Spoken) -> None:
        if spoken.fault:
            self._fault(spoken.fault, spoken.fault)
        else:
            self._need_devices(time.monotonic())
            self._sayings.spoken(spoken, time.monotonic())
            self._replaying.spoken(spoken)

    def _pong(self, no: int) -> None:
        played, concealed, late, buffer_ms = self._ear.health
        self._pipe.tell(
            Pong(
                no=no,
                link=self._links.up,
                capture=self._device_ok[Device.CAPTURE],
                playback=self._device_ok[Device.PLAYBACK],
                frames_played=played,
                frames_concealed=concealed,
                frames_late=late,
                buffer_ms=buffer_ms,
                speech_at=self._microphone.speech_at,
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
