"""How well speech is told from a car's noise: `python -m lab.measure.speech_detection` prints the table of ADR 0017.

Sentences of espeak-ng, at a level of their own, in noise of a car: of the road (pink from 40 Hz up), of the engine
(harmonics of a speed that changes, under road noise), of wind (gusts of some dB within seconds).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.signal import resample_poly

from lab.measure.cue_hearing import road_noise
from voice.core.voiced import Voiced
from voice.speech_engine import Espeak

Samples = NDArray[np.float64]
RATE_HZ: Final = 16000
SENTENCES: Final = (
    ("ko", "본부 나와라, 여기는 삼 호차. 지금 강남대로에서 정체 중입니다."),
    ("ko", "네 알겠습니다. 십 분 뒤에 도착합니다."),
    ("en", "Base, this is car three. I am stuck on the ring road and will be ten minutes late."),
    ("en", "Yes."),
)
PAUSE_S: Final = 2.5
SPEECH_DBFS: Final = -35.0


def speech(lang: str, text: str, rms_dbfs: float = SPEECH_DBFS) -> Samples:
    """Give a sentence whose loud parts have that rms, in dB of full scale; raises SpeechFault without espeak-ng."""
    rate_hz, pcm = Espeak().speak(text, lang)
    sound = resample_poly(np.array(pcm, float), RATE_HZ, rate_hz)
    loud = np.abs(sound) > 0.05 * np.abs(sound).max()
    return np.asarray(sound * (10 ** (rms_dbfs / 20) / np.sqrt(np.mean(sound[loud] ** 2))))


def road(rng: np.random.Generator, seconds: float) -> Samples:
    """Give steady noise of tyres."""
    return road_noise(rng, round(seconds * RATE_HZ))


def engine(rng: np.random.Generator, seconds: float) -> Samples:
    """Give an engine whose speed wanders between 800 and 3,000 turns a minute, over road noise 6 dB below it."""
    count = round(seconds * RATE_HZ)
    marks = np.arange(0, count + RATE_HZ, RATE_HZ)
    hz = np.interp(np.arange(count), marks, rng.uniform(800, 3000, len(marks)) / 30)
    phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
    sound = np.sum([np.sin(k * phase + k) / k for k in range(1, 12)], axis=0)
    sound = sound / np.std(sound)
    noise = road(rng, seconds)
    return np.asarray(sound + 0.5 * noise / np.std(noise))


def wind(rng: np.random.Generator, seconds: float) -> Samples:
    """Give road noise whose loudness wanders by up to 6 dB within a second or two."""
    count = round(seconds * RATE_HZ)
    marks = np.arange(0, count + 2 * RATE_HZ, 2 * RATE_HZ)
    gusts = 10 ** (np.interp(np.arange(count), marks, rng.uniform(-3, 3, len(marks))) / 20)
    return np.asarray(road(rng, seconds) * gusts)


NOISES: Final[dict[str, Callable[[np.random.Generator, float], Samples]]] = {
    "road": road,
    "engine": engine,
    "wind": wind,
}


def at_level(noise: Samples, rms_dbfs: float) -> Samples:
    """Give noise at that level, in dB of full scale."""
    return np.asarray(noise * (10 ** (rms_dbfs / 20) / np.std(noise)))


def as_frames(sound: Samples, frame_s: float = 0.01) -> list[bytes]:
    """Give 16-bit frames; sound is from -1 to 1."""
    size = 2 * round(frame_s * RATE_HZ)
    data = np.clip(np.round(sound * 32768), -32768, 32767).astype(np.int16).tobytes()
    return [data[at : at + size] for at in range(0, len(data) - size + 1, size)]


def found(sound: Samples) -> NDArray[np.bool_]:
    """Give what the detector says behind each 10 ms."""
    voiced = Voiced(RATE_HZ)
    return np.array([voiced.hear(frame) for frame in as_frames(sound)], bool)


class Row(Struct, frozen=True):
    """One noise at one level: what was found."""

    noise: str
    noise_dbfs: float
    heard: int
    """Sentences in which speech was found at all..."""
    sentences: int
    share: float
    """...and of all their time, this part."""
    false_share: float
    """Part of the time taken for speech where nobody spoke."""


def measure(name: str, noise_dbfs: float, seed: int = 1, speech_dbfs: float = SPEECH_DBFS, alone_s: float = 120) -> Row:
    """Speak every sentence into a noise, 4 s after it began, and listen to the noise alone."""
    rng = np.random.default_rng(seed)
    heard, held, total = 0, 0, 0
    for lang, text in SENTENCES:
        said = speech(lang, text, speech_dbfs)
        before = 4 * RATE_HZ
        noise = at_level(NOISES[name](rng, (before + len(said)) / RATE_HZ + PAUSE_S), noise_dbfs)
        noise[before : before + len(said)] += said
        during = found(noise)[before // 160 : (before + len(said)) // 160]
        heard += bool(during.any())
        held += int(during.sum())
        total += len(during)
    alone = found(at_level(NOISES[name](rng, alone_s), noise_dbfs))[200:]
    return Row(name, noise_dbfs, heard, len(SENTENCES), held / total, float(alone.mean()))


def main() -> None:
    """Print the table."""
    print(f"speech at {SPEECH_DBFS} dBFS | noise dBFS | sentences heard | of their time | noise taken for speech")
    for name in NOISES:
        for level in (-60.0, -50.0, -45.0, -40.0, -35.0, -30.0):
            row = measure(name, level)
            print(
                f"{name:8} {row.noise_dbfs:6} {row.heard:3} of {row.sentences} "
                f"{100 * row.share:6.1f} % {100 * row.false_share:6.2f} %"
            )


if __name__ == "__main__":
    main()
