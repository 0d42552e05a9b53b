"""Half-duplex on PortAudio and PulseAudio: a real worker whose microphone hears its own speaker."""

from __future__ import annotations

import json
import time
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lab.pulse import PulseRig
from protocol.worker import Arm, Device, Drained, KeyUp, Meter, Metered, Play, SoundDevice, Transmit, VoiceLink
from protocol.worker_settings import AudioSettings, WavSettings
from tests.support.broker import Broker
from tests.support.voice import WorkerProcess
from voice.core.metering import TONE_HZ

RATE = 48000
REQUEST = (0, 1, 1, 1)
TALK_S = 1.0
Samples = NDArray[np.float64]


def tones_db(sound: Samples) -> Samples:
    """How loud the test tone is in each 10 ms, in dB of full scale."""
    step = RATE // 100
    steps = sound[: len(sound) // step * step].reshape(-1, step)
    turn = np.exp(-2j * np.pi * TONE_HZ * np.arange(step) / RATE)
    return np.asarray(20 * np.log10(np.abs(steps @ turn) * np.sqrt(2) / step / 32768 + 1e-9))


def heard_by_another(tmp_path: Path, *, path_ms: int, guard_ms: int) -> tuple[float, Samples]:
    """Press amid the test tone; give how loud the own microphone heard it before, and the listener from then on."""
    with PulseRig(("spk", "mic")) as rig, Broker() as broker:
        if path_ms:
            rig.pactl("load-module", "module-loopback", "source=spk.monitor", "sink=mic", f"latency_msec={path_ms}")
        card = AudioSettings(
            capture_device="mic_cap" if path_ms else "spk_cap", playback_device="spk", echo_guard_ms=guard_ms
        )
        ear = AudioSettings(backend="wav", wav=WavSettings(playback_wav=str(tmp_path / "ear.wav")))
        with (
            WorkerProcess("car-1", broker.port, card, tmp_path / "car-1.log", env=rig.env) as car1,
            WorkerProcess("car-2", broker.port, ear, tmp_path / "car-2.log") as car2,
        ):
            for one in (car1, car2):
                one.wait(VoiceLink, lambda event: event.up)
                for device in Device:
                    one.wait(SoundDevice, lambda event, device=device: event.device == device and event.ok)  # type: ignore[misc]
            time.sleep(1.0)
            car1.tell(Meter(until=time.monotonic() + 5.0, tone=True))
            _, metered = car1.wait(Metered, lambda event: (event.tone_db or -100.0) > -30.0)
            time.sleep(0.2)
            edge = time.monotonic()
            car2.tell(Play(burst=1, user="car-1"))
            car1.tell(Arm(request_id=REQUEST, edge_at=edge))
            while time.monotonic() < edge + TALK_S:
                car1.tell(Transmit(request_id=REQUEST, burst=1))
                time.sleep(0.2)
            car1.tell(KeyUp(request_id=REQUEST, at=time.monotonic()))
            _, drained = car1.wait(Drained)
            assert drained.last_seq is not None
            assert drained.last_seq > 0.8 * TALK_S * 50
            time.sleep(0.5)
    with wave.open(str(tmp_path / "ear.wav")) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(float)
    epoch_s = json.loads((tmp_path / "ear.wav.json").read_text())["epoch_s"]
    return metered.tone_db or 0.0, tones_db(sound[round((edge - epoch_s) * RATE) :])


@pytest.mark.parametrize(("path_ms", "guard_ms"), [(0, 60), (100, 250)])
def test_nothing_that_the_speaker_played_at_the_press_is_heard_by_another(
    path_ms: int, guard_ms: int, tmp_path: Path
) -> None:
    own_db, others_db = heard_by_another(tmp_path, path_ms=path_ms, guard_ms=guard_ms)
    assert own_db > -30.0
    assert others_db.max() < -70.0


def test_without_the_guard_what_the_card_still_played_would_be_heard_for_a_moment_and_no_longer(tmp_path: Path) -> None:
    _, others_db = heard_by_another(tmp_path, path_ms=0, guard_ms=0)
    loud = np.flatnonzero(others_db > -50.0)
    assert 1 <= len(loud) <= 30
