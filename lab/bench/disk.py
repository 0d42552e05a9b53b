"""What one synced write costs on the disk that grants are committed to, with no database around it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType

BYTES = 3 * 4120
"""About what SQLite's log takes for one grant: three pages with their headers."""
FILE_BYTES_MAX = 16 << 20


class Disk:
    """Appends to a file of its own in `folder` and syncs it, as a write-ahead log is."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "sync.probe"
        self._at = 0

    def __enter__(self) -> Disk:
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)
        self._path.unlink()

    def sync_ms(self) -> float:
        """Write and sync once; gives how long that took."""
        began = time.perf_counter()
        os.pwrite(self._file, bytes(BYTES), self._at)
        os.fdatasync(self._file)
        self._at = (self._at + BYTES) % FILE_BYTES_MAX
        return (time.perf_counter() - began) * 1000
