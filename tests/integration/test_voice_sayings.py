"""Cues and sentences of a real voice worker, with an engine that works, hangs, or is not there."""

from __future__ import annotations

import json
import os
import shutil
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from protocol.worker import Cue, Device, Fault, Ping, Pong, Prepare, Quit, Say, Sound, SoundDevice, VoiceLink
from protocol.worker_settings import AudioSettings, CueVolumes, WavSettings
from tests.support.broker import Broker
from tests.support.procs import eventually
from tests.support.voice import WorkerProcess
from voice.cues import synthesise

RATE = 48000
LOST = "연결이 끊겼습니다"
Samples = np.ndarray[tuple[int], np.dtype[np.float64]]


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


class Engine:
    """espeak-ng as the worker finds it: one that writes down what it is asked, or hangs once it has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "bin"
        self.folder.mkdir()
        self._asked = folder / "asked"
        self._asked.touch()
        self._become(f'cat >> {self._asked}.now; cat {self._asked}.now | {shutil.which("espeak-ng")} "$@"')

    def hang(self) -> None:
        self._become("sleep 600")

    def asked(self) -> str:
        return self._asked.read_text()

    def _become(self, script: str) -> None:
        new = self.folder / "new"
        new.write_text(
            f"#!/bin/sh\nPATH={os.environ['PATH']}\nrm -f {self._asked}.now\necho asked >> {self._asked}\n{script}\n"
        )
        new.chmod(0o755)
        new.replace(self.folder / "espeak-ng")


def worker(port: int, folder: Path, path: Path, volumes: CueVolumes | None = None) -> WorkerProcess:
    audio = AudioSettings(
        backend="wav",
        cue_volumes=volumes or CueVolumes(),
        rest_after_s=0,
        wav=WavSettings(playback_wav=str(folder / "out.wav")),
    )
    one = WorkerProcess("car-1", port, audio, folder / "log", env={"PATH": str(path)})
    one.wait(VoiceLink, lambda event: event.up)
    one.wait(SoundDevice, lambda event: event.device == Device.PLAYBACK and event.ok)
    return one


def heard(folder: Path, since: float) -> Samples:
    epoch = json.loads((folder / "out.wav.json").read_text())["epoch_s"]
    with wave.open(str(folder / "out.wav")) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(float)
    return sound[max(0, round((since - epoch) * RATE)) :]


def ends(folder: Path, one: WorkerProcess) -> None:
    one.tell(Quit())
    assert one.process.wait(5.0) == 0


def test_an_urgent_sentence_made_ahead_follows_its_cue_though_the_engine_hangs(broker: Broker, tmp_path: Path) -> None:
    # given a worker that made a sentence ahead, whose engine then hangs in another
    engine = Engine(tmp_path)
    with worker(broker.port, tmp_path, engine.folder) as one:
        one.tell(Prepare(text=LOST))
        eventually(lambda: engine.asked() == "asked\n")
        one.tell(Say(text="먼저"))
        eventually(lambda: engine.asked() == "asked\nasked\n")
        time.sleep(1.5)  # both are made, and the one that was said is over
        engine.hang()
        one.tell(Say(text="김기사님이 피티티를 시작했습니다"))
        eventually(lambda: engine.asked() == "asked\nasked\nasked\n")
        # when it is told with its cue
        told = time.monotonic()
        one.tell(Cue(sound=Sound.START_FAIL))
        one.tell(Say(text=LOST, urgent=True))
        one.tell(Ping(no=1))
        one.wait(Pong, lambda pong: pong.no == 1, timeout_s=1.0)
        time.sleep(2.5)
        ends(tmp_path, one)
    # then the cue is heard whole within a tenth of a second, and the sentence right behind it
    sound = heard(tmp_path, told - 0.03)  # a frame that is being played is filled to its end
    cue = np.array(synthesise(Sound.START_FAIL, RATE, 60), dtype=float)
    found = np.correlate(sound[: RATE // 2 + len(cue)], cue, "valid") / np.dot(cue, cue)
    at = int(np.argmax(found))
    assert found[at] == pytest.approx(1.0, abs=0.01)
    assert at < 0.1 * RATE
    loud = np.flatnonzero(np.abs(sound[at + len(cue) :]) > 500)
    assert loud[0] < 0.3 * RATE
    assert 0.5 * RATE < loud[-1] - loud[0] < 2.2 * RATE


def test_without_an_engine_that_is_told_once_and_cues_sound_at_their_own_loudness(
    broker: Broker, tmp_path: Path
) -> None:
    # given a machine without espeak-ng, and a loud END
    (tmp_path / "empty").mkdir()
    with worker(broker.port, tmp_path, tmp_path / "empty", CueVolumes(end=100, session_leave=0)) as one:
        # when sentences and cues are told
        began = time.monotonic()
        for n in range(4):
            one.tell(Prepare(text=f"앞서 {n}"))
            one.tell(Say(text=f"문장 {n}", urgent=True))
        one.tell(Cue(sound=Sound.SESSION_LEAVE))
        one.tell(Cue(sound=Sound.END))
        one.wait(Fault, lambda fault: "apt install espeak-ng" in fault.what)
        time.sleep(1.2)
        ends(tmp_path, one)
        # then the fault was told once
        assert len(one.all(Fault)) == 1
    # and the one cue that is not silent was heard, twenty-two thousand high
    sound = heard(tmp_path, began)
    loud = np.flatnonzero(np.abs(sound) > 300)
    assert np.abs(sound).max() == pytest.approx(22000, rel=0.01)
    assert (loud[-1] - loud[0]) / RATE == pytest.approx(0.44, abs=0.03)
