"""What a command prints, in Korean and English: a table of lines, read in one of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

LANGS: Final = ("ko", "en")
"""The languages, in the order of a table's columns."""


class Texts:
    """One language, `ko` or `en`, of a table: name of a line -> the line in each of LANGS."""

    def __init__(self, lang: str, lines: Mapping[str, tuple[str, str]]) -> None:
        self.lang = lang
        self._column = LANGS.index(lang)
        self._lines = lines

    def line(self, what: str, **values: Any) -> str:
        """Give a line with its values."""
        return self._lines[what][self._column].format(**values)
