"""A burst from one vehicle to another on the private PulseAudio rig, and how much later its chirps are heard.

What the benchmarks of mouth to ear share. Two real gateways with their workers on PyAudio, dispatch, one broker, a
proxy in each vehicle's line. Chirps are played into the microphone; monitors of microphone and loudspeaker are
recorded, put on one clock, and searched for the chirps.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

from lab.bench import chirps
from lab.bench.figure import summary
from lab.bench.parts import BenchFailed, Vehicle, dispatch
from lab.bench.recorder import Recorder
from lab.broker import Broker
from lab.proxy import Proxy
from lab.pulse import RATE_HZ, PulseRig

SINKS = ("a_mic", "a_spk", "b_mic", "b_spk")
"""What the rig must have."""
NO_STUCK = "[button]\nstuck_silence_s = 0\n"
"""Chirps are no speech: without this a talk of nothing else is taken for a stuck button."""
GAP_S = 0.45
LEAD_S = 0.5
HEARD_WITHIN_S = 0.4
OFFICE = "m2e"
HEADERS_BYTES = 52
"""Of one TCP segment on the wire: IPv4, TCP and its time stamps."""

Heard = list[tuple[float, float | None]]
"""(time from the first chirp, delay or None where it was not heard) of each, in s."""


class Pair:
    """Two vehicles, the first of which speaks; what that costs between `before` and `after`."""

    def __init__(self, speaker: Vehicle, listener: Vehicle, uplink: Proxy, downlink: Proxy) -> None:
        self.speaker = speaker
        self.listener = listener
        self.uplink = uplink
        self.downlink = downlink
        self.cost: dict[str, Any] = {}
        self._began: tuple[float, dict[str, float], tuple[int, int]] = (0.0, {}, (0, 0))

    def before(self) -> None:
        """Note times and bytes so far."""
        self._began = (time.monotonic(), self._cpu_s(), self.uplink.sent())

    def after(self) -> None:
        """Give `cost`: bytes per second on the speaker's link, CPU of each process in percent of a core."""
        began_at, cpu_s, (payload, segments) = self._began
        lasted_s = time.monotonic() - began_at
        now_payload, now_segments = self.uplink.sent()
        on_wire = now_payload - payload + HEADERS_BYTES * (now_segments - segments)
        self.cost = {
            "bytes_per_s": on_wire / lasted_s,
            "payload_bytes_per_s": (now_payload - payload) / lasted_s,
            "segments_per_s": (now_segments - segments) / lasted_s,
            "cpu_percent": {
                name: round(100 * (now_s - cpu_s[name]) / lasted_s, 1) for name, now_s in self._cpu_s().items()
            },
        }

    def _cpu_s(self) -> dict[str, float]:
        found = {}
        for role, car in (("speaker", self.speaker), ("listener", self.listener)):
            for part, pid in (("daemon", car.process.pid), ("worker", int(car.status()["worker_pid"]))):
                times = psutil.Process(pid).cpu_times()
                found[f"{role}'s {part}"] = times.user + times.system
        return found


@contextlib.contextmanager
def pair(
    rig: PulseRig, work: Path, packet_ms: int, quiet_s: float, *, audio: str = "", tables: str = NO_STUCK
) -> Iterator[Pair]:
    """A burst under way from car-a to car-b: heard, and its cues over.

    `audio`: further lines of the vehicles' [audio] table, `tables`: further tables.
    """
    with ExitStack() as stack:
        broker = stack.enter_context(Broker())
        uplink, downlink = stack.enter_context(Proxy(broker.port)), stack.enter_context(Proxy(broker.port))
        stack.enter_context(dispatch(work, broker.port, {OFFICE: "talk_limit_s = 600\nhang_s = 600"}))
        cars = []
        for name, link in (("a", uplink), ("b", downlink)):
            sound = (
                f'backend = "pyaudio"\ncapture_device = "{name}_mic_cap"\nplayback_device = "{name}_spk"\n'
                f"frame_ms = 10\n{audio}\n[audio.codec]\npacket_ms = {packet_ms}\n{tables}"
            )
            cars.append(stack.enter_context(Vehicle(work, f"car-{name}", OFFICE, link.port, sound, env=rig.env)))
        speaker, listener = cars
        for car in cars:
            car.await_talkable()
        speaker.pins.press()
        listener.await_status("it hears the other", lambda status: status["device"]["voice"]["frames_played"] > 0)
        time.sleep(quiet_s)
        yield Pair(speaker, listener, uplink, downlink)
        speaker.pins.release()


def listen(
    rig: PulseRig,
    marks: int,
    ear: str = "b_spk",
    before: Callable[[], None] = lambda: None,
    after: Callable[[], None] = lambda: None,
) -> Heard:
    """Play chirps at the microphone and give when each is heard; raises BenchFailed where one was not even played."""
    signal = chirps.signal(chirps.WIDE, marks, GAP_S, LEAD_S, RATE_HZ)
    with Recorder(rig, "a_mic") as mouth, Recorder(rig, ear) as heard:
        time.sleep(0.5)
        before()
        play(rig, signal.pcm)
        after()
        time.sleep(0.5)
    (sweep,) = chirps.WIDE
    said = mouth.times_s(chirps.find(mouth.samples, sweep, RATE_HZ))
    if len(said) != marks:
        raise BenchFailed(f"{marks} chirps were played, {len(said)} found at the microphone")
    pairs = chirps.pair(said, heard.times_s(chirps.find(heard.samples, sweep, RATE_HZ)), HEARD_WITHIN_S)
    return [(at - said[0], delay) for at, delay in pairs]


def play(rig: PulseRig, pcm: bytes) -> None:
    """Play it at the speaker's microphone, to its end; raises BenchFailed."""
    raw = ("--raw", "--format=s16le", f"--rate={RATE_HZ}", "--channels=1", "--latency-msec=20")
    player = subprocess.Popen(["pacat", "-p", "-d", "a_mic", *raw], stdin=subprocess.PIPE, env=rig.whole_env)
    try:
        player.communicate(pcm, timeout=len(pcm) / 2 / RATE_HZ + 10)
    except subprocess.TimeoutExpired:
        raise BenchFailed("playback stalled: the rig's sink is stuck") from None
    finally:
        player.kill()
        player.wait()


def calibrate(rig: PulseRig, marks: int) -> dict[str, float]:
    """The bench's own error: the microphone against itself, by two recorders."""
    delays = [delay * 1000 for _, delay in listen(rig, marks, ear="a_mic") if delay is not None]
    return summary(delays)


def in_ms(heard: Heard) -> list[float]:
    """Give the delays of what was heard, in ms."""
    return [delay * 1000 for _, delay in heard if delay is not None]
