"""What a vehicle's sound card plays, as it plays it: the tail of the growing file of the WAV devices.

A voice worker that was started again writes a new file beside the old one (`ear-2.wav`); that is followed too. What was
read is given back to the disk, so that a cab may be left running: a file of holes takes no room.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import os
from pathlib import Path
from typing import Final

from lab.measure.sound import RATE_HZ

HEADER_BYTES: Final = 44
MISSED_S_MAX: Final = 0.5
"""Sound that is older when it is read is left out: an ear lives in the present."""
HANG_S: Final = 0.2
"""So long silence is passed on after a sound, so that pauses between words are no ends."""
GIVE_BACK_BYTES: Final = 4 << 20
KEEP_BYTES: Final = 4096
_KEEP_SIZE_PUNCH_HOLE: Final = 0x01 | 0x02


class Ear:
    """The tail of `played`; call `listen` again and again, from one thread."""

    def __init__(self, played: Path) -> None:
        self._first = played
        self._number = 0
        self._fd = -1
        self._at = HEADER_BYTES
        self._given = KEEP_BYTES
        self._quiet_bytes = 2 * round(HANG_S * RATE_HZ)
        self._hung = self._quiet_bytes

    @property
    def path(self) -> Path:
        """The file that grows now."""
        return _numbered(self._first, max(1, self._number))

    def listen(self) -> bytes:
        """Give what was played since the last call; nothing for silence."""
        self._follow()
        if self._fd < 0:
            return b""
        size = os.fstat(self._fd).st_size
        oldest = size - 2 * round(MISSED_S_MAX * RATE_HZ)
        self._at = max(self._at, oldest - oldest % 2)
        pcm = os.pread(self._fd, (size - self._at) & ~1, self._at)
        self._at += len(pcm)
        self._give_back()
        if pcm.count(0) == len(pcm):
            self._hung += len(pcm)
            return pcm if self._hung <= self._quiet_bytes else b""
        self._hung = 0
        return pcm

    def close(self) -> None:
        """Close the file; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _follow(self) -> None:
        following = _numbered(self._first, self._number + 1)
        if not following.exists():
            return
        self.close()
        with contextlib.suppress(OSError):
            self._fd = os.open(following, os.O_RDWR | os.O_CLOEXEC)
            self._number += 1
            self._at, self._given = HEADER_BYTES, KEEP_BYTES

    def _give_back(self) -> None:
        """Whole steps behind us only; where the file system cannot, the file just grows."""
        length = self._at - self._given
        if length >= GIVE_BACK_BYTES:
            _punch(self._fd, self._given, length - length % KEEP_BYTES)
            self._given += length - length % KEEP_BYTES


def _numbered(path: Path, number: int) -> Path:
    """As voice.devices.wav_files names them."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def _punch(fd: int, start: int, length: int) -> None:
    """fallocate(2) with FALLOC_FL_PUNCH_HOLE, which Python does not offer."""
    libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
    with contextlib.suppress(AttributeError):  # a libc without it
        libc.fallocate64(fd, _KEEP_SIZE_PUNCH_HOLE, ctypes.c_int64(start), ctypes.c_int64(length))
