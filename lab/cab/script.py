"""What the drivers may say, and with which voices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from lab.cab.words import Sentence
from lab.demo.script import NAMES
from lab.demo.speech import Voice, speak
from lab.measure.sound import Sound

SENTENCES: Final = (
    Sentence(
        key="accident",
        ko="시청 앞 사고로 길이 막힙니다. 우회하시기 바랍니다.",
        en="An accident blocks the road (Korean)",
    ),
    Sentence(
        key="bridge", ko="지금 한강 다리를 건너고 있습니다. 곧 도착합니다.", en="I am crossing the river (Korean)"
    ),
    Sentence(key="fuel", ko="잠깐만요, 저는 주유소에 들렀다 갑니다.", en="One moment, I need fuel first (Korean)"),
    Sentence(
        key="english",
        ko="The road is clear. I will be there in ten minutes.",
        en="The road is clear. I will be there in ten minutes.",
    ),
    Sentence(key="silence", ko="(아무 말도 하지 않습니다)", en="(says nothing)"),
)
FIRST: Final = {"car-1": "accident", "car-2": "bridge", "car-3": "fuel"}
"""What each says until somebody chooses."""
_VOICES: Final = {"car-1": ("", 175, 45), "car-2": ("+f3", 180, 60), "car-3": ("+m4", 170, 30)}
"""espeak-ng's variant, words a minute, pitch 0-99."""


def cars(count: int) -> dict[str, str]:
    """Give the first `count` vehicles: user and name."""
    return dict(list(NAMES.items())[:count])


def spoken(users: list[str]) -> dict[str, dict[str, Sound]]:
    """Let espeak-ng say every sentence with every driver's voice. Raises lab.demo.speech.NoSpeech."""
    wanted = [(user, sentence) for user in users for sentence in SENTENCES]
    with ThreadPoolExecutor(4) as pool:
        sounds = list(pool.map(lambda one: _say(*one), wanted))
    said: dict[str, dict[str, Sound]] = {user: {} for user in users}
    for (user, sentence), sound in zip(wanted, sounds, strict=True):
        said[user][sentence.key] = sound
    return said


def _say(user: str, sentence: Sentence) -> Sound:
    if sentence.key == "silence":
        return np.zeros(0, np.float32)
    variant, speed, pitch = _VOICES[user]
    language = "en" if sentence.key == "english" else "ko"
    return speak(sentence.ko, Voice(language + variant, speed, pitch))
