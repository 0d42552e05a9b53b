"""Nothing the speaker plays is sent back: it is silent while the microphone is open, and what it still sounded is cut.

Live voice goes on in time while it is muted, so that a refused press goes on hearing it where it is by then.
"""

from __future__ import annotations

from array import array

from protocol.worker_settings import AudioSettings
from voice.gain import Gain

AUDIBLE = 64
"""A frame with no sample above this (-54 dB of full scale) is not heard by the microphone beside the speaker."""


class HalfDuplex:
    """Stands before the speaker and behind the microphone. `apart`: the two cannot hear each other (a bridge's)."""

    def __init__(self, settings: AudioSettings, *, apart: bool = False) -> None:
        self._rate_hz = settings.device_rate_hz
        self._guard_s = settings.echo_guard_ms / 1000
        self._apart = apart
        self._silence = bytes(2 * settings.device_rate_hz * settings.frame_ms // 1000)
        self._frame_s = settings.frame_ms / 1000
        self._sounds = (0.0, 0.0)
        self.speaker = Gain()
        """The speaker's level."""
        self.microphone_open = False
        """Set by the loop's thread, before anything captured is kept."""

    @property
    def muted(self) -> bool:
        """The speaker is silent because the microphone is open."""
        return self.microphone_open and not self._apart

    def played(self, frame: bytes, at_s: float) -> bytes:
        """Give what the speaker is to play from `at_s` on, in place of `frame`. The speaker's thread."""
        if self._apart:
            return frame
        if self.muted or not any(frame):
            return self._silence
        frame = self.speaker.process(frame)
        samples = array("h", frame)
        if max(samples) > AUDIBLE or min(samples) < -AUDIBLE:
            began_s, ended_s = self._sounds
            fresh = at_s > ended_s + self._guard_s
            self._sounds = (at_s if fresh else began_s, at_s + self._frame_s)
        return frame

    def heard(self, frame: bytes, start_s: float) -> bytes:
        """Give a captured frame with silence where the speaker sounded, or had just sounded. The loop's thread."""
        began_s, ended_s = self._sounds
        ended_s += self._guard_s
        if not self._guard_s or start_s >= ended_s or start_s + len(frame) / 2 / self._rate_hz <= began_s:
            return frame
        first = 2 * max(0, round((began_s - start_s) * self._rate_hz))
        last = min(len(frame), 2 * round((ended_s - start_s) * self._rate_hz))
        return frame[:first] + bytes(last - first) + frame[last:]
