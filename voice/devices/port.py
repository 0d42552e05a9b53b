"""The port of the sound devices: what a backend gives and takes.

Sound is mono, 16 bit, little-endian, in frames of the configured length. A backend calls back on its own threads, and
what it calls never waits, never logs and never raises.
"""

from collections.abc import Callable
from typing import Protocol

from protocol.worker import Device

OnCaptured = Callable[[bytes, float], None]
"""(frame, monotonic time its first sample was at the microphone). Frames come in order; their times never overlap."""
OnPlayback = Callable[[float], bytes]
"""(monotonic time the first sample will be at the speaker) -> exactly one frame."""
OnState = Callable[[Device, bool, str], None]
"""(device, it works, what a technician should know). Each change once; from any thread."""

RETRY_S_MIN = 0.5
RETRY_S_MAX = 10.0


class SoundDevices(Protocol):
    """Both devices. One that is missing or lost is told and tried again for ever; neither ends the process."""

    def start(self) -> None:
        """Begin; devices open in the background. Call once."""

    def stop(self) -> None:
        """Close both; no callback comes after it returned. Idempotent, takes at most about a second."""

    def rest(self, resting: bool) -> None:
        """Say whether nobody needs sound now: the streams may stop, and start again the moment they are needed."""

    def watch(self, now: float) -> None:
        """Notice, from the loop, a device that hangs in its driver; to be called about every second."""

    def allow_restart(self, allowed: bool) -> None:
        """Say whether sound may be interrupted now, for a missing device to be looked for."""
