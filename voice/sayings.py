"""Cues and sentences from the daemon's word to the announcer: made ahead, each at its own loudness, hushed at night."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable

from protocol.worker import Prepare, Say, Sound
from protocol.worker_settings import AudioSettings
from service.logs import Log
from voice.announcer import Announcer
from voice.cues import synthesise
from voice.speech import Speech, Spoken
from voice.speech_engine import SpeechEngine
from voice.volume import QuietHours, cue_percent, sentence_percent

log = Log(__name__)


class Sayings:
    """All that sounds in the cab and is not a colleague. The loop's thread; `on_spoken` and `on_engine` on any.

    `minute_of_day` gives the local minute, or None while the clock is not set.
    """

    def __init__(
        self,
        settings: AudioSettings,
        announcer: Announcer[array[int]],
        engine: SpeechEngine,
        on_spoken: Callable[[Spoken], None],
        minute_of_day: Callable[[], int | None],
        on_engine: Callable[[bool, str], None] = lambda ok, why: None,
        wake: Callable[[], object] = lambda: None,
    ) -> None:
        """`wake` (any thread) has `tick` called: a sound that was asked for too early is made."""
        self._settings = settings
        self._announcer = announcer
        self._minute_of_day = minute_of_day
        self._quiet = QuietHours(settings)
        self._silent = sentence_percent(settings) == 0
        self._speech = Speech(engine, settings.device_rate_hz, sentence_percent(settings), on_spoken, state=on_engine)
        self._wake = wake
        self._cues: dict[Sound, array[int]] = {}
        self._asked: dict[Sound, float] = {}
        self._idle: bool | None = None
        self.hushed = 0
        """Sentences not spoken because of quiet hours."""

    def start(self) -> None:
        """Begin: the six sounds are made by a thread that ends with them."""
        self._speech.start()
        threading.Thread(target=self._make_cues, name="cues", daemon=True).start()

    def stop(self) -> None:
        """Speak no more."""
        self._speech.stop()
        log.info("sayings end", unspoken=self._speech.dropped, unsaid=self._announcer.dropped, hushed=self.hushed)

    def cue(self, sound: Sound, now: float) -> None:
        """Play one of the six; just after the start, as soon as it is made. The loop never makes it: voice waits."""
        self._asked[sound] = now
        self.tick()

    def tick(self) -> None:
        """Play what was asked for and is made by now."""
        for sound in [sound for sound in self._asked if sound in self._cues]:
            self._announcer.cue(self._cues[sound], self._asked.pop(sound))

    def say(self, word: Say) -> bool:
        """Have a sentence spoken; False where too many wait, and it is dropped."""
        if self._silent:
            return True
        if not word.urgent and self._quiet.hold(self._minute_of_day()):
            self.hushed += 1
            return True
        return self._speech.say(word.text, word.lang, urgent=word.urgent)

    def speaks(self) -> bool:
        """Whether a sentence that is not urgent would be spoken now."""
        return not self._silent and not self._quiet.hold(self._minute_of_day())

    def prepare(self, word: Prepare) -> None:
        """Have a sentence made ahead."""
        if not self._silent:
            self._speech.prepare(word.text, word.lang)

    def spoken(self, spoken: Spoken, now: float) -> None:
        """Take a sentence that was made."""
        self._announcer.sentence(spoken.sound, now, urgent=spoken.urgent)

    def idle(self, idle: bool) -> None:
        """Take whether nobody speaks or is heard."""
        if idle != self._idle:
            self._idle = idle
            self._speech.idle(idle)

    def _make_cues(self) -> None:
        settings = self._settings
        for sound in Sound:
            self._cues[sound] = synthesise(sound, settings.device_rate_hz, cue_percent(settings, sound))
            if sound in self._asked:
                self._wake()
