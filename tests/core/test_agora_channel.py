"""The Agora channel as the bridge's sound devices, under virtual time, over a voice transport that records."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from protocol.timers import DRAIN_S, TAIL_HEARD_S, TRANSMIT_LEASE_S
from protocol.voice_frame import VoiceFrame
from protocol.worker import (
    Agora,
    AgoraState,
    Arm,
    Device,
    Fault,
    Hold,
    Join,
    KeyUp,
    Leave,
    Mute,
    Play,
    Stop,
    Token,
    TokenWanted,
    WorkerEvent,
)
from protocol.worker_settings import AudioSettings
from service.loop import Loop
from voice.devices.agora_channel import DRAINED_S, IDLE_S, SILENT_S, AgoraChannel
from voice.transports.agora_voice import AgoraVoice
from voice.transports.port import Arrived, Bad, StateIs, TokenNeeded, TransportEvent

FRAME = bytes(320)
REQUEST = (0, 0, 0, 1)


class Clock:
    """A loop that only has timers, and its time."""

    def __init__(self) -> None:
        self.now = 100.0
        self._timers: list[tuple[float, Pending]] = []

    def call_at(self, when_s: float, fn: Callable[[], None]) -> Pending:
        timer = Pending(fn)
        self._timers.append((when_s, timer))
        return timer

    def run_for(self, seconds: float) -> None:
        until = self.now + seconds
        while True:
            self._timers = [(at, timer) for at, timer in self._timers if not timer.cancelled]
            due = [(at, index) for index, (at, _) in enumerate(self._timers) if at <= until]
            if not due:
                break
            at, index = min(due)
            _, timer = self._timers.pop(index)
            self.now = max(self.now, at)
            timer.fn()
        self.now = until


class Pending:
    """A timer."""

    def __init__(self, fn: Callable[[], None]) -> None:
        self.fn = fn
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class RecordingVoice:
    """What AgoraVoice is asked for. Publishes from `speak` to `hush` while `joined`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.joined = True
        self.burst: int | None = None
        self.asked: list[tuple[object, ...]] = []
        self.pushed: list[tuple[float, int, bytes]] = []

    def start(self) -> None:
        self.asked.append(("start",))

    def stop(self) -> None:
        self.asked.append(("stop",))

    def join(self, event_id: str, channel: str) -> None:
        self.asked.append(("join", event_id, channel))

    def leave(self) -> None:
        self.asked.append(("leave",))

    def token(self, token: Token) -> None:
        self.asked.append(("token", token.uid))

    def hear(self, burst: int, user: str, uid: int) -> None:
        self.asked.append(("hear", uid))

    def deaf(self) -> None:
        self.asked.append(("deaf",))

    def speak(self, burst: int, as_user: str | None) -> None:
        if burst != self.burst:
            self.asked.append(("speak", burst))
        self.burst = burst

    def hush(self, *, drain: bool) -> None:
        if self.burst is not None:
            self.asked.append(("hush", drain))
        self.burst = None

    @property
    def publishing(self) -> bool:
        return self.joined and self.burst is not None

    def room(self, now: float) -> bool:
        return True

    def send(self, frame: VoiceFrame, now: float, pcm: bytes = b"") -> bool:
        self.pushed.append((now, frame.burst, pcm))
        return True

    def tick(self, now: float) -> None:
        self.asked.append(("tick",))

    def next_deadline(self) -> float | None:
        return None


class Bench:
    """A started device."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.voice = RecordingVoice(self.clock)
        self.captured: list[tuple[bytes, float]] = []
        self.rendered: list[float] = []
        self.sounds_until = float("inf")
        self.states: list[tuple[Device, bool, str]] = []
        self.told: list[WorkerEvent] = []

        def make(tell: Callable[[TransportEvent], None]) -> AgoraVoice:
            self.event = tell
            return cast(AgoraVoice, self.voice)

        self.device = AgoraChannel(
            cast(Loop, self.clock),
            make,
            AudioSettings(backend="agora", device_rate_hz=16000),
            lambda frame, start_s: self.captured.append((frame, start_s)),
            self.render,
            lambda device, ok, detail: self.states.append((device, ok, detail)),
            self.told.append,
            clock=lambda: self.clock.now,
        )
        self.device.start()
        self.clock.run_for(0.0)
        self.voice.asked.clear()
        self.rendered.clear()

    def render(self, at_s: float) -> bytes:
        self.rendered.append(at_s)
        return len(self.rendered).to_bytes(2, "little") * 160 if at_s < self.sounds_until else bytes(320)

    def play_for(self, burst: int, seconds: float) -> None:
        """Repeat Play as the bridge does."""
        left = seconds
        while left > 1e-9:
            self.device.heed(Play(burst=burst, user="car-1"), self.clock.now)
            self.clock.run_for(min(0.2, left))
            left -= 0.2


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_both_devices_work_from_the_start() -> None:
    assert [(device, ok) for device, ok, _ in Bench().states] == [(device, True) for device in Device]


def test_a_burst_is_pushed_in_real_time_frame_by_frame(bench: Bench) -> None:
    began = bench.clock.now

    bench.play_for(5, 1.0)

    assert bench.voice.asked == [("speak", 5)]
    assert len(bench.voice.pushed) == pytest.approx(100, abs=1)
    ahead = [n * 0.01 - (at - began) for n, (at, _, _) in enumerate(bench.voice.pushed)]
    assert max(map(abs, ahead)) < 0.011
    assert {(burst, len(pcm)) for _, burst, pcm in bench.voice.pushed} == {(5, 320)}


def test_a_daemon_that_stands_still_is_silent_when_its_permission_lapses(bench: Bench) -> None:
    bench.play_for(5, 0.4)
    last = bench.clock.now - 0.2

    bench.clock.run_for(5.0)

    assert max(at for at, _, _ in bench.voice.pushed) < last + TRANSMIT_LEASE_S
    assert bench.voice.asked == [("speak", 5), ("hush", False)]
    assert len(bench.rendered) > 500


def test_a_daemon_that_turns_again_goes_on_with_the_same_burst(bench: Bench) -> None:
    bench.play_for(5, 0.2)
    bench.clock.run_for(3.0)
    before = len(bench.voice.pushed)

    bench.play_for(5, 0.4)

    assert bench.voice.asked == [("speak", 5), ("hush", False), ("speak", 5)]
    assert len(bench.voice.pushed) - before == pytest.approx(40, abs=2)


def test_a_released_bursts_tail_is_pushed_and_no_more(bench: Bench) -> None:
    bench.play_for(5, 0.2)
    ended = bench.clock.now

    bench.sounds_until = ended + 0.2
    bench.device.heed(Stop(burst=5, drain=True, last_seq=9), ended)
    bench.clock.run_for(3.0)

    assert ended + DRAIN_S <= max(at for at, _, _ in bench.voice.pushed) <= ended + DRAINED_S
    assert bench.voice.asked == [("speak", 5), ("hush", True)]


@pytest.mark.parametrize("sounds_s", [1.5, 60.0])
def test_a_tail_that_waited_for_its_grant_is_pushed_while_it_sounds_and_no_longer_than_it_may(
    bench: Bench, sounds_s: float
) -> None:
    bench.play_for(5, 0.2)
    ended = bench.clock.now

    bench.sounds_until = ended + sounds_s
    bench.device.heed(Stop(burst=5, drain=True, last_seq=99), ended)
    bench.clock.run_for(5.0)

    last = max(at for at, _, _ in bench.voice.pushed)
    assert last == pytest.approx(ended + min(sounds_s + SILENT_S, TAIL_HEARD_S), abs=0.03)
    assert bench.voice.asked == [("speak", 5), ("hush", True)]


def test_a_burst_cut_off_is_silent_at_once(bench: Bench) -> None:
    bench.play_for(5, 0.2)
    pushed = len(bench.voice.pushed)

    bench.device.heed(Stop(burst=5, drain=False), bench.clock.now)
    bench.clock.run_for(3.0)

    assert len(bench.voice.pushed) == pushed
    assert bench.voice.asked == [("speak", 5), ("hush", False)]


def test_a_late_repetition_of_play_does_not_open_a_burst_that_is_over(bench: Bench) -> None:
    bench.play_for(5, 0.2)
    ended = bench.sounds_until = bench.clock.now
    bench.device.heed(Stop(burst=5, drain=True), ended)

    bench.play_for(5, 0.4)
    bench.clock.run_for(1.0)

    assert max(at for at, _, _ in bench.voice.pushed) <= ended + DRAINED_S


def test_a_stop_of_another_burst_changes_nothing(bench: Bench) -> None:
    bench.play_for(5, 0.2)

    bench.device.heed(Stop(burst=4, drain=False), bench.clock.now)

    assert bench.voice.asked == [("speak", 5)]


def test_what_arrives_while_nothing_is_played_does_not_pile_up(bench: Bench) -> None:
    bench.clock.run_for(10.0)

    assert len(bench.rendered) == pytest.approx(10.0 / IDLE_S, abs=2)
    assert bench.voice.pushed == []


def test_before_the_channel_is_joined_time_passes_and_nothing_is_pushed(bench: Bench) -> None:
    bench.voice.joined = False

    bench.play_for(5, 1.0)

    assert len(bench.rendered) == pytest.approx(100, abs=2)
    assert bench.voice.pushed == []


def test_a_loop_that_was_held_up_leaves_out_what_it_missed(bench: Bench) -> None:
    bench.play_for(5, 0.2)
    before = len(bench.voice.pushed)

    bench.clock.now += 2.0
    bench.play_for(5, 0.2)

    assert len(bench.voice.pushed) - before <= 22


def test_a_uid_is_captured_from_arm_to_mute_in_frames_of_the_devices_length(bench: Bench) -> None:
    bench.device.heed(Arm(request_id=REQUEST, edge_at=bench.clock.now, uid=700), bench.clock.now)
    for n in range(4):
        bench.event(Arrived("agora", VoiceFrame(1, n, 0, b""), bench.clock.now + n * 0.015, bytes(480)))
    heard = len(bench.captured)

    bench.device.heed(Mute(request_id=REQUEST), bench.clock.now)
    bench.event(Arrived("agora", VoiceFrame(1, 9, 0, b""), bench.clock.now + 0.1, bytes(480)))

    assert bench.voice.asked == [("hear", 700), ("deaf",)]
    assert heard == len(bench.captured) == 6
    assert {len(frame) for frame, _ in bench.captured} == {320}
    starts = [start for _, start in bench.captured]
    assert starts == sorted(starts)


@pytest.mark.parametrize("word", [KeyUp(request_id=REQUEST, at=100.0), Mute(request_id=REQUEST), Mute(), Leave()])
def test_every_end_of_a_request_unsubscribes(bench: Bench, word: KeyUp | Mute | Leave) -> None:
    bench.device.heed(Arm(request_id=REQUEST, edge_at=100.0, uid=700), 100.0)

    bench.device.heed(word, 100.0)

    assert ("deaf",) in bench.voice.asked


@pytest.mark.parametrize("word", [Hold(burst=5), Mute(request_id=(0, 0, 0, 9))])
def test_a_hold_and_another_requests_mute_keep_the_subscription(bench: Bench, word: Hold | Mute) -> None:
    bench.device.heed(Arm(request_id=REQUEST, edge_at=100.0, uid=700), 100.0)

    bench.device.heed(word, 100.0)

    assert bench.voice.asked == [("hear", 700)]


def test_an_arm_without_a_uid_hears_nobody(bench: Bench) -> None:
    bench.device.heed(Arm(request_id=REQUEST, edge_at=100.0), 100.0)

    assert bench.voice.asked == []


def test_session_and_token_are_handed_to_the_channel(bench: Bench) -> None:
    token = Token(channel="c", app_id="a", uid=9, token="007", publisher=True, expires_in_s=60)

    bench.device.heed(token, 100.0)
    bench.device.heed(Join(event_id="e", channel="c"), 100.0)
    bench.device.heed(Leave(), 100.0)

    assert [word for word in bench.voice.asked if word[0] != "deaf"] == [("token", 9), ("join", "e", "c"), ("leave",)]


def test_what_becomes_of_the_channel_is_told_in_the_daemons_words(bench: Bench) -> None:
    bench.event(StateIs(AgoraState.JOINED, "", 300))
    bench.event(TokenNeeded("c", "it runs out"))
    bench.event(Bad("storm"))

    assert bench.told == [
        Agora(state=AgoraState.JOINED, join_ms=300),
        TokenWanted(channel="c", why="it runs out"),
        Fault(what="storm"),
    ]


def test_an_unusable_sdk_is_told_as_missing_devices_once_and_the_device_stands_still(bench: Bench) -> None:
    bench.states.clear()
    bench.event(StateIs(AgoraState.UNUSABLE, "not staged"))
    bench.event(StateIs(AgoraState.UNUSABLE, "not staged"))

    bench.play_for(5, 1.0)

    assert bench.states == [(device, False, "not staged") for device in Device]
    assert bench.voice.pushed == []


def test_nothing_is_rendered_or_pushed_after_stop(bench: Bench) -> None:
    bench.play_for(5, 0.2)
    bench.device.stop()
    pushed, rendered = len(bench.voice.pushed), len(bench.rendered)

    bench.clock.run_for(1.0)

    assert (len(bench.voice.pushed), len(bench.rendered)) == (pushed, rendered)
    assert bench.voice.asked[-1] == ("stop",)
