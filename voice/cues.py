"""The six sounds, of short faded tones: distinct by rhythm and direction, known without looking."""

from __future__ import annotations

import math
from array import array

from protocol.worker import Sound

_Tone = tuple[int, int]
"""(frequency in Hz, 0 is a pause; length in ms)."""

RECIPES: dict[Sound, tuple[_Tone, ...]] = {
    Sound.START_SUCCESS: ((880, 50), (1320, 70)),
    Sound.START_FAIL: ((330, 90), (0, 50), (330, 90), (0, 50), (330, 140)),
    Sound.END: ((1320, 50), (880, 70)),
    Sound.SESSION_JOIN: ((660, 60), (880, 60), (1100, 90)),
    Sound.SESSION_LEAVE: ((1100, 60), (880, 60), (660, 90)),
    Sound.SOMEONE_SPEAKING: ((1000, 60), (0, 40), (1000, 60)),
}
_FADE_S = 0.006
_FULL = 22000


def synthesise(sound: Sound, rate_hz: int, volume_percent: int) -> array[int]:
    """Give a sound as mono 16-bit samples."""
    out: array[int] = array("h")
    for frequency, length_ms in RECIPES[sound]:
        count = rate_hz * length_ms // 1000
        fade = max(1, min(int(_FADE_S * rate_hz), count // 2))
        level = _FULL * volume_percent / 100 if frequency else 0.0
        turn = 2 * math.pi * frequency / rate_hz
        out.extend(int(level * min(1.0, i / fade, (count - i) / fade) * math.sin(turn * i)) for i in range(count))
    return out
