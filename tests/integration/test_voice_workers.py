"""Two real voice workers over a real broker, driven through their pipes as the daemon drives them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from protocol.voice_frame import VoiceFrame, pack
from protocol.worker import (
    Arm,
    Cue,
    Drained,
    Fault,
    Flood,
    Heard,
    Hold,
    Join,
    Joined,
    KeyUp,
    Leave,
    Left,
    Ping,
    Play,
    PlayedOut,
    Pong,
    Quit,
    Sound,
    Stop,
    Through,
    Transmit,
    VoiceLink,
)
from tests.integration.voice_workers_rig import R1, R2, RATE, heard_by, likeness, ready, speech_like, talk, worker
from tests.support.broker import Broker, free_port
from tests.support.procs import eventually
from tests.support.proxy import Proxy
from tests.support.voice import ROOT


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mic") / "mic.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(speech_like(1).astype(np.int16).tobytes())
    return path


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


@pytest.mark.parametrize("packet_ms", [10, 20])
def test_what_is_said_while_the_button_is_down_is_heard_whole_and_nothing_else(
    broker: Broker, voice: Path, tmp_path: Path, packet_ms: int
) -> None:
    # given a speaker and a listener of one office
    with (
        worker("car-1", broker.port, tmp_path, mic=voice, packet_ms=packet_ms) as car1,
        worker("car-2", broker.port, tmp_path, packet_ms=packet_ms) as car2,
    ):
        ready(car1, car2)
        time.sleep(0.3)
        # when the button is pressed, granted 20 ms later, and released
        edge = time.monotonic()
        car1.tell(Arm(request_id=R1, edge_at=edge))
        time.sleep(0.02)
        granted = time.monotonic()
        car1.tell(Transmit(request_id=R1, burst=7))
        car2.tell(Join(event_id="e1", channel="c"))
        car2.tell(Play(burst=7, user="car-1"))
        talk(car1, 2.0, R1, 7)
        up = time.monotonic()
        car1.tell(KeyUp(request_id=R1, at=up))
        _, drained = car1.wait(Drained)
        car2.tell(Stop(burst=7, drain=True, last_seq=drained.last_seq))
        _, played = car2.wait(PlayedOut)
        _, heard = car2.wait(Heard)
        time.sleep(0.1)
    # then each worker said what happened, in time
    assert drained == Drained(request_id=R1, burst=7, last_seq=played.frames - 1)
    assert (played.user, played.burst, played.late) == ("car-1", 7, 0)
    assert heard.at - granted < 0.15
    assert car1.all(Through)[0].at - granted < 0.2
    assert car2.all(Joined) == [Joined(event_id="e1")]
    # and what was heard is what was at the microphone between the edges: its first, middle and last syllable
    sound, epoch = heard_by("car-2", tmp_path)
    start = round((edge - json.loads((tmp_path / "car-1.wav.json").read_text())["capture_epoch_s"]) * RATE)
    said = speech_like(1)[start : start + round((up - edge) * RATE)]
    places = []
    for begin in (0.0, 0.8, (up - edge) - 0.12):  # short, because what waited for the grant is hurried
        piece = said[round(begin * RATE) : round((begin + 0.12) * RATE)]
        score, at = likeness(sound, piece)
        assert score > 0.7, f"piece at {begin:.1f} s"
        places.append(epoch + at / RATE - (edge + begin))
    assert max(places) - min(places) < 0.06
    assert 0.0 < min(places) < 0.2
    loud = np.flatnonzero(np.abs(sound) > 200)
    assert (loud[-1] - loud[0]) / RATE < (up - edge) + 0.05


def test_nothing_leaves_while_held_nor_after_the_permission_lapsed(broker: Broker, voice: Path, tmp_path: Path) -> None:
    # given a burst under way
    with worker("car-1", broker.port, tmp_path, mic=voice) as car1, worker("car-2", broker.port, tmp_path) as car2:
        ready(car1, car2)
        car2.tell(Play(burst=7, user="car-1"))
        car1.tell(Arm(request_id=R1, edge_at=time.monotonic()))
        talk(car1, 0.6, R1, 7)
        # when it is held for half a second and then permitted again, and then nobody repeats the permission
        car1.tell(Hold(burst=7))
        held = time.monotonic()
        time.sleep(0.5)
        resumed = time.monotonic()
        talk(car1, 0.6, R1, 7)
        last = time.monotonic()
        time.sleep(1.2)
        car1.tell(KeyUp(request_id=R1, at=time.monotonic()))
        _, drained = car1.wait(Drained)
        car2.tell(Stop(burst=7, drain=True, last_seq=drained.last_seq))
        car2.wait(PlayedOut)
    # then the listener heard silence in between, and nothing from half a second after the last permission on
    sound, epoch = heard_by("car-2", tmp_path)
    loud = epoch + np.flatnonzero(np.abs(sound) > 500) / RATE
    assert not np.any((loud > held + 0.25) & (loud < resumed))
    assert np.any((loud > resumed) & (loud < last))
    assert loud[-1] < last + 0.5 + 0.2


def test_a_worker_whose_daemon_hangs_up_ends_and_sends_nothing_more(
    broker: Broker, voice: Path, tmp_path: Path
) -> None:
    # given a burst under way
    with worker("car-1", broker.port, tmp_path, mic=voice) as car1, worker("car-2", broker.port, tmp_path) as car2:
        ready(car1, car2)
        car2.tell(Play(burst=7, user="car-1"))
        car1.tell(Arm(request_id=R1, edge_at=time.monotonic()))
        talk(car1, 0.5, R1, 7)
        # when the pipe closes
        car1.hang_up()
        closed = time.monotonic()
        # then the worker is gone at once, and its voice with it
        assert car1.process.wait(3.0) == 0
        time.sleep(0.3)
        car2.tell(Stop(burst=7, drain=False))
        car2.wait(PlayedOut)
    sound, epoch = heard_by("car-2", tmp_path)
    assert epoch + np.flatnonzero(np.abs(sound) > 1000)[-1] / RATE < closed + 0.3


def test_a_worker_dies_with_its_parent_even_if_the_pipe_stays_open(tmp_path: Path) -> None:
    # given a worker started by a process that is killed, while the pipe's other end lives on elsewhere
    script = (
        "import os, socket, subprocess, sys, time\n"
        "a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        "os.set_inheritable(a.fileno(), True)\n"
        "w = subprocess.Popen([sys.executable, '-m', 'voice', '--pipe-fd', str(b.fileno())],"
        " pass_fds=[b.fileno(), a.fileno()])\n"
        "from tests.support.voice import OFFICE\n"
        "from protocol.worker_settings import *\n"
        "m = VoiceMqttSettings(client_id='x', port=1)\n"
        "s = WorkerSettings(user='car-1', office=OFFICE, mqtt=m, audio=AudioSettings(backend='wav'))\n"
        "a.send(encode_settings(s))\n"
        "a.recv(4096)\n"
        "print(w.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    # when the parent is killed
    parent.kill()
    parent.wait()
    parent.stdout.close()
    # then the worker is gone
    eventually(lambda: not _runs(pid), 3.0)


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_broker_that_comes_late_and_goes_away_is_told_and_survived(voice: Path, tmp_path: Path) -> None:
    # given a worker without a broker
    port = free_port()
    with worker("car-1", port, tmp_path, mic=voice) as car1:
        _, down = car1.wait(VoiceLink)
        assert not down.up
        assert str(port) in down.detail
        car1.tell(Join(event_id="e1", channel="c"))
        # when one comes, goes and comes back
        with Broker(port=port) as broker:
            car1.wait(VoiceLink, lambda event: event.up)
            car1.wait(Joined)
            broker.kill()
            eventually(lambda: not car1.all(VoiceLink)[-1].up)
            broker.start()
            eventually(lambda: car1.all(VoiceLink)[-1].up, 10.0)
            # then it answers all along
            car1.tell(Leave())
            car1.wait(Left)
            car1.tell(Ping(no=3))
            _, pong = car1.wait(Pong, lambda event: event.no == 3)
            assert pong.link
            assert pong.capture
            assert pong.playback


def test_after_a_stall_of_the_link_speech_is_late_for_a_short_time_only(voice: Path, tmp_path: Path) -> None:
    # given a speaker behind a line that can stall
    with (
        Broker() as broker,
        Proxy(broker.port) as proxy,
        worker("car-1", proxy.port, tmp_path, mic=voice) as car1,
        worker("car-2", broker.port, tmp_path) as car2,
    ):
        ready(car1, car2)
        car2.tell(Play(burst=7, user="car-1"))
        edge = time.monotonic()
        car1.tell(Arm(request_id=R1, edge_at=edge))
        talk(car1, 1.0, R1, 7)
        # when it stalls for 1.2 s in the middle of the burst
        proxy.stall()
        talk(car1, 1.2, R1, 7)
        proxy.resume()
        talk(car1, 5.5, R1, 7)
        up = time.monotonic()
        car1.tell(KeyUp(request_id=R1, at=up))
        _, drained = car1.wait(Drained)
        car2.tell(Stop(burst=7, drain=True, last_seq=drained.last_seq))
        _, played = car2.wait(PlayedOut)
    # then what was too old was dropped, and at the end speech is heard without the stall's delay
    assert played.delay_ms < 100
    sound, epoch = heard_by("car-2", tmp_path)
    start = round((up - 0.4 - json.loads((tmp_path / "car-1.wav.json").read_text())["capture_epoch_s"]) * RATE)
    score, at = likeness(sound, speech_like(1)[start : start + round(0.3 * RATE)])
    assert score > 0.75
    assert epoch + at / RATE - (up - 0.4) < 0.15


def test_two_presses_in_a_row_are_two_bursts_and_a_quick_one_is_heard_whole(
    broker: Broker, voice: Path, tmp_path: Path
) -> None:
    # given a short press that is released before its grant
    with worker("car-1", broker.port, tmp_path, mic=voice) as car1, worker("car-2", broker.port, tmp_path) as car2:
        ready(car1, car2)
        time.sleep(0.2)
        car1.tell(Arm(request_id=R1, edge_at=time.monotonic()))
        time.sleep(0.25)
        car1.tell(KeyUp(request_id=R1, at=time.monotonic()))
        time.sleep(0.1)
        car1.tell(Transmit(request_id=R1, burst=7))
        _, first = car1.wait(Drained)
        # when another follows while the listener has not heard of the first's end
        car1.tell(Arm(request_id=R2, edge_at=time.monotonic()))
        talk(car1, 0.4, R2, 8)
        car1.tell(KeyUp(request_id=R2, at=time.monotonic()))
        _, second = car1.wait(Drained, lambda event: event.burst == 8)
        car2.tell(Play(burst=7, user="car-1"))
        car2.tell(Stop(burst=7, drain=True, last_seq=first.last_seq))
        car2.tell(Play(burst=8, user="car-1"))
        car2.tell(Stop(burst=8, drain=True, last_seq=second.last_seq))
        car2.wait(PlayedOut, lambda event: event.burst == 8)
        # then both were heard whole, in order
        assert [(event.burst, event.frames) for event in car2.all(PlayedOut)] == [
            (7, (first.last_seq or 0) + 1),
            (8, (second.last_seq or 0) + 1),
        ]


def test_cues_sound_only_while_the_microphone_is_closed_and_rubbish_on_the_wire_is_survived(
    broker: Broker, voice: Path, tmp_path: Path
) -> None:
    # given a worker that is armed
    with worker("car-1", broker.port, tmp_path, mic=voice) as car1:
        ready(car1)
        car1.tell(Cue(sound=Sound.SESSION_JOIN))
        time.sleep(0.4)
        armed = time.monotonic()
        car1.tell(Arm(request_id=R1, edge_at=armed))
        # when a cue comes, and rubbish and impostors on the voice topic
        car1.tell(Cue(sound=Sound.START_SUCCESS))
        for payload in ("", "rubbish", "x" * 5000):
            subprocess.run(
                ["mosquitto_pub", "-p", str(broker.port), "-t", "ptt/v1/kr/seoul/voice/car-9", "-m", payload],
                check=False,
            )
        time.sleep(1.3)
        opened = time.monotonic()
        car1.tell(KeyUp(request_id=R1, at=opened))
        car1.wait(Fault)
        car1.tell(Quit())
        assert car1.process.wait(5.0) == 0
    # then only the first was heard
    sound, epoch = heard_by("car-1", tmp_path)
    loud = epoch + np.flatnonzero(np.abs(sound) > 500) / RATE
    assert loud[0] < armed
    assert loud[-1] < armed + 0.05


def test_a_flood_of_the_voice_topic_harms_nobodys_speech_and_is_told(
    broker: Broker, voice: Path, tmp_path: Path
) -> None:
    # given a speaker, a listener, and a member that sends thousands of frames a second of bursts nobody announced
    flooding = threading.Event()
    flooder = paho.Client(CallbackAPIVersion.VERSION2, "car-9", protocol=paho.MQTTv5)
    flooder.connect("127.0.0.1", broker.port)
    flooder.loop_start()

    def flood() -> None:
        number = 0
        while not flooding.is_set():
            for _ in range(30):
                frame = VoiceFrame(50 + number % 7, number, 20 * number, bytes([8]) + bytes(59))
                flooder.publish("ptt/v1/kr/seoul/voice/car-9", pack(frame))
                number += 1
            flooding.wait(0.01)

    with worker("car-1", broker.port, tmp_path, mic=voice) as car1, worker("car-2", broker.port, tmp_path) as car2:
        ready(car1, car2)
        thread = threading.Thread(target=flood)
        thread.start()
        try:
            _, told = car2.wait(Flood)
            # when somebody speaks meanwhile
            car1.tell(Arm(request_id=R1, edge_at=time.monotonic()))
            car2.tell(Play(burst=7, user="car-1"))
            talk(car1, 2.0, R1, 7)
            car1.tell(KeyUp(request_id=R1, at=time.monotonic()))
            _, drained = car1.wait(Drained)
            car2.tell(Stop(burst=7, drain=True, last_seq=drained.last_seq))
            _, played = car2.wait(PlayedOut)
        finally:
            flooding.set()
            thread.join()
            flooder.loop_stop()
            flooder.disconnect()
    # then every frame of it was played, and the flood was told of, once
    assert played.frames == (drained.last_seq or 0) + 1
    assert told.user == "car-9"
    assert told.frames_s > 100
    assert len(car2.all(Flood)) == 1
