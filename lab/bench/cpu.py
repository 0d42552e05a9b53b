"""What a talk costs the processor: daemon and worker idle, listening and talking, with noise suppression and without.

Pairs of vehicles on PyAudio and the private PulseAudio rig, one after the other in each round: devices at 48 kHz as
configured by default, at 16 kHz, and at 16 kHz with noise suppression (which works there alone). The microphone hears
sentences in a car's noise. Compared are the two at 16 kHz, so that nothing but suppression is between them.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import psutil

from lab.bench.figure import Figure, ratio, write_samples
from lab.bench.parts import Vehicle, dispatch
from lab.bench.progress import Say
from lab.bench.size import Size
from lab.broker import Broker
from lab.measure.speech_detection import RATE_HZ, SENTENCES, at_level, road, speech
from lab.pulse import PulseRig

OFFICE = "cpu"
KINDS = {
    "48 kHz": "device_rate_hz = 48000",
    "16 kHz": "device_rate_hz = 16000",
    "suppressed": "device_rate_hz = 16000\n[audio.cleaning]\nnoise_suppression = 2",
}
STATES = ("idle", "listening", "talking")
LEAST_PERCENT = 0.05
"""Finer than the kernel counts within the time; what is less is compared as this."""
AWAKE = "rest_after_s = 0"
"""The devices run all the time: the cost of resting ones is start_and_rest's figure."""
Row = tuple[int, str, str, float, float]


def cpu(out: Path, work: Path, say: Say, size: Size) -> list[Figure]:
    """Measure every kind in every round; give a figure for each state."""
    rows: list[Row] = []
    with PulseRig(("a_mic", "a_spk", "b_mic", "b_spk")) as rig, _heard(work, rig):
        for number in range(size.cpu_rounds):
            for kind, audio in KINDS.items():
                found = _round(work / f"{number}-{kind.replace(' ', '-')}", rig, audio, size)
                rows += [(number, kind, state, *found[state]) for state in STATES]
                shown = ", ".join(f"{state} {sum(found[state]):.1f} %" for state in STATES)
                say(f"cpu, round {number + 1}, {kind}: {shown} of a core")
    header = ("round", "kind", "state", "daemon_percent", "worker_percent")
    file = write_samples(out / "cpu.csv", header, rows)
    return [_figure(state, rows, file) for state in STATES]


def _round(work: Path, rig: PulseRig, audio: str, size: Size) -> dict[str, tuple[float, float]]:
    """Let one of two vehicles speak to the other; give percent of a core, of daemon and worker, in each state."""
    work.mkdir()
    with ExitStack() as stack:
        broker = stack.enter_context(Broker())
        stack.enter_context(dispatch(work, broker.port, {OFFICE: "talk_limit_s = 600\nhang_s = 600"}))
        cars = []
        for name in ("a", "b"):
            devices = f'backend = "pyaudio"\ncapture_device = "{name}_mic_cap"\nplayback_device = "{name}_spk"\n{AWAKE}'
            car = Vehicle(work, f"car-{name}", OFFICE, broker.port, f"{devices}\n{audio}", env=rig.env)
            cars.append(stack.enter_context(car))
        speaker, listener = cars
        for car in cars:
            car.await_talkable()
        time.sleep(size.settle_s)
        idle = _percent((listener,), size.cpu_s)[0]
        speaker.pins.press()
        listener.await_status("it hears the other", lambda status: status["device"]["voice"]["frames_played"] > 0)
        time.sleep(size.settle_s)
        talking, listening = _percent((speaker, listener), size.cpu_s)
        speaker.pins.release()
    return {"idle": idle, "listening": listening, "talking": talking}


def _percent(cars: tuple[Vehicle, ...], for_s: float) -> list[tuple[float, float]]:
    pairs = [tuple(psutil.Process(pid) for pid in (car.process.pid, int(car.status()["worker_pid"]))) for car in cars]
    before, began = [[_cpu_s(process) for process in pair] for pair in pairs], time.monotonic()
    time.sleep(for_s)
    lasted_s = time.monotonic() - began
    spent = [[_cpu_s(process) for process in pair] for pair in pairs]
    return [
        (100 * (now[0] - then[0]) / lasted_s, 100 * (now[1] - then[1]) / lasted_s)
        for now, then in zip(spent, before, strict=True)
    ]


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _figure(state: str, rows: list[Row], file: str) -> Figure:
    sums = {
        kind: [daemon + worker for _, of, at, daemon, worker in rows if (of, at) == (kind, state)] for kind in KINDS
    }
    medians = {kind: statistics.median(found) for kind, found in sums.items()}
    workers = {
        kind: statistics.median(worker for _, of, at, _, worker in rows if (of, at) == (kind, state)) for kind in KINDS
    }
    return ratio(
        f"cpu_{state}",
        medians["suppressed"],
        "% of a core",
        "the same without noise suppression, devices at 16 kHz too, in the same run",
        max(LEAST_PERCENT, medians["16 kHz"]),
        None,
        n=len(sums["suppressed"]),
        samples=(file,),
        runs=tuple({kind: round(sums[kind][number], 2) for kind in KINDS} for number in range(len(sums["suppressed"]))),
        detail={
            "percent": {kind: round(value, 2) for kind, value in medians.items()},
            "of_which_worker_percent": {kind: round(value, 2) for kind, value in workers.items()},
            "counts": "user and system time of daemon and worker; devices run (rest_after_s = 0); medians of rounds",
        },
    )


@contextmanager
def _heard(work: Path, rig: PulseRig) -> Iterator[None]:
    """Play sentences in a car's noise at the speaker's microphone, again and again."""
    rng = np.random.default_rng(1)
    said = np.concatenate([speech(lang, text, -26.0) for lang, text in SENTENCES])
    sound = said + at_level(road(rng, len(said) / RATE_HZ), -46.0)[: len(said)]
    file = work / "microphone.raw"
    file.write_bytes(np.clip(np.round(sound * 32768), -32768, 32767).astype(np.int16).tobytes())
    line = (
        'while cat "$0"; do :; done | '
        f"exec pacat -p -d a_mic --raw --format=s16le --rate={RATE_HZ} --channels=1 --latency-msec=50"
    )
    player = subprocess.Popen(
        ["sh", "-c", line, str(file)], env=rig.whole_env, stderr=subprocess.DEVNULL, process_group=0
    )
    try:
        yield
    finally:
        _end(player)


def _end(player: subprocess.Popen[bytes]) -> None:
    """End the shell, which leads a group of its own, and what it started."""
    os.killpg(player.pid, signal.SIGKILL)
    player.wait()
