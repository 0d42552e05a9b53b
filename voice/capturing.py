"""The microphone's frames on their way from the device's thread to the loop: all that are wanted, or the newest few."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from protocol.worker import Meter, Metered
from service.loop import Loop
from voice.microphone import Microphone
from voice.mouth import Mouth

LOOK_BACK_FRAMES = 5
"""Device frames kept while the microphone is closed, for an edge whose word comes late; see TalkGate."""
INBOX_MAX = 256


class Capturing:
    """Wakes the loop only for frames that are wanted: by an open microphone, or by a meter that somebody watches."""

    def __init__(self, loop: Loop, microphone: Microphone, mouth: Mouth, tell: Callable[[Metered], object]) -> None:
        self._loop = loop
        self._microphone = microphone
        self._mouth = mouth
        self._tell = tell
        self._frames: deque[tuple[bytes, float]] = deque(maxlen=INBOX_MAX)
        self._wanted = False

    def captured(self, frame: bytes, start_s: float) -> None:
        """Take a device frame. The device's thread."""
        frames = self._frames
        frames.append(self._microphone.capture(frame, start_s))
        if self._wanted:
            self._loop.call_soon_threadsafe(self.take)
        elif len(frames) > LOOK_BACK_FRAMES:
            frames.popleft()

    def want(self, now: float) -> None:
        """Look whether frames are wanted."""
        self._wanted = not self._mouth.idle or self.metering(now)

    def begin(self) -> None:
        """Frames are wanted from now on, and first those of the last moments."""
        self._wanted = True
        self.take()

    def take(self) -> None:
        """Hand what came to the mouth; only what is keyed goes further, the meter's frames among it or not."""
        frames, now = self._frames, time.monotonic()
        while frames:
            frame, start_s = frames.popleft()
            frame, metered = self._microphone.take(frame, start_s, keyed=self._mouth.open)
            self._mouth.captured(frame, start_s, now)
            if metered is not None:
                self._tell(metered)

    def metering(self, now: float) -> bool:
        """Whether somebody watches the meter."""
        return self._microphone.metering(now)

    def meter(self, word: Meter, now: float) -> None:
        """Measure until the word says."""
        self._microphone.meter(word.until, now, tone=word.tone)
        self._wanted = True
