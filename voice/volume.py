"""How loud what is, and when nothing is said: the settings of sounds and sentences, read once."""

from __future__ import annotations

from typing import Final

from protocol.worker import Sound
from protocol.worker_settings import AudioSettings

_DAY_MIN: Final = 24 * 60


def cue_percent(settings: AudioSettings, sound: Sound) -> int:
    """Give the loudness of one of the six sounds."""
    own: int | None = getattr(settings.cue_volumes, sound.value)
    return settings.cue_volume_percent if own is None else own


def sentence_percent(settings: AudioSettings) -> int:
    """Give the loudness of sentences."""
    own = settings.sentence_volume_percent
    return settings.cue_volume_percent if own is None else own


class QuietHours:
    """The part of the day in which only urgent sentences are spoken; none where the settings have none."""

    def __init__(self, settings: AudioSettings) -> None:
        self._from_min = _minute(settings.quiet_from)
        self._to_min = _minute(settings.quiet_to)

    def hold(self, minute_of_day: int | None) -> bool:
        """Say whether it is quiet at a local minute (0 to 1439); None, a clock nobody has set, hushes nobody."""
        if self._from_min is None or self._to_min is None or minute_of_day is None:
            return False
        return (minute_of_day - self._from_min) % _DAY_MIN < (self._to_min - self._from_min) % _DAY_MIN


def _minute(text: str | None) -> int | None:
    if text is None:
        return None
    hours, minutes = text.split(":")
    return 60 * int(hours) + int(minutes)
