"""When cues and sentences may sound: never into an open microphone. Pure; sounds are opaque."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

S = TypeVar("S")

CUE_WAITS_S = 1.0
"""A cue told while the microphone is open waits this long for it to close, then it is out of date and dropped."""
SENTENCE_WAITS_S = 5.0
WAITING_MAX = 8


class Announcer(Generic[S]):
    """`sound` plays one behind those that sound already, `hush` silences them all at once."""

    def __init__(self, sound: Callable[[S], None], hush: Callable[[], None]) -> None:
        self._sound = sound
        self._hush = hush
        self._open = False
        self._waiting: deque[tuple[float, S]] = deque()
        self.dropped = 0
        """Sounds that waited too long, or came when too many waited."""

    def cue(self, sound: S, now: float) -> None:
        """Play one of the six sounds, now or within CUE_WAITS_S."""
        self._add(sound, now + CUE_WAITS_S)

    def sentence(self, sound: S, now: float, *, urgent: bool) -> None:
        """Play a sentence, now or within SENTENCE_WAITS_S; an urgent one instead of whatever sounds or waits."""
        if urgent:
            self._waiting.clear()
            if not self._open:
                self._hush()
        self._add(sound, now + SENTENCE_WAITS_S)

    def microphone(self, is_open: bool, now: float) -> None:
        """Take whether the microphone is open: opening it silences, closing it lets go what still waits."""
        if is_open and not self._open:
            self._hush()
        self._open = is_open
        while self._waiting and (not is_open or now >= self._waiting[0][0]):
            deadline, sound = self._waiting.popleft()
            if now >= deadline:
                self.dropped += 1
            else:
                self._sound(sound)

    def _add(self, sound: S, deadline: float) -> None:
        if not self._open:
            self._sound(sound)
        elif len(self._waiting) < WAITING_MAX:
            self._waiting.append((deadline, sound))
        else:
            self.dropped += 1
