"""Sentences spoken by espeak-ng, in a helper thread of its own; bounded, remembered, and never a reason to fail."""

from __future__ import annotations

import contextlib
import queue
import re
import shutil
import struct
import subprocess
import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

ESPEAK_S_MAX = 5.0
WAITING_MAX = 8
REMEMBERED_MAX = 24
SPOKEN_S_MAX = 12.0
_CHUNK = 4800
_LANG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,4})?")


class Spoken(Struct, frozen=True):
    """A sentence as sound; `fault` says why it is empty."""

    text: str
    urgent: bool
    sound: array[int]
    fault: str = ""


class Speech:
    """Makes sentences into sound of `rate_hz`. `done` is called on the helper thread with each."""

    def __init__(self, rate_hz: int, volume_percent: int, done: Callable[[Spoken], None]) -> None:
        self._rate_hz = rate_hz
        self._volume = volume_percent
        self._done = done
        self._jobs: queue.Queue[tuple[str, str, bool] | None] = queue.Queue(WAITING_MAX)
        self._known: OrderedDict[tuple[str, str], array[int]] = OrderedDict()
        self._thread = threading.Thread(target=self._run, name="speech", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more; what is under way may still end."""
        with contextlib.suppress(queue.Full):  # then it ends with the process, being a daemon thread
            self._jobs.put_nowait(None)

    def say(self, text: str, lang: str, *, urgent: bool) -> bool:
        """Have a sentence made; False where too many wait, and it is dropped."""
        try:
            self._jobs.put_nowait((text, lang, urgent))
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            text, lang, urgent = job
            sound, fault = self._known.get((text, lang)), ""
            if sound is None:
                sound, fault = self._speak(text, lang)
                if not fault:
                    self._known[text, lang] = sound
                    while len(self._known) > REMEMBERED_MAX:
                        self._known.popitem(last=False)
            self._done(Spoken(text, urgent, sound, fault))

    def _speak(self, text: str, lang: str) -> tuple[array[int], str]:
        program = shutil.which("espeak-ng")
        if program is None:
            return array("h"), "sentences are not spoken: espeak-ng is missing: apt install espeak-ng"
        if not _LANG.fullmatch(lang):
            return array("h"), f"sentences are not spoken in {lang!r}: no such language"
        try:
            answer = subprocess.run(
                [program, "-v", lang, "--stdin", "--stdout"],
                input=text.encode(),
                capture_output=True,
                timeout=ESPEAK_S_MAX,
                check=True,
            )
            rate_hz, sound = _parse(answer.stdout)
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            return array("h"), f"espeak-ng failed: {error}"
        return resample(sound[: int(SPOKEN_S_MAX * rate_hz)], rate_hz, self._rate_hz, self._volume), ""


def resample(sound: array[int], from_hz: int, to_hz: int, volume_percent: int) -> array[int]:
    """Bring speech to another rate by straight lines between samples, in pieces that leave room for other threads."""
    out: array[int] = array("h")
    if len(sound) < 2:
        return out
    count, scale = (len(sound) - 1) * to_hz // from_hz, volume_percent / 100
    source = sound.tolist()
    for begin in range(0, count, _CHUNK):
        piece = []
        for i in range(begin, min(begin + _CHUNK, count)):
            whole, part = divmod(i * from_hz, to_hz)
            a = source[whole]
            piece.append(int((a + (source[whole + 1] - a) * part / to_hz) * scale))
        out.extend(piece)
    return out


def _parse(data: bytes) -> tuple[int, array[int]]:
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
