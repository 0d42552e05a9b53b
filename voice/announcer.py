"""When cues and sentences may sound: never into an open microphone. Pure; sounds are opaque."""

from collections import deque
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)

CUE_WAITS_S = 1.0
"""A cue waits so long for the microphone to close and for earlier cues to end; then it is out of date and dropped."""
SENTENCE_WAITS_S = 5.0
WAITING_MAX = 8


class Lanes(Protocol[S_contra]):
    """Where they sound: voice.cue_lanes, behind the speaker's thread."""

    def cue(self, sound: S_contra, deadline: float) -> None:
        """Play behind the cues that wait; before any sentence."""
        ...

    def sentence(self, sound: S_contra, deadline: float) -> None:
        """Play behind the sentences that wait."""
        ...

    def cut_sentences(self) -> None:
        """Silence sentences at once."""
        ...

    def cut_cues(self) -> None:
        """Silence all at once."""
        ...


class _Waiting(Struct, Generic[S], frozen=True):
    sound: S
    deadline: float
    sentence: bool


class Announcer(Generic[S]):
    """Lets sounds go to their lanes while the microphone is closed, and holds them for a while when it is open."""

    def __init__(self, lanes: Lanes[S]) -> None:
        self._lanes = lanes
        self._open = False
        self._waiting: deque[_Waiting[S]] = deque()
        self.dropped = 0
        """Sounds that waited too long, were cut in upon, or came when too many waited."""

    def cue(self, sound: S, now: float) -> None:
        """Play one of the six sounds, now or within CUE_WAITS_S."""
        self._add(_Waiting(sound, now + CUE_WAITS_S, False))

    def sentence(self, sound: S, now: float, *, urgent: bool) -> None:
        """Play a sentence, now or within SENTENCE_WAITS_S; an urgent one instead of those that sound or wait."""
        if urgent:
            kept = [one for one in self._waiting if not one.sentence]
            self.dropped += len(self._waiting) - len(kept)
            self._waiting = deque(kept)
            self._lanes.cut_sentences()
        self._add(_Waiting(sound, now + SENTENCE_WAITS_S, True))

    def microphone(self, is_open: bool, now: float) -> None:
        """Take whether the microphone is open: opening it silences, closing it lets go what still waits."""
        if is_open and not self._open:
            self._lanes.cut_cues()
        self._open = is_open
        if not self._waiting:
            return
        fresh = [one for one in self._waiting if now < one.deadline]
        self.dropped += len(self._waiting) - len(fresh)
        self._waiting = deque(fresh if is_open else ())
        for one in () if is_open else fresh:
            self._play(one)

    def _add(self, one: _Waiting[S]) -> None:
        if not self._open:
            self._play(one)
        elif len(self._waiting) < WAITING_MAX:
            self._waiting.append(one)
        else:
            self.dropped += 1

    def _play(self, one: _Waiting[S]) -> None:
        if one.sentence:
            self._lanes.sentence(one.sound, one.deadline)
        else:
            self._lanes.cue(one.sound, one.deadline)
