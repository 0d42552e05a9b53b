"""What of others is heard, and over which way: the announced burst, its frames and its sound, and asking for them."""

from __future__ import annotations

from collections.abc import Callable

from protocol.timers import AGORA_ASK_S
from protocol.voice_frame import FrameFlags
from protocol.worker import Play, PlayedOut, Stop
from voice.core.asking import Asking
from voice.ear import Ear
from voice.transports.agora_voice import AgoraVoice
from voice.transports.mqtt_voice import MqttVoice
from voice.transports.port import Arrived


class Listening:
    """Follows the daemon's Play and Stop on every way. `chance` gives numbers from 0 to 1. Loop's thread."""

    def __init__(self, ear: Ear, mqtt: MqttVoice, agora: AgoraVoice | None, chance: Callable[[], float]) -> None:
        self._ear = ear
        self._mqtt = mqtt
        self._agora = agora
        self._asking = Asking(chance)
        self._burst = 0
        self._user = ""
        self.asked = 0
        """How often MQTT voice was asked for since start."""

    def play(self, word: Play, now: float) -> None:
        """Take the daemon's Play; one that is not newer than all before is ignored."""
        if word.burst <= self._burst:
            return
        self._burst, self._user = word.burst, word.user
        self._ear.play(word, now)
        self._mqtt.hear(word.burst, word.user, word.uid)
        self._asking.play(word.burst, word.user, word.uid, now)
        if self._agora is not None:
            self._agora.hear(word.burst, word.user, word.uid)

    def stop(self, word: Stop, now: float) -> None:
        """Take the daemon's Stop: at once deaf, or once it is played out."""
        self._ear.stop(word, now)
        self._asking.over(word.burst)
        if word.burst > self._burst or (word.burst == self._burst and not word.drain):
            self._deaf()

    def played_out(self, word: PlayedOut) -> None:
        """Take the ear's word that nothing more of a burst will be heard."""
        self._asking.over(word.burst)
        if word.burst == self._burst:
            self._deaf()

    def on_agora(self, joined: bool) -> None:
        """Take whether Agora's channel is joined."""
        self._asking.on_agora = joined

    def another_asked(self, burst: int, now: float) -> None:
        """Take another listener's ASK."""
        self._asking.asked(burst, now)

    def arrived(self, event: Arrived) -> bool:
        """Take a frame or sound as it came; False where it is neither sound nor an Opus packet."""
        user, frame, at_s = event.user, event.frame, event.at_s
        if event.pcm is not None:
            if at_s - self._ear.agora_at < AGORA_ASK_S:  # what is fenced off counts for nothing
                self._asking.sound(frame.burst, at_s, silent=not any(event.pcm))
            self._ear.sound(frame.burst, event.pcm, at_s)
            return True
        self._asking.frame(user, frame.burst, at_s, handover=bool(frame.flags & FrameFlags.HANDOVER))
        if frame.flags & FrameFlags.LAST and user == self._user:
            self._asking.over(frame.burst)
        return self._ear.frame(user, frame, at_s)

    def tick(self, now: float) -> None:
        """Let time pass: ask where nothing is heard that should be."""
        burst = self._asking.tick(now)
        if burst is not None and self._mqtt.ask(burst):
            self.asked += 1

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest."""
        return self._asking.next_deadline()

    def _deaf(self) -> None:
        self._mqtt.deaf()
        if self._agora is not None:
            self._agora.deaf()
