"""What becomes of the microphone's sound before anything is kept of it: cleaned, levelled, measured, speech found.

`capture` runs on the device's thread for every frame, so that noise suppression always knows the noise; all else in
the loop's thread, for frames that are wanted: while the button is down, or while somebody watches the meter.
"""

from __future__ import annotations

from collections.abc import Callable

from protocol.worker import METER_EVERY_S, Cleaning, Metered
from protocol.worker_settings import AudioSettings
from voice.cleaning import Cleaner, CleaningMissing, open_cleaner
from voice.core.metering import Metering
from voice.core.voiced import Voiced
from voice.gain import Gain
from voice.half_duplex import HalfDuplex

TONE_S, TONE_DB = 1.0, -12.0
TONE_HEARD_S = 3.0
"""So long after the test tone was asked for, the meter says how loud it hears it."""


class Microphone:
    """One microphone. `tell` (any thread) gets Cleaning once noise suppression is known to work or not."""

    def __init__(
        self,
        settings: AudioSettings,
        half_duplex: HalfDuplex,
        tell: Callable[[Cleaning], object],
        make_cleaner: Callable[[AudioSettings], Cleaner | None] = lambda settings: open_cleaner(settings.cleaning),
    ) -> None:
        rate = settings.device_rate_hz
        self._settings = settings
        self._rate_hz = rate
        self._half_duplex = half_duplex
        self._tell = tell
        self._make_cleaner = make_cleaner
        self._cleaner: Cleaner | None = None
        self._voiced = Voiced(rate)
        self._metering = Metering(rate, METER_EVERY_S)
        self._meter_until = 0.0
        self._tone_until = 0.0
        self.level = Gain()
        """The microphone's level."""
        self.speech_at: float | None = None
        """When speech was last captured with the button down, or its first edge; None before that."""

    def start(self) -> None:
        """Load what cleans, if anything is to be cleaned."""
        try:
            self._cleaner = self._make_cleaner(self._settings)
        except CleaningMissing as error:
            self._tell(Cleaning(ok=False, detail=str(error)))
        else:
            if self._cleaner is not None:
                self._tell(Cleaning(ok=True))

    def capture(self, frame: bytes, start_s: float) -> tuple[bytes, float]:
        """Clean a device frame; gives it with the time its first sample was at the microphone. The device's thread."""
        cleaner = self._cleaner
        if cleaner is None:
            return frame, start_s
        try:
            return cleaner.process(frame), start_s - cleaner.delay_s
        except Exception as error:  # noqa: BLE001 - a library's error: voice goes on without it
            self._cleaner = None
            self._tell(Cleaning(ok=False, detail=f"noise suppression failed and is off: {error!r}"[:512]))
            return frame, start_s

    def take(self, frame: bytes, start_s: float, *, keyed: bool) -> tuple[bytes, Metered | None]:
        """Give a wanted frame as it may be sent, and the meter's word where one is due."""
        louder = self.level.process(frame)
        end_s = start_s + len(frame) / 2 / self._rate_hz
        speech = self._voiced.hear(louder)
        metered = self._measure(frame, louder, end_s, speech=speech) if end_s < self._meter_until else None
        kept = self._half_duplex.heard(louder, start_s)
        if keyed and speech and kept is louder:
            self.speech_at = end_s
        return kept, metered

    def begin(self, edge_at: float) -> None:
        """The button went down: from here on it can be told that no speech was heard."""
        if self.speech_at is None:
            self.speech_at = edge_at

    def meter(self, until: float, now: float, *, tone: bool) -> None:
        """Measure until then; `tone`: the test tone is played now."""
        if now >= self._meter_until:
            self._metering.clear()
        self._meter_until = until
        if tone:
            self._tone_until = now + TONE_HEARD_S

    def metering(self, now: float) -> bool:
        """Whether somebody watches the meter."""
        return now < self._meter_until

    def _measure(self, raw: bytes, frame: bytes, end_s: float, *, speech: bool) -> Metered | None:
        found = self._metering.hear(raw, frame)
        if found is None:
            return None
        return Metered(
            at=end_s,
            peak_db=found.peak_db,
            rms_db=found.rms_db,
            floor_db=found.floor_db,
            clipped=found.clipped,
            speech=speech,
            tone_db=found.tone_db if end_s < self._tone_until else None,
        )
