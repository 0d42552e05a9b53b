"""Backends of the sound devices, by the name the configuration gives."""

from __future__ import annotations

import random
from collections.abc import Callable

from protocol.worker import WorkerEvent
from protocol.worker_settings import AgoraSettings, AudioSettings, WorkerSettings
from service.loop import Loop
from voice.devices.agora_channel import AgoraChannel
from voice.devices.port import OnCaptured, OnPlayback, OnState, SoundDevices
from voice.transports.agora.sdk import AgoraSdk
from voice.transports.agora_voice import AgoraVoice
from voice.transports.port import TransportEvent

CHANNEL = "agora"
"""The backend of the Agora bridge."""


class BackendMissing(Exception):
    """The chosen backend cannot be loaded; the text says what to install."""


def open_devices(
    settings: AudioSettings, on_captured: OnCaptured, on_playback: OnPlayback, on_state: OnState, epoch_s: float
) -> SoundDevices:
    """Make the devices, not started yet; `epoch_s` is when the process began. Raises BackendMissing."""
    if settings.backend not in _BACKENDS:
        raise BackendMissing(
            f"audio backend {settings.backend} is for the Agora bridge alone, with its [agora] settings: use pyaudio"
        )
    return _BACKENDS[settings.backend](settings, on_captured, on_playback, on_state, epoch_s)


def open_agora(
    loop: Loop,
    settings: WorkerSettings,
    tell: Callable[[TransportEvent], None],
    rng: random.Random,
    on_fatal: Callable[[Exception], None],
) -> AgoraVoice | None:
    """Make the vehicle's voice over Agora, where it is configured; the bridge has it as its sound device instead."""
    if settings.agora is None or settings.audio.backend == CHANNEL:
        return None
    packet_s = settings.audio.codec.packet_ms / 1000
    return _agora(loop, settings.agora, settings.audio, packet_s, tell, rng, on_fatal)


def open_channel(
    loop: Loop,
    settings: WorkerSettings,
    on_captured: OnCaptured,
    on_playback: OnPlayback,
    on_state: OnState,
    tell: Callable[[WorkerEvent], None],
    on_fatal: Callable[[Exception], None],
) -> AgoraChannel | None:
    """Make the bridge's sound devices, its office's Agora channel, not started yet; None for another backend."""
    agora, audio = settings.agora, settings.audio
    if agora is None or audio.backend != CHANNEL:
        return None

    def make(told: Callable[[TransportEvent], None]) -> AgoraVoice:
        return _agora(loop, agora, audio, audio.frame_ms / 1000, told, random.Random(), on_fatal)

    return AgoraChannel(loop, make, audio, on_captured, on_playback, on_state, tell)


def _agora(
    loop: Loop,
    agora: AgoraSettings,
    audio: AudioSettings,
    packet_s: float,
    tell: Callable[[TransportEvent], None],
    rng: random.Random,
    on_fatal: Callable[[Exception], None],
) -> AgoraVoice:
    rate_hz = audio.device_rate_hz
    return AgoraVoice(loop, lambda told: AgoraSdk(loop, agora, rate_hz, told, on_fatal), rate_hz, packet_s, tell, rng)


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
