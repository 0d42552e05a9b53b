"""What a driver says: a sentence, laid onto the tape at the vehicle's microphone for as long as PTT is held."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from lab.demo.tape import Microphone, epochs
from lab.measure.sound import RATE_HZ, Sound

TAPE_S: Final = 6 * 3600.0
"""So long a cab may run; the WAV devices' own file ends soon after."""
HOLD_S_MAX: Final = 45.0
"""Nobody may talk longer (an office's limit is 30 s): what is said is laid for so long, and then it is silent."""
PAUSE_S: Final = 0.8
FIRST_S: Final = 2.0
SOON_S: Final = 0.06
"""The time it takes to lay the sentence's beginning onto the tape."""


class Mouth:
    """One vehicle's microphone. Not for several threads at a time."""

    def __init__(self, tape: Path, sentences: Mapping[str, Sound], chosen: str) -> None:
        """`sentences` by key; an empty sound is a driver who says nothing."""
        self._microphone = Microphone(tape, TAPE_S)
        self._sounds = {key: _again_and_again(sound) for key, sound in sentences.items()}
        self.chosen = chosen
        self._laid: tuple[float, float] | None = None

    def choose(self, sentence: str) -> None:
        """From the next press on. Raises ValueError where there is no such sentence."""
        if sentence not in self._sounds:
            raise ValueError(f"there is no sentence {sentence[:40]!r}")
        self.chosen = sentence

    def speak(self, played: Path) -> None:
        """Begin as soon as the tape can be changed. Raises TooLate at its end, OSError, ValueError, KeyError."""
        sound = self._sounds[self.chosen]
        if not len(sound):
            return
        _, epoch_s = epochs(played)
        at_s = time.monotonic() + self._microphone.reads_ahead_s + SOON_S
        self._laid = (at_s + len(sound) / RATE_HZ, epoch_s)
        first = round(FIRST_S * RATE_HZ)  # of its own, so that the long rest cannot make the first syllable late
        self._microphone.say(sound[:first], at_s, epoch_s)
        self._microphone.say(sound[first:], at_s + FIRST_S, epoch_s)

    def hush(self) -> None:
        """End; what is just being read is still said."""
        if self._laid is not None:
            until_s, epoch_s = self._laid
            self._laid = None
            self._microphone.hush(time.monotonic(), until_s, epoch_s)


def _again_and_again(sound: Sound) -> Sound:
    if not len(sound):
        return sound
    once = np.concatenate([sound, np.zeros(round(PAUSE_S * RATE_HZ), np.float32)])
    times = int(HOLD_S_MAX * RATE_HZ) // len(once) + 1
    return np.tile(once, times)[: round(HOLD_S_MAX * RATE_HZ)]
