"""The first syllable and the last: real speech, real workers, a grant up to 1.5 s late, a channel 0.6 s."""

from __future__ import annotations

import json
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from lab.demo.speech import Voice, speak
from lab.measure.align import Alignment, align
from lab.measure.sound import RATE_HZ, Recording, Sound, from_int16, write
from protocol.worker import Arm, Device, Drained, KeyUp, Play, PlayedOut, SoundDevice, Stop, Transmit, VoiceLink
from protocol.worker_settings import AudioSettings, WavSettings
from tests.support.broker import Broker
from tests.support.procs import eventually
from tests.support.proxy import Proxy
from tests.support.voice import WorkerProcess

R1, R2 = (0, 1, 1, 1), (0, 1, 1, 2)
SENTENCES = (
    "사고가 났습니다 모두 우회하세요",
    "구급차가 곧 도착합니다 길을 비워 주세요",
    "서울역 앞 삼거리에서 기다리겠습니다",
)
SHORT = "우회하세요"
PAUSE_S = 0.3
USUAL_S = 0.1
"""Mouth to ear without any wait: packet, codec, device frames of 10 ms; and a busy machine."""


@pytest.fixture(scope="module")
def sentence() -> Sound:
    parts = [speak(text, Voice("ko", 170, 50)) for text in SENTENCES]
    pause = np.zeros(round(PAUSE_S * RATE_HZ), np.float32)
    return np.concatenate([parts[0], pause, parts[1], pause, parts[2]])


class Cab:
    """A speaker behind a line of its own for voice, and a listener; the test is their daemons."""

    def __init__(self, folder: Path, broker: Broker, line: Proxy, stack: ExitStack, said: Sound) -> None:
        self.folder, self.line = folder, line
        self._said = said
        self._tape = folder / "mouth.wav"
        self._stack = stack
        self.listener = self._worker("car-2", broker.port, "")
        self.speaker: WorkerProcess
        # the tape begins once the speaker's devices run: the sentence lies in its second second
        write(self._tape, np.concatenate([np.zeros(2 * RATE_HZ, np.float32), said, np.zeros(RATE_HZ, np.float32)]))
        self.begins_s = time.monotonic()
        self.speaker = self._worker("car-1", line.port, str(self._tape))
        epoch_s = float(json.loads((folder / "car-1.wav.json").read_text())["capture_epoch_s"])
        self.begins_s = epoch_s + 2.0

    def _worker(self, user: str, port: int, tape: str) -> WorkerProcess:
        wav = WavSettings(capture_wav=tape, playback_wav=str(self.folder / f"{user}.wav"))
        audio = AudioSettings(backend="wav", wav=wav)
        one = self._stack.enter_context(WorkerProcess(user, port, audio, self.folder / f"{user}.log"))
        for device in Device:
            one.wait(SoundDevice, lambda event, device=device: event.device == device and event.ok)  # type: ignore[misc]
        one.wait(VoiceLink, lambda event: event.up)
        eventually(lambda: (self.folder / f"{user}.wav.json").exists())
        return one

    def talk(self, *, granted_after_s: float, joined_after_s: float, for_s: float) -> tuple[float, float, Drained]:
        """Press as the sentence begins; gives edge, key-up and what was drained."""
        edge_s = self.begins_s - 0.01
        wait_until(edge_s)
        if joined_after_s:
            self.line.refuse()
        self.speaker.tell(Arm(request_id=R1, edge_at=edge_s))
        timer = threading.Timer(edge_s + joined_after_s - time.monotonic(), self.line.accept)
        timer.start()
        up_s, told = edge_s + for_s, False
        wait_until(edge_s + granted_after_s)
        while (now := time.monotonic()) < max(up_s, edge_s + granted_after_s + 0.1):
            self.speaker.tell(Transmit(request_id=R1, burst=7))
            if not told:
                told = True
                self.listener.tell(Play(burst=7, user="car-1"))
            time.sleep(min(0.2, max(0.01, up_s - now)))
        self.speaker.tell(KeyUp(request_id=R1, at=up_s))
        until = threading.Event()
        repeat = threading.Thread(target=self._repeat, args=(until,), name="repeat")
        repeat.start()
        try:
            _, drained = self.speaker.wait(Drained)
        finally:
            until.set()
            repeat.join()
            timer.join()
        self.listener.tell(Stop(burst=7, drain=True, last_seq=drained.last_seq))
        return edge_s, up_s, drained

    def _repeat(self, until: threading.Event) -> None:
        while not until.wait(0.2):
            self.speaker.tell(Transmit(request_id=R1, burst=7))

    def followed(self, edge_s: float, up_s: float, *, faster_s: float) -> Alignment:
        """How what was heard follows what was said between the edges."""
        said = Recording(self._said, self.begins_s).cut(edge_s, up_s)
        time.sleep(0.2)
        sidecar = json.loads((self.folder / "car-2.wav.json").read_text())
        with wave.open(str(self.folder / "car-2.wav")) as file:
            heard = Recording(from_int16(file.readframes(file.getnframes())), float(sidecar["epoch_s"]))
        return align(said, heard.cut(edge_s, time.monotonic()), faster_s=faster_s)


def wait_until(at_s: float) -> None:
    time.sleep(max(0.0, at_s - time.monotonic()))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def cab(tmp_path: Path, stack: ExitStack, said: Sound) -> Cab:
    broker = stack.enter_context(Broker())
    return Cab(tmp_path, broker, stack.enter_context(Proxy(broker.port)), stack, said)


@pytest.mark.parametrize(("granted_after_s", "joined_after_s"), [(0.0, 0.0), (0.5, 0.0), (0.5, 0.6), (1.5, 0.0)])
def test_speech_that_begins_with_the_press_is_heard_whole_and_its_delay_is_worked_off(
    tmp_path: Path, stack: ExitStack, sentence: Sound, granted_after_s: float, joined_after_s: float
) -> None:
    # given a driver who speaks as the button goes down, and a grant and a channel that take their time
    one = cab(tmp_path, stack, sentence)
    # when a sentence is said, and the button released with its end
    for_s = len(sentence) / RATE_HZ + 0.05
    edge_s, up_s, drained = one.talk(granted_after_s=granted_after_s, joined_after_s=joined_after_s, for_s=for_s)
    _, played = one.listener.wait(PlayedOut)
    # then every frame was played, and everything said is heard, once, the first and the last syllable too
    late_s = max(granted_after_s, joined_after_s)
    found = one.followed(edge_s, up_s, faster_s=1.5)
    assert found.problems == ()
    assert drained.last_seq is not None
    assert (played.late, played.frames) == (0, drained.last_seq + 1)
    assert min(found.first_found, found.last_found) >= 0.75
    # and what was late at first is as late as ever in the end
    dialled_s = 0.5 if joined_after_s else 0.0  # a refused line is tried ten times a second
    assert late_s <= found.lag_start_ms / 1000 <= late_s + dialled_s + USUAL_S
    assert found.lag_end_ms / 1000 <= USUAL_S + 0.05


def test_a_word_said_and_over_before_the_grant_is_heard_whole_behind_its_release(
    tmp_path: Path, stack: ExitStack
) -> None:
    # given one word, and a grant that comes when it is all but over
    word = speak(SHORT, Voice("ko", 170, 50))
    one = cab(tmp_path, stack, word)
    # when the button is released with it, more than a drain's time before it can have been heard
    edge_s, up_s, drained = one.talk(granted_after_s=1.0, joined_after_s=0.0, for_s=len(word) / RATE_HZ + 0.05)
    _, played = one.listener.wait(PlayedOut)
    # then it is heard to its end
    assert drained.last_seq is not None
    assert played.frames == drained.last_seq + 1
    assert one.followed(edge_s, up_s, faster_s=0.5).problems == ()


def test_the_next_speaker_is_heard_behind_such_a_tail_and_never_over_it(tmp_path: Path, stack: ExitStack) -> None:
    # given a word that is released with 1.4 s of it still to be heard
    word = speak("모두 우회하세요 바로 지금", Voice("ko", 170, 50))
    one = cab(tmp_path, stack, word)
    for_s = len(word) / RATE_HZ
    one.talk(granted_after_s=for_s - 0.1, joined_after_s=0.0, for_s=for_s)
    # when the next burst is announced at once
    one.listener.tell(Play(burst=8, user="car-3"))
    one.listener.tell(Stop(burst=8, drain=True, last_seq=None))
    # then the first ends whole before the next one ends
    eventually(lambda: len(one.listener.all(PlayedOut)) == 2)
    first, second = one.listener.all(PlayedOut)
    assert [first.burst, second.burst] == [7, 8]
    assert first.frames >= for_s / 0.02
