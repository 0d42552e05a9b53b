"""A listener's ear in virtual time, to which one talker's speech comes as Opus frames and as Agora's sound."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np

from protocol.voice_frame import FrameFlags, VoiceFrame
from protocol.worker import Heard, Play, PlayedOut, Replayed, Stop
from protocol.worker_settings import AudioSettings, CodecSettings
from voice.ear import Ear
from voice.opus import Encoder

RATE = 16000
STEP = RATE // 100
Samples = np.ndarray[tuple[int], np.dtype[np.float64]]


def voice_like(seed: int, for_s: float) -> Samples:
    """Syllables and pauses of a wandering buzz, as loud and as uneven as speech; it resembles itself nowhere."""
    rng = np.random.default_rng(seed)
    count = round(for_s * RATE)
    times = np.arange(count) / RATE
    knots = np.cumsum(rng.uniform(0.05, 0.15, round(for_s / 0.05)))
    loud_db = np.interp(times, knots, rng.uniform(-35, 0, len(knots)))
    pitch = np.interp(times, knots, rng.uniform(110, 260, len(knots)))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    buzz = sum(np.sin(k * phase) / k for k in range(1, 9))
    return np.asarray(6000 * buzz * 10 ** (loud_db / 20) + rng.normal(0, 12, count))


class Listener:
    """The ear, a device of 10 ms frames, and what was heard. Times are virtual seconds; the talker's edge is at 0."""

    def __init__(self, seed: int = 1, *, packet_ms: int = 20) -> None:
        self.now = 0.0
        self.words: list[Heard | PlayedOut | Replayed] = []
        audio = AudioSettings(device_rate_hz=16000, codec=CodecSettings(packet_ms=packet_ms))  # type: ignore[arg-type]
        self.ear = Ear(audio, "me", self.words.append, lambda: self.now)
        self.packet_s = packet_ms / 1000
        self.said = voice_like(seed, 12.0).astype(np.int16)
        self._encoder = Encoder(RATE, audio.codec)
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._count = 0
        self.heard = bytearray()

    def at(self, when: float, do: Callable[[], object]) -> None:
        """Have something done at its time."""
        heapq.heappush(self._due, (when, self._count, do))
        self._count += 1

    def play(self, uid: int = 5, *, burst: int = 7, at: float = 0.03) -> None:
        """Announce the talker."""
        self.at(at, lambda: self.ear.play(Play(burst=burst, user="car-1", uid=uid), self.now))

    def stop(self, last_seq: int | None, at: float, *, burst: int = 7, drain: bool = True) -> None:
        """Release, or revoke, the talker."""
        self.at(at, lambda: self.ear.stop(Stop(burst=burst, drain=drain, last_seq=last_seq), self.now))

    def packets(self) -> list[bytes]:
        """Everything said, encoded."""
        size = round(self.packet_s * RATE)
        return [
            self._encoder.encode(self.said[begin : begin + size].tobytes())
            for begin in range(0, len(self.said) - size, size)
        ]

    def over_mqtt(
        self,
        from_s: float,
        to_s: float,
        *,
        delay_s: Callable[[float], float] = lambda _: 0.02,
        handover: bool = False,
        last: bool = False,
        packets: list[bytes] | None = None,
    ) -> None:
        """Frames captured in [from_s, to_s) come over MQTT; the last one of them may say that it hands over."""
        packets = self.packets() if packets is None else packets
        first, end = round(from_s / self.packet_s), round(to_s / self.packet_s)
        for seq in range(first, end):
            final = seq == end - 1
            flags = (FrameFlags.HANDOVER if handover and final else 0) | (FrameFlags.LAST if last and final else 0)
            frame = VoiceFrame(7, seq, round(1000 * seq * self.packet_s), packets[seq], FrameFlags(flags))
            captured = (seq + 1) * self.packet_s
            self.at(captured + delay_s(captured), lambda frame=frame: self.ear.frame("car-1", frame, self.now))  # type: ignore[misc]

    def over_agora(
        self,
        from_s: float,
        to_s: float,
        *,
        delay_s: float | Callable[[float], float] = 0.2,
        gain: float = 0.7,
        burst: int = 7,
        silence_s: float = 0.3,
    ) -> None:
        """What was captured in [from_s, to_s) comes as sound, 10 ms at a time, and then silence."""
        phase = 0.0037  # Agora's steps do not begin where packets do
        count = round((to_s - from_s) * 100)
        for number in range(count + round(100 * silence_s)):
            begin = round((from_s + number / 100) * RATE)
            part = (self.said[begin : begin + STEP] * gain).astype(np.int16) * (number < count)
            captured = from_s + (number + 1) / 100
            when = captured + (delay_s(captured) if callable(delay_s) else delay_s) + phase
            self.at(when, lambda part=part: self.ear.sound(burst, part.tobytes(), self.now))  # type: ignore[misc]

    def run(self, to_s: float) -> None:
        """Let the device play up to a time."""
        while self.now < to_s - 1e-9:
            self.now = round(self.now + 0.01, 6)
            reached = self.now
            while self._due and self._due[0][0] <= reached:
                self.now, _, do = heapq.heappop(self._due)
                do()
            self.now = reached
            self.heard += self.ear.render(self.now)

    @property
    def sound(self) -> Samples:
        """What the device played, from time 0."""
        return np.frombuffer(bytes(self.heard), np.int16).astype(float)

    def places(
        self, from_s: float, to_s: float, *, piece_s: float = 0.1, within_s: float = 0.5
    ) -> list[tuple[float, float, float]]:
        """Where each piece of what was said was heard: (said at, heard how much later, how alike)."""
        sound, found = self.sound, []
        for number in range(round((to_s - from_s) / piece_s)):
            at = from_s + number * piece_s
            piece = self.said[round(at * RATE) : round((at + piece_s) * RATE)].astype(float)
            low = round(at * RATE)
            area = sound[low : low + round((within_s + piece_s) * RATE)]
            if len(area) <= len(piece):
                continue
            product = np.correlate(area, piece, "valid")
            power = np.convolve(area**2, np.ones(len(piece)), "valid")
            score = product / np.sqrt(np.maximum(power, 1e4 * len(piece) / 100) * np.dot(piece, piece))
            best = int(np.argmax(score))
            found.append((at, best / RATE, float(score[best])))
        return found
