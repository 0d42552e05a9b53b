"""A vehicle's sound devices as files: the tape at its microphone, and what its speaker played."""

from __future__ import annotations

import json
import os
import struct
import time
import wave
from pathlib import Path

import numpy as np

from lab.measure.sound import RATE_HZ, Recording, Sound, as_int16, read

_HEAD = struct.Struct("<4sI4s4sIHHIIHH4sI")
_SPARE_S = 0.3
_READ_AHEAD_BYTES_MIN = 8192


class TooLate(RuntimeError):
    """A sentence was to be laid where the microphone already is, or behind the tape's end."""


class Microphone:
    """A WAV file of `length_s` of silence that runs past the microphone; sentences are laid onto it while it runs.

    So a driver speaks when the story wants it, on the sample, whatever happened before.
    """

    def __init__(self, path: Path, length_s: float) -> None:
        self.path = path
        self.lead_s = 0.0
        """A sentence is to be laid onto the tape so long before it is due: whoever reads a file reads blocks ahead."""
        self._count = round(length_s * RATE_HZ)
        size = 2 * self._count
        head = _HEAD.pack(b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16, b"data", size)
        path.write_bytes(head)
        os.truncate(path, _HEAD.size + size)  # a hole in the file reads as silence
        block = max(path.stat().st_blksize, _READ_AHEAD_BYTES_MIN)
        self.reads_ahead_s = block / 2 / RATE_HZ
        """What is read has been read this long before it is due: it can no longer be changed."""
        self.lead_s = self.reads_ahead_s + _SPARE_S

    def say(self, sound: Sound, at_s: float, epoch_s: float) -> None:
        """Lay `sound` so that its first sample is at the microphone at `at_s`; the tape began at `epoch_s`."""
        first = round((at_s - epoch_s) * RATE_HZ)
        if at_s < time.monotonic() + self.reads_ahead_s:
            raise TooLate(f"{self.path.name}: {at_s - time.monotonic():.3f} s are too short to begin a sentence")
        if first + len(sound) > self._count:
            raise TooLate(f"{self.path.name}: the tape is at its end")
        with self.path.open("r+b") as file:
            file.seek(_HEAD.size + 2 * first)
            file.write(as_int16(sound))

    def hush(self, from_s: float, until_s: float, epoch_s: float) -> None:
        """Make the tape silent between two times, as far as it was not read yet."""
        first, last = (max(0, round((at_s - epoch_s) * RATE_HZ)) for at_s in (from_s, until_s))
        last = min(last, self._count)
        with self.path.open("r+b") as file:
            file.seek(_HEAD.size + 2 * first)
            file.write(bytes(2 * max(0, last - first)))


def epochs(played: Path) -> tuple[float, float]:
    """Give the times of the first samples of what is played and of the tape. Raises OSError, ValueError."""
    words = json.loads(Path(f"{played}.json").read_text())
    return float(words["epoch_s"]), float(words["capture_epoch_s"])


def recordings(tape: Path, played: Path) -> tuple[Recording, Recording]:
    """Read what was at the mouth and what was at the ear of one vehicle."""
    played_at, captured_at = epochs(played)
    return Recording(read(tape), captured_at), Recording(read(played), played_at)


def looped(path: Path, sound: Sound, every_s: float) -> None:
    """Write a tape that says `sound` again and again, for `capture_loop`."""
    pause = np.zeros(max(0, round(every_s * RATE_HZ) - len(sound)), np.float32)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(as_int16(np.concatenate([sound, pause])))
