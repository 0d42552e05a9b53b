"""The WAV backend: files as microphone and speaker, on the wall clock from the process's start as real devices are."""

import threading
import time
from pathlib import Path

from protocol.worker import Device
from protocol.worker_settings import AudioSettings
from voice.devices.port import RETRY_S_MIN, OnCaptured, OnPlayback, OnState
from voice.devices.wav_files import BadWav, WavReader, WavWriter

ASLEEP_S = 1.0
"""A clock that jumped by more than this (the machine slept) is followed in one step, with silence in the file."""


class WavDevices:
    """SoundDevices on files. `epoch_s` is the monotonic time of both files' first sample, unless settings say another.

    One thread turns once a frame, without drift: at `epoch_s + n × frame` the frame that ended there is captured and
    the frame that begins there is played.
    """

    def __init__(
        self,
        settings: AudioSettings,
        on_captured: OnCaptured,
        on_playback: OnPlayback,
        on_state: OnState,
        epoch_s: float | None = None,
    ) -> None:
        self._settings = settings
        self._on_captured = on_captured
        self._on_playback = on_playback
        self._on_state = on_state
        self._samples = settings.device_rate_hz * settings.frame_ms // 1000
        self._frame_s = settings.frame_ms / 1000
        self._epoch_s = time.monotonic() if epoch_s is None else epoch_s
        start_s = settings.wav.capture_start_s
        self._capture_epoch_s = self._epoch_s if start_s is None else start_s
        self._reader: WavReader | None = None
        self._writer: WavWriter | None = None
        self._retry_at = 0.0
        self._retry_s = RETRY_S_MIN
        self._told: dict[Device, str] = {}
        self._plays = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wav-devices", daemon=True)

    def start(self) -> None:
        """Begin to turn."""
        self._thread.start()

    def stop(self) -> None:
        """Stop turning and close the files."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def rest(self, resting: bool) -> None:
        """Files run on the wall clock, needed or not."""

    def watch(self, now: float) -> None:
        """A file does not hang."""

    def allow_restart(self, allowed: bool) -> None:
        """Files are looked for again without any interruption."""

    # --- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._open(time.monotonic())
        number = max(0, round((time.monotonic() - self._epoch_s) / self._frame_s))
        self._write(bytes(2 * number * self._samples))
        while not self._stopping.is_set():
            number += 1
            due_s = self._epoch_s + number * self._frame_s
            now = time.monotonic()
            if due_s > now:
                time.sleep(due_s - now)
            elif now - due_s > ASLEEP_S:
                missed = int((now - due_s) / self._frame_s)
                self._write(bytes(2 * missed * self._samples))
                number += missed
                due_s += missed * self._frame_s
            self._turn(due_s)
        for file in (self._reader, self._writer):
            if file is not None:
                file.close()

    def _turn(self, at_s: float) -> None:
        start_s = at_s - self._frame_s
        if self._reader is not None:
            position = round((start_s - self._capture_epoch_s) * self._settings.device_rate_hz)
            self._on_captured(self._reader.read(position, self._samples), start_s)
        elif not self._settings.wav.capture_wav:
            self._on_captured(bytes(2 * self._samples), start_s)
        elif at_s >= self._retry_at:
            self._open(at_s)
        if self._plays:
            self._write(self._on_playback(at_s))

    def _open(self, now: float) -> None:
        wav, rate = self._settings.wav, self._settings.device_rate_hz
        try:
            if wav.capture_wav and self._reader is None:
                self._reader = WavReader(Path(wav.capture_wav), rate, loop=wav.capture_loop)
            self._tell(Device.CAPTURE, True, wav.capture_wav or "silence")
        except BadWav as error:
            self._tell(Device.CAPTURE, False, str(error))
            self._retry_at = now + self._retry_s
            self._retry_s = min(10.0, 2 * self._retry_s)
        if self._writer is not None or Device.PLAYBACK in self._told:
            return
        try:
            if wav.playback_wav:
                self._writer = WavWriter(Path(wav.playback_wav), rate)
                self._writer.describe(self._epoch_s, self._capture_epoch_s)
            self._tell(Device.PLAYBACK, True, str(self._writer.path) if self._writer else "into nothing")
        except (BadWav, OSError) as error:
            self._tell(Device.PLAYBACK, False, str(error))

    def _write(self, pcm: bytes) -> None:
        writer = self._writer
        if writer is None:
            return
        try:
            writer.write(pcm)
        except OSError as error:
            self._lose(f"{writer.path}: {error.strerror}: free some space, then restart the gateway")
        else:
            if writer.full:
                self._lose(f"{writer.path} is as long as a WAV file can be; nothing more is kept")

    def _lose(self, why: str) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._tell(Device.PLAYBACK, False, why)

    def _tell(self, device: Device, ok: bool, detail: str) -> None:
        if device is Device.PLAYBACK:
            self._plays = ok
        if self._told.get(device) != detail:
            self._told[device] = detail
            self._on_state(device, ok, detail)
