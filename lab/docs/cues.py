"""docs/cues.md: a picture of each sound, its recipe, and how well they are told apart on the road."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct

from lab.docs.markdown import table
from lab.measure import cue_hearing
from protocol.worker import Sound
from voice import cues
from voice.cue_recipes import RECIPES, Tone, fingerprint

MEASURED: Final = Path("docs/cues/measured.json")
SNRS_DB: Final = (0, -6, -9)
_NOISES: Final = 200
_SEED: Final = 4
_WIDTH, _LEFT, _SPAN_MS = 760, 50, 500
_WAVE_Y, _WAVE_H = 62, 40
_PITCH_Y, _PITCH_H = 120, 150
_SPECTRUM_Y, _SPECTRUM_H = 310, 110
_FLOOR_DB: Final = -60
_TICKS_HZ: Final = (300, 500, 1000, 2000, 3400)
_SHADES: Final = ((-6.0, "1"), (-12.0, ".65"), (-20.0, ".35"), (-28.0, ".15"))
"""Cells of the picture of pitch over time: dB under the loudest, and how dark."""


class Measured(Struct, frozen=True):
    """What a run of the listener gave, and of which code."""

    digest: str
    noises: int
    false_alarms: int
    by_snr_db: dict[str, dict[Sound, dict[str, int]]]


def file_name(sound: Sound) -> str:
    """Give where a sound's picture is."""
    return f"docs/cues/{sound.value.replace('_', '-')}.svg"


def recipes() -> str:
    """The sounds: what they are like, and of what they are made."""
    rows = []
    for sound, recipe in RECIPES.items():
        inside = f"{100 * cue_hearing.in_band_part(sound):.1f} %"
        made = "; ".join(_tone(tone) for tone in recipe.tones)
        rows.append(
            (
                f"`{sound.value}`",
                recipe.ko,
                recipe.en,
                f"{recipe.length_ms} ms",
                made,
                inside,
                f"`{fingerprint(sound)}`",
            )
        )
    heads = ("sound", "the plan's word", "in English", "length", "tones", "energy in 300–3400 Hz", "recipe")
    return table(heads, rows)


def pictures() -> str:
    """The pictures, with what they show in words."""
    parts = []
    for sound, recipe in RECIPES.items():
        name = file_name(sound).removeprefix("docs/")
        parts.append(f"![{sound.value}: {recipe.en.lower()}, {recipe.length_ms} ms]({name})")
    return "\n\n".join(parts)


def told_apart(root: Path) -> str:
    """How often each sound was taken for which, from the last measurement."""
    measured = msgspec.json.decode((root / MEASURED).read_bytes(), type=Measured)
    parts = [
        f"Each sound in {measured.noises} random noises; in {measured.noises} noises without a sound, one was heard "
        f"{measured.false_alarms} times."
    ]
    for snr_db, rows in measured.by_snr_db.items():
        heads = (f"played at {snr_db} dB", *(f"`{sound.value}`" for sound in Sound), "nothing heard")
        cells = [
            (f"`{played}`", *(str(answers[sound.value] or "") for sound in Sound), str(answers[""] or ""))
            for played, answers in rows.items()
        ]
        parts.append(table(heads, cells))
    return "\n\n".join(part.strip() for part in parts)


def digest() -> str:
    """Give what changes with the sounds or the listener."""
    code = "".join(Path(str(module.__file__)).read_text() for module in (cues, cue_hearing))
    return hashlib.sha256("".join([code, *map(fingerprint, Sound)]).encode()).hexdigest()[:16]


def measure_again(root: Path) -> bool:
    """Measure anew where sounds or listener have changed (a minute on a Pi); gives whether they had."""
    path, now = root / MEASURED, digest()
    if path.exists() and msgspec.json.decode(path.read_bytes(), type=Measured).digest == now:
        return False
    found = Measured(
        digest=now,
        noises=_NOISES,
        false_alarms=cue_hearing.false_alarms(_NOISES, _SEED),
        by_snr_db={str(snr): cue_hearing.confusion(snr, _NOISES, _SEED) for snr in SNRS_DB},
    )
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    return True


def picture(sound: Sound) -> str:
    """Draw a sound as SVG: waveform, pitch over time, spectrum. The same recipe gives the same text."""
    recipe = RECIPES[sound]
    samples = np.array(cues.synthesise(sound, cue_hearing.RATE_HZ, 100), dtype=np.float64)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} 470" role="img" '
        f'font-family="sans-serif" font-size="12" fill="#334">',
        f"<title>{sound.value}: {recipe.en}</title>",
        f'<rect width="{_WIDTH}" height="470" fill="#fff"/>',
        f'<text x="{_LEFT}" y="20" font-size="15" font-weight="bold">{sound.value} · {recipe.ko}</text>',
        f'<text x="{_WIDTH - 10}" y="20" text-anchor="end">{recipe.length_ms} ms · recipe {fingerprint(sound)}</text>',
        *_wave(samples),
        *_pitch(samples),
        *_spectrum(samples),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _tone(tone: Tone) -> str:
    if not tone.from_hz:
        return f"{tone.length_ms} ms silence"
    pitch = f"{tone.from_hz} Hz" if tone.from_hz == tone.to_hz else f"{tone.from_hz}→{tone.to_hz} Hz"
    return f"{tone.length_ms} ms {pitch}" + (" struck" if tone.ring_ms else "")


def _x(ms: float) -> int:
    return _LEFT + round(ms / _SPAN_MS * (_WIDTH - _LEFT - 20))


def _wave(samples: cue_hearing.Samples) -> list[str]:
    """The outline: highest and lowest of every 2 ms."""
    step = cue_hearing.RATE_HZ // 500
    points = []
    for n, begin in enumerate(range(0, len(samples), step)):
        piece = samples[begin : begin + step] / 32767 * _WAVE_H
        points.append((_x(2 * n), round(_WAVE_Y - piece.max()), round(_WAVE_Y - piece.min())))
    outline = [f"{x},{top}" for x, top, _ in points] + [f"{x},{low}" for x, _, low in reversed(points)]
    return [
        f'<text x="4" y="{_WAVE_Y + 4}">wave</text>',
        f'<path d="M{_x(0)} {_WAVE_Y}H{_x(_SPAN_MS)}" stroke="#bbc"/>',
        f'<polygon points="{" ".join(outline)}" fill="#369"/>',
    ]


def _pitch(samples: cue_hearing.Samples) -> list[str]:
    """Pitch over time, as the listener of lab.measure.cue_hearing sees it."""
    hz, power = cue_hearing.picture(np.concatenate((np.zeros(256), samples, np.zeros(512))))
    level_db = 10 * np.log10(np.maximum(power / power.max(), 1e-9))
    height = _PITCH_H / len(hz)
    parts = [f'<text x="4" y="{_PITCH_Y - 8}">pitch</text>']
    for tick in _TICKS_HZ:
        y = _PITCH_Y + _PITCH_H - round(_PITCH_H * np.log(tick / hz[0]) / np.log(hz[-1] / hz[0]))
        parts.append(f'<path d="M{_LEFT} {y}H{_x(_SPAN_MS)}" stroke="#eee"/>')
        parts.append(f'<text x="{_LEFT - 4}" y="{y + 4}" text-anchor="end" font-size="10">{tick}</text>')
    for least_db, dark in reversed(_SHADES):
        cells = []
        for band in range(len(hz)):
            y = round(_PITCH_Y + _PITCH_H - (band + 1) * height)
            for begin, end in _runs(level_db[:, band] >= least_db):
                cells.append(f"M{_x(10 * begin)} {y}H{_x(10 * end)}v{round(height) + 1}H{_x(10 * begin)}z")
        parts.append(f'<path d="{"".join(cells)}" fill="#c40" fill-opacity="{dark}"/>')
    for ms in range(0, _SPAN_MS + 1, 100):
        parts.append(f'<path d="M{_x(ms)} {_PITCH_Y + _PITCH_H}v5" stroke="#889"/>')
        parts.append(f'<text x="{_x(ms)}" y="{_PITCH_Y + _PITCH_H + 17}" text-anchor="middle">{ms}</text>')
    parts.append(f'<text x="{_x(_SPAN_MS) + 2}" y="{_PITCH_Y + _PITCH_H + 30}" text-anchor="end">ms</text>')
    return parts


def _runs(on: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], on.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _spectrum(samples: cue_hearing.Samples) -> list[str]:
    """Power of the whole sound, 100 Hz to 7 kHz, by sixth of an octave; what a cheap loudspeaker gives is shaded."""
    power = np.abs(np.fft.rfft(samples, 16384)) ** 2
    frequency = np.fft.rfftfreq(16384, 1 / cue_hearing.RATE_HZ)
    edges = 100 * 2 ** (np.arange(0, 38) / 6)
    sums = np.array([power[(frequency >= a) & (frequency < b)].sum() for a, b in pairwise(edges)])
    level_db = 10 * np.log10(np.maximum(sums / sums.max(), 1e-9))

    def x(hz: float) -> int:
        return _LEFT + round(float(np.log(hz / 100) / np.log(edges[-1] / 100)) * (_WIDTH - _LEFT - 20))

    low, high = cue_hearing.BAND_HZ
    bottom = _SPECTRUM_Y + _SPECTRUM_H
    parts = [
        f'<text x="4" y="{_SPECTRUM_Y - 8}">power</text>',
        f'<rect x="{x(low)}" y="{_SPECTRUM_Y}" width="{x(high) - x(low)}" height="{_SPECTRUM_H}" fill="#eef4ee"/>',
    ]
    for (begin, end), db in zip(pairwise(edges), level_db, strict=True):
        height = round(_SPECTRUM_H * max(0.0, 1 - db / _FLOOR_DB))
        if height:
            width = x(end) - x(begin) - 1
            parts.append(f'<rect x="{x(begin)}" y="{bottom - height}" width="{width}" height="{height}" fill="#275"/>')
    for db in (0, -20, -40, -60):
        y = _SPECTRUM_Y + round(_SPECTRUM_H * db / _FLOOR_DB)
        parts.append(f'<text x="{_LEFT - 4}" y="{y + 4}" text-anchor="end" font-size="10">{db}</text>')
    for tick in (100, *_TICKS_HZ, 7000):
        parts.append(f'<path d="M{x(tick)} {bottom}v5" stroke="#889"/>')
        parts.append(f'<text x="{x(tick)}" y="{bottom + 17}" text-anchor="middle">{tick}</text>')
    parts.append(f'<text x="{_WIDTH - 20}" y="{bottom + 32}" text-anchor="end">Hz; dB under the strongest</text>')
    return parts
