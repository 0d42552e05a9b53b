"""The PyAudio backend: callback streams on PortAudio, devices by name, and a thread that opens and reopens them."""

import contextlib
import ctypes
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pyaudio

from protocol.worker import Device
from protocol.worker_settings import AudioSettings
from voice.devices.port import RETRY_S_MAX, RETRY_S_MIN, OnCaptured, OnPlayback, OnState
from voice.devices.timeline import Timeline

LOOK_EVERY_S = 0.25
LOOK_RESTING_S = 5.0
SILENT_S_MAX = 2.0
"""A stream whose callback did not come for this long is lost, whatever it says of itself."""
RESTARTS_EVERY_S = 30.0
"""PortAudio, whose list of devices is frozen when it starts, is restarted no more often while one device works."""
PROBE_EVERY_S, PROBE_S = 10.0, 0.5
"""Resting devices are run this often for this long, so that one that was pulled out is known before it is needed."""
_NAMES_SHOWN_MAX = 12
_LOST = "{device} device was lost: check its plug and cable; it is tried again"


class PyAudioDevices:
    """SoundDevices on PortAudio. All calls of PortAudio are made by one thread, so that none can hold up the loop."""

    def __init__(
        self, settings: AudioSettings, on_captured: OnCaptured, on_playback: OnPlayback, on_state: OnState
    ) -> None:
        self._rate = settings.device_rate_hz
        self._samples = self._rate * settings.frame_ms // 1000
        self._names = {Device.CAPTURE: settings.capture_device, Device.PLAYBACK: settings.playback_device}
        self._on_captured = on_captured
        self._on_playback = on_playback
        self._on_state = on_state
        self._frame_s = settings.frame_ms / 1000
        self._timeline = Timeline(self._frame_s)
        self._audio: pyaudio.PyAudio | None = None
        self._streams: dict[Device, Any] = {}  # pyaudio.Stream, which has no public type
        self._opened: dict[Device, str] = {}
        self._called_at = {Device.CAPTURE: 0.0, Device.PLAYBACK: 0.0}
        self._told: dict[Device, tuple[bool, str]] = {}
        self._restarted_at = 0.0
        self._may_restart = True
        self._resting = False
        self._running = True
        self._probed_at = 0.0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sound-devices", daemon=True)

    def start(self) -> None:
        """Open both devices in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Close both."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def allow_restart(self, allowed: bool) -> None:
        """Say whether sound may be interrupted to look for a missing device."""
        self._may_restart = allowed

    def rest(self, resting: bool) -> None:
        """Have the streams stopped or started; starting takes a few milliseconds."""
        if resting != self._resting:
            self._resting = resting
            self._wake.set()

    def watch(self, now: float) -> None:
        """Tell of streams without a callback, also while the thread that opens is stuck in a driver's call."""
        if self._running:
            for device in tuple(self._streams):
                if now - self._called_at[device] > SILENT_S_MAX:
                    self._tell(device, False, _LOST.format(device=device))

    # --- PortAudio's threads --------------------------------------------------------------------------------------

    def _captured(
        self, data: bytes | None, _count: int, times: Mapping[str, float], _status: int
    ) -> tuple[bytes | None, int]:
        now = time.monotonic()
        self._called_at[Device.CAPTURE] = now
        if data is not None:
            age_s = times["current_time"] - times["input_buffer_adc_time"]
            self._on_captured(data, self._timeline.start_of(now, age_s))
        return None, pyaudio.paContinue

    def _play(
        self, _data: bytes | None, _count: int, times: Mapping[str, float], _status: int
    ) -> tuple[bytes | None, int]:
        now = time.monotonic()
        self._called_at[Device.PLAYBACK] = now
        delay_s = times["output_buffer_dac_time"] - times["current_time"]
        return self._on_playback(now + min(max(delay_s, 0.0), 0.5)), pyaudio.paContinue

    # --- the thread that opens ------------------------------------------------------------------------------------

    def _run(self) -> None:
        quiet_libraries()
        retry_s, retry_at = RETRY_S_MIN, 0.0
        while not self._stopping.is_set():
            self._wake.clear()
            self._start_or_stop(time.monotonic())
            self._look_for_losses()
            now = time.monotonic()
            if len(self._streams) < 2 and now >= retry_at:
                self._open_missing(now)
                complete = len(self._streams) == 2
                retry_s = RETRY_S_MIN if complete else min(RETRY_S_MAX, 2 * retry_s)
                retry_at = time.monotonic() + retry_s
            self._wake.wait(LOOK_EVERY_S if self._running or len(self._streams) < 2 else LOOK_RESTING_S)
        for device in tuple(self._streams):
            self._close(device)
        self._terminate()

    def _start_or_stop(self, now: float) -> None:
        """Run the streams while they are needed, and now and then to see whether they still would."""
        probing = self._resting and now - self._probed_at > PROBE_EVERY_S
        wanted = not self._resting or probing
        if probing:
            self._probed_at = now
        if wanted != self._running:
            self._run_streams(wanted)
        if probing and not self._wake.wait(PROBE_S):
            self._look_for_losses(silent_s_max=PROBE_S)
        if self._resting and self._running:
            self._run_streams(False)

    def _run_streams(self, run: bool) -> None:
        if run:
            self._called_at = dict.fromkeys(Device, time.monotonic())
        self._running = run
        for device, stream in tuple(self._streams.items()):
            try:
                if run:
                    self._about_to_start(device)
                    stream.start_stream()
                else:
                    stream.stop_stream()
            except OSError:
                self._lost(device)

    def _about_to_start(self, device: Device) -> None:
        self._called_at[device] = time.monotonic()
        if device is Device.CAPTURE:
            self._timeline = Timeline(self._frame_s)

    def _open_missing(self, now: float) -> None:
        stale = self._audio is not None and any(not ok for ok, _ in self._told.values())
        alone = not self._streams
        if stale and (alone or (self._may_restart and now - self._restarted_at > RESTARTS_EVERY_S)):
            self._restarted_at = now
            for device in tuple(self._streams):
                self._close(device)
            self._terminate()
        if self._audio is None:
            self._audio = pyaudio.PyAudio()
        for device in Device:
            if device not in self._streams:
                try:
                    name = self._open(self._audio, device)
                except (OSError, ValueError) as error:
                    self._tell(device, False, str(error))
                else:
                    self._tell(device, True, name)

    def _open(self, audio: pyaudio.PyAudio, device: Device) -> str:
        index, name = _find(audio, device, self._names[device])
        capture = device is Device.CAPTURE
        callback: Callable[..., Any] = self._captured if capture else self._play
        try:
            stream = audio.open(
                format=pyaudio.paInt16,
                channels=1,
                rate=self._rate,
                frames_per_buffer=self._samples,
                input=capture,
                output=not capture,
                input_device_index=index if capture else None,
                output_device_index=None if capture else index,
                stream_callback=callback,
                start=False,
            )
            if self._running:
                self._about_to_start(device)
                stream.start_stream()
        except (OSError, ValueError) as error:
            raise OSError(
                f"{device} device '{name}' does not open at {self._rate} Hz ({error}): is another program using it?"
            ) from error
        self._streams[device] = stream
        self._opened[device] = name
        return name

    def _look_for_losses(self, silent_s_max: float = SILENT_S_MAX) -> None:
        if not self._running:
            return
        for device, stream in tuple(self._streams.items()):
            silent_s = time.monotonic() - self._called_at[device]
            try:
                active = stream.is_active()
            except OSError:
                active = False
            if not active or silent_s > silent_s_max:
                self._lost(device)
            elif not self._told.get(device, (True, ""))[0]:
                self._tell(device, True, self._opened[device])  # it hung, and goes on

    def _lost(self, device: Device) -> None:
        self._tell(device, False, _LOST.format(device=device))  # first: closing may never return where a driver hangs
        self._close(device)

    def _close(self, device: Device) -> None:
        with contextlib.suppress(OSError):
            self._streams.pop(device).close()

    def _terminate(self) -> None:
        audio, self._audio = self._audio, None
        if audio is not None:
            audio.terminate()

    def _tell(self, device: Device, ok: bool, detail: str) -> None:
        if self._told.get(device) != (ok, detail):
            self._told[device] = (ok, detail)
            self._on_state(device, ok, detail)


def device_names(audio: pyaudio.PyAudio, device: Device) -> list[tuple[int, str]]:
    """Give index and name of every capture or playback device PortAudio knows."""
    key = "maxInputChannels" if device is Device.CAPTURE else "maxOutputChannels"
    infos = [audio.get_device_info_by_index(i) for i in range(audio.get_device_count())]
    return [(int(info["index"]), str(info["name"])) for info in infos if int(info[key]) > 0]


def _find(audio: pyaudio.PyAudio, device: Device, wanted: str) -> tuple[int, str]:
    """Find a device by its name, or the only one with `wanted` in its name; raises OSError saying how to mend it."""
    known = device_names(audio, device)
    if not wanted:
        try:
            info = (
                audio.get_default_input_device_info()
                if device is Device.CAPTURE
                else audio.get_default_output_device_info()
            )
        except OSError as error:
            raise OSError(f"there is no {device} device: plug one in; {_listed(known)}") from error
        return int(info["index"]), str(info["name"])
    exact = [entry for entry in known if entry[1] == wanted]
    close = [entry for entry in known if wanted.casefold() in entry[1].casefold()]
    if exact or len(close) == 1:
        return (exact or close)[0]
    how = "several match" if close else "none does"
    raise OSError(
        f"no {device} device is named '{wanted}' ({how}): plug it in or set audio.{device}_device; {_listed(known)}"
    )


def _listed(known: list[tuple[int, str]]) -> str:
    names = [f"'{name}'" for _, name in known]
    more = f" and {len(names) - _NAMES_SHOWN_MAX} more" if len(names) > _NAMES_SHOWN_MAX else ""
    return f"there are {', '.join(names[:_NAMES_SHOWN_MAX])}{more}" if names else "there is none"


def quiet_libraries() -> None:
    """Keep ALSA and JACK from printing a page of complaints about all they cannot open while PortAudio lists devices.

    Their error handlers are replaced by a C function that does nothing with its arguments; a Python callback would need
    executable memory, which the service unit forbids.
    """
    nothing = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p)
    for library, setters in (
        ("libasound.so.2", ("snd_lib_error_set_handler",)),
        ("libjack.so.0", ("jack_set_error_function", "jack_set_info_function")),
    ):
        with contextlib.suppress(OSError, AttributeError):
            loaded = ctypes.CDLL(library, os.RTLD_NOLOAD | os.RTLD_NOW)
            for setter in setters:
                getattr(loaded, setter)(nothing)
