"""Noise suppression and automatic gain on the microphone, where they are set: WebRTC's, by webrtc-noise-gain.

It takes 10 ms of mono 16-bit sound at 16 kHz and nothing else, so the devices run at 16 kHz where it is on
(ADR 0017), and gives it back 6 ms late (measured: tests/core/test_voice_cleaning.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, cast

from protocol.worker_settings import CleaningSettings

CHUNK_BYTES = 320
"""10 ms at 16 kHz."""
DELAY_S = 0.006
MEND = "install webrtc-noise-gain for this Python (pip install 'ptt-gateway[cleaning]'), or set noise_suppression = 0"


class CleaningMissing(Exception):
    """The library is not there or does not load; says how to mend it."""


class Cleaner(Protocol):
    """A stage between the capture device and all else."""

    delay_s: float
    """How much later sound comes out than it went in."""

    def process(self, frame: bytes) -> bytes:
        """Give a device frame cleaned: as long as it was."""
        ...


class _Result(Protocol):
    audio: bytes


class _Processor(Protocol):
    def Process10ms(self, audio: bytes) -> _Result: ...


class WebrtcCleaner:
    """A Cleaner. One thread uses it; it learns the noise all the time, so let it hear every frame."""

    delay_s = DELAY_S

    def __init__(self, settings: CleaningSettings, make: Callable[[int, int], object] | None = None) -> None:
        """Raise CleaningMissing. `make(auto_gain_dbfs, noise_suppression)` gives the library's processor."""
        try:
            maker = _library() if make is None else make
            found = maker(settings.auto_gain_dbfs, settings.noise_suppression)
        except Exception as error:
            raise CleaningMissing(f"noise suppression is off: {error} -> {MEND}"[:512]) from error
        self._process = cast(_Processor, found).Process10ms

    def process(self, frame: bytes) -> bytes:
        """Give a device frame of whole 10 ms cleaned; what the library raises goes through."""
        if len(frame) == CHUNK_BYTES:
            return self._process(frame).audio
        chunks = (frame[at : at + CHUNK_BYTES] for at in range(0, len(frame), CHUNK_BYTES))
        return b"".join(self._process(chunk).audio for chunk in chunks)


def _library() -> Callable[[int, int], object]:
    from webrtc_noise_gain import AudioProcessor  # costs some memory: loaded only where it is wanted

    return cast(Callable[[int, int], object], AudioProcessor)


def open_cleaner(settings: CleaningSettings) -> Cleaner | None:
    """Give what the settings ask for, None where they ask for nothing; raises CleaningMissing."""
    return WebrtcCleaner(settings) if settings.on else None
