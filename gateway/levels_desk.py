"""The running daemon's side of `ptt-gateway levels`: looks, sets, runs the meter, plays the test tone; never keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gateway.core.levels import SoundLevels
from gateway.core.words import CoreEvent, SetLevels, WantMeter
from protocol.worker import GAIN_DB_MAX

BOUNDS = f"levels go from -{GAIN_DB_MAX:g} to {GAIN_DB_MAX:g} dB"


class LevelsDesk:
    """Serves one daemon in its loop's thread."""

    def __init__(self, levels: SoundLevels, feed: Callable[[CoreEvent], None], worker_up: Callable[[], bool]) -> None:
        self._levels = levels
        self._feed = feed
        self._worker_up = worker_up

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Do what is asked and give how it is then. Raises ValueError for what makes no sense, in words for people."""
        wish = [_level(asked.get(name)) for name in ("mic_db", "speaker_db")]
        tone = asked.get("tone") is True
        if wish != [None, None]:
            self._feed(SetLevels(mic_db=wish[0], speaker_db=wish[1], by="ptt-gateway levels"))
        if tone or asked.get("meter") is True:
            self._feed(WantMeter(tone=tone))
        levels = self._levels
        return {
            "mic_db": levels.mic_db,
            "speaker_db": levels.speaker_db,
            "saved": levels.saved,
            "problem": levels.problem or (levels.trouble if levels.saved else ""),  # of saving, while that goes on
            "worker": self._worker_up(),
            "meter": None if levels.meter is None else msgspec.to_builtins(levels.meter),
        }


def _level(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= GAIN_DB_MAX:
        raise ValueError(BOUNDS)
    return float(value)
