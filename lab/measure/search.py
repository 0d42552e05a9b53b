"""Whether a known sentence is somewhere in a recording, however softly: a bank of matched filters.

The sentence is cut into pieces. Each is sought by correlation, both sides whitened so that the vowels everybody has in
common do not count; the peaks of all pieces must come in the sentence's own order and distances (within SLACK_S, for a
jitter buffer that hurries). The score has no unit: compare it with the score of the same recording with the sentence
planted in it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from lab.measure.sound import RATE_HZ, Sound, resample

SEARCH_HZ = 16_000
PIECE_S = 0.30
SLACK_S = 0.03
HISS = 10 ** (-90 / 20)
QUIET = 10 ** (-45 / 20)
HUSH = 0.1
"""Nothing is looked for in pauses: of the level of whitened speech, which is about 0.5, this counts as silence."""

Signal = NDArray[np.float32]


def score(sentence: Sound, recording: Sound) -> float:
    """How clearly `sentence` is in `recording`; both RATE_HZ. 0 where nothing can be looked for."""
    words, place = _white(sentence), _white(recording)
    size, slack = round(PIECE_S * SEARCH_HZ), 2 * round(SLACK_S * SEARCH_HZ) + 1
    if len(words) < 2 * size or len(place) < len(words):
        return 0.0
    length = next_fast_len(len(place) + size)
    spectrum = rfft(place, length)
    energy = np.sqrt(uniform_filter1d(place**2, size, origin=-(size // 2)) + HUSH**2)
    begins = [begin for begin in range(0, len(words) - size, 3 * size // 4) if words[begin : begin + size].std() > 0.3]
    total = np.zeros(len(place), np.float32)
    if not begins:
        return 0.0
    for begin in begins:
        piece = words[begin : begin + size]
        found = irfft(spectrum * np.conj(rfft(piece, length)), length)[: len(place)]
        likely = np.abs(found) / (energy * size**0.5 * np.linalg.norm(piece))
        near = maximum_filter1d(likely, slack)
        total[: len(place) - begin] += near[begin:]
    return float(total[: len(place) - len(words) // 2].max() / len(begins) * 100)


def _white(sound: Sound) -> Signal:
    """Flatten the spectrum over short stretches, so that every frequency that is there counts the same."""
    slow = resample(sound, RATE_HZ, SEARCH_HZ).astype(np.float64)
    frame, hop = 512, 256
    if len(slow) < frame:
        return np.zeros(0, np.float32)
    slow += np.random.default_rng(1).normal(0, HISS, len(slow))  # so that there is no perfect silence
    padded = np.concatenate([slow, np.zeros(frame)])
    window = np.sqrt(np.hanning(frame + 1)[:frame])
    loudest = max(QUIET, float(np.sqrt(np.mean(slow**2)))) * frame**0.5
    out = np.zeros(len(padded))
    for begin in range(0, len(padded) - frame, hop):
        spectrum = rfft(padded[begin : begin + frame] * window)
        smooth = uniform_filter1d(np.abs(spectrum), 9) + 0.02 * loudest
        out[begin : begin + frame] += irfft(spectrum / smooth, frame) * window
    result: Signal = (out[: len(slow)] * frame**0.5 / 2).astype(np.float32)
    return result
