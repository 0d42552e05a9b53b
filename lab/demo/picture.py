"""The story as a picture: who held the floor, who pressed, what was said into each microphone and heard in each ear."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes

from lab.demo.report import Report
from lab.demo.script import DESK, VOICES
from lab.demo.texts import Texts
from lab.measure.sound import RATE_HZ, Recording

FONTS = ("NanumGothic", "NanumBarunGothic", "Noto Sans CJK KR", "Noto Sans KR", "DejaVu Sans")
COLOURS = {"car-1": "#1f6fb4", "car-2": "#d9771e", "car-3": "#5c9a2f", DESK: "#7a4fb5"}
REFUSED = "#c0392b"
GREY = "#c9ced6"
INK = "#2b313b"
SOFT = "#7a8494"
BLOCKS_PER_S = 70
LANE = 0.40
CAR = 2.9
"""Heights of a waveform's half and of a voice's lanes."""
LEAST_S = 24.0
"""A picture of a story so long or shorter is 13 inches wide; a longer one grows with it."""


def draw(path: Path, report: Report, mouths: dict[str, Recording], ears: dict[str, Recording], texts: Texts) -> None:
    """Draw it into `path`."""
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # a missing weight is no news
    known = {font.name for font in font_manager.fontManager.ttflist}
    style: Any = {
        "font.family": [name for name in FONTS if name in known] or ["sans-serif"],
        "axes.unicode_minus": False,
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
    }
    with plt.rc_context(style):
        bursts, voices = report.outcome.bursts, len(mouths)
        wide = min(18.0, 13 * max(1.0, (bursts[-1].idle_s - bursts[0].edge_s) / LEAST_S))
        figure, axes = plt.subplots(figsize=(wide, 1.2 + 2.2 * voices), dpi=100)
        _Picture(axes, report, mouths, ears, texts, names_at=-1.05 / wide).draw()
        figure.tight_layout()
        figure.savefig(path, pil_kwargs={"optimize": True})
        plt.close(figure)


class _Picture:
    def __init__(
        self,
        axes: Axes,
        report: Report,
        mouths: dict[str, Recording],
        ears: dict[str, Recording],
        texts: Texts,
        *,
        names_at: float,
    ) -> None:
        self._names = names_at
        """Where the names of those who speak stand: a share of the axes' width."""
        self._axes = axes
        self._report = report
        self._mouths, self._ears = mouths, ears
        self._texts = texts
        self._bursts = report.outcome.bursts
        self._zero_s = self._bursts[0].edge_s - 0.8
        self._end_s = self._bursts[-1].idle_s + 1.6
        self._ticks: list[tuple[float, str]] = []

    def draw(self) -> None:
        axes, texts = self._axes, self._texts
        top = CAR * len(self._mouths)
        self._floor(top + 0.7)
        for index, user in enumerate(self._mouths):
            self._voice(user, top - 0.45 - CAR * index)
        for burst in self._bursts:
            axes.axvspan(self._t(burst.handled_s), self._t(burst.end_s), color=COLOURS[burst.speaker], alpha=0.07, lw=0)
        self._kill(top + 1.32)
        axes.set_yticks([y for y, _ in self._ticks], [name for _, name in self._ticks], fontsize=9)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.15, top + 1.55)
        axes.set_xlim(0, self._end_s - self._zero_s)
        axes.set_xlabel(f"{texts.line('seconds')}\n{texts.line('legend')}", fontsize=9, color=SOFT, linespacing=1.6)
        axes.set_title(texts.line("title"), fontsize=14, fontweight=600, pad=14)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)

    def _t(self, at_s: float) -> float:
        return at_s - self._zero_s

    def _write(self, at_s: float, y: float, text: str, **style: Any) -> None:
        look: dict[str, Any] = {"va": "center", "zorder": 5, "clip_on": True}
        self._axes.text(self._t(at_s), y, text, **(look | style))

    def _bar(self, start_s: float, end_s: float, y: float, height: float, colour: str, zorder: int = 3) -> None:
        span = (self._t(start_s), end_s - start_s)
        self._axes.broken_barh([span], (y - height / 2, height), color=colour, zorder=zorder)

    # --- the office -------------------------------------------------------------------------------------------------

    def _floor(self, y: float) -> None:
        for start_s, end_s in self._sessions():
            self._bar(start_s, end_s, y, 0.84, "#e9edf2", zorder=1)
            self._write(end_s - 0.1, y, self._texts.line("session_lane"), fontsize=9, ha="right", color=SOFT)
        for burst in self._bursts:
            self._bar(burst.handled_s, burst.idle_s, y, 0.56, COLOURS[burst.speaker])
            label = f"{VOICES[burst.speaker]} · {(burst.handled_s - burst.edge_s) * 1000:.1f} ms"
            middle_s = (burst.handled_s + burst.end_s) / 2
            self._write(middle_s, y, label, color="white", ha="center", fontsize=10, fontweight=600)
        self._ticks.append((y, self._texts.line("floor")))

    def _sessions(self) -> list[tuple[float, float]]:
        over_s = self._report.outcome.session_over_s
        return [(self._bursts[0].handled_s, over_s), (self._bursts[2].handled_s, self._end_s)]

    def _kill(self, y: float) -> None:
        outcome = self._report.outcome
        if outcome.kill_s:
            at = self._t(outcome.kill_s)
            self._axes.plot([at, at], [0.0, y], color=REFUSED, linewidth=1.4, linestyle=(0, (4, 3)), zorder=6)
            text = self._texts.line("kill_to_idle", ms=outcome.kill_idle_ms)
            self._write(outcome.kill_s + 0.1, y + 0.06, text, color=REFUSED, fontsize=9.5, fontweight=600)

    # --- a voice --------------------------------------------------------------------------------------------------

    def _voice(self, user: str, top: float) -> None:
        button, mouth, ear = top - 0.2, top - 0.88, top - 1.76
        self._axes.axhline(top + 0.5, color="#dfe3e9", linewidth=1, zorder=0)
        self._axes.text(
            self._names, mouth, f"{VOICES[user]}\n{user}", transform=self._axes.get_yaxis_transform(), fontsize=13,
            fontweight=600, color=COLOURS[user], ha="center", va="center",
        )  # fmt: skip
        self._presses(user, button)
        keyed = [(b.edge_s, b.end_s, COLOURS[user]) for b in self._bursts if b.speaker == user]
        keyed += [(r.edge_s, r.end_s, REFUSED) for r in self._report.outcome.refusals if r.user == user]
        listened = [(b.handled_s, b.end_s + 0.6, COLOURS[b.speaker]) for b in self._bursts if user in b.listeners]
        self._wave(user, self._mouths[user], mouth, keyed)
        self._wave(user, self._ears[user], ear, listened)
        self._measures(user, ear - 0.52)
        for y, name in ((button, "button"), (mouth, "mouth"), (ear, "ear")):
            self._ticks.append((y, self._texts.line(name)))

    def _presses(self, user: str, y: float) -> None:
        texts = self._texts
        for burst in self._bursts:
            if burst.speaker == user:
                self._bar(burst.edge_s, burst.end_s, y, 0.2, COLOURS[user])
                self._write(burst.edge_s, y + 0.37, f"“{burst.text}”", fontsize=9, color=COLOURS[user])
        for refusal in self._report.outcome.refusals:
            if refusal.user == user:
                self._bar(refusal.edge_s, refusal.end_s, y, 0.2, REFUSED)
                self._write(refusal.edge_s, y + 0.37, f"“{refusal.text}”", fontsize=9, color=REFUSED)
                deny = refusal.deny
                told = texts.line("refused_by", name=deny.speaker_name, remaining_s=deny.remaining_s or 0.0)
                self._write(refusal.end_s + 0.1, y, told, fontsize=9, color=REFUSED, fontweight=600)

    def _wave(self, user: str, recording: Recording, y: float, parts: list[tuple[float, float, str]]) -> None:
        outcome = self._report.outcome
        killed = any(burst.killed and burst.speaker == user for burst in self._bursts)
        end_s = outcome.kill_s if killed else self._end_s
        sound = recording.cut(self._zero_s, end_s)
        size = RATE_HZ // BLOCKS_PER_S
        blocks = sound[: len(sound) // size * size].reshape(-1, size)
        high = np.abs(blocks).max(axis=1) / 0.55 * LANE
        times = (np.arange(len(high)) + 0.5) / BLOCKS_PER_S
        self._axes.plot([0, self._t(end_s)], [y, y], color=GREY, linewidth=0.8, zorder=2)
        self._axes.fill_between(times, y - high, y + high, color=GREY, lw=0, zorder=2)
        for start_s, stop_s, colour in parts:
            inside = (times >= self._t(start_s)) & (times <= self._t(stop_s))
            self._axes.fill_between(times[inside], y - high[inside], y + high[inside], color=colour, lw=0, zorder=3)

    def _measures(self, user: str, y: float) -> None:
        for hearing in self._report.verdict.hearings:
            if hearing.listener == user:
                a = hearing.alignment
                text = f"{a.likeness_mean:.0%} · {a.lag_end_ms:.0f} ms" if a.whole else self._texts.line("FAILED")
                colour = COLOURS[hearing.speaker] if a.whole else REFUSED
                self._write(self._bursts[hearing.n - 1].edge_s, y, text, fontsize=8, color=colour)
