"""Text for a terminal: widths in cells (Hangul takes two), cutting, durations, and nothing that could steer it."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, tzinfo

CUT = "~"
"""Marks cut text. ASCII, because terminals disagree about the width of an ellipsis."""


def clean(text: str) -> str:
    """Drop what is not printable: a name received over MQTT must not move the cursor or reverse the line."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c for c in text if c == " " or unicodedata.category(c)[0] not in "CZ")


def cells(text: str) -> int:
    """Give the columns that a text takes."""
    if text.isascii():
        return len(text)
    return sum(_cells(c) for c in text)


def fit(text: str, width: int, right: bool = False) -> str:
    """Cut or pad a text to just `width` columns; `right` aligns it to the right."""
    missing = width - cells(text)
    if missing >= 0:
        return " " * missing + text if right else text + " " * missing
    if width <= 0:
        return ""
    kept, used = [], 0
    for c in text:
        if used + _cells(c) > width - 1:
            break
        kept.append(c)
        used += _cells(c)
    return "".join(kept) + CUT + " " * (width - 1 - used)


def duration(seconds: float) -> str:
    """Say a duration in at most six columns: 4.2s, 42s, 3m05s, 2h10m, 3d04h."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = int(seconds + 0.5)
    for size, unit, below, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // below:02d}{small}"
    return f"{whole}s"


def clock(unix_ms: int, zone: tzinfo | None = None, tenths: bool = False) -> str:
    """Say a Unix time as a time of day in `zone` (this machine's where it is None); `?` where it is no date."""
    try:
        at = datetime.fromtimestamp(unix_ms / 1000, UTC).astimezone(zone)
    except (ValueError, OverflowError, OSError):
        return "?"
    return f"{at:%H:%M:%S}.{at.microsecond // 100_000}" if tenths else f"{at:%H:%M:%S}"


def _cells(c: str) -> int:
    if unicodedata.combining(c) or unicodedata.category(c) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1
