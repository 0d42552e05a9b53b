"""What was heard is played again by the whole ear, and gives way to everybody."""

from __future__ import annotations

import math
from array import array
from typing import Any

from protocol.voice_frame import FrameFlags, VoiceFrame
from protocol.worker import (
    Play,
    Replay,
    Replayed,
    ReplayEnd,
    Stop,
)
from protocol.worker_settings import AudioSettings, ReplaySettings
from voice.ear import Ear
from voice.opus import Encoder

RATE_HZ = 16_000


class Ears:
    """An ear with a device of 10 ms frames in virtual time; what it told, and what it played since last asked."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[Any] = []
        audio = AudioSettings(device_rate_hz=RATE_HZ)
        self.ear = Ear(audio, "me", self.told.append, lambda: self.now, ReplaySettings(keep=2, keep_s=60))
        self._encoder = Encoder(RATE_HZ, audio.codec)

    def run(self, seconds: float) -> array[int]:
        played = array("h")
        until = self.now + seconds
        while self.now < until - 1e-9:
            played.frombytes(self.ear.render(self.now))
            self.now = round(self.now + 0.01, 6)
        return played

    def live(self, burst: int, seconds: float, hz: float = 300.0) -> array[int]:
        """Somebody speaks, over MQTT and at an even pace; gives what was heard."""
        self.ear.play(Play(burst=burst, user="car-2"), self.now)
        self._encoder.reset()
        heard, size = array("h"), self._encoder.packet_samples
        count = round(seconds / 0.02)
        for seq in range(count):
            at = range(seq * size, (seq + 1) * size)
            pcm = array("h", [round(8000 * math.sin(2 * math.pi * hz * n / RATE_HZ)) for n in at]).tobytes()
            last = FrameFlags.LAST if seq == count - 1 else FrameFlags.NONE
            frame = VoiceFrame(burst, seq, 20 * seq, self._encoder.encode(pcm), last)
            assert self.ear.frame("car-2", frame, self.now)
            heard.extend(self.run(0.02))
        self.ear.stop(Stop(burst=burst, drain=True, last_seq=count - 1), self.now)
        heard.extend(self.run(0.6))
        return heard

    def again(self, burst: int, no: int = 1) -> None:
        self.ear.replay(Replay(no=no, burst=burst, text=""), ())

    def ends(self) -> list[tuple[int, ReplayEnd]]:
        return [(word.burst, word.end) for word in self.told if isinstance(word, Replayed)]


def without_silence(samples: array[int]) -> array[int]:
    loud = [n for n, sample in enumerate(samples) if sample]
    return samples[loud[0] : loud[-1] + 1] if loud else array("h")


def test_what_was_heard_is_played_again_sample_for_sample() -> None:
    ears = Ears()
    heard = ears.live(7, 1.0)
    ears.live(8, 0.5, hz=500.0)

    ears.again(7)
    again = ears.run(1.5)

    assert len(without_silence(heard)) > 0.9 * RATE_HZ
    assert without_silence(again) == without_silence(heard)
    assert ears.ends() == [(7, ReplayEnd.WHOLE)]


def test_only_the_newest_are_there_to_be_played_again() -> None:
    ears = Ears()
    for burst in (7, 8, 9):
        ears.live(burst, 0.2)

    ears.again(7)

    assert set(ears.run(0.5)) == {0}
    assert ears.ends() == [(7, ReplayEnd.GONE)]


def test_a_newly_announced_burst_silences_a_replay_before_its_first_frame_and_is_heard_as_ever() -> None:
    ears = Ears()
    ears.live(7, 1.0)
    ears.again(7)
    assert set(ears.run(0.3)) != {0}

    ears.ear.play(Play(burst=8, user="car-2"), ears.now)
    silence = ears.run(0.2)

    assert set(silence) == {0}
    assert ears.ends() == [(7, ReplayEnd.STOPPED)]
    alone = Ears()
    alone.run(ears.now)
    assert without_silence(ears.live(9, 0.4)) == without_silence(alone.live(9, 0.4))


def test_a_cue_pauses_a_replay_and_nothing_of_it_is_lost() -> None:
    ears = Ears()
    heard = without_silence(ears.live(7, 0.5))
    ears.again(7)
    before = ears.run(0.2)
    ears.ear.cue(array("h", [77] * (RATE_HZ // 10)), ears.now + 1.0)
    cue = ears.run(0.1)
    after = ears.run(0.6)

    assert set(cue) == {77}
    assert without_silence(before + after) == heard


def test_opening_the_microphone_silences_a_replay() -> None:
    ears = Ears()
    ears.live(7, 0.5)
    ears.again(7)
    ears.run(0.1)

    ears.ear.cut_cues()

    assert set(ears.run(0.3)) == {0}
    assert ears.ends() == [(7, ReplayEnd.STOPPED)]
