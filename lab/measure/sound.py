"""Sound as numpy arrays: float32 from -1 to 1, one channel, RATE_HZ; and the WAV files it comes from and goes to."""

from __future__ import annotations

import warnings
import wave
from math import gcd
from pathlib import Path
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.io import wavfile
from scipy.signal import resample_poly

RATE_HZ = 48_000
Sound: TypeAlias = NDArray[np.float32]


class BadSound(ValueError):
    """A file that cannot be used; the text says what it is, and what would do."""


class Recording(Struct, frozen=True):
    """Sound of a clock: its first sample lies at `epoch_s` of CLOCK_MONOTONIC."""

    sound: Sound
    epoch_s: float

    @property
    def end_s(self) -> float:
        """When the sample behind the last one would be."""
        return self.epoch_s + len(self.sound) / RATE_HZ

    def cut(self, start_s: float, end_s: float) -> Sound:
        """Give the sound between two times; silence where there is no recording."""
        first, last = (round((at_s - self.epoch_s) * RATE_HZ) for at_s in (start_s, end_s))
        out = np.zeros(max(0, last - first), np.float32)
        part = self.sound[max(0, first) : max(0, last)]
        begin = max(0, -first)
        out[begin : begin + len(part)] = part[: len(out) - begin]
        return out


def read(path: Path) -> Sound:
    """Read any WAV file: every rate, width and number of channels (which are averaged). Raises BadSound."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks of no interest
            rate_hz, data = wavfile.read(path)
    except FileNotFoundError:
        raise BadSound(f"{path} is not there") from None
    except OSError as error:
        raise BadSound(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # scipy raises what comes for broken headers
        raise BadSound(
            f"{path} is no WAV file that can be read ({error}): convert it, ffmpeg -i yours out.wav"
        ) from error
    if data.size == 0 or rate_hz <= 0:
        raise BadSound(f"{path} holds no sound")
    mono = as_float(data)
    if mono.ndim == 2:
        mono = mono.mean(axis=1)
    return resample(np.nan_to_num(mono), int(rate_hz))


def as_float(data: NDArray[np.generic]) -> Sound:
    """Bring samples of any WAV format to -1..1."""
    if data.dtype == np.uint8:
        return ((data.astype(np.float32) - 128) / 128).astype(np.float32)
    if np.issubdtype(data.dtype, np.integer):
        return (data.astype(np.float64) / (float(np.iinfo(data.dtype.name).max) + 1)).astype(np.float32)
    return data.astype(np.float32)


def resample(sound: Sound, from_hz: int, to_hz: int = RATE_HZ) -> Sound:
    """Change the rate."""
    if from_hz == to_hz:
        return sound.astype(np.float32)
    common = gcd(from_hz, to_hz)
    return np.asarray(resample_poly(sound, to_hz // common, from_hz // common), np.float32)


def write(path: Path, sound: Sound) -> None:
    """Write a 16-bit WAV file of RATE_HZ."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(as_int16(sound))


def as_int16(sound: Sound) -> bytes:
    """Give 16-bit little-endian samples; what is too loud is clipped."""
    return np.clip(np.round(sound * 32768), -32768, 32767).astype("<i2").tobytes()


def from_int16(samples: bytes) -> Sound:
    """Read 16-bit little-endian samples."""
    return (np.frombuffer(samples, "<i2") / np.float32(32768)).astype(np.float32)


def trimmed(sound: Sound, below_peak_db: float = 45.0) -> Sound:
    """Cut silence off both ends: what never comes within `below_peak_db` of the peak."""
    loud = np.flatnonzero(np.abs(sound) > peak(sound) * 10 ** (-below_peak_db / 20))
    return sound[loud[0] : loud[-1] + 1] if len(loud) else sound[:0]


def levelled(sound: Sound, peak_dbfs: float = -6.0) -> Sound:
    """Bring the peak to `peak_dbfs`."""
    highest = peak(sound)
    return (sound * (10 ** (peak_dbfs / 20) / highest)).astype(np.float32) if highest else sound


def peak(sound: Sound) -> float:
    """Highest absolute sample, 0 of nothing."""
    return float(np.max(np.abs(sound))) if len(sound) else 0.0


def dbfs(level: float) -> float:
    """A level as dB under full scale, -120 at least."""
    return float(20 * np.log10(max(level, 1e-6)))
