"""Replay in the worker: the daemon's words, the sentence before each burst, what is fetched and what is uploaded.

The loop's thread. Live voice, an open microphone and a telephone call end a replay here at once, without waiting for
the daemon; a replay is never started while one of them lasts.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from protocol.burst_file import BurstFile
from protocol.voice_frame import VoiceFrame
from protocol.worker import (
    MISSED_MAX,
    Arm,
    CatchUp,
    Command,
    Drained,
    Fault,
    Focus,
    Missed,
    MissedBurst,
    OfficeKeeps,
    Play,
    Playback,
    Replay,
    Replayed,
    ReplayEnd,
    Say,
    Stop,
    StopReplay,
)
from voice.burst_office import BurstOffice, Fetched
from voice.core.recording import Recording
from voice.ear import Ear
from voice.replay_lane import Piece
from voice.sayings import Sayings
from voice.speech import Spoken

SENTENCE_S = 2.0
"""A sentence that takes longer to make does not come: the burst is played without it."""


class _Pending(Struct, frozen=True):
    word: Replay
    deadline: float


class Replaying:
    """`office` is None where there is none to ask. `open` says whether the microphone is open."""

    def __init__(
        self,
        ear: Ear,
        sayings: Sayings,
        office: BurstOffice | None,
        tell: Callable[[Replayed | Missed | Fault], None],
        is_open: Callable[[], bool],
    ) -> None:
        self._ear = ear
        self._sayings = sayings
        self._office = office
        self._tell = tell
        self._is_open = is_open
        self._pending: _Pending | None = None
        self._live = 0
        self._hushed = False
        self._keeps = False
        self._recording = Recording()
        self._fetched: OrderedDict[int, tuple[MissedBurst, BurstFile]] = OrderedDict()

    # --- the daemon's words -------------------------------------------------------------------------------------------

    def heed(self, command: Command) -> None:
        """Take any command before it is carried out: those that let somebody speak end a replay."""
        match command:
            case Arm():
                self.cut()
            case Play(burst=burst):
                self._live = max(self._live, burst)
                self.cut()
            case Stop(burst=burst):
                if burst >= self._live:
                    self._live = 0
            case Focus(office=office):
                self._hushed = office is Playback.SILENT
                if self._hushed:
                    self.cut()

    def take(self, command: OfficeKeeps | CatchUp | Replay | StopReplay, now: float) -> None:
        """Carry out one of the words of replay."""
        match command:
            case OfficeKeeps(keeps=keeps):
                self._keeps = keeps
            case CatchUp(after=after, upto=upto):
                if self._office is None:
                    self._tell(Missed(after=after, ok=True))
                else:
                    self._office.fetch(after, upto, frozenset(self._fetched))
            case Replay():
                self._replay(command, now)
            case StopReplay():
                self.cut()

    def cut(self) -> None:
        """Be silent at once."""
        pending, self._pending = self._pending, None
        if pending is not None:
            self._tell(Replayed(no=pending.word.no, burst=pending.word.burst, end=ReplayEnd.STOPPED))
        self._ear.cut_replay()

    def spoken(self, spoken: Spoken) -> None:
        """Take a sentence that now waits to be heard: the burst it belongs to follows it."""
        if self._pending is not None and spoken.text == self._pending.word.text:
            self._start()

    def tick(self, now: float) -> None:
        """Let time pass."""
        if self._pending is not None and now >= self._pending.deadline:
            self._start()

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest."""
        return None if self._pending is None else self._pending.deadline

    # --- what one says oneself ----------------------------------------------------------------------------------------

    def said(self, frame: VoiceFrame) -> None:
        """Take a frame of one's own speech as it goes out, over whatever way."""
        if self._keeps and self._office is not None:
            self._recording.add(frame.burst, frame.seq, frame.payload)

    def drained(self, word: Drained) -> None:
        """One's own burst is over: what was said of it goes to the office."""
        file = self._recording.take(word.burst)
        if file is not None and self._keeps and self._office is not None:
            self._office.upload(file)

    # --- what the office says -----------------------------------------------------------------------------------------

    def fetched(self, got: Fetched) -> None:
        """Take an answer of the office: all that was asked for and can be played, what was there before included."""
        if got.keeps_nothing:
            self._keeps = False
        for missed, file in got.bursts:
            self._fetched[missed.burst] = (missed, file)
            while len(self._fetched) > MISSED_MAX:
                self._fetched.popitem(last=False)
        if got.after is None:
            return
        listed = {missed.burst: missed for missed in got.listed}
        found = [listed[burst] for burst in sorted(self._fetched) if burst in listed]
        self._tell(Missed(after=got.after, ok=got.ok, bursts=tuple(found)))

    # --- inside -------------------------------------------------------------------------------------------------------

    def _replay(self, word: Replay, now: float) -> None:
        self.cut()
        if self._live or self._hushed or self._is_open():
            self._tell(Replayed(no=word.no, burst=word.burst, end=ReplayEnd.STOPPED))
            return
        self._pending = _Pending(word, now + SENTENCE_S)
        said = bool(word.text) and self._sayings.speaks()
        if not said or not self._sayings.say(Say(text=word.text, lang=word.lang)):
            self._start()

    def _start(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            known = self._fetched.get(pending.word.burst)
            pieces: tuple[Piece, ...] = () if known is None else tuple(each.opus for each in known[1].packets)
            self._ear.replay(pending.word, pieces)
