"""One talk as a picture: what was said, what was heard, and how much later each part of it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from msgspec import Struct

from lab.measure.align import Alignment
from lab.measure.sound import RATE_HZ, Sound

INK, SAID, HEARD = "#2b313b", "#1f6fb4", "#d9771e"


class Talk(Struct, frozen=True, kw_only=True):
    """One measured talk; both sounds begin with the press."""

    delay_s: float
    limit_s: float | None
    press: dict[str, Any]
    voice: dict[str, Any]
    said: Sound
    heard: Sound
    found: Alignment

    @property
    def title(self) -> str:
        """What was injected."""
        held = "" if self.limit_s is None else f", held beyond the talk-time limit of {self.limit_s:g} s"
        return f"grant {self.delay_s:g} s after the press{held}"

    @property
    def delay_s_at_end(self) -> float:
        """How much later the end was heard."""
        return self.found.lag_end_ms / 1000


def draw(path: Path, talk: Talk) -> None:
    """Draw it into `path`."""
    with plt.rc_context({"text.color": INK, "axes.labelcolor": INK, "font.size": 9}):
        figure, (waves, delays) = plt.subplots(
            2, 1, figsize=(9.6, 4.2), dpi=90, sharex=True, height_ratios=(1, 1.2), layout="constrained"
        )
        for sound, colour, name, place in ((talk.said, SAID, "said", 1.1), (talk.heard, HEARD, "heard", -1.1)):
            step = RATE_HZ // 100
            peaks = np.abs(sound[: len(sound) // step * step].reshape(-1, step)).max(axis=1) / 0.55
            times = np.arange(len(peaks)) * step / RATE_HZ
            waves.fill_between(times, place - peaks, place + peaks, color=colour, linewidth=0)
            waves.text(
                -0.005, 0.5 + 0.22 * place, name, color=colour, ha="right", va="center", transform=waves.transAxes
            )
        waves.set_yticks([])
        waves.set_title(f"{talk.title}: {'; '.join(talk.found.problems) or 'nothing lost'}", fontsize=10, loc="left")
        windows = talk.found.windows
        delays.plot([w.at_ms / 1000 for w in windows], [w.lag_ms for w in windows], color=INK, marker=".", linewidth=1)
        delays.set_ylim(0, max(250.0, 1.1 * max((w.lag_ms for w in windows), default=0.0)))
        delays.set_ylabel("heard later than said, ms")
        delays.set_xlabel("s from the press")
        delays.grid(visible=True, alpha=0.25)
        for axes in (waves, delays):
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
        figure.savefig(path, pil_kwargs={"optimize": True})
        plt.close(figure)
