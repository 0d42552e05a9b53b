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
from protocol.worker import (
    Arm,
    CatchUp,
    Cleaning,
    Command,
    Cue,
    Device,
    Drained,
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
    SpeechEngine,
    Stop,
    StopReplay,
    Through,
    Token,
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
from voice.device_care import DeviceCare
from voice.devices.choose import open_agora, open_channel, open_devices
from voice.ear import Ear
from voice.faults import Faults
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
from voice.transport_words import TransportWords
from voice.transports.mqtt_voice import MqttVoice

SDK_STUCK_S = 30.0
"""An SDK that does not return from a call for so long never will: nothing but a new process mends that."""

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
        self._mqtt = MqttVoice(
            self._loop, settings.mqtt, settings.office, settings.user, lambda event: self._words.said(event), rng
        )
        self._agora = open_agora(self._loop, settings, lambda event: self._words.said_by_agora(event), rng, _raise)
        self._speaking = Speaking(self._mouth, self._mqtt, self._agora, self._pipe.tell)
        self._listening = Listening(self._ear, self._mqtt, self._agora, rng.random)
        self._links = Links(self._mqtt, self._agora, self._pipe.tell)
        self._faults = Faults(self._pipe.tell)
        self._words = TransportWords(
            self._mouth, self._speaking, self._listening, self._links, self._faults, self._pipe.tell
        )
        hooks = (self._capturing.captured, self._on_playback, self._on_device_state)
        self._channel = open_channel(self._loop, settings, *hooks, self._pipe.tell, _raise)
        self._devices = self._channel or open_devices(audio, *hooks, epoch_s)
        self._care = DeviceCare(audio, self._ear, self._pipe.tell, epoch_s)
        self._care.keep(self._devices)
        self._announcer: Announcer[array[int]] = Announcer(self._ear)
        self._sayings = Sayings(
            audio,
            self._announcer,
            Espeak(),
            self._on_spoken,
            minute_of_day,
            self._on_engine,
            lambda: self._loop.call_soon_threadsafe(self._sayings.tick),
        )
        self._office = open_office(
            settings, lambda got: self._loop.call_soon_threadsafe(partial(self._replaying.fetched, got))
        )
        self._replaying = Replaying(self._ear, self._sayings, self._office, self._pipe.tell, lambda: self._mouth.open)

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
            aloud = self._care.works(Device.PLAYBACK) and not self._half_duplex.muted
            return self._half_duplex.played(self._ear.render(at_s, aloud=aloud), at_s)
        except Exception as error:  # noqa: BLE001 - the top of the device's thread: it ends the process, in the loop
            self._loop.call_soon_threadsafe(partial(_raise, error))
            return bytes(2 * self._audio.device_rate_hz * self._audio.frame_ms // 1000)

    def _on_device_state(self, device: Device, ok: bool, detail: str) -> None:
        self._loop.call_soon_threadsafe(partial(self._care.state, device, ok, detail))

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
        quiet = mouth.idle and not self._ear.busy
        self._sayings.idle(quiet)
        needed = self._links.in_session or self._capturing.metering(now)
        deadlines = [
            mouth.next_deadline(),
            self._speaking.next_deadline(now),
            mqtt.next_deadline(),
            None if agora is None else agora.next_deadline(),
            None if self._channel is None else self._channel.next_deadline(),
            self._listening.next_deadline(),
            self._replaying.next_deadline(),
            self._care.tick(now, quiet=quiet, needed=needed),
        ]
        return min((d for d in deadlines if d is not None), default=None)

    def _look_at_sdk(self, now: float) -> None:
        """End where the SDK hangs and nobody speaks or is heard over another way; raises SdkStuck. Pings turn us."""
        sdk = self._agora or self._channel
        if sdk is not None and sdk.stuck_s(now) > SDK_STUCK_S and self._mouth.idle and not self._ear.busy:
            raise SdkStuck(f"Agora's SDK has not returned from a call for {SDK_STUCK_S:g} s")

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
                self._care.need(now)
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
                self._care.need(now)
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
                self._care.need(now)
                self._sayings.cue(sound, now)
            case Prepare():
                self._sayings.prepare(command)
            case Say():
                if not self._sayings.say(command):
                    self._faults.survived("sentences", "a sentence was dropped: too many wait to be spoken")
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
                self._care.need(now)
                self._capturing.meter(command, now)
                if wanted:
                    self._announcer.cue(tone(self._audio.device_rate_hz, TONE_S, TONE_DB), now)
            case OfficeKeeps() | CatchUp() | Replay() | StopReplay():
                self._care.need(now)
                self._replaying.take(command, now)
            case Quit():
                self._loop.stop()
            case _:
                assert_never(command)

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
            self._faults.survived(spoken.fault, spoken.fault)
        else:
            self._care.need(time.monotonic())
            self._sayings.spoken(spoken, time.monotonic())
            self._replaying.spoken(spoken)

    def _pong(self, no: int) -> None:
        played, concealed, late, buffer_ms = self._ear.health
        self._pipe.tell(
            Pong(
                no=no,
                link=self._links.up,
                capture=self._care.works(Device.CAPTURE),
                playback=self._care.works(Device.PLAYBACK),
                frames_played=played,
                frames_concealed=concealed,
                frames_late=late,
                buffer_ms=buffer_ms,
                speech_at=self._microphone.speech_at,
            )
        )


def _raise(error: Exception) -> NoReturn:
    raise error
