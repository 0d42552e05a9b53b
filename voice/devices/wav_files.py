"""The two files of the WAV backend: one read as a microphone, one written so that it is valid at any moment."""

import json
import os
import struct
import wave
from pathlib import Path

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
DATA_BYTES_MAX = 0x7FFF_0000
"""What a WAV header can count, with room: 6 hours at 48 kHz. Nothing is written behind it."""
NAMES_MAX = 1000


class BadWav(Exception):
    """A file that cannot serve; the text says what it is and what is needed."""


class WavReader:
    """A 16-bit WAV file of `rate_hz` by position; the left channel where it has two. Raises BadWav."""

    def __init__(self, path: Path, rate_hz: int, *, loop: bool) -> None:
        try:
            self._file = wave.open(str(path), "rb")  # noqa: SIM115 - kept open, see close()
        except (OSError, EOFError, wave.Error) as error:
            raise BadWav(f"{path} cannot be read ({error}): give a 16-bit PCM WAV file") from error
        self._channels, width, rate, self._count, _, _ = self._file.getparams()
        if width != 2 or rate != rate_hz or self._channels not in (1, 2) or not self._count:
            self._file.close()
            raise BadWav(
                f"{path} has {8 * width} bit, {rate} Hz, {self._channels} channels, {self._count} samples: "
                f"16 bit, {rate_hz} Hz, 1 or 2 channels are needed (sox in.wav -r {rate_hz} -b 16 -c 1 out.wav)"
            )
        self._loop = loop
        self._at = 0

    def read(self, position: int, count: int) -> bytes:
        """Give `count` samples from `position` (negative is before the file); silence where there is nothing."""
        out = bytearray()
        if position < 0:
            out += bytes(2 * min(count, -position))
        while (missing := count - len(out) // 2) > 0:
            at = position + len(out) // 2
            if self._loop:
                at %= self._count
            if at >= self._count:
                out += bytes(2 * missing)
                break
            if at != self._at:
                self._file.setpos(at)
            data = self._file.readframes(min(missing, self._count - at))
            samples = len(data) // 2 // self._channels
            if not samples:
                out += bytes(2 * missing)
                break
            self._at = at + samples
            if self._channels == 2:
                data = b"".join(data[i : i + 2] for i in range(0, len(data), 4))
            out += data
        return bytes(out)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class WavWriter:
    """A WAV file that grows: its header never counts more than is written, so it is valid after SIGKILL too.

    A file that exists is kept: the new one is `name-2.wav`, `name-3.wav`... Raises BadWav where none can be made.
    """

    def __init__(self, path: Path, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._bytes = 0
        self.full = False
        """The file took all it can."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.path, self._fd = self._create(path)
        except OSError as error:
            raise BadWav(f"{path} cannot be written ({error.strerror}): give a path in a writable folder") from error
        self._write_header()

    def describe(self, epoch_s: float, capture_epoch_s: float) -> None:
        """Write the sidecar: monotonic times of the first sample of this file and of the capture file."""
        words = {"epoch_s": epoch_s, "rate_hz": self._rate_hz, "capture_epoch_s": capture_epoch_s, "pid": os.getpid()}
        sidecar = self.path.with_name(self.path.name + ".json")
        draft = sidecar.with_name(sidecar.name + ".tmp")
        draft.write_text(json.dumps(words))
        draft.replace(sidecar)

    def write(self, pcm: bytes) -> None:
        """Append; drops what the format cannot count any more. Raises OSError (disk full)."""
        if self._bytes + len(pcm) > DATA_BYTES_MAX:
            self.full = True
            return
        os.pwrite(self._fd, pcm, _HEADER.size + self._bytes)
        self._bytes += len(pcm)
        self._write_header()

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _write_header(self) -> None:
        rate, size = self._rate_hz, self._bytes
        header = _HEADER.pack(
            b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", size
        )  # fmt: skip
        os.pwrite(self._fd, header, 0)

    @staticmethod
    def _create(path: Path) -> tuple[Path, int]:
        for number in range(1, NAMES_MAX):
            name = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
            try:
                return name, os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            except FileExistsError:
                continue
        raise FileExistsError(17, f"{NAMES_MAX} files of this name exist already")
