"""What sounds beside voice, in two lanes: a cue comes at once, a sentence pauses for it. Pure; times are passed in."""

from __future__ import annotations

from array import array
from collections import deque
from typing import Final

CUES_MAX: Final = 4
SENTENCES_MAX: Final = 8


class CueLanes:
    """Cues one behind the other; below them sentences one behind the other. Belongs to the speaker's thread."""

    def __init__(self) -> None:
        self._cues: deque[tuple[array[int], float]] = deque()
        self._sentences: deque[tuple[array[int], float]] = deque()
        self._cue_at = 0
        self._sentence_at = 0
        self.dropped = 0
        """Sounds that came when too many waited, or whose turn came too late."""

    def cue(self, sound: array[int], deadline: float) -> None:
        """Play a sound behind the cues that wait, if it may begin before `deadline`; over CUES_MAX it is dropped."""
        self._add(self._cues, sound, deadline, CUES_MAX)

    def sentence(self, sound: array[int], deadline: float) -> None:
        """Play a sentence behind those that wait, if it may begin before `deadline`."""
        self._add(self._sentences, sound, deadline, SENTENCES_MAX)

    def cut_sentences(self) -> None:
        """Drop the sentence that sounds and those that wait; cues play on."""
        self._sentences.clear()
        self._sentence_at = 0

    def cut(self) -> None:
        """Drop everything."""
        self.cut_sentences()
        self._cues.clear()
        self._cue_at = 0

    def next(self, count: int, now: float) -> array[int] | None:
        """Give the next `count` samples, filled up with silence; None where nothing sounds."""
        part, self._cue_at = self._from(self._cues, self._cue_at, count, now)
        if part is None:
            part, self._sentence_at = self._from(self._sentences, self._sentence_at, count, now)
        return part

    def _from(
        self, lane: deque[tuple[array[int], float]], at: int, count: int, now: float
    ) -> tuple[array[int] | None, int]:
        while lane and at == 0 and now >= lane[0][1]:
            lane.popleft()
            self.dropped += 1
        if not lane:
            return None, 0
        sound = lane[0][0]
        part = sound[at : at + count]
        at += count
        if at >= len(sound):
            lane.popleft()
            at = 0
            part.extend([0] * (count - len(part)))
        return part, at

    def _add(self, lane: deque[tuple[array[int], float]], sound: array[int], deadline: float, most: int) -> None:
        if len(lane) < most and sound:
            lane.append((sound, deadline))
        else:
            self.dropped += 1
