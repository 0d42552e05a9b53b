"""Real voice workers that speak what resembles itself nowhere, and how much of it is heard where."""

from __future__ import annotations

import json
import time
import wave
from pathlib import Path

import numpy as np

from protocol.worker import Device, SoundDevice, Transmit, VoiceLink
from protocol.worker_settings import AudioSettings, CodecSettings, WavSettings
from tests.support.voice import WorkerProcess

RATE = 48000
STORY_S = 30.0
R1, R2 = (0, 1, 1, 1), (0, 1, 1, 2)
Samples = np.ndarray[tuple[int], np.dtype[np.float64]]


def speech_like(seed: int) -> Samples:
    """A voice-like sound that resembles itself nowhere: a wandering buzz with syllables."""
    rng = np.random.default_rng(seed)
    count = round(STORY_S * RATE)
    wander = np.interp(np.arange(count), np.arange(0, count + RATE, RATE // 8), rng.uniform(150, 300, 8 * 31))
    phase = 2 * np.pi * np.cumsum(wander) / RATE
    buzz = sum(np.sin(k * phase) / k for k in range(2, 8))
    loud = np.interp(np.arange(count), np.arange(0, count + RATE, RATE // 10), rng.uniform(0.3, 1.0, 10 * 31))
    return np.asarray(9000 * buzz * loud)


def worker(user: str, port: int, folder: Path, *, mic: Path | None = None, packet_ms: int = 20) -> WorkerProcess:
    audio = AudioSettings(
        backend="wav",
        codec=CodecSettings(packet_ms=packet_ms),
        wav=WavSettings(capture_wav=str(mic or ""), playback_wav=str(folder / f"{user}.wav")),
    )
    return WorkerProcess(user, port, audio, folder / f"{user}.log")


def ready(*workers: WorkerProcess) -> None:
    for one in workers:
        one.wait(VoiceLink, lambda event: event.up)
        one.wait(SoundDevice, lambda event: event.device == Device.CAPTURE and event.ok)
        one.wait(SoundDevice, lambda event: event.device == Device.PLAYBACK and event.ok)


def talk(one: WorkerProcess, for_s: float, request: tuple[int, int, int, int], burst: int) -> None:
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        one.tell(Transmit(request_id=request, burst=burst))
        time.sleep(min(0.2, max(0.0, until - time.monotonic())))


def heard_by(user: str, folder: Path) -> tuple[Samples, float]:
    epoch = json.loads((folder / f"{user}.wav.json").read_text())["epoch_s"]
    with wave.open(str(folder / f"{user}.wav")) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(float), epoch


def likeness(heard: Samples, said: Samples) -> tuple[float, int]:
    """Find `said` in `heard`: normalised correlation there, and where."""
    size = 1 << int(np.ceil(np.log2(len(heard) + len(said))))
    found = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size)), size)[: len(heard)]
    power = np.concatenate(([0.0], np.cumsum(heard**2), np.full(len(said), np.sum(heard**2))))
    energy = power[len(said) : len(said) + len(heard)] - power[: len(heard)]
    score = found / np.sqrt(np.maximum(energy, 0.01 * np.dot(said, said)) * np.dot(said, said))
    at = int(np.argmax(score))
    return float(score[at]), at
