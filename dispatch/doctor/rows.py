"""Rows of a doctor's report: what was looked at, how it is, and what mends it."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec
from msgspec import Struct

from dispatch.doctor.texts import heading, level_word, sentence
from dispatch.show import printable


class Level(StrEnum):
    """How a row is."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


class Row(Struct, frozen=True, kw_only=True):
    """One thing that was looked at. `what`: a key of `dispatch.doctor.texts`, filled in with `fields`."""

    check: str
    """What was looked at: `service`, `broker`, `store`, ..."""
    level: Level
    what: str
    fields: dict[str, str | int | float] = {}

    def text(self, lang: str) -> str:
        """Give what was found, and behind an arrow how to mend it."""
        return printable(sentence(self.what, lang, **self.fields))


def ok(check: str, what: str, **fields: str | int | float) -> Row:
    """Make a good row."""
    return Row(check=check, level=Level.OK, what=what, fields=fields)


def warn(check: str, what: str, **fields: str | int | float) -> Row:
    """Make a row of what works and will not for ever, or not for all."""
    return Row(check=check, level=Level.WARN, what=what, fields=fields)


def bad(check: str, what: str, **fields: str | int | float) -> Row:
    """Make a row of what does not work."""
    return Row(check=check, level=Level.BAD, what=what, fields=fields)


def exit_status(rows: Iterable[Row]) -> int:
    """Give 1 where a row is bad, else 0."""
    return int(any(row.level is Level.BAD for row in rows))


def lines(rows: Sequence[Row], lang: str) -> Iterable[str]:
    """Give the report for people, one row a line, and what it comes to."""
    for row in rows:
        yield f"{level_word(row.level.value, lang):<5} {heading(row.check, lang)}: {row.text(lang)}"
    counts = {level: sum(row.level is level for row in rows) for level in Level}
    yield sentence("sum", lang, ok=counts[Level.OK], warn=counts[Level.WARN], bad=counts[Level.BAD])


def as_json(rows: Sequence[Row]) -> str:
    """Give the report as one JSON object; sentences are English."""
    built = {
        "well": exit_status(rows) == 0,
        "rows": [
            {"check": r.check, "level": r.level.value, "what": r.what, "text": r.text("en"), "fields": r.fields}
            for r in rows
        ],
    }
    return msgspec.json.encode(built).decode()
