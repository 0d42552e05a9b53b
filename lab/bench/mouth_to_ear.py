"""Mouth to ear: from sound at one vehicle's microphone to the same sound at another's loudspeaker.

A burst between two real gateways (`lab.bench.burst`); beside them, in the same run and on the same devices, a relay
that shows what PyAudio itself needs. Values move with the phase in which devices start: every round starts every
program anew.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab.bench import chirps
from lab.bench.burst import HEADERS_BYTES, LEAD_S, SINKS, Heard, calibrate, in_ms, listen, pair, play
from lab.bench.figure import Figure, bounded, quantile, ratio, summary, write_samples
from lab.bench.parts import START_S, BenchFailed, python
from lab.bench.progress import Say
from lab.bench.recorder import Recorder
from lab.bench.size import Size
from lab.pulse import RATE_HZ, PulseRig

BAR = 1.3
MUMBLE_MS = 53.0
"""The lower end of Mumble's tuned 53-62 ms, measured on such a rig: what we aim below."""
STALL_S = 2.0
STALL_AT_S = 5.0
AFTER_STALL_S = 14.0
"""Long enough for what a stall adds to be worked off."""
STALL_GAP_S = 0.3
RECOVERED_S = 0.020
"""Recovered: the delay is back within this of what it was before, and stays there."""
AGAINST = "a PyAudio relay (capture → UDP → playback, raw PCM, 10 ms frames) on the same devices, in the same run"


def mouth_to_ear(out: Path, work: Path, say: Say, size: Size) -> list[Figure]:
    """Measure relay and vehicles in turn, each started anew in every round."""
    delays: dict[str, list[Heard]] = {}
    costs: list[dict[str, Any]] = []
    traffic: dict[int, list[float]] = {10: [], 20: []}
    with PulseRig(SINKS) as rig:
        calibration = calibrate(rig, size.marks)
        for number in range(size.rounds):
            for frame_ms in (10, 20):
                with _relay(rig, work, frame_ms, size.quiet_s):
                    _keep(delays, f"relay {frame_ms} ms", listen(rig, size.marks), number, say)
            for packet_ms in (10, 20):
                with pair(rig, work, packet_ms, size.quiet_s) as cars:
                    came = listen(rig, size.marks, before=cars.before, after=cars.after)
                    costs.append(cars.cost | {"packet_ms": packet_ms, "round": number})
                    traffic[packet_ms].append(cars.cost["bytes_per_s"])
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


def _keep(
    delays: dict[str, list[Heard]],
    name: str,
    came: Heard,
    number: int,
    say: Say,
) -> None:
    delays.setdefault(name, []).append(came)
    found = in_ms(came)
    if not found:
        raise BenchFailed(f"{name}: none of {len(came)} chirps came through")
    say(f"mouth to ear, round {number + 1}, {name}: {statistics.median(found):.1f} ms ({len(found)}/{len(came)} heard)")


# --- a stalled link ---------------------------------------------------------------------------------------------------


def _stall(out: Path, rig: PulseRig, work: Path, say: Say, packet_ms: int, end: str, quiet_s: float) -> Figure:
    """Stall one end's link for STALL_S during a burst: how long until the delay is what it was before."""
    marks = round((STALL_AT_S + STALL_S + AFTER_STALL_S) / (STALL_GAP_S + 0.05))
    signal = chirps.signal(chirps.KINDS, marks, STALL_GAP_S, LEAD_S, RATE_HZ)
    with pair(rig, work, packet_ms, quiet_s) as cars:
        link = cars.downlink if end == "listener" else cars.uplink
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
                play(rig, signal.pcm)
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


def _delays_of_kinds(mouth: Recorder, ear: Recorder) -> Heard:
    """(time said, delay) of the marks of every kind, by the time they were said; both in s."""
    cycle_s = len(chirps.KINDS) * STALL_GAP_S
    said, heard = mouth.samples, ear.samples
    rows: Heard = []
    for sweep in chirps.KINDS:
        at = mouth.times_s(chirps.find(said, sweep, RATE_HZ))
        rows += chirps.pair(at, ear.times_s(chirps.find(heard, sweep, RATE_HZ)), cycle_s)
    return sorted(rows, key=lambda row: row[0])


# --- figures ----------------------------------------------------------------------------------------------------------


def _figures(
    delays: dict[str, list[Heard]],
    file: str,
    calibration: dict[str, float],
    costs: list[dict[str, Any]],
) -> list[Figure]:
    everything = {name: [ms for run in runs for ms in in_ms(run)] for name, runs in delays.items()}
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
                        "vehicles_p50_ms": round(statistics.median(in_ms(run)), 2),
                        "relay_p50_ms": round(statistics.median(in_ms(relay)), 2),
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
