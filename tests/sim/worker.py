"""The voice worker of a simulated vehicle: real gates around an opaque microphone and speaker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.words import (
    FromWorker,
)
from protocol.messages import VoicePath
from protocol.worker import (
    Arm,
    Device,
    Drained,
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
    SoundDevice,
    Stop,
    Through,
    Transmit,
    VoiceLink,
)
from tests.sim.clock import Alarm
from voice.core.jitter import JitterBuffer, Packet
from voice.core.listen import ListenGate
from voice.core.talk import Cut, Send, TalkGate

if TYPE_CHECKING:
    from tests.sim.car import Car

FRAME_S = 0.1
Speech = tuple[str, float, float]
"""Whose mouth, from when to when: what a frame of this simulation holds."""


class Worker:
    """The voice worker's process: real gates around an opaque microphone and speaker."""

    def __init__(self, car: Car) -> None:
        self.car = car
        self.clock = car.clock
        self.alive = True
        self.talk: TalkGate[Speech, Speech] = TalkGate()
        self.listen: ListenGate[Speech] = ListenGate(
            own_user=car.user, make_buffer=lambda: JitterBuffer(min_s=0.0, max_s=0.4)
        )
        self.joined: str | None = None
        self.on_agora: str | None = None
        """The session whose Agora channel is joined. In this world it carries no voice: all of that goes over MQTT."""
        self._alarm = Alarm(self.clock, self._tick)
        self._capturing = self._playing = False

    def say_hello(self) -> None:
        """What a worker says when it has started."""
        self._say(Hello(pid=1, transport="mqtt"))
        self._say(SoundDevice(device=Device.CAPTURE, ok=True))
        self._say(SoundDevice(device=Device.PLAYBACK, ok=True))
        self.link(self.car.voice_link)

    def link(self, up: bool) -> None:
        """The voice connection came or went."""
        self._say(VoiceLink(up=up))
        if up:
            self._say_joined()

    def agora(self, up: bool) -> None:
        """Agora's connection came, where one is wanted, or went."""
        self.on_agora = self.joined if up else None
        self._say_joined()

    def _say_joined(self) -> None:
        if self.joined is not None and self.car.voice_link:
            voice = VoicePath.AGORA if self.on_agora == self.joined else VoicePath.MQTT
            self._say(Joined(event_id=self.joined, voice=voice))

    def command(self, command: object) -> None:
        """Take a command from the pipe."""
        if not self.alive:
            return
        now = self.clock.now
        match command:
            case Arm() | Transmit() | KeyUp() | Hold() | Mute():
                if isinstance(command, Transmit) and command.all_joined:
                    self.car.watch.spares_mqtt(self.car)
                self._out(self.talk.handle(command, now))
                if not self._capturing and not self.talk.idle:
                    self._capturing = True
                    self.clock.after(FRAME_S, self._capture)
            case Join(event_id=event_id):
                self.joined = event_id
                self._say_joined()
                self.car.join_agora(self)
            case Leave():
                self.joined = self.on_agora = None
                self._say(Left())
            case Play(burst=burst, user=user):
                self.listen.play(burst, user, now)
                self._tell_ended()
                self._play_on()
            case Stop(burst=burst, drain=drain, last_seq=last_seq):
                self.listen.stop(burst, now, drain=drain, last_seq=last_seq)
                self._tell_ended()
            case Ping(no=no):
                self._say(Pong(no=no, link=True, capture=True, playback=True))
        self._pump()

    def hear(self, user: str, send: Send[Speech]) -> None:
        """Take a voice frame off the network."""
        if self.alive:
            self.listen.frame(
                user, send.burst, send.seq, send.capture_ms, FRAME_S, send.packet, last=send.last, now=self.clock.now
            )

    @property
    def permitted(self) -> list[int]:
        """The bursts in which it would write speech at this moment."""
        now = self.clock.now
        return [
            r.burst
            for r in self.talk._requests
            if self.alive and r.burst is not None and not r.held and now < r.until and not r.all_pulled
        ]

    def _capture(self) -> None:
        now = self.clock.now
        if not self.alive or self.talk.idle:
            self._capturing = False
            return
        self._out(self.talk.captured((self.car.user, now - FRAME_S, now), now - FRAME_S, now, now))
        self._pump()
        self.clock.after(FRAME_S, self._capture)

    def _out(self, words: tuple[Cut[Speech] | Drained, ...]) -> None:
        for word in words:
            if isinstance(word, Drained):
                self._say(word)
            else:
                packet = (self.car.user, word.start_s, word.end_s) if word.end_s > word.start_s else None
                self.talk.keep(word.request_id, packet, word.start_s, final=word.final)

    def _pump(self) -> None:
        now = self.clock.now
        while self.car.voice_link and (send := self.talk.pull(now)) is not None:
            self.car.sent(send)
            acked = self.talk.acked(send.burst, send.seq, now)
            for word in acked:
                self._say(Through(burst=word.burst, seq=word.seq, at=word.at))
        self._out(self.talk.tick(now))
        self._alarm.set(self.talk.next_deadline())

    def _tick(self) -> None:
        if self.alive:
            self._out(self.talk.tick(self.clock.now))
            self._pump()

    def _play_on(self) -> None:
        if not self._playing:
            self._playing = True
            self._speaker()

    def _speaker(self) -> None:
        if not self.alive:
            return
        out = self.listen.pull(self.clock.now)
        self._tell_ended()
        hearing = self.listen.hearing
        if isinstance(out, Packet) and hearing is not None:
            self.car.heard(hearing[0], hearing[1], out)
        if hearing is None:
            self._playing = False
        else:
            self.clock.after(FRAME_S, self._speaker)

    def _tell_ended(self) -> None:
        for ended in self.listen.take_ended():
            self._say(ended.word)

    def _say(self, word: object) -> None:
        car = self.car
        if self.alive:
            car.put(FromWorker(event=word), self)  # type: ignore[arg-type]
