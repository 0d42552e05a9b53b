"""Whether a colleague who is announced is heard: a server that died cannot announce the end of what it announced.

Without this a listener's light and mute line would stay as they are for as long as nobody starts that server again.
"""

from protocol.messages import VoiceHealth

QUIET_S = 8.0
"""A speaker of whom nothing is played for so long is gone. Navigation and a doubt about the floor take 5 s at most."""


class Sounding:
    """Goes by the worker's count of frames played. Times are monotonic seconds."""

    def __init__(self) -> None:
        """Nobody speaks."""
        self._burst = 0
        self._frames = 0
        self._since = 0.0

    def heard(self, burst: int, health: VoiceHealth, now: float) -> bool:
        """Say whether `burst` is heard, or may yet be; 0 is none. Without a loudspeaker nobody can tell: it is."""
        if burst != self._burst or health.frames_played != self._frames or not health.playback:
            self._burst, self._frames, self._since = burst, health.frames_played, now
        return burst != 0 and now - self._since < QUIET_S
