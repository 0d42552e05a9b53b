"""The port to what makes text into sound, and espeak-ng behind it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import struct
import subprocess
import threading
from array import array
from typing import Final, Protocol

ESPEAK_S_MAX: Final = 5.0
"""An engine that takes longer hangs, and is killed; a Pi Zero 2 takes a fifth of a second for a long sentence."""
_KILLED_S_MAX: Final = 1.0
_LANG: Final = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,4})?")


class SpeechFault(Exception):
    """A sentence could not be made into sound; the text says why and how to mend it."""


class SpeechEngine(Protocol):
    """Makes a sentence into sound. `speak` is called by one thread at a time, `abandon` by any."""

    def speak(self, text: str, lang: str) -> tuple[int, array[int]]:
        """Give rate in Hz and mono 16-bit samples, within ESPEAK_S_MAX or so. Raises SpeechFault."""
        ...

    def abandon(self) -> None:
        """Have the `speak` under way, if any, end soon by SpeechFault."""
        ...


class Espeak:
    """espeak-ng as a process of its own for every sentence: one that hangs is killed with all it started."""

    def __init__(self, program: str = "espeak-ng", seconds_max: float = ESPEAK_S_MAX) -> None:
        self._program = program
        self._seconds_max = seconds_max
        self._lock = threading.Lock()
        self._running: subprocess.Popen[bytes] | None = None

    def speak(self, text: str, lang: str) -> tuple[int, array[int]]:
        """Give rate in Hz and samples. Raises SpeechFault."""
        program = shutil.which(self._program)
        if program is None:
            raise SpeechFault(f"sentences are not spoken: {self._program} is missing: apt install espeak-ng")
        if not _LANG.fullmatch(lang):
            raise SpeechFault(f"sentences are not spoken in {lang!r}: no such language")
        try:
            return parse_wav(self._run([program, "-v", lang, "--stdin", "--stdout"], text.encode()))
        except (OSError, ValueError) as error:
            raise SpeechFault(f"{self._program} failed: {error}") from error

    def abandon(self) -> None:
        """Kill the process under way, if any."""
        with self._lock:
            if self._running is not None:
                _kill(self._running)

    def _run(self, argv: list[str], said: bytes) -> bytes:
        with self._lock:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            self._running = process
        try:
            out, err = process.communicate(said, timeout=self._seconds_max)
        except subprocess.TimeoutExpired:
            _kill(process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=_KILLED_S_MAX)
            raise SpeechFault(f"{self._program} hung for {self._seconds_max:g} s and was killed") from None
        finally:
            with self._lock:  # reaped from here on: its number may be another's
                self._running = None
        if process.returncode:
            raise SpeechFault(f"{self._program} ended with {process.returncode}: {err.decode(errors='replace')[:200]}")
        return out


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def parse_wav(data: bytes) -> tuple[int, array[int]]:
    """Read a WAV that was written into a pipe, whose sizes therefore mean nothing; raises ValueError."""
    if data[:4] != b"RIFF" or data[8:16] != b"WAVEfmt " or len(data) < 44:
        raise ValueError("its output is no WAV")
    size, kind, channels, rate_hz, _, _, bits = struct.unpack_from("<IHHIIHH", data, 16)
    begin = data.find(b"data", 20 + size) + 8
    if (kind, channels, bits) != (1, 1, 16) or begin < 8 or not 8000 <= rate_hz <= 96000:
        raise ValueError("its output is not 16-bit mono PCM")
    sound: array[int] = array("h")
    sound.frombytes(data[begin : begin + (len(data) - begin) // 2 * 2])
    return rate_hz, sound
