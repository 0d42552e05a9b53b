"""Settings: TOML text to frozen msgspec structs, every mistake reported at once.

`load` and `parse` raise one `SettingsError` that lists each problem with its key, its line where that is
cheap to know, and how to mend it. Bounds and descriptions stand beside the fields as `msgspec.Meta`; a rule
that joins several fields goes into `__post_init__`, raising `Invalid`. `dump` and `redacted` show settings
again with their secrets hidden. This module is the whole public surface; its parts are in `settings_*`.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TypeVar

from service.settings_check import Walk, lines_of
from service.settings_text import dump, redacted
from service.settings_words import Fault, Invalid, Problem, Secret, SettingsError, read_secret, single

__all__ = [
    "FILE_BYTES_MAX",
    "Fault",
    "Invalid",
    "Problem",
    "Secret",
    "SettingsError",
    "dump",
    "load",
    "parse",
    "read_secret",
    "redacted",
]

T = TypeVar("T")

FILE_BYTES_MAX = 1 << 20
"""A configuration larger than this (1 MiB) is a mistake and is not read."""


def load(path: Path, type_: type[T]) -> T:
    """Read the TOML file at `path` into `type_`; raises SettingsError with every problem found."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise single(
            str(path), f"cannot be read ({error.strerror})", "give the path of a readable TOML file"
        ) from error
    if len(data) > FILE_BYTES_MAX:
        raise single(str(path), f"is over {FILE_BYTES_MAX} bytes", "is this the right file?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise single(str(path), "is not UTF-8 text", "save the file as UTF-8", line) from error
    return parse(text, type_, str(path))


def parse(text: str, type_: type[T], source: str) -> T:
    """Turn TOML `text` into `type_`; `source` names it in problems. Raises SettingsError with every problem."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r" \(at line (\d+), column (\d+)\)$", str(error))
        what = f"not TOML: {str(error)[: found.start()]} at column {found[2]}" if found else f"not TOML: {error}"
        raise single(
            source, what, "text stands in quotes, tables in [brackets]", int(found[1]) if found else None
        ) from error
    walk = Walk(source, lines_of(text))
    value: T | None = walk.whole(data, type_)
    if walk.problems or value is None:
        raise SettingsError(tuple(sorted(walk.problems, key=lambda p: p.line or 0)))
    return value
