"""The sound devices' keeper: which of them work, when they may rest, and who lets time pass where no speaker does."""

from __future__ import annotations

from collections.abc import Callable

from protocol.worker import Device, SoundDevice
from protocol.worker_settings import AudioSettings
from service.logs import Log
from voice.devices.port import SoundDevices
from voice.ear import Ear

log = Log(__name__)

BEHIND_S_MAX = 1.0
"""A null speaker that was not turned for longer begins anew instead of catching up."""


class DeviceCare:
    """What the worker does about its sound devices. The loop's thread, but for `works`, which any may ask."""

    def __init__(self, settings: AudioSettings, ear: Ear, tell: Callable[[SoundDevice], object], now: float) -> None:
        """Nothing is known to work yet. `keep` names the devices before anything else is called."""
        self._rest_after_s = settings.rest_after_s
        self._frame_s = settings.frame_ms / 1000
        self._ear = ear
        self._tell = tell
        self._devices: SoundDevices
        self._ok = dict.fromkeys(Device, False)
        self._null_at = 0.0
        self._restart_allowed = True
        self._needed_at = now

    def keep(self, devices: SoundDevices) -> None:
        """These are to be kept."""
        self._devices = devices

    def works(self, device: Device) -> bool:
        """Whether one is open and turns."""
        return self._ok[device]

    def state(self, device: Device, ok: bool, detail: str) -> None:
        """Take whether one works; `detail` is its name, or why it does not and how to mend it."""
        self._ok[device] = ok
        (log.info if ok else log.warning)("sound device", device=device, ok=ok, detail=detail)
        self._tell(SoundDevice(device=device, ok=ok, detail=detail[:512]))

    def need(self, now: float) -> None:
        """Something is about to be captured or played."""
        self._needed_at = now
        self._devices.rest(False)

    def tick(self, now: float, *, quiet: bool, needed: bool) -> float | None:
        """Let time pass; gives when to call again. `quiet`: nobody speaks or is heard, `needed`: someone soon may."""
        if quiet != self._restart_allowed:
            self._restart_allowed = quiet
            self._devices.allow_restart(quiet)
        if needed or not quiet:
            self._needed_at = now
        self._devices.rest(bool(self._rest_after_s) and now - self._needed_at > self._rest_after_s)
        self._devices.watch(now)
        return self._null_speaker(now)

    def _null_speaker(self, now: float) -> float | None:
        """Let time pass for what is heard where no device plays it, so that bursts end and nothing piles up."""
        if self._ok[Device.PLAYBACK] or not self._ear.busy:
            return None
        if now - self._null_at > BEHIND_S_MAX:
            self._null_at = now
        while self._null_at <= now:
            self._ear.render(self._null_at, aloud=False)
            self._null_at += self._frame_s
        return self._null_at
