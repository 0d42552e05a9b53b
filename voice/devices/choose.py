"""Backends of the sound devices, by the name the configuration gives."""

from collections.abc import Callable

from protocol.worker_settings import AudioSettings
from voice.devices.port import OnCaptured, OnPlayback, OnState, SoundDevices


class BackendMissing(Exception):
    """The chosen backend cannot be loaded; the text says what to install."""


def open_devices(
    settings: AudioSettings, on_captured: OnCaptured, on_playback: OnPlayback, on_state: OnState, epoch_s: float
) -> SoundDevices:
    """Make the devices, not started yet; `epoch_s` is when the process began. Raises BackendMissing."""
    return _BACKENDS[settings.backend](settings, on_captured, on_playback, on_state, epoch_s)


def _wav(
    settings: AudioSettings, on_captured: OnCaptured, on_playback: OnPlayback, on_state: OnState, epoch_s: float
) -> SoundDevices:
    from voice.devices.wav_device import WavDevices

    return WavDevices(settings, on_captured, on_playback, on_state, epoch_s)


def _pyaudio(
    settings: AudioSettings, on_captured: OnCaptured, on_playback: OnPlayback, on_state: OnState, _epoch_s: float
) -> SoundDevices:
    try:
        from voice.devices.pyaudio_device import PyAudioDevices
    except ImportError as error:
        raise BackendMissing(
            f"audio backend pyaudio is not usable ({error}): apt install libportaudio2, pip install PyAudio"
        ) from error
    return PyAudioDevices(settings, on_captured, on_playback, on_state)


_BACKENDS: dict[str, Callable[[AudioSettings, OnCaptured, OnPlayback, OnState, float], SoundDevices]] = {
    "pyaudio": _pyaudio,
    "wav": _wav,
}
