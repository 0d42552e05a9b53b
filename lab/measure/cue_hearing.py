"""A listener in a car on the road: which of the six sounds was it? By pitch over time, as an ear does, not by phase.

The listener knows the six and the noise, and nothing else: not whether there was a sound, when, how loud, which, nor at
what absolute pitch (everything may be moved by two semitones): contour and length decide.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from protocol.worker import Sound
from voice.cues import synthesise

Samples = NDArray[np.float64]

RATE_HZ: Final = 16000
BAND_HZ: Final = (300, 3400)
"""What a cheap loudspeaker gives, and where the ratio of sound to noise is measured: a car's rumble below does not
count, so that the noise is louder than its figure says."""
LISTEN_S: Final = 1.2
_WINDOW: Final = 512
_HOP: Final = 160
_PER_OCTAVE: Final = 18
_TILT: Final = 1.0
"""Power of road noise falls with frequency to this power: pink."""
_SHIFTS: Final = (-3, -2, -1, 0, 1, 2, 3)
"""By so many bands a sound may seem higher or lower: two semitones."""
_HEARD: Final = 10.0
"""Evidence above which the listener says that there was a sound; noise alone stays below (see `false_alarms`)."""


def road_noise(rng: np.random.Generator, count: int) -> Samples:
    """Give noise as of tyres and wind, 40 Hz and up, of no certain loudness."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.fft.rfftfreq(count, 1 / RATE_HZ)
    shape = np.where(frequency >= 40, np.maximum(frequency, 40) ** (-_TILT / 2), 0.0)
    return np.asarray(np.fft.irfft(spectrum * shape, count))


def mixed(sound: Sound | None, snr_db: float, rng: np.random.Generator) -> Samples:
    """Give LISTEN_S of noise with a sound (or none) somewhere in it, `snr_db` over the noise inside the band.

    The ratio is of the time the sound lasts. The loudspeaker gives nothing outside of the band.
    """
    count = round(LISTEN_S * RATE_HZ)
    noise = road_noise(rng, count)
    noise /= _rms(_in_band(noise))
    if sound is None:
        return noise
    cue = _in_band(_clean(sound))
    begin = int(rng.integers(0, count - len(cue)))
    noise[begin : begin + len(cue)] += cue / _rms(cue) * 10 ** (snr_db / 20)
    return noise


def heard(samples: Samples) -> Sound | None:
    """Say which sound it was, or None for no sound at all."""
    seen = (_picture(samples) - _rest()[0]) / _rest()[1]
    best, answer = _HEARD, None
    for sound in Sound:
        template = _template(sound)
        windows = np.lib.stride_tricks.sliding_window_view(seen, template.shape[2], axis=0)
        evidence = float((windows.reshape(len(windows), -1) @ template.reshape(len(_SHIFTS), -1).T).max())
        if evidence > best:
            best, answer = evidence, sound
    return answer


def confusion(snr_db: float, noises: int, seed: int) -> dict[Sound, dict[str, int]]:
    """Give, for each sound played in so many noises, how often each was heard; "" is no sound."""
    rng = np.random.default_rng(seed)
    table = {}
    for sound in Sound:
        answers = [heard(mixed(sound, snr_db, rng)) for _ in range(noises)]
        table[sound] = {**{other.value: answers.count(other) for other in Sound}, "": answers.count(None)}
    return table


def false_alarms(noises: int, seed: int) -> int:
    """Give in how many of so many noises a sound was heard though there was none."""
    rng = np.random.default_rng(seed)
    return sum(heard(mixed(None, 0.0, rng)) is not None for _ in range(noises))


def in_band_part(sound: Sound) -> float:
    """Give the part of a sound's energy that lies inside BAND_HZ, 0 to 1."""
    whole = _clean(sound)
    return float(np.sum(_in_band(whole) ** 2) / np.sum(whole**2))


def picture(samples: Samples) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the frequencies of the listener's bands and the level in each for every 10 ms (time by band), as power."""
    return _bands_hz(), _picture(samples) ** 2


@cache
def _clean(sound: Sound) -> Samples:
    return np.array(synthesise(sound, RATE_HZ, 100), dtype=np.float64)


@cache
def _bands_hz() -> NDArray[np.float64]:
    octaves = np.log2(BAND_HZ[1] / BAND_HZ[0])
    return np.asarray(BAND_HZ[0] * 2 ** (np.arange(int(octaves * _PER_OCTAVE) + 1) / _PER_OCTAVE))


@cache
def _bank() -> Any:
    """Triangles in pitch over the bins of the transform, at least as wide as one."""
    bins = np.fft.rfftfreq(2 * _WINDOW, 1 / RATE_HZ)
    centres = _bands_hz()[:, None]
    width = np.maximum(centres * (2 ** (1 / _PER_OCTAVE) - 1), RATE_HZ / _WINDOW / 2)
    return np.maximum(0.0, 1 - np.abs(bins[None, :] - centres) / width).T


def _picture(samples: Samples) -> NDArray[np.float64]:
    """Loudness by time and pitch: the root of the power, which keeps one loud cell from deciding alone."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP] * np.hanning(_WINDOW)
    power = np.abs(np.fft.rfft(windows, 2 * _WINDOW)) ** 2
    return np.asarray(np.sqrt(power @ _bank()))


@cache
def _rest() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What noise alone looks like: mean and deviation of each band, learned from minutes of it."""
    rng = np.random.default_rng(0)
    seen = np.concatenate([_picture(mixed(None, 0.0, rng)) for _ in range(40)])
    return seen.mean(axis=0), seen.std(axis=0)


@cache
def _template(sound: Sound) -> NDArray[np.float64]:
    """What a sound adds to a picture of this noise, each of length 1 as a vector: shift by band by time."""
    quiet = np.zeros(_WINDOW)
    shape = _picture(np.concatenate((quiet, _in_band(_clean(sound)), quiet))) / _rest()[1]
    padded = np.pad(shape, ((0, 0), (max(_SHIFTS), max(_SHIFTS))))
    moved = np.stack([padded[:, max(_SHIFTS) - s : max(_SHIFTS) - s + shape.shape[1]].T for s in _SHIFTS])
    return np.asarray(moved / np.linalg.norm(moved, axis=(1, 2), keepdims=True))


def _in_band(samples: Samples) -> Samples:
    spectrum = np.fft.rfft(samples)
    frequency = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    spectrum[(frequency < BAND_HZ[0]) | (frequency > BAND_HZ[1])] = 0
    return np.asarray(np.fft.irfft(spectrum, len(samples)))


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples**2)))
