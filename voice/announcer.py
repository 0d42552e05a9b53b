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
    urgent: bool


class Announcer(Generic[S]):
    """Lets sounds go to their lanes while the microphone is closed, and holds them for a while when it is open.

    While hushed, for a telephone call, only urgent sentences go; all others are held just so.
    """

    def __init__(self, lanes: Lanes[S]) -> None:
        self._lanes = lanes
        self._open = False
        self._hushed = False
        self._waiting: deque[_Waiting[S]] = deque()
        self.dropped = 0
        """Sounds that waited too long, were cut in upon, or came when too many waited."""

    def cue(self, sound: S, now: float) -> None:
        """Play one of the six sounds, now or within CUE_WAITS_S."""
        self._add(_Waiting(sound, now + CUE_WAITS_S, False, False))

    def sentence(self, sound: S, now: float, *, urgent: bool) -> None:
        """Play a sentence, now or within SENTENCE_WAITS_S; an urgent one instead of those that sound or wait."""
        if urgent:
            kept = [one for one in self._waiting if not one.sentence]
            self.dropped += len(self._waiting) - len(kept)
            self._waiting = deque(kept)
            self._lanes.cut_sentences()
        self._add(_Waiting(sound, now + SENTENCE_WAITS_S, True, urgent))

    def microphone(self, is_open: bool, now: float) -> None:
        """Take whether the microphone is open: opening it silences, closing it lets go what still waits."""
        if is_open and not self._open:
            self._lanes.cut_cues()
        self._open = is_open
        self._let_go(now)

    def hush(self, hushed: bool, now: float) -> None:
        """Take whether only urgent sentences may sound: what sounds ends, and what is held goes when it may."""
        if hushed and not self._hushed:
            self._lanes.cut_cues()
        self._hushed = hushed
        self._let_go(now)

    def _let_go(self, now: float) -> None:
        if not self._waiting:
            return
        fresh = [one for one in self._waiting if now < one.deadline]
        self.dropped += len(self._waiting) - len(fresh)
        self._waiting = deque(one for one in fresh if not self._may(one))
        for one in fresh:
            if self._may(one):
                self._play(one)

    def _may(self, one: _Waiting[S]) -> bool:
        return not self._open and (one.urgent or not self._hushed)

    def _add(self, one: _Waiting[S]) -> None:
        if self._may(one):
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
