"""Bars as SVG that stands inside a page: no library, no script, sharp on paper. Pure.

A plotting library would be larger than the whole program on a server that has none.
"""

import math
from collections.abc import Sequence
from html import escape

WIDTH = 720
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 12, 24
_HEIGHT = 200
_ROW, _LABEL = 20, 190
LABEL_CHARS_MAX = 24


def columns(title: str, labels: Sequence[str], values: Sequence[float]) -> str:
    """Give upright bars, one a label, with a scale at the left; every value is a tooltip too."""
    top = nice(max(values, default=0.0))
    high = _HEIGHT - _TOP - _BOTTOM
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(values))
    parts = []
    for part in range(5):
        y = _TOP + high * (1 - part / 4)
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{WIDTH - _RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text class="scale" x="{_LEFT - 5}" y="{y + 4:.1f}">{top * part / 4:g}</text>')
    every = max(1, math.ceil(len(labels) / 31))
    for place, (label, value) in enumerate(zip(labels, values, strict=True)):
        x, tall = _LEFT + place * step, high * max(0.0, value) / top
        parts.append(
            f'<rect class="bar" x="{x + step * 0.12:.1f}" y="{_TOP + high - tall:.1f}" width="{step * 0.76:.1f}" '
            f'height="{tall:.1f}"><title>{escape(label)}: {value:g}</title></rect>'
        )
        if place % every == 0:
            parts.append(f'<text class="label" x="{x + step / 2:.1f}" y="{_HEIGHT - 8}">{escape(label)}</text>')
    return _svg(title, _HEIGHT, parts)


def rows(title: str, labels: Sequence[str], values: Sequence[float]) -> str:
    """Give lying bars, one below the other, with the value behind each."""
    top = max(*values, 1e-9) if values else 1.0
    width = WIDTH - _LABEL - 60
    parts = []
    for place, (label, value) in enumerate(zip(labels, values, strict=True)):
        y, long = place * _ROW + 4, width * max(0.0, value) / top
        shown = label if len(label) <= LABEL_CHARS_MAX else f"{label[: LABEL_CHARS_MAX - 1]}…"
        parts.append(f'<text class="row" x="{_LABEL - 6}" y="{y + 12}">{escape(shown)}</text>')
        parts.append(f'<rect class="bar" x="{_LABEL}" y="{y}" width="{long:.1f}" height="{_ROW - 6}"/>')
        parts.append(f'<text class="value" x="{_LABEL + long + 5:.1f}" y="{y + 12}">{value:g}</text>')
    return _svg(title, len(values) * _ROW + 8, parts)


def nice(largest: float) -> float:
    """Give the end of a scale for values up to `largest`: 1, 2, 4, 8 or 10 times a power of ten, never 0."""
    if not math.isfinite(largest) or largest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return next(factor * power for factor in (1, 2, 4, 8, 10) if factor * power >= largest * (1 - 1e-12))


def _svg(title: str, height: int, parts: Sequence[str]) -> str:
    name = escape(title)
    inner = "".join(parts)
    return (
        f'<figure><figcaption>{name}</figcaption><svg viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{name}">{inner}</svg></figure>'
    )
