"""Who is in the story, and what is said."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from lab.demo.speech import Voice, recording, speak
from lab.measure.sound import Sound

NAMES: Final = {"car-1": "1호차", "car-2": "2호차", "car-3": "3호차"}
DESK: Final = "desk"
VOICES: Final = NAMES | {DESK: "관제"}
"""Everybody who may speak: the vehicles, and the call manager at the console."""
PARTS: Final = {
    "first": (Voice("ko", 175, 45), "본부, 1호차입니다. 시청 앞 사고로 길이 막힙니다."),
    "refused": (Voice("ko+m4", 195, 42), "잠깐만요, 저는 주유소에 들렀다 갑니다."),
    "answer": (Voice("ko+f3", 180, 60), "1호차, 잘 들었습니다. 우회하겠습니다."),
    "call": (Voice("ko+f2", 180, 50), "본부입니다. 1호차, 사고 차량은 곧 치워집니다."),
    "reply": (Voice("ko", 175, 45), "1호차, 알겠습니다. 길이 열리면 시청으로 다시 돌아가겠습니다."),
    "too_soon": (Voice("ko+f2", 190, 48), "2호차는 어디쯤 있습니까?"),
    "killed": (Voice("ko+f3", 180, 60), "2호차입니다. 지금 한강 다리를 건너고 있습니다. 곧 도착합니다."),
    "last": (Voice("ko+m4", 170, 30), "3호차입니다. 2호차 피티티가 끊겼습니다."),
}
"""Each with its voice. No two talks share their very waveform, as no two of a person's do: see lab.measure.search."""
LIVE: Final = {
    "car-1": (Voice("ko", 175, 45), "1호차입니다. 피티티 시험 중입니다. 하나, 둘, 셋, 넷."),
    "car-2": (Voice("ko+f3", 180, 60), "2호차입니다. 지금 한강 다리를 건너고 있습니다. 곧 도착합니다."),
    "car-3": (Voice("ko+m4", 170, 30), "3호차입니다. 주유소에 들렀다 가겠습니다. 다섯, 여섯."),
}
"""What each microphone hears again and again when the demo is left running."""
SAY_S_MAX: Final = 25.0
"""The office's talk limit is 30 s."""


class Script:
    """The sentences as sound. Raises NoSpeech, and BadSound for a recording that will not do."""

    def __init__(self, say: Path | None = None) -> None:
        own = None if say is None else recording(say, SAY_S_MAX)
        with ThreadPoolExecutor(4) as pool:
            spoken = pool.map(lambda part: speak(part[1], part[0]), PARTS.values())
            self._sounds: dict[str, Sound] = dict(zip(PARTS, spoken, strict=True))
        self._texts = {name: text for name, (_, text) in PARTS.items()}
        if own is not None and say is not None:
            self._sounds["first"] = own
            self._texts["first"] = say.name

    def sound(self, part: str) -> Sound:
        """Give what is said."""
        return self._sounds[part]

    def text(self, part: str) -> str:
        """Give it as text."""
        return self._texts[part]
