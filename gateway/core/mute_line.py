"""The mute line to the car's head unit: held a while behind voice, so that music does not pump between words."""


class MuteLine:
    """Pure; times are monotonic seconds."""

    def __init__(self, hang_s: float) -> None:
        """Released. `hang_s`: how long it stays muted after voice has ended."""
        self._hang_s = hang_s
        self._voice = False
        self._until = 0.0
        self.muted = False
        """Whether the head unit is to be muted."""

    def follow(self, voice: bool, allowed: bool, now: float) -> None:
        """Take whether the microphone is open or voice plays, and whether that may mute: where not, it ends at once."""
        if not allowed:
            self._voice, self._until, self.muted = voice, now, False
            return
        if self._voice and not voice and self.muted:
            self._until = now + self._hang_s
        self._voice = voice
        self.muted = voice or now < self._until

    def next_deadline(self) -> float | None:
        """Give when to follow again at the latest."""
        return self._until if self.muted and not self._voice else None
