"""Mouth to ear: from sound at one vehicle's microphone to the same sound at another's loudspeaker.

Two real gateways with their workers on PyAudio, dispatch, one broker, on the private PulseAudio rig; beside them, in
the same run and on the same devices, a relay that shows what PyAudio itself needs. Chirps are played into the
microphone; monitors of microphone and loudspeaker are recorded, put on one clock, and searched for the chirps. Values
move with the phase in which devices start: every round starts every program anew.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

from lab.bench import chirps
from lab.bench.figure import Figure, bounded, quantile, ratio, summary, write_samples
from lab.bench.parts import START_S, BenchFailed, Vehicle, dispatch, python
from lab.bench.progress import Say
from lab.bench.recorder import Recorder
from lab.bench.size import Size
from lab.broker import Broker
from lab.proxy import Proxy
from lab.pulse import RATE_HZ, PulseRig

BAR = 1.3
MUMBLE_MS = 53.0
"""The lower end of Mumble's tuned 53-62 ms, measured on such a rig: what we aim below."""
GAP_S = 0.45
LEAD_S = 0.5
HEARD_WITHIN_S = 0.4
OFFICE = "m2e"
HEADERS_BYTES = 52
"""Of one TCP segment on the wire: IPv4, TCP and its time stamps."""
STALL_S = 2.0
STALL_AT_S = 5.0
AFTER_STALL_S = 10.0
STALL_GAP_S = 0.3
RECOVERED_S = 0.020
"""Recovered: the delay is back within this of what it was before, and stays there."""
AGAINST = "a PyAudio relay (capture → UDP → playback, raw PCM, 10 ms frames) on the same devices, in the same run"


def mouth_to_ear(out: Path, work: Path, say: Say, size: Size) -> list[Figure]:
    """Measure relay and vehicles in turn, each started anew in every round."""
    delays: dict[str, list[list[tuple[float, float | None]]]] = {}
    costs: list[dict[str, Any]] = []
    traffic: dict[int, list[float]] = {10: [], 20: []}
    with PulseRig(("a_mic", "a_spk", "b_mic", "b_spk")) as rig:
        calibration = _calibrate(rig, size.marks)
        for number in range(size.rounds):
            for frame_ms in (10, 20):
                with _relay(rig, work, frame_ms, size.quiet_s):
                    _keep(delays, f"relay {frame_ms} ms", _listen(rig, size.marks), number, say)
            for packet_ms in (10, 20):
                with _pair(rig, work, packet_ms, size.quiet_s) as pair:
                    came = _listen(rig, size.marks, before=pair.before, after=pair.after)
                    costs.append(pair.cost | {"packet_ms": packet_ms, "round": number})
                    traffic[packet_ms].append(pair.cost["bytes_per_s"])
                    _keep(delays, f"vehicles {packet_ms} ms", came, number, say)
        ends = ("listener", "speaker") if size.stalls else ()
        stalls = [_stall(out, rig, work, say, packet_ms, end, size.quiet_s) for packet_ms in (10, 20) for end in ends]
    rows = [
        (name, number, at_s, None if delay is None else delay * 1000)
        for name, runs in delays.items()
        for number, run in enumerate(runs)
        for at_s, delay in run
    ]
    file = write_samples(out / "mouth_to_ear.csv", ("program", "round", "at_s", "delay_ms"), rows)
    return [
        *_figures(delays, file, calibration, costs),
        *(_traffic(packet_ms, values) for packet_ms, values in traffic.items()),
        *stalls,
    ]


# --- what is measured -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _relay(rig: PulseRig, work: Path, frame_ms: int, quiet_s: float) -> Iterator[None]:
    argv = ("-m", "lab.bench.relay", "a_mic_cap", "b_spk", str(frame_ms))
    (work / "relay.log").unlink(missing_ok=True)
    with python("relay", work, *argv, env=rig.env) as process:
        deadline = time.monotonic() + START_S
        while "ready" not in process.log:
            process.require_running()
            if time.monotonic() > deadline:
                raise BenchFailed("the relay does not come up")
            time.sleep(0.02)
        time.sleep(quiet_s)
        yield


class _Pair:
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
def _pair(rig: PulseRig, work: Path, packet_ms: int, quiet_s: float) -> Iterator[_Pair]:
    """A burst under way from car-a to car-b: heard, and its cues over."""
    with ExitStack() as stack:
        broker = stack.enter_context(Broker())
        uplink, downlink = stack.enter_context(Proxy(broker.port)), stack.enter_context(Proxy(broker.port))
        stack.enter_context(dispatch(work, broker.port, {OFFICE: "talk_limit_s = 600\nhang_s = 600"}))
        cars = []
        for name, link in (("a", uplink), ("b", downlink)):
            audio = (
                f'backend = "pyaudio"\ncapture_device = "{name}_mic_cap"\nplayback_device = "{name}_spk"\n'
                f"frame_ms = 10\n[audio.codec]\npacket_ms = {packet_ms}"
            )
            cars.append(stack.enter_context(Vehicle(work, f"car-{name}", OFFICE, link.port, audio, env=rig.env)))
        speaker, listener = cars
        for car in cars:
            car.await_talkable()
        speaker.pins.press()
        listener.await_status("it hears the other", lambda status: status["device"]["voice"]["frames_played"] > 0)
        time.sleep(quiet_s)
        yield _Pair(speaker, listener, uplink, downlink)
        speaker.pins.release()


def _listen(
    rig: PulseRig,
    marks: int,
    ear: str = "b_spk",
    before: Callable[[], None] = lambda: None,
    after: Callable[[], None] = lambda: None,
) -> list[tuple[float, float | None]]:
    """Play chirps at the microphone; gives (time from the first, delay) of each, in s."""
    signal = chirps.signal(chirps.WIDE, marks, GAP_S, LEAD_S, RATE_HZ)
    with Recorder(rig, "a_mic") as mouth, Recorder(rig, ear) as heard:
        time.sleep(0.5)
        before()
        _play(rig, signal.pcm)
        after()
        time.sleep(0.5)
    (sweep,) = chirps.WIDE
    said = mouth.times_s(chirps.find(mouth.samples, sweep, RATE_HZ))
    if len(said) != marks:
        raise BenchFailed(f"{marks} chirps were played, {len(said)} found at the microphone")
    pairs = chirps.pair(said, heard.times_s(chirps.find(heard.samples, sweep, RATE_HZ)), HEARD_WITHIN_S)
    return [(at - said[0], delay) for at, delay in pairs]


def _play(rig: PulseRig, pcm: bytes) -> None:
    raw = ("--raw", "--format=s16le", f"--rate={RATE_HZ}", "--channels=1", "--latency-msec=20")
    player = subprocess.Popen(["pacat", "-p", "-d", "a_mic", *raw], stdin=subprocess.PIPE, env=rig.whole_env)
    try:
        player.communicate(pcm, timeout=len(pcm) / 2 / RATE_HZ + 10)
    except subprocess.TimeoutExpired:
        raise BenchFailed("playback stalled: the rig's sink is stuck") from None
    finally:
        player.kill()
        player.wait()


def _calibrate(rig: PulseRig, marks: int) -> dict[str, float]:
    """The bench's own error: the microphone against itself, by two recorders."""
    delays = [delay * 1000 for _, delay in _listen(rig, marks, ear="a_mic") if delay is not None]
    return summary(delays)


def _keep(
    delays: dict[str, list[list[tuple[float, float | None]]]],
    name: str,
    came: list[tuple[float, float | None]],
    number: int,
    say: Say,
) -> None:
    delays.setdefault(name, []).append(came)
    found = _ms(came)
    if not found:
        raise BenchFailed(f"{name}: none of {len(came)} chirps came through")
    say(f"mouth to ear, round {number + 1}, {name}: {statistics.median(found):.1f} ms ({len(found)}/{len(came)} heard)")


def _ms(run: list[tuple[float, float | None]]) -> list[float]:
    return [delay * 1000 for _, delay in run if delay is not None]


# --- a stalled link ---------------------------------------------------------------------------------------------------


def _stall(out: Path, rig: PulseRig, work: Path, say: Say, packet_ms: int, end: str, quiet_s: float) -> Figure:
    """Stall one end's link for STALL_S during a burst: how long until the delay is what it was before."""
    marks = round((STALL_AT_S + STALL_S + AFTER_STALL_S) / (STALL_GAP_S + 0.05))
    signal = chirps.signal(chirps.KINDS, marks, STALL_GAP_S, LEAD_S, RATE_HZ)
    with _pair(rig, work, packet_ms, quiet_s) as pair:
        link = pair.downlink if end == "listener" else pair.uplink
        with Recorder(rig, "a_mic") as mouth, Recorder(rig, "b_spk") as ear:
            time.sleep(0.5)
            times: list[float] = []

            def stall() -> None:
                time.sleep(STALL_AT_S)
                times.append(time.monotonic())
                link.stall()
                time.sleep(STALL_S)
                link.resume()
                times.append(time.monotonic())

            with ThreadPoolExecutor(1, "stall") as pool:
                stalling = pool.submit(stall)
                _play(rig, signal.pcm)
                stalling.result()
            time.sleep(1.0)
    stalled_at, resumed_at = times
    rows = _delays_of_kinds(mouth, ear)
    before = [delay for at, delay in rows if delay is not None and at < stalled_at - 0.5]
    usual_s = statistics.median(before)
    after = [(at, delay) for at, delay in rows if at >= resumed_at]
    slow = [at for at, delay in after if delay is None or delay > usual_s + RECOVERED_S]
    recovered_s = max((at for at in slow), default=resumed_at) - resumed_at
    late = [delay for at, delay in rows if delay is not None and at >= stalled_at]
    name = f"stall_{end}_{packet_ms}ms"
    file = write_samples(
        out / f"{name}.csv",
        ("at_s", "delay_ms"),
        [(at - stalled_at, None if delay is None else delay * 1000) for at, delay in rows],
    )
    lost = sum(delay is None for _, delay in rows)
    say(f"stall of the {end}'s link, {packet_ms} ms packets: usual delay again after {recovered_s:.1f} s, {lost} lost")
    return bounded(
        name,
        recovered_s,
        "s",
        None,
        against=f"nothing: time after a {STALL_S:g} s stall until the delay is as before, within {RECOVERED_S:g} s",
        n=len(rows),
        samples=(file,),
        detail={
            "delay_before_ms": round(usual_s * 1000, 1),
            "delay_at_end_ms": round(statistics.median(d for _, d in rows[-8:] if d is not None) * 1000, 1),
            "largest_delay_ms": round(max(late) * 1000, 1),
            "marks": len(rows),
            "marks_never_heard": lost,
            "marks_said_while_stalled": sum(stalled_at <= at < resumed_at for at, _ in rows),
        },
    )


def _delays_of_kinds(mouth: Recorder, ear: Recorder) -> list[tuple[float, float | None]]:
    """(time said, delay) of the marks of every kind, by the time they were said; both in s."""
    cycle_s = len(chirps.KINDS) * STALL_GAP_S
    said, heard = mouth.samples, ear.samples
    rows: list[tuple[float, float | None]] = []
    for sweep in chirps.KINDS:
        at = mouth.times_s(chirps.find(said, sweep, RATE_HZ))
        rows += chirps.pair(at, ear.times_s(chirps.find(heard, sweep, RATE_HZ)), cycle_s)
    return sorted(rows, key=lambda row: row[0])


# --- figures ----------------------------------------------------------------------------------------------------------


def _figures(
    delays: dict[str, list[list[tuple[float, float | None]]]],
    file: str,
    calibration: dict[str, float],
    costs: list[dict[str, Any]],
) -> list[Figure]:
    everything = {name: [ms for run in runs for ms in _ms(run)] for name, runs in delays.items()}
    floor = statistics.median(everything["relay 10 ms"])
    figures = []
    for packet_ms in (10, 20):
        name = f"vehicles {packet_ms} ms"
        found = everything[name]
        value = statistics.median(found)
        like = statistics.median(everything[f"relay {packet_ms} ms"])
        figures.append(
            ratio(
                f"mouth_to_ear_{packet_ms}ms",
                value,
                "ms",
                AGAINST,
                floor,
                BAR if packet_ms == 10 else None,
                aim=MUMBLE_MS,
                n=len(found),
                samples=(file,),
                runs=tuple(
                    {
                        "round": number,
                        "vehicles_p50_ms": round(statistics.median(_ms(run)), 2),
                        "relay_p50_ms": round(statistics.median(_ms(relay)), 2),
                    }
                    for number, (run, relay) in enumerate(zip(delays[name], delays["relay 10 ms"], strict=True))
                ),
                detail={
                    "aim_is": "value below Mumble's tuned 53-62 ms",
                    "vehicles_ms": summary(found),
                    "relay_10ms_ms": summary(everything["relay 10 ms"]),
                    "relay_20ms_ms": summary(everything["relay 20 ms"]),
                    f"ratio_against_relay_of_{packet_ms}ms_frames": round(value / like, 3),
                    "p95_ms": round(quantile(found, 0.95), 2),
                    "not_heard": sum(len(run) for run in delays[name]) - len(found),
                    "error_of_the_bench_ms": calibration,
                    "cost": [cost for cost in costs if cost["packet_ms"] == packet_ms],
                },
            )
        )
    return figures


def _traffic(packet_ms: int, values: list[float]) -> Figure:
    relay = 2.0 * RATE_HZ + (1000 / 10) * 28
    return ratio(
        f"speaker_bytes_{packet_ms}ms",
        statistics.median(values),
        "B/s",
        "the relay's raw PCM in UDP datagrams of 10 ms, by calculation",
        relay,
        None,
        n=len(values),
        runs=tuple({"round": number, "bytes_per_s": round(value, 1)} for number, value in enumerate(values)),
        detail={
            "counts": "both connections of the speaking vehicle, towards the broker: TCP payload and "
            f"{HEADERS_BYTES} bytes of headers for each segment"
        },
    )
