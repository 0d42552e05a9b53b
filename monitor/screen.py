"""A terminal's alternate screen: drawn line by line where it changed, keys read raw, everything put back at the end."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
import tty
from collections.abc import Sequence
from types import TracebackType

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"
_LEAVE = "\x1b[?25h\x1b[?1049l"
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"  # synchronized output: terminals that know it show a frame at once

KEYS = {b"\x1b[A": "k", b"\x1b[B": "j", b"\x03": "q", b"\x04": "q"}


class Screen:
    """Use it as a context. `keys_fd` is the descriptor to read keys from, None where there is no keyboard."""

    def __init__(self) -> None:
        self.keys_fd = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
        self._saved: list[object] | None = None
        self._shown: list[str] = []

    def __enter__(self) -> Screen:
        if self.keys_fd is not None:
            self._saved = termios.tcgetattr(self.keys_fd)
            tty.setcbreak(self.keys_fd)
        self._write(_ENTER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError, termios.error):  # a terminal that is gone needs nothing put back
            self._write(_LEAVE)
            if self.keys_fd is not None and self._saved is not None:
                termios.tcsetattr(self.keys_fd, termios.TCSADRAIN, self._saved)  # type: ignore[arg-type]

    def size(self) -> tuple[int, int]:
        """Give columns and rows as they are now; 80 and 24 where the terminal does not tell."""
        try:
            size = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            return 80, 24
        return (size.columns or 80, size.lines or 24)

    def read_keys(self) -> list[str]:
        """Read the keys pressed; arrows come as j and k, the end of input as q."""
        if self.keys_fd is None:
            return []
        try:
            data = os.read(self.keys_fd, 1024)
        except OSError:
            data = b""
        if data in KEYS:
            return [KEYS[data]]
        return ["q"] if not data else list(data.decode("ascii", "ignore"))

    def forget(self) -> None:
        """The next drawing writes every line (the terminal's size changed)."""
        self._shown = []

    def draw(self, lines: Sequence[str]) -> None:
        """Show `lines` from the top, writing only those that changed, and clear what is below.

        Lines should be a column narrower than the terminal, whose last column makes cursors behave differently.
        """
        out = [] if self._shown else ["\x1b[2J"]
        for row, line in enumerate(lines):
            if row >= len(self._shown) or self._shown[row] != line:
                out.append(f"\x1b[{row + 1};1H{line}\x1b[K")
        if len(lines) < len(self._shown):
            out.append(f"\x1b[{len(lines) + 1};1H\x1b[J")
        if out:
            self._write(_BEGIN + "".join(out) + _END)
        self._shown = list(lines)

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        fd = sys.stdout.fileno()
        while data:
            data = data[os.write(fd, data) :]
