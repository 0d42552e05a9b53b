"""A unit's log, read after the run: lines with their time on CLOCK_MONOTONIC (ms), message and fields."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct

_LINE = re.compile(r"(?P<at>\d{4}-\d\d-\d\dT[\d:.]+Z) +(?P<level>[A-Z]+) +(?P<module>[\w.]+): (?P<rest>.*)")
_FIELD = re.compile(r" (?P<name>[a-z_]+)=(?P<value>\"[^\"]*\"|\S*)")


class Line(Struct, frozen=True):
    """One line."""

    at_s: float
    message: str
    fields: dict[str, str]


def clock_offset_s() -> float:
    """What is added to Unix time to give CLOCK_MONOTONIC now."""
    return time.monotonic() - time.time()


def lines(path: Path, offset_s: float) -> list[Line]:
    """Give every line that is one of `service.logs`; `offset_s` is that of `clock_offset_s`."""
    found = []
    for text in path.read_text("utf-8", errors="replace").splitlines():
        if (match := _LINE.match(text)) is not None:
            rest = match["rest"]
            fields = {field["name"]: field["value"].strip('"') for field in _FIELD.finditer(rest)}
            message = _FIELD.split(rest, maxsplit=1)[0].strip()
            found.append(Line(datetime.fromisoformat(match["at"]).timestamp() + offset_s, message, fields))
    return found


def find(found: Sequence[Line], message: str, **fields: str) -> list[Line]:
    """Give the lines of this message that have these fields."""
    return [line for line in found if line.message == message and fields.items() <= line.fields.items()]
