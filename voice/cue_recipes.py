"""The recipes of the sounds, the plan's six and the emergency's, told apart by pitch contour and length.

The shapes are the plan's, made for a loudspeaker that gives 300 to 3400 Hz at best: every partial lies in there, and
none under 400 Hz, where a car on the road is loudest. docs/cues.md shows each as waveform and spectrum.
"""

from __future__ import annotations

import hashlib
from typing import Final

from msgspec import Struct, json

from protocol.worker import Sound


class Tone(Struct, frozen=True):
    """A tone of `length_ms` that glides from `from_hz` to `to_hz` (evenly in pitch), or a pause where `from_hz` is 0.

    `partials` are the levels of its 1st, 2nd... harmonic. `ring_ms` makes it struck instead of blown: it fades by half
    in that time.
    """

    length_ms: int
    from_hz: int = 0
    to_hz: int = 0
    partials: tuple[float, ...] = (1.0,)
    ring_ms: int = 0


class Recipe(Struct, frozen=True):
    """One sound: its tones in order, and in words what is heard (Korean as in the plan; English)."""

    tones: tuple[Tone, ...]
    ko: str
    en: str

    @property
    def length_ms(self) -> int:
        """How long it lasts."""
        return sum(tone.length_ms for tone in self.tones)


_PURE: Final = (1.0, 0.25)
_REED: Final = (0.55, 0.2, 0.75, 0.1, 0.4, 0.0, 0.25)
"""Odd partials: a low buzz whose strength lies at 1.2 to 2.9 kHz, where a small loudspeaker can give it."""
_BELL: Final = (1.0, 0.35)

RECIPES: Final[dict[Sound, Recipe]] = {
    Sound.START_SUCCESS: Recipe(
        tones=(Tone(110, 1250, 1250, _PURE),),
        ko="삑! (짧고 명확한 무전기 소리)",
        en="beep! One short clear tone",
    ),
    Sound.START_FAIL: Recipe(
        tones=(Tone(90, 420, 420, _REED), Tone(60), Tone(150, 420, 420, _REED)),
        ko="삐빅! (낮은 톤의 에러음)",
        en="buh-buzz! A low buzz, twice",
    ),
    Sound.END: Recipe(
        tones=(Tone(440, 1400, 600, _PURE),),
        ko="삑-- (길고 낮아지는 종료음)",
        en="beeeow. One long falling tone",
    ),
    Sound.SESSION_JOIN: Recipe(
        tones=(Tone(90, 660, 660, _BELL, 120), Tone(240, 990, 990, _BELL, 120)),
        ko="띵! (부드러운 참여 알림)",
        en="ding! Two soft strokes, the second higher",
    ),
    Sound.SESSION_LEAVE: Recipe(
        tones=(Tone(45, 1100, 1100, _BELL, 60), Tone(125, 550, 550, _BELL, 120)),
        ko="똑! (짧은 이탈 알림)",
        en="tock! Short, dropping by an octave",
    ),
    Sound.SOMEONE_SPEAKING: Recipe(
        tones=(
            Tone(120, 1568, 1568, _BELL, 150),
            Tone(80, 1047, 1047, _BELL, 150),
            Tone(260, 1865, 1865, (1.0,), 150),
        ),
        ko="띵띠링~ (다른 사람 말하기 시작)",
        en="ding-diring. Three strokes: high, low, higher",
    ),
    Sound.EMERGENCY: Recipe(
        tones=(
            Tone(140, 700, 1600, _PURE),
            Tone(20),
            Tone(140, 700, 1600, _PURE),
            Tone(20),
            Tone(140, 700, 1600, _PURE),
        ),
        ko="위잉 위잉 위잉! (세 번 높아지는 긴급음)",
        en="whoop-whoop-whoop! Three rising sweeps",
    ),
}


def fingerprint(sound: Sound) -> str:
    """Give twelve hex digits that change with anything heard of a sound."""
    return hashlib.sha256(json.encode(RECIPES[sound].tones)).hexdigest()[:12]
