"""Sentences as sound, made in a helper thread: bounded, remembered, rendered ahead, and never a reason to fail."""

from __future__ import annotations

import math
import re
import threading
import time
from array import array
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from voice.realtime import ordinary_children
from voice.speech_engine import SpeechEngine, SpeechFault

WAITING_MAX: Final = 8
AHEAD_MAX: Final = 40
KNOWN_BYTES_MAX: Final = 12_000_000
"""Two minutes of speech at 48 kHz: all sentences without names, and the last names heard. The least lately used go."""
SPOKEN_S_MAX: Final = 12.0
STALE_S: Final = 5.0
"""A sentence that waited so long to be made is dropped: what it tells is no news any more."""
RETRY_S: Final = 30.0
"""An engine that failed is left alone for so long; what is known already is spoken meanwhile."""
_BLOCK: Final = 960
_PART_ENDS: Final = re.compile(r"(?<=[.!?]) ")


class Spoken(Struct, frozen=True):
    """A sentence as sound; `fault` says why it is empty, once for each time the engine stops working."""

    text: str
    urgent: bool
    sound: array[int]
    fault: str = ""


class _Job(Struct, frozen=True):
    text: str
    lang: str
    urgent: bool
    said_at: float


class Speech:
    """Makes sentences into sound of `rate_hz`. `done` is called on any thread with each; `state` on the helper thread
    with whether the engine works, and why not, when that changes.

    An urgent sentence drops those that wait and the one being made; one that is known is given at once, whatever the
    engine does. What ends with a full stop inside a sentence is made and remembered by itself, so that of "김기사, 최대
    27초 남음. 다른 사용자가 통화 중입니다" only the beginning is to be made.
    """

    def __init__(
        self,
        engine: SpeechEngine,
        rate_hz: int,
        volume_percent: int,
        done: Callable[[Spoken], None],
        clock: Callable[[], float] = time.monotonic,
        state: Callable[[bool, str], None] = lambda ok, why: None,
    ) -> None:
        self._engine = engine
        self._state = state
        self._rate_hz = rate_hz
        self._volume = volume_percent
        self._done = done
        self._clock = clock
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._ahead: deque[tuple[str, str]] = deque()
        self._known: OrderedDict[tuple[str, str], array[int]] = OrderedDict()
        self._known_bytes = 0
        self._making: tuple[str, str] | None = None
        self._abandoned = False
        self._idle = True
        self._rests_until = float("-inf")
        self._told = ""
        self._stopped = False
        self.dropped = 0
        """Sentences nobody heard: cut in upon, out of date, or without an engine."""
        self._thread = threading.Thread(target=self._run, name="speech", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more, and end what is under way."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._engine.abandon()

    def say(self, text: str, lang: str, *, urgent: bool) -> bool:
        """Have a sentence made; False where too many wait, and it is dropped."""
        with self._changed:
            if urgent:
                self.dropped += len(self._jobs)
                self._jobs.clear()
            sound = self._recall(text, lang) if urgent or not (self._jobs or self._making) else None
            if sound is None:
                if len(self._jobs) >= WAITING_MAX:
                    self.dropped += 1
                    return False
                self._jobs.append(_Job(text, lang, urgent, self._clock()))
                self._changed.notify()
            if urgent and self._making is not None and (sound is not None or self._making != (text, lang)):
                self._abandoned = True
                self._engine.abandon()
        if sound is not None:
            self._done(Spoken(text, urgent, sound))
        return True

    def prepare(self, text: str, lang: str) -> None:
        """Have a sentence made once nothing else is to be done, for it to be known when it is needed."""
        with self._changed:
            if self._recall(text, lang) is None and (text, lang) not in self._ahead and len(self._ahead) < AHEAD_MAX:
                self._ahead.append((text, lang))
                self._changed.notify()

    def idle(self, idle: bool) -> None:
        """Take whether nobody speaks or is heard: only then sentences are made ahead."""
        with self._changed:
            self._idle = idle
            self._changed.notify()

    # --- the helper thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        ordinary_children()
        while True:
            with self._changed:
                while not self._stopped and not self._work_waits():
                    self._changed.wait(self._wait_s())
                if self._stopped:
                    return
                job = self._take()
            if job is not None:
                self._make(job)

    def _work_waits(self) -> bool:
        return bool(self._jobs) or self._may_prepare()

    def _may_prepare(self) -> bool:
        return bool(self._ahead) and self._idle and self._clock() >= self._rests_until

    def _wait_s(self) -> float | None:
        return max(0.01, self._rests_until - self._clock()) if self._ahead and self._idle else None

    def _take(self) -> _Job | None:
        """Take the next job, or None where it is out of date or there is no engine for it."""
        now = self._clock()
        if not self._jobs:
            text, lang = self._ahead.popleft()
            job = _Job(text, lang, False, float("inf"))
        else:
            job = self._jobs.popleft()
            known = self._recall(job.text, job.lang) is not None
            if now - job.said_at >= STALE_S or (now < self._rests_until and not known):
                self.dropped += 1
                return None
        self._making, self._abandoned = (job.text, job.lang), False
        return job

    def _make(self, job: _Job) -> None:
        key, fault = (job.text, job.lang), ""
        made: dict[str, array[int]] = {}
        try:
            for part in self._missing(*key):
                rate_hz, raw = self._engine.speak(part, job.lang)
                made[part] = resample(raw[: int(SPOKEN_S_MAX * rate_hz)], rate_hz, self._rate_hz, self._volume)
                if self._abandoned:
                    break
        except SpeechFault as error:
            fault = str(error)
        ahead = job.said_at == float("inf")
        with self._changed:
            self._making = None
            if self._abandoned or self._stopped:
                self.dropped += not ahead
                if ahead:
                    self._ahead.append(key)
                return
            sound = array("h")
            if fault:
                self._rests_until = self._clock() + RETRY_S
                self.dropped += not ahead
                if ahead or not self._ahead:  # tried again, whoever needs it: so it shows that the engine is mended
                    self._ahead.append(key)
                told, self._told = self._told, fault
                if told == fault:
                    return
                self._state(False, fault)
            else:
                if self._told:
                    self._state(True, "")
                self._told = ""
                for part in _parts(job.text):
                    if part in made:
                        self._remember((part, job.lang), made[part])
                    sound += made.get(part) or self._known[part, job.lang]
                self._forget()
                if ahead:
                    return
        self._done(Spoken(job.text, job.urgent, sound[: int(SPOKEN_S_MAX * self._rate_hz)], fault))

    def _missing(self, text: str, lang: str) -> list[str]:
        with self._changed:
            return [part for part in dict.fromkeys(_parts(text)) if (part, lang) not in self._known]

    def _recall(self, text: str, lang: str) -> array[int] | None:
        keys = [(part, lang) for part in _parts(text)]
        if any(key not in self._known for key in keys):
            return None
        sound: array[int] = array("h")
        for key in keys:
            self._known.move_to_end(key)
            sound += self._known[key]
        return sound

    def _remember(self, key: tuple[str, str], sound: array[int]) -> None:
        if key not in self._known:
            self._known[key] = sound
            self._known_bytes += 2 * len(sound)

    def _forget(self) -> None:
        while self._known_bytes > KNOWN_BYTES_MAX:
            _, gone = self._known.popitem(last=False)
            self._known_bytes -= 2 * len(gone)


def _parts(text: str) -> list[str]:
    """What is made by itself; an engine asked for nothing but blanks may fail, and be left alone for it."""
    return [part for part in map(str.strip, _PART_ENDS.split(text)) if part]


def resample(sound: array[int], from_hz: int, to_hz: int, volume_percent: int) -> array[int]:
    """Bring speech to another rate by straight lines between samples, in pieces that leave room for other threads."""
    out: array[int] = array("h")
    if len(sound) < 2:
        return out
    common = math.gcd(from_hz, to_hz)
    again = -(-_BLOCK * common // to_hz)  # a block is a whole number of the two rates' common periods
    up, down = again * to_hz // common, again * from_hz // common
    places = [(*divmod(n * down, up), volume_percent / 100 / up) for n in range(up)]
    weights = [(whole, (up - part) * scale, part * scale) for whole, part, scale in places]
    count = (len(sound) - 1) * to_hz // from_hz
    source = [*sound, *[0] * (down + 1)]
    for begin in range(0, len(sound), down):
        piece = source[begin : begin + down + 1]
        out.extend([int(piece[whole] * a + piece[whole + 1] * b) for whole, a, b in weights])
        time.sleep(0)  # whoever waits for the interpreter goes first
    return out[:count]
