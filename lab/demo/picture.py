"""The story as a picture: who held the floor, who pressed, what was said into each microphone and heard in each ear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes

from lab.demo.report import Report
from lab.demo.script import NAMES
from lab.demo.story import Burst
from lab.demo.texts import Texts
from lab.measure.sound import RATE_HZ, Recording

FONTS = ("NanumGothic", "NanumBarunGothic", "Noto Sans CJK KR", "Noto Sans KR", "DejaVu Sans")
COLOURS = {"car-1": "#1f6fb4", "car-2": "#d9771e", "car-3": "#5c9a2f"}
REFUSED = "#c0392b"
GREY = "#c9ced6"
INK = "#2b313b"
BLOCKS_PER_S = 70
LANE = 0.42


def draw(path: Path, report: Report, mouths: dict[str, Recording], ears: dict[str, Recording], texts: Texts) -> None:
    """Draw it into `path`."""
    known = {font.name for font in font_manager.fontManager.ttflist}
    style: dict[str, Any] = {
        "font.family": [name for name in FONTS if name in known] or ["sans-serif"],
        "axes.unicode_minus": False,
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
    }
    with plt.rc_context(style):
        figure, axes = plt.subplots(figsize=(13, 7.4), dpi=100)
        _Picture(axes, report, mouths, ears, texts).draw()
        figure.tight_layout(rect=(0, 0, 1, 0.985))
        figure.savefig(path, pil_kwargs={"optimize": True})
        plt.close(figure)


class _Picture:
    def __init__(
        self, axes: Axes, report: Report, mouths: dict[str, Recording], ears: dict[str, Recording], texts: Texts
    ) -> None:
        self._axes = axes
        self._report = report
        self._mouths, self._ears = mouths, ears
        self._texts = texts
        self._bursts = report.outcome.bursts
        self._zero_s = self._bursts[0].edge_s - 0.8
        self._end_s = self._bursts[-1].idle_s + 0.9
        self._ticks: list[tuple[float, str]] = []

    def draw(self) -> None:
        axes = self._axes
        self._floor(9.0)
        for index, user in enumerate(NAMES):
            top = 7.35 - 2.55 * index
            self._button(user, top)
            self._wave(user, self._mouths[user], top - 0.75, self._keyed(user), GREY)
            self._wave(user, self._ears[user], top - 1.6, self._listened(user), GREY)
            axes.text(
                -0.085, top - 0.8, f"{NAMES[user]}\n{user}", transform=axes.get_yaxis_transform(), fontsize=13,
                fontweight=600, color=COLOURS[user], ha="center", va="center",
            )  # fmt: skip
            axes.axhline(top + 0.5, color="#e4e7ec", linewidth=1, zorder=0)
        for burst in self._bursts:
            axes.axvspan(self._t(burst.handled_s), self._t(burst.end_s), color=COLOURS[burst.speaker], alpha=0.06, lw=0)
        self._kill()
        axes.set_yticks([y for y, _ in self._ticks], [name for _, name in self._ticks], fontsize=9)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.25, 9.85)
        axes.set_xlim(0, self._end_s - self._zero_s)
        axes.set_xlabel(self._texts.line("seconds"))
        axes.set_title(self._texts.line("title"), fontsize=14, fontweight=600, pad=12)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)

    def _t(self, at_s: float) -> float:
        return at_s - self._zero_s

    def _floor(self, y: float) -> None:
        axes, ends = self._axes, self._sessions()
        for start_s, end_s in ends:
            axes.broken_barh([(self._t(start_s), end_s - start_s)], (y - 0.4, 0.8), color="#eef1f5", zorder=1)
            axes.text(
                self._t(end_s) - 0.08, y - 0.34, self._texts.line("session_lane"), fontsize=8, ha="right", va="bottom",
                color="#7a8494", zorder=2,
            )  # fmt: skip
        for burst in self._bursts:
            held = (self._t(burst.handled_s), burst.idle_s - burst.handled_s)
            axes.broken_barh([held], (y - 0.27, 0.54), color=COLOURS[burst.speaker], zorder=3)
            label = f"{NAMES[burst.speaker]} · {(burst.handled_s - burst.edge_s) * 1000:.1f} ms"
            axes.text(
                held[0] + held[1] / 2, y, label, color="white", ha="center", va="center", fontsize=10,
                fontweight=600, zorder=4,
            )  # fmt: skip
        self._ticks.append((y, self._texts.line("floor")))

    def _sessions(self) -> list[tuple[float, float]]:
        over_s = self._report.outcome.session_over_s
        return [(self._bursts[0].handled_s, over_s), (self._bursts[2].handled_s, self._end_s)]

    def _button(self, user: str, y: float) -> None:
        for burst in self._bursts:
            if burst.speaker == user:
                self._bar(burst.edge_s, burst.end_s, y, COLOURS[user])
                if len(burst.text) < 60:
                    self._axes.text(
                        self._t(burst.edge_s) + 0.08, y + 0.02, _shortened(burst), fontsize=8.5, va="center",
                        color="white", zorder=5, clip_on=True,
                    )  # fmt: skip
        for refusal in self._report.outcome.refusals:
            if refusal.user == user:
                self._bar(refusal.edge_s, refusal.end_s, y, REFUSED)
                deny = refusal.deny
                told = f"{self._texts.line('refused')}: {deny.speaker_name}, ≤ {deny.remaining_s or 0:.0f} s"
                self._axes.text(
                    self._t(refusal.edge_s) + 0.08, y + 0.02, told, fontsize=8.5, va="center", color="white", zorder=5,
                )  # fmt: skip
        self._ticks.append((y, self._texts.line("button")))

    def _bar(self, start_s: float, end_s: float, y: float, colour: str) -> None:
        self._axes.broken_barh([(self._t(start_s), end_s - start_s)], (y - 0.2, 0.4), color=colour, zorder=3)

    def _keyed(self, user: str) -> list[tuple[float, float, str]]:
        """When what is at a microphone leaves the vehicle, in whose colour."""
        return [(b.edge_s, b.end_s, COLOURS[user]) for b in self._bursts if b.speaker == user] + [
            (r.edge_s, r.end_s, REFUSED) for r in self._report.outcome.refusals if r.user == user
        ]

    def _listened(self, user: str) -> list[tuple[float, float, str]]:
        return [(b.handled_s, b.end_s + 0.6, COLOURS[b.speaker]) for b in self._bursts if user in b.listeners]

    def _wave(
        self, user: str, recording: Recording, y: float, parts: list[tuple[float, float, str]], rest: str
    ) -> None:
        end_s = self._end_s
        if self._report.outcome.kill_s and user == self._bursts[2].speaker:
            end_s = self._report.outcome.kill_s
        sound = recording.cut(self._zero_s, end_s)
        size = RATE_HZ // BLOCKS_PER_S
        blocks = sound[: len(sound) // size * size].reshape(-1, size)
        high = np.abs(blocks).max(axis=1) / 0.55 * LANE
        times = (np.arange(len(high)) + 0.5) / BLOCKS_PER_S
        self._axes.plot([0, end_s - self._zero_s], [y, y], color=rest, linewidth=0.8, zorder=2)
        for start_s, stop_s, colour in parts:
            inside = (times >= self._t(start_s)) & (times <= self._t(stop_s))
            self._axes.fill_between(times[inside], y - high[inside], y + high[inside], color=colour, lw=0, zorder=3)
        which = "mouth" if recording is self._mouths[user] else "ear"
        self._ticks.append((y, self._texts.line(which)))
        if which == "ear":
            self._lags(user, y)

    def _lags(self, user: str, y: float) -> None:
        for hearing in self._report.verdict.hearings:
            if hearing.listener == user:
                burst = self._bursts[hearing.n - 1]
                a = hearing.alignment
                mark = "✓" if a.whole else "✗"
                text = f"{mark} {a.likeness_mean:.2f} · {a.lag_end_ms:.0f} ms"
                self._axes.text(
                    self._t(burst.handled_s) + 0.05, y - 0.50, text, fontsize=7.5, va="center",
                    color=COLOURS[hearing.speaker] if a.whole else REFUSED, zorder=5,
                )  # fmt: skip

    def _kill(self) -> None:
        outcome = self._report.outcome
        if not outcome.kill_s:
            return
        burst = self._bursts[2]
        at = self._t(outcome.kill_s)
        self._axes.plot([at, at], [0, 9.5], color=REFUSED, linewidth=1.4, linestyle=(0, (4, 3)), zorder=6)
        freed = f"kill -9 → {outcome.kill_idle_ms:.0f} ms"
        self._axes.text(at + 0.08, 9.55, freed, color=REFUSED, fontsize=9.5, fontweight=600, va="center")
        del burst


def _shortened(burst: Burst) -> str:
    """What fits into the bar: about seven Hangul a second."""
    room = int((burst.end_s - burst.edge_s) * 6.5)
    return burst.text if len(burst.text) <= room else burst.text[: room - 1] + "…"
