"""Real voice workers over a real broker and the stand-in for Agora: the way speech takes, and what gets lost on it.

The stand-in (lab.agora_stub) shows how our side behaves; it says nothing about Agora's real library or cloud.
"""

from __future__ import annotations

import json
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from lab.agora_stub.build import stage_stub
from lab.agora_stub.hub import Hub
from lab.agora_stub.stream import Network
from lab.measure.align import Alignment, align
from lab.measure.sound import Sound, as_float, resample
from protocol.messages import VoicePath
from protocol.timers import AGORA_OVERLAP_S
from protocol.worker import (
    Agora,
    AgoraState,
    Arm,
    Device,
    Drained,
    Handover,
    Hold,
    Join,
    Joined,
    KeyUp,
    Mute,
    Play,
    PlayedOut,
    Quit,
    SoundDevice,
    Stop,
    Through,
    TokenWanted,
    Transmit,
    VoiceLink,
)
from protocol.worker_settings import AgoraSettings, AudioSettings, WavSettings
from tests.support.agora import APP_ID, CERTIFICATE, CHANNEL, token_for
from tests.support.broker import Broker
from tests.support.procs import eventually
from tests.support.proxy import Proxy
from tests.support.two_ways import RATE, voice_like
from tests.support.voice import WorkerProcess
from voice.worker import SDK_STUCK_S

UIDS = {"car-1": 4_000_000_001, "car-2": 1002, "car-3": 1003}
R1 = (0, 1, 1, 1)
DELAY_S = 0.15
Samples = np.ndarray[tuple[int], np.dtype[np.float64]]


@pytest.fixture(scope="module")
def sdk_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stage_stub(tmp_path_factory.mktemp("agora") / "sdk")


@pytest.fixture(scope="module")
def mic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mic") / "mic.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(voice_like(1, 60.0).astype(np.int16).tobytes())
    return path


IN_ONE_PLACE = "of speech in one place"
BOTH_HURRY_MS_MAX = 70
"""Left out within 150 ms where the listener makes up for a stall of this machine while the speaker hurries, too: at
1.25 × 1.25 times the speed that is 54 ms, and the measure counts in steps of 5."""


class Fleet:
    """Workers of one office, a broker and the hub."""

    def __init__(self, broker: Broker, hub: Hub, sdk_dir: Path, mic: Path, folder: Path, stack: ExitStack) -> None:
        self.broker, self.hub, self.folder = broker, hub, folder
        self._sdk_dir, self._mic, self._stack = sdk_dir, mic, stack

    def car(self, user: str, *, agora: bool = True, port: int | None = None, joined: bool = True) -> WorkerProcess:
        """A worker that has its devices; with Agora, one that has joined the channel."""
        audio = AudioSettings(
            backend="wav",
            device_rate_hz=16000,
            wav=WavSettings(
                capture_wav=str(self._mic) if user == "car-1" else "",
                playback_wav=str(self.folder / f"{user}.wav"),
            ),
        )
        settings = AgoraSettings(sdk_dir=str(self._sdk_dir), log_dir=str(self.folder)) if agora else None
        one = self._stack.enter_context(
            WorkerProcess(
                user,
                port or self.broker.port,
                audio,
                self.folder / f"{user}.log",
                env={"AGORA_STUB_SOCKET": str(self.hub.path)},
                agora=settings,
            )
        )
        one.wait(SoundDevice, lambda event: event.device == Device.CAPTURE and event.ok)
        one.wait(SoundDevice, lambda event: event.device == Device.PLAYBACK and event.ok)
        if joined:
            one.wait(VoiceLink, lambda event: event.up)
            one.tell(Join(event_id="e1", channel=CHANNEL))
            if agora:
                one.wait(TokenWanted, lambda event: event.channel == CHANNEL)
                one.tell(token_for(UIDS[user]))
                one.wait(Joined, lambda event: event.voice == VoicePath.AGORA)
        return one

    def followed(self, user: str, edge: float, up: float, *, faster_s: float = 0.0) -> Alignment:
        """How what `user` heard follows what car-1 said; Agora's way may take DELAY_S longer, and its own buffer."""
        said = cut(self.folder / "car-1.wav.json", "capture_epoch_s", voice_like(1, 60.0), edge, up)
        with wave.open(str(self.folder / f"{user}.wav")) as file:
            played = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(float)
        heard = cut(self.folder / f"{user}.wav.json", "epoch_s", played, edge, up + 0.6 + faster_s)
        return align(said, heard, slower_s=DELAY_S, faster_s=faster_s)

    def pushed_s(self) -> float:
        """How much of car-1's speech Agora got."""
        return self.hub.stats(CHANNEL).pushed.get(UIDS["car-1"], 0) / 100


def cut(times: Path, first: str, sound: Samples, begin_s: float, end_s: float) -> Sound:
    """What lies between two times of a recording whose first sample's time stands in the file `times`."""
    epoch = float(json.loads(times.read_text())[first])
    start, end = (max(0, round((at - epoch) * RATE)) for at in (begin_s, end_s))
    return resample(as_float(sound[start:end] / 32768), RATE)


@pytest.fixture
def fleet(tmp_path: Path, sdk_dir: Path, mic: Path) -> Iterator[Fleet]:
    with (
        Broker() as broker,
        Hub(APP_ID, CERTIFICATE, tmp_path / "hub", network=Network(delay_s=DELAY_S)) as hub,
        ExitStack() as stack,
    ):
        yield Fleet(broker, hub, sdk_dir, mic, tmp_path, stack)


def talk(car: WorkerProcess, for_s: float, *, all_joined: bool = False, burst: int = 7) -> None:
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        car.tell(Transmit(request_id=R1, burst=burst, all_joined=all_joined))
        time.sleep(min(0.2, max(0.0, until - time.monotonic())))


def talk_until_handed_over(car: WorkerProcess, changes: int) -> None:
    """Talk until speech changed its way so often: on a busy machine a late frame puts a handover off."""
    until = time.monotonic() + 15.0
    while len(car.all(Handover)) < changes and time.monotonic() < until:
        talk(car, 0.1, all_joined=True)


def begin(speaker: WorkerProcess, *listeners: WorkerProcess, burst: int = 7) -> float:
    edge = time.monotonic()
    speaker.tell(Arm(request_id=R1, edge_at=edge))
    for one in listeners:
        one.tell(Play(burst=burst, user=speaker.user, uid=UIDS[speaker.user]))
    return edge


def release(speaker: WorkerProcess, *listeners: WorkerProcess, burst: int = 7) -> tuple[float, int]:
    """Let go of the button; gives when, and the last frame's number."""
    up = time.monotonic()
    speaker.tell(KeyUp(request_id=R1, at=up))
    _, drained = speaker.wait(Drained)
    for one in listeners:
        one.tell(Stop(burst=burst, drain=True, last_seq=drained.last_seq))
        one.wait(PlayedOut)
    time.sleep(0.15)  # what the null device of the test has rendered is in its file only a frame later
    assert drained.last_seq is not None
    return up, drained.last_seq


def test_a_burst_starts_on_mqtt_goes_to_both_and_is_left_to_agora_without_a_word_lost_or_doubled(fleet: Fleet) -> None:
    # given two cars on Agora
    car1, car2 = fleet.car("car-1"), fleet.car("car-2")
    assert car2.all(Joined)[-1] == Joined(event_id="e1", voice=VoicePath.AGORA)
    assert any(event.state is AgoraState.JOINED and event.join_ms for event in car2.all(Agora))
    # when one speaks for five seconds, all having joined
    edge = begin(car1, car2)
    talk(car1, 5.0, all_joined=True)
    up, last_seq = release(car1, car2)
    # then it went both ways, and then over Agora alone
    words = [(word.mqtt, word.agora) for word in car1.all(Handover)]
    assert words == [(True, True), (False, True)]
    first, second = (word.seq for word in car1.all(Handover))
    assert (second - first) * 0.02 == pytest.approx(AGORA_OVERLAP_S, abs=0.15)
    # and voice was told to be through to the end
    assert max(word.seq for word in car1.all(Through)) > last_seq - 20
    # and the listener played every frame once, and heard every syllable once
    assert car2.all(PlayedOut)[0].frames == pytest.approx(last_seq + 1, abs=6)
    assert fleet.followed("car-2", edge, up).problems == ()
    # and the speaker is silent afterwards
    assert fleet.hub.stats(CHANNEL).speaking == ()


def test_a_listener_without_agora_asks_and_hears_on_over_mqtt(fleet: Fleet) -> None:
    # given a car on Agora, one not, and a speaker who is told that all have joined
    car1, car2, car3 = fleet.car("car-1"), fleet.car("car-2"), fleet.car("car-3", agora=False)
    edge = begin(car1, car2, car3)
    # when the speaker hands over
    talk(car1, AGORA_OVERLAP_S + 4.0, all_joined=True)
    up, last_seq = release(car1, car2, car3)
    # then MQTT came back within half a second (often before a single frame went without it), and stayed
    ways = [(word.mqtt, word.agora) for word in car1.all(Handover)]
    assert ways[0] == ways[-1] == (True, True)
    assert ways[1:-1] in ([], [(False, True)])
    # and the one without Agora lost no more than that, while the one on Agora lost nothing
    assert last_seq + 1 - car3.all(PlayedOut)[0].frames < 0.5 / 0.02
    assert car2.all(PlayedOut)[0].frames == pytest.approx(last_seq + 1, abs=6)
    heard = fleet.followed("car-3", edge, up)
    assert (heard.missing_ms <= 500, heard.extra_run_ms <= 80) == (True, True), heard


def test_a_speaker_whose_agora_link_is_lost_is_heard_over_mqtt_again(fleet: Fleet) -> None:
    # given a burst that is on Agora alone
    car1, car2 = fleet.car("car-1"), fleet.car("car-2")
    begin(car1, car2)
    talk(car1, 1.5, all_joined=True)
    car1.wait(Handover, lambda word: not word.mqtt)
    # when the speaker's link is lost
    fleet.hub.lose(UIDS["car-1"], back_after_s=3.0)
    talk(car1, 2.5, all_joined=True)
    _, last_seq = release(car1, car2)
    # then MQTT takes over, and the listener missed a short time only
    assert [(word.mqtt, word.agora) for word in car1.all(Handover)][2][0] is True
    assert car2.all(PlayedOut)[0].frames > last_seq + 1 - 0.7 / 0.02
    assert (AgoraState.LOST in [event.state for event in car1.all(Agora)]) is True


def test_where_mqtt_voice_is_cut_off_agora_carries_the_burst_and_its_renewals(fleet: Fleet) -> None:
    # given a speaker behind a line that is cut before it speaks
    with Proxy(fleet.broker.port) as proxy:
        car1, car2 = fleet.car("car-1", port=proxy.port), fleet.car("car-2")
        proxy.refuse()
        proxy.cut()
        # when it speaks
        edge = begin(car1, car2)
        talk(car1, 3.0)
        up, last_seq = release(car1, car2)
        # then voice is through over Agora
        assert max(word.seq for word in car1.all(Through)) > last_seq - 20
        heard = fleet.followed("car-2", edge, up)
        assert (heard.missing_ms < heard.voiced_ms / 4, heard.extra_run_ms <= 80) == (True, True), heard
        assert all(link.up for link in car1.all(VoiceLink))


def test_where_agora_carries_a_burst_alone_what_waited_for_the_grant_is_heard_and_worked_off(fleet: Fleet) -> None:
    # given a speaker behind a line that is cut, and a grant that takes 1.2 s
    with Proxy(fleet.broker.port) as proxy:
        car1, car2 = fleet.car("car-1", port=proxy.port), fleet.car("car-2")
        proxy.refuse()
        proxy.cut()
        edge = begin(car1, car2)
        time.sleep(1.2)
        # when it speaks from the press on
        talk(car1, 8.0)
        up, _ = release(car1, car2)
        # then all of it is heard, the first and the last syllable too, and the delay is worked off
        heard = fleet.followed("car-2", edge, up, faster_s=1.2)
        assert [problem for problem in heard.problems if IN_ONE_PLACE not in problem] == []
        assert heard.missing_near_ms <= BOTH_HURRY_MS_MAX
        assert heard.lag_start_ms >= 1100
        assert heard.lag_end_ms <= heard.lag_start_ms - 800


@pytest.mark.parametrize("end", ["hold", "mute", "lapse", "hang up", "quit", "key up"])
def test_after_the_end_of_its_permission_not_one_more_frame_is_pushed(fleet: Fleet, end: str) -> None:
    # given a burst that is on Agora
    car1, car2 = fleet.car("car-1"), fleet.car("car-2")
    begin(car1, car2)
    talk(car1, 1.2, all_joined=True)
    assert fleet.pushed_s() > 0.8
    # when permission ends, the button being held down still
    ends: dict[str, Callable[[], None]] = {
        "hold": lambda: car1.tell(Hold(burst=7)),
        "mute": lambda: car1.tell(Mute()),
        "lapse": lambda: time.sleep(0.6),
        "hang up": car1.hang_up,
        "quit": lambda: car1.tell(Quit()),
        "key up": lambda: car1.tell(KeyUp(request_id=R1, at=time.monotonic())),
    }
    ends[end]()
    eventually(lambda: fleet.hub.stats(CHANNEL).speaking == (), 2.0, lambda: "it still speaks")
    pushed = fleet.pushed_s()
    # then nothing more comes
    time.sleep(0.5)
    assert fleet.pushed_s() == pushed
    assert fleet.hub.stats(CHANNEL).mute_pushes == 0


def test_a_held_burst_goes_on_over_both_ways(fleet: Fleet) -> None:
    # given a burst on Agora that was held
    car1, car2 = fleet.car("car-1"), fleet.car("car-2")
    begin(car1, car2)
    talk_until_handed_over(car1, 2)
    talk(car1, 0.3, all_joined=True)
    car1.tell(Hold(burst=7))
    time.sleep(0.5)
    resumed = fleet.pushed_s()
    # when it goes on
    talk(car1, 1.3, all_joined=True)
    # then both ways carry it again
    assert fleet.pushed_s() - resumed > 1.0
    assert [(word.mqtt, word.agora) for word in car1.all(Handover)][2] == (True, True)
    _, last_seq = release(car1, car2)
    assert car2.all(PlayedOut)[0].frames > last_seq + 1 - 12


def test_a_worker_whose_sdk_does_not_return_ends_itself_once_nobody_speaks(fleet: Fleet) -> None:
    # given a speaker whose SDK does not return from taking sound
    car1, car2 = fleet.car("car-1"), fleet.car("car-2")
    fleet.hub.hang(UIDS["car-1"], 300.0)
    begin(car1, car2)
    # when the burst goes on for longer than a call may last
    talk(car1, SDK_STUCK_S + 2.0)
    # then the worker speaks to its end over MQTT
    assert car1.process.poll() is None
    _, last_seq = release(car1, car2)
    assert car2.all(PlayedOut)[0].frames == pytest.approx(last_seq + 1, abs=6)
    # and ends by itself behind it, for the daemon to start a new one
    assert car1.process.wait(10.0) == 1
    assert "has not returned from a call" in (fleet.folder / "car-1.log").read_text()


def test_an_sdk_that_is_not_staged_is_told_once_and_voice_goes_on_over_mqtt(fleet: Fleet, tmp_path: Path) -> None:
    # given a car whose SDK is not there
    fleet._sdk_dir = tmp_path / "nothing"
    car1 = fleet.car("car-1", joined=False)
    _, told = car1.wait(Agora, lambda event: event.state is AgoraState.UNUSABLE)
    assert told.detail
    fleet_car2 = fleet.car("car-2", agora=False)
    car1.tell(Join(event_id="e1", channel=CHANNEL))
    car1.wait(Joined)
    # when it speaks
    begin(car1, fleet_car2)
    talk(car1, 1.0, all_joined=True)
    _, last_seq = release(car1, fleet_car2)
    # then it is heard whole
    assert fleet_car2.all(PlayedOut)[0].frames == last_seq + 1
    assert car1.all(Joined) == [Joined(event_id="e1", voice=VoicePath.MQTT)]
    assert len(car1.all(Agora)) == 1
    assert car1.all(TokenWanted) == []
