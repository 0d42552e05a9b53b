"""The one error of this package."""

from __future__ import annotations


class HardwareError(Exception):
    """Hardware, or a library for it, that is not there or not free; says what is wrong and how to mend it."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what, mend)
        self.what = what
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.what} -> {self.mend}"
