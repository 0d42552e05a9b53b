"""`ptt-gateway levels` on real processes: a running daemon is asked; where none runs, the devices are opened."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.integration.gateway_rig import Vehicle
from tests.support.broker import Broker
from tests.support.procs import eventually
from tests.support.voice import ROOT

RATE = 48000


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def audio(tmp_path: Path) -> str:
    """A microphone that hears a 1 kHz tone of -20 dBFS for ever."""
    path = tmp_path / "mic.wav"
    t = np.arange(RATE) / RATE
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((3277 * np.sin(2 * np.pi * 1000 * t)).astype(np.int16).tobytes())
    return f'backend = "wav"\n[audio.wav]\ncapture_wav = "{path}"\ncapture_loop = true'


def levels(car: Vehicle, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", "levels", "--config", str(car.config), "--lang", "en", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def measured(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_running_daemon_measures_without_transmitting_and_keeps_levels_over_a_restart(
    stack: ExitStack, audio: str, tmp_path: Path
) -> None:
    broker = stack.enter_context(Broker())
    car = Vehicle(stack, tmp_path, broker.port, audio=audio).start().online()
    # when the meter is watched
    words = measured(levels(car, "--json", "--seconds", "2"))
    # then it shows the microphone as it is, and nobody was keyed or asked for anything
    assert [word["rms_db"] for word in words[1:]] == pytest.approx([-23.0] * len(words[1:]), abs=0.2)
    assert (car.status()["transmitting"], car.status()["presses"]) == (False, [])
    # and when a level is set, it holds at once, in the worker too
    done = levels(car, "--mic", "+6", "--speaker", "-3")
    assert (done.returncode, done.stdout) == (0, "microphone +6.0 dB, speaker -3.0 dB\n")
    assert measured(levels(car, "--json", "--seconds", "1.5"))[-1]["rms_db"] == pytest.approx(-17.0, abs=0.2)
    saved = car.folder / "state" / "levels.json"
    assert json.loads(saved.read_text()) == {"mic_db": 6.0, "speaker_db": -3.0}
    assert saved.stat().st_mode & 0o777 == 0o600
    # and monitors read it, and it survives a restart
    assert car.status()["device"]["mic_db"] == 6.0
    car.daemon.stop()
    car.start().online()
    assert car.status()["device"]["speaker_db"] == -3.0
    assert measured(levels(car, "--json", "--seconds", "1.5"))[-1]["rms_db"] == pytest.approx(-17.0, abs=0.2)


def test_without_a_daemon_the_devices_are_opened_and_levels_saved_for_its_next_start(
    stack: ExitStack, audio: str, tmp_path: Path
) -> None:
    car = Vehicle(stack, tmp_path, 1, audio=audio)
    # when levels are set and measured while no daemon runs
    assert levels(car, "--mic", "-4").returncode == 0
    done = levels(car, "--seconds", "2")
    # then it says who measures, and measures with the level that was set
    assert done.returncode == 0
    assert "The daemon does not run" in done.stdout
    assert "rms  -27.0" in done.stdout.splitlines()[-1]
    # and the tone that the microphone hears (here: its own) is found
    assert "does not hear" in levels(car, "--test").stdout
    assert json.loads((car.folder / "state" / "levels.json").read_text()) == {"mic_db": -4.0, "speaker_db": 0.0}


def test_a_missing_microphone_is_told_with_what_mends_it(stack: ExitStack, tmp_path: Path) -> None:
    car = Vehicle(stack, tmp_path, 1, audio=f'backend = "wav"\n[audio.wav]\ncapture_wav = "{tmp_path}/none.wav"')
    done = levels(car, "--seconds", "1")
    assert done.returncode == 1
    assert "none.wav" in done.stderr


def test_damaged_levels_are_told_and_the_daemon_runs_on(stack: ExitStack, audio: str, tmp_path: Path) -> None:
    broker = stack.enter_context(Broker())
    car = Vehicle(stack, tmp_path, broker.port, audio=audio)
    (car.folder / "state").mkdir(mode=0o700)
    (car.folder / "state" / "levels.json").write_text("{")
    car.start().online()
    assert car.status()["device"]["mic_db"] == 0.0
    eventually(lambda: "sound levels are lost" in car.daemon.log, 2, "the log says so")
