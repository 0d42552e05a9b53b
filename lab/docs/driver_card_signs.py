"""The signs of the driver's card: light, vibration, buzzer and sound, drawn over time as small SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final

from gateway.core.indicators import Colour, Light
from hw.patterns import Pattern
from protocol.worker import Sound
from voice.cue_recipes import RECIPES

_PAINT: Final = {
    Colour.OFF: "#444",
    Colour.RED: "#d22",
    Colour.GREEN: "#2a4",
    Colour.BLUE: "#26d",
    Colour.AMBER: "#fa0",
    Colour.WHITE: "#fff",
}


def lamp(light: Light) -> str:
    """Two seconds of the light as a strip."""
    paint, cycle = _PAINT[light.colour], light.on_ms + light.off_ms
    spans = [(at, light.on_ms) for at in range(0, 2000, cycle)] if cycle else [(0, 2000)]
    return _strip(((at, ms, 1.0) for at, ms in spans), 2000, lambda _level: paint, "#555")


def bars(pattern: Pattern) -> str:
    """A second of a motor's or buzzer's pattern: as high as strong, or as the pitch."""
    spans, at = [], 0
    most = max(255, *(level for _, level in pattern.steps))
    while at < 1000:
        for ms, level in pattern.steps:
            if level and at < 1000:
                spans.append((at, min(ms, 1000 - at), level / most))
            at += ms
        if pattern.repeat_after_ms is None:
            break
        at += pattern.repeat_after_ms
    return _strip(spans, 1000, lambda _level: "#111", "#eee")


def _strip(spans: Iterable[tuple[int, int, float]], whole_ms: int, paint: Callable[[float], str], behind: str) -> str:
    parts = []
    for at, ms, level in spans:
        height = round(14 * level)
        x, width = round(at * 100 / whole_ms), max(1, round(min(ms, whole_ms - at) * 100 / whole_ms))
        parts.append(f'<rect x="{x}" y="{15 - height}" width="{width}" height="{height}" fill="{paint(level)}"/>')
    back = f'<rect y="1" width="100" height="14" fill="{behind}" stroke="#999" stroke-width=".5"/>'
    return f'<svg viewBox="0 0 100 16" width="100%" aria-hidden="true">{back}{"".join(parts)}</svg>'


def contour(sound: Sound) -> str:
    """Pitch over half a second, as a line."""
    parts, at = [], 0

    def y(hz: int) -> float:
        return round(14 - 12 * math.log2(hz / 400) / math.log2(2000 / 400), 1)

    for tone in RECIPES[sound].tones:
        if tone.from_hz:
            x, end = at / 5, (at + tone.length_ms) / 5
            parts.append(f"M{x:g} {y(tone.from_hz):g}L{end - 1:g} {y(tone.to_hz):g}")
        at += tone.length_ms
    line = f'<path d="{"".join(parts)}" stroke="#06c" stroke-width="2.5" fill="none"/>'
    back = '<rect y="1" width="100" height="14" fill="#f4f8ff" stroke="#999" stroke-width=".5"/>'
    return f'<svg viewBox="0 0 100 16" width="100%" aria-hidden="true">{back}{line}</svg>'
