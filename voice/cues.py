"""From a cue's recipe to samples: soft at every edge, never over full scale, the same at every rate."""

from __future__ import annotations

import math
from array import array
from typing import Final

from protocol.worker import Sound
from voice.cue_recipes import RECIPES, Tone

FADE_S: Final = 0.006
"""Every tone rises and falls over so long, along half a cosine: a hard edge would click, and say nothing more."""
FULL: Final = 22000
"""Peak at 100 percent, of 32767: 3.5 dB are left for what a cheap loudspeaker's amplifier adds."""


def synthesise(sound: Sound, rate_hz: int, volume_percent: int) -> array[int]:
    """Give a sound as mono 16-bit samples; `volume_percent` is 0 to 100 and scales its peak."""
    out: array[int] = array("h")
    for tone in RECIPES[sound].tones:
        out.extend(_tone(tone, rate_hz, FULL * volume_percent / 100))
    return out


def _tone(tone: Tone, rate_hz: int, level: float) -> list[int]:
    count = rate_hz * tone.length_ms // 1000
    if not tone.from_hz:
        return [0] * count
    fade = max(1, min(round(FADE_S * rate_hz), count // 2))
    half_life = tone.ring_ms * rate_hz / 1000
    turn, bend = 2 * math.pi * tone.from_hz / rate_hz, (tone.to_hz / tone.from_hz) ** (1 / count)
    level /= _peak(tone.partials)
    phase, samples = 0.0, []
    for i in range(count):
        edge = min(1.0, i / fade, (count - 1 - i) / fade)
        loud = level * (0.5 - 0.5 * math.cos(math.pi * edge))
        if half_life:
            loud *= 0.5 ** (i / half_life)
        samples.append(round(loud * sum(p * math.sin(n * phase) for n, p in enumerate(tone.partials, 1) if p)))
        phase += turn
        turn *= bend
    return samples


def _peak(partials: tuple[float, ...]) -> float:
    """The most these partials come to together."""
    turns = [2 * math.pi * i / 360 for i in range(360)]
    return max(abs(sum(p * math.sin(n * turn) for n, p in enumerate(partials, 1))) for turn in turns)
