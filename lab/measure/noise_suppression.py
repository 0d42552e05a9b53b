"""What noise suppression wins and costs: `python -m lab.measure.noise_suppression` prints the table of ADR 0017.

Sentences of espeak-ng at -26 dBFS in the noise of a road and of an engine, before and after webrtc-noise-gain. The SNR
is that of speech over noise between 300 and 3,400 Hz. What it does to words is read from their spectrum: how much
softer their loudest parts become, and how far these are from the clean sentence's, at the best common level.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from msgspec import Struct

from lab.measure.speech_detection import NOISES, RATE_HZ, SENTENCES, Samples, as_frames, at_level, speech
from protocol.worker_settings import CleaningSettings
from voice.cleaning import DELAY_S, WebrtcCleaner

SPEECH_DBFS = -26.0
LEAD_S = 3.0
_WINDOW, _HOP = 512, 160


class Row(Struct, frozen=True):
    """One noise, level and strength, over all sentences."""

    noise: str
    snr_db: float
    """Speech over noise in the band, as it was."""
    strength: int
    gain_db: float
    """How much softer the noise became where nobody speaks..."""
    speech_db: float
    """...and the speech, where it is loudest (the loudest fifth of its parts)."""
    distance_before: float
    """Mean difference, in dB, of the loud parts of the sentences' spectrum from the clean ones', noise and all..."""
    distance_after: float
    """...and after suppression, at the best common level."""


def measure(noise: str, snr_db: float, strength: int, seed: int = 1) -> Row:
    """Clean every sentence in this noise."""
    found = []
    for number, (lang, text) in enumerate(SENTENCES):
        said = np.concatenate([np.zeros(round(LEAD_S * RATE_HZ)), speech(lang, text, SPEECH_DBFS)])
        rng = np.random.default_rng(seed + number)
        alone = at_level(NOISES[noise](rng, len(said) / RATE_HZ), -40.0)[: len(said)]
        alone *= 10 ** ((_band_db(said[round(LEAD_S * RATE_HZ) :]) - _band_db(alone) - snr_db) / 20)
        found.append(_compare(said, said + alone, strength))
    gain, speech_db, before, after = np.mean(found, axis=0)
    return Row(noise, snr_db, strength, float(gain), float(speech_db), float(before), float(after))


def cleaned(sound: Samples, strength: int) -> Samples:
    """Give sound after suppression, in step with what it was."""
    cleaner = WebrtcCleaner(CleaningSettings(noise_suppression=strength))
    out = np.frombuffer(b"".join(cleaner.process(frame) for frame in as_frames(sound)), np.int16) / 32768
    return np.asarray(np.concatenate([out[round(DELAY_S * RATE_HZ) :], np.zeros(round(DELAY_S * RATE_HZ))]))


def _compare(clean: Samples, noisy: Samples, strength: int) -> tuple[float, float, float, float]:
    after = cleaned(noisy, strength)
    lead = round(LEAD_S * RATE_HZ)
    quiet = slice(RATE_HZ, lead - 800)
    pictures = [_picture(sound[lead : len(after)]) for sound in (clean, noisy, after)]
    loud = pictures[0] > np.quantile(pictures[0], 0.8)
    return (
        _band_db(noisy[quiet]) - _band_db(after[quiet]),
        float(np.mean((pictures[1] - pictures[2])[loud])),
        _apart(pictures[0][loud], pictures[1][loud]),
        _apart(pictures[0][loud], pictures[2][loud]),
    )


def _apart(clean: Samples, other: Samples) -> float:
    differences = other - clean
    return float(np.mean(np.abs(differences - np.median(differences))))


def _picture(sound: Samples) -> Samples:
    """Log power of 24 bands of equal pitch from 200 to 7,000 Hz, every 10 ms."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW))) ** 2
    edges = np.geomspace(200, 7000, 25) * _WINDOW / RATE_HZ
    bands = [power[:, int(a) : max(int(a) + 1, int(b))].mean(axis=1) for a, b in pairwise(edges)]
    return np.asarray(10 * np.log10(np.stack(bands, axis=1) + 1e-9))


def _band_db(sound: Samples) -> float:
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    inside = np.abs(spectrum[(hz > 300) & (hz < 3400)]) ** 2
    return float(10 * np.log10(2 * np.sum(inside) / len(sound) ** 2 + 1e-12))


def main() -> None:
    """Print the table."""
    print("noise   SNR dB  strength  noise softer by  speech softer by  spectrum off: noisy  cleaned")
    for noise in ("road", "engine"):
        for snr_db in (20.0, 10.0, 5.0, 0.0):
            for strength in (1, 2, 3, 4):
                row = measure(noise, snr_db, strength)
                print(
                    f"{noise:7} {snr_db:6.0f} {strength:9} {row.gain_db:13.1f} dB {row.speech_db:14.1f} dB "
                    f"{row.distance_before:16.1f} dB {row.distance_after:5.1f} dB"
                )


if __name__ == "__main__":
    main()
