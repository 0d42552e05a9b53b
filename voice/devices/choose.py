"""Backends of the sound devices, by the name the configuration gives."""

from protocol.worker_settings import AudioSettings
from voice.devices.port import OnCaptured, OnPlayback, OnState, SoundDevices


class BackendMissing(Exception):
    """The chosen backend cannot be loaded; the text says what to install."""


def open_devices(
    settings: AudioSettings, on_captured: OnCaptured, on_playback: OnPlayback, on_state: OnState, epoch_s: float
) -> SoundDevices:
    """Make the devices, not started yet; `epoch_s` is when the process began. Raises BackendMissing."""
    if settings.backend == "wav":
        from voice.devices.wav_device import WavDevices

        return WavDevices(settings, on_captured, on_playback, on_state, epoch_s)
    try:
        from voice.devices.pyaudio_device import PyAudioDevices
    except ImportError as error:
        raise BackendMissing(
            f"audio backend pyaudio is not usable ({error}): apt install libportaudio2, pip install PyAudio"
        ) from error
    return PyAudioDevices(settings, on_captured, on_playback, on_state)
