"""What every backend of the sound devices keeps to: on WAV files, and on PyAudio over a private PulseAudio."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import wave
from array import array
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from lab.pulse import PulseRig
from protocol.worker import Arm as ArmWord
from protocol.worker import (
    Device,
    Drained,
    Heard,
    Join,
    KeyUp,
    Leave,
    Play,
    PlayedOut,
    SoundDevice,
    Stop,
    Transmit,
    VoiceLink,
)
from protocol.worker_settings import AudioSettings, WavSettings
from tests.support.broker import Broker
from tests.support.procs import eventually
from tests.support.voice import ROOT, WorkerProcess
from voice.devices.choose import open_devices
from voice.devices.wav_files import BadWav, WavReader, WavWriter

RATE = 48000


class Owner:
    """Takes what devices give."""

    def __init__(self) -> None:
        self.captured: list[tuple[float, bytes, float]] = []
        self.played: list[tuple[float, float]] = []
        self.states: list[tuple[Device, bool, str]] = []

    def on_captured(self, frame: bytes, start_s: float) -> None:
        self.captured.append((time.monotonic(), frame, start_s))

    def on_playback(self, at_s: float) -> bytes:
        self.played.append((time.monotonic(), at_s))
        return array("h", [len(self.played) % 1000] * 480).tobytes()

    def on_state(self, device: Device, ok: bool, detail: str) -> None:
        self.states.append((device, ok, detail))


def write_wav(path: Path, samples: array[int], rate: int = RATE, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


@pytest.fixture
def mic(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "mic.wav", array("h", [i % 30000 for i in range(RATE)]))


def wav_settings(mic: Path, **more: object) -> AudioSettings:
    wav = {"capture_wav": str(mic), "playback_wav": str(mic.parent / "spk.wav"), **more}
    return AudioSettings(backend="wav", wav=WavSettings(**wav))  # type: ignore[arg-type]


def run(settings: AudioSettings, for_s: float, epoch_s: float | None = None) -> Owner:
    owner = Owner()
    begin = time.monotonic() if epoch_s is None else epoch_s
    devices = open_devices(settings, owner.on_captured, owner.on_playback, owner.on_state, begin)
    devices.start()
    time.sleep(for_s)
    devices.stop()
    return owner


def test_files_run_on_the_wall_clock_as_devices_do(mic: Path) -> None:
    # given a microphone and a speaker of files
    epoch = time.monotonic()
    # when they run for half a second
    owner = run(wav_settings(mic), 0.5, epoch)
    # then frames came one after the other, each holding what was there at its time
    assert 45 <= len(owner.captured) <= 52
    assert all(b[2] - a[2] == pytest.approx(0.01) for a, b in pairwise(owner.captured))
    for at, frame, start_s in owner.captured:
        assert array("h", frame)[0] == round((start_s - epoch) * RATE) % 30000
        assert start_s + 0.01 <= at
    # and the speaker's file is as long as the time, in step with the sidecar
    words = json.loads((mic.parent / "spk.wav.json").read_text())
    assert words["epoch_s"] == epoch
    with wave.open(str(mic.parent / "spk.wav")) as file:
        assert file.getframerate() == RATE
        assert file.getnframes() == 480 * len(owner.played)
        first = array("h", file.readframes(480))
    assert set(first) == {1}
    assert [(device, ok) for device, ok, _ in owner.states] == [(Device.CAPTURE, True), (Device.PLAYBACK, True)]


def test_a_microphone_file_is_silent_before_it_begins_and_after_its_end_or_begins_again(mic: Path) -> None:
    # given a file of one second
    once, again = WavReader(mic, RATE, loop=False), WavReader(mic, RATE, loop=True)
    # then positions around its ends are silent, or go round
    assert array("h", once.read(-2, 4)).tolist() == [0, 0, 0, 1]
    assert array("h", once.read(RATE - 2, 4)).tolist() == [RATE - 2 - 30000, RATE - 1 - 30000, 0, 0]
    assert array("h", again.read(RATE - 2, 4)).tolist() == [RATE - 2 - 30000, RATE - 1 - 30000, 0, 1]
    assert array("h", again.read(5, 2)).tolist() == [5, 6]


def test_a_stereo_file_gives_its_left_channel(tmp_path: Path) -> None:
    # given a stereo file
    path = write_wav(tmp_path / "st.wav", array("h", [1, 91, 2, 92, 3, 93]), channels=2)
    # then the left channel is read
    assert array("h", WavReader(path, RATE, loop=False).read(0, 3)).tolist() == [1, 2, 3]


def test_a_missing_or_unfit_microphone_is_told_with_its_cure_and_found_when_it_comes(tmp_path: Path) -> None:
    # given a file that is not there, then one of another rate, then the right one
    path = tmp_path / "late.wav"
    owner = Owner()
    devices = open_devices(wav_settings(path), owner.on_captured, owner.on_playback, owner.on_state, time.monotonic())
    devices.start()
    eventually(lambda: any(not ok and "late.wav" in detail for _, ok, detail in owner.states))
    write_wav(path, array("h", [7] * RATE), rate=16000)
    eventually(lambda: any(not ok and "48000 Hz" in detail for _, ok, detail in owner.states))
    write_wav(tmp_path / "right.wav", array("h", [7] * RATE)).replace(path)
    # when it is there
    eventually(lambda: (Device.CAPTURE, True, str(path)) in owner.states)
    devices.stop()
    # then the speaker worked all along
    assert len(owner.played) > 20


def test_no_recording_is_ever_overwritten_and_each_is_valid_at_any_moment(tmp_path: Path) -> None:
    # given two recordings of one name, not closed
    first, second = (WavWriter(tmp_path / "spk.wav", RATE) for _ in range(2))
    first.write(bytes(960))
    second.write(bytes(1920))
    # then both can be read as they are
    assert [w.path.name for w in (first, second)] == ["spk.wav", "spk-2.wav"]
    for writer, count in ((first, 480), (second, 960)):
        with wave.open(str(writer.path)) as file:
            assert file.getnframes() == count


def test_a_folder_that_cannot_be_written_is_told() -> None:
    with pytest.raises(BadWav, match="writable folder"):
        WavWriter(Path("/proc/nowhere/spk.wav"), RATE)


def test_a_recording_is_valid_after_sigkill(tmp_path: Path) -> None:
    # given a process that plays into a file
    script = (
        "import time\nfrom protocol.worker_settings import *\nfrom voice.devices.choose import open_devices\n"
        f"s = AudioSettings(backend='wav', wav=WavSettings(playback_wav={str(tmp_path / 'spk.wav')!r}))\n"
        "d = open_devices(s, lambda *a: None, lambda at: b'\\1\\0' * 480, lambda *a: None, time.monotonic())\n"
        "d.start()\ntime.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    path = tmp_path / "spk.wav"
    eventually(lambda: path.exists() and path.stat().st_size > 20000, 10.0)
    # when it is killed
    process.send_signal(signal.SIGKILL)
    process.wait()
    # then all of it can be read
    with wave.open(str(path)) as file:
        assert file.getnframes() * 2 + 44 == path.stat().st_size


# --- PyAudio ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rig() -> Iterator[PulseRig]:
    with PulseRig(["a_mic", "a_spk", "b_mic", "b_spk"]) as rig:
        yield rig


def test_speech_goes_from_one_sound_card_to_another_and_a_lost_server_is_found_again(
    rig: PulseRig, tmp_path: Path
) -> None:
    # given two workers on real sound devices, and a sound at the first one's microphone
    sound = write_wav(tmp_path / "tone.wav", array("h", [(i % 96 - 48) * 150 for i in range(RATE * 20)]))
    player = subprocess.Popen(["paplay", "-d", "a_mic", str(sound)], env={**os.environ, **rig.env})
    with Broker() as broker:
        first = AudioSettings(capture_device="a_mic_cap", playback_device="a_spk")
        second = AudioSettings(capture_device="b_mic_cap", playback_device="b_spk")
        with (
            WorkerProcess("car-1", broker.port, first, tmp_path / "1.log", env=rig.env) as car1,
            WorkerProcess("car-2", broker.port, second, tmp_path / "2.log", env=rig.env) as car2,
        ):
            for car in (car1, car2):
                car.wait(VoiceLink, lambda event: event.up)
                for device in Device:
                    car.wait(SoundDevice, lambda event, device=device: event.device == device and event.ok)  # type: ignore[misc]
            # when one talks
            request = (0, 1, 1, 1)
            car2.tell(Play(burst=7, user="car-1"))
            car1.tell(ArmWord(request_id=request, edge_at=time.monotonic()))
            begin = time.monotonic()
            for _ in range(5):
                car1.tell(Transmit(request_id=request, burst=7))
                time.sleep(0.2)
            car1.tell(KeyUp(request_id=request, at=time.monotonic()))
            # then the other one hears it at once
            _, heard = car2.wait(Heard)
            assert heard.at - begin < 0.3
            car2.tell(Stop(burst=7, drain=True))
            _, played = car2.wait(PlayedOut)
            assert played.frames > 40
            # when the sound server goes away
            player.kill()
            player.wait()
            rig.stop()
            car2.wait(SoundDevice, lambda event: event.device == Device.PLAYBACK and not event.ok, 10.0)
            count = len(car2.all(SoundDevice))
            rig.start()
            # then it is found again when it is back
            eventually(lambda: {e.device for e in car2.all(SoundDevice)[count:] if e.ok} == set(Device), 20.0)


def test_devices_nobody_needs_rest_wake_for_a_press_or_a_session_and_a_loss_is_known_all_the_same(
    rig: PulseRig, tmp_path: Path
) -> None:
    def corked() -> list[bool]:
        listed = rig.pactl("list", "source-outputs").stdout + rig.pactl("list", "sink-inputs").stdout
        return ["yes" in line for line in listed.splitlines() if "Corked:" in line]

    with Broker() as broker:
        first = AudioSettings(capture_device="a_mic_cap", playback_device="a_spk", rest_after_s=1)
        second = AudioSettings(capture_device="b_mic_cap", playback_device="b_spk", rest_after_s=1)
        with (
            WorkerProcess("car-1", broker.port, first, tmp_path / "1.log", env=rig.env) as car1,
            WorkerProcess("car-2", broker.port, second, tmp_path / "2.log", env=rig.env) as car2,
        ):
            # given two quiet workers
            for car in (car1, car2):
                car.wait(VoiceLink, lambda event: event.up)
                for device in Device:
                    car.wait(SoundDevice, lambda event, device=device: event.device == device and event.ok)  # type: ignore[misc]
            # then microphones and speakers are stopped, and count as good
            eventually(lambda: corked() == [True] * 4, 8.0)
            assert all(event.ok for car in (car1, car2) for event in car.all(SoundDevice))
            # when one is pressed and the other told of it
            request = (0, 1, 1, 1)
            edge = time.monotonic()
            car1.tell(ArmWord(request_id=request, edge_at=edge))
            car1.tell(Transmit(request_id=request, burst=8))
            car2.tell(Join(event_id="s", channel="c"))
            car2.tell(Play(burst=8, user="car-1"))
            for _ in range(3):
                time.sleep(0.2)
                car1.tell(Transmit(request_id=request, burst=8))
            up = time.monotonic()
            car1.tell(KeyUp(request_id=request, at=up))
            # then hardly anything behind the edge is missing
            _, drained = car1.wait(Drained)
            packet_s = first.codec.packet_ms / 1000
            assert drained.last_seq is not None
            assert (drained.last_seq + 1) * packet_s > up - edge - 0.1
            car2.wait(Heard)
            car2.tell(Stop(burst=8, drain=True))
            car2.tell(Leave())
            eventually(lambda: corked() == [True] * 4, 8.0)
            # when the sound server dies in its sleep
            rig.stop()
            # then that is known without a press
            for car in (car1, car2):
                car.wait(SoundDevice, lambda event: not event.ok, 20.0)
            rig.start()


def test_a_device_that_is_not_there_is_told_with_those_that_are(rig: PulseRig, tmp_path: Path) -> None:
    # given a worker with a wrong name in its configuration
    audio = AudioSettings(capture_device="no-such-card", playback_device="b_spk")
    with Broker() as broker, WorkerProcess("car-1", broker.port, audio, tmp_path / "1.log", env=rig.env) as car:
        # when it looks for its devices
        _, missing = car.wait(SoundDevice, lambda event: event.device == Device.CAPTURE)
        # then it says what it looked for and what there is, and goes on with the other
        assert not missing.ok
        assert "no-such-card" in missing.detail
        assert "a_mic_cap" in missing.detail
        assert "audio.capture_device" in missing.detail
        car.wait(SoundDevice, lambda event: event.device == Device.PLAYBACK and event.ok)
