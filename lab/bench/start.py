"""What a gateway costs before and between talks: start → READY, memory of daemon and worker, CPU while idle."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

from lab.bench.figure import Figure, bounded, summary, write_samples
from lab.bench.parts import POLL_S, Vehicle, dispatch, python
from lab.bench.progress import Say
from lab.bench.size import Size
from lab.broker import Broker
from lab.pulse import PulseRig

READY_BAR_S, RESIDENT_BAR_MIB, IDLE_BAR_PERCENT = 1.0, 90.0, 1.0
OFFICE = "cost"
MIB = 1 << 20


def start_and_rest(out: Path, work: Path, say: Say, size: Size) -> list[Figure]:
    """Start a gateway again and again; then let two talk to each other, and watch one of them at rest."""
    with ExitStack() as stack:
        rig = stack.enter_context(PulseRig(("a_mic", "a_spk", "b_mic", "b_spk")))
        broker = stack.enter_context(Broker())
        stack.enter_context(dispatch(work, broker.port, {OFFICE: "hang_s = 1"}))
        ready = _starts(out, work, say, broker.port, rig.env, size.starts)
        with Vehicle(work, "car-wav", OFFICE, broker.port, 'backend = "wav"') as wav:
            wav.await_talkable()
            time.sleep(size.settle_s)
            without_cards = _cpu_percent(_processes(wav), min(size.idle_s, 10.0))
        bare = _bare_pyaudio(work, rig, size)
        cars = [
            stack.enter_context(Vehicle(work, f"car-{name}", OFFICE, broker.port, _audio(name), env=rig.env))
            for name in ("a", "b")
        ]
        for car in cars:
            car.await_talkable()
        for car in cars:
            _talk(car, size.talk_s)
        time.sleep(size.settle_s)
        memory = _memory(say, cars[1])
        awake = _cpu_percent(_processes(cars[1]), size.settle_s)
        time.sleep(size.rest_s)
        beside = {"wav": without_cards, "bare": bare, "awake": awake}
        return [ready, memory, _idle(out, say, cars[1], size.idle_s, beside)]


def _audio(name: str) -> str:
    return f'backend = "pyaudio"\ncapture_device = "{name}_mic_cap"\nplayback_device = "{name}_spk"'


def _starts(out: Path, work: Path, say: Say, port: int, env: Mapping[str, str], starts: int) -> Figure:
    Vehicle(work, "car-a", OFFICE, port, _audio("a"), env=env).__enter__().end()  # byte code and page cache, as at boot
    rows: list[tuple[float, float]] = []
    for _ in range(starts):
        bare_s = _bare_start_s()
        with_worker = Vehicle(work, "car-a", OFFICE, port, _audio("a"), env=env)
        rows.append((with_worker.start(), bare_s))
        with_worker.end()
    ready = [row[0] for row in rows]
    say(f"start to READY: {statistics.median(ready):.2f} s, longest {max(ready):.2f} s")
    file = write_samples(out / "start_ready.csv", ("ready_s", "bare_interpreter_s"), rows)
    return bounded(
        "start_ready",
        max(ready),
        "s",
        READY_BAR_S,
        against="the bar itself; the value is the longest of all starts",
        n=len(ready),
        samples=(file,),
        detail={
            "ready_s": summary(ready),
            "interpreter_importing_nothing_s": summary([row[1] for row in rows]),
            "counts": "from the start of the process to READY=1; byte code and page cache warm, PyAudio devices",
        },
    )


def _bare_start_s() -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.monotonic() - began


def _talk(car: Vehicle, for_s: float) -> None:
    car.pins.press()
    car.await_status("it talks", lambda status: status["transmitting"])
    time.sleep(for_s)
    car.pins.release()
    car.await_status("it stopped talking", lambda status: status["device"]["floor"] == "U: has no permission")


def _processes(car: Vehicle) -> dict[str, psutil.Process]:
    return {"daemon": psutil.Process(car.process.pid), "worker": psutil.Process(int(car.status()["worker_pid"]))}


def _memory(say: Say, car: Vehicle) -> Figure:
    found: dict[str, dict[str, float]] = {}
    for name, process in _processes(car).items():
        memory = process.memory_full_info()
        found[name] = {kind: round(getattr(memory, kind) / MIB, 1) for kind in ("rss", "pss", "uss")}
    rss = sum(memory["rss"] for memory in found.values())
    parts = ", ".join(f"{name} {memory['rss']}" for name, memory in found.items())
    say(f"resident: {rss:.1f} MiB together ({parts})")
    return bounded(
        "resident",
        rss,
        "MiB",
        RESIDENT_BAR_MIB,
        against="the bar itself; judged is the sum of both RSS, which counts shared pages twice",
        n=1,
        detail={"mib": found, "pss_together_mib": round(sum(m["pss"] for m in found.values()), 1)},
    )


def _idle(out: Path, say: Say, car: Vehicle, idle_s: float, beside: Mapping[str, Mapping[str, float]]) -> Figure:
    processes = _processes(car)
    slices = max(1, round(idle_s / 5))
    rows: list[tuple[float, ...]] = []
    for _ in range(slices):
        found = _cpu_percent(processes, idle_s / slices)
        rows.append((found["daemon"], found["worker"]))
    daemon, worker = (statistics.mean(row[place] for row in rows) for place in (0, 1))
    say(f"idle: {daemon + worker:.2f} % of a core (daemon {daemon:.2f}, worker {worker:.2f})")
    detail: dict[str, Any] = {"daemon_percent": round(daemon, 3), "worker_percent": round(worker, 3)}
    detail["counts"] = (
        f"user and system time over {idle_s:g} s, link up, nobody talks, sound devices resting as configured by default"
    )
    detail["with_wav_devices_percent"] = {name: round(value, 3) for name, value in beside["wav"].items()}
    detail["first_seconds_after_a_talk_percent"] = {name: round(value, 3) for name, value in beside["awake"].items()}
    detail["bare_pyaudio_percent"] = round(beside["bare"]["bare"], 3)
    detail["bare_pyaudio_is"] = "PyAudio with both devices open and callbacks that do nothing, same frames, same rig"
    return bounded(
        "idle_cpu",
        daemon + worker,
        "% of a core",
        IDLE_BAR_PERCENT,
        n=len(rows),
        samples=(write_samples(out / "idle_cpu.csv", ("daemon_percent", "worker_percent"), rows),),
        detail=detail,
    )


def _bare_pyaudio(work: Path, rig: PulseRig, size: Size) -> dict[str, float]:
    """What the sound devices cost any PyAudio program, CPU in percent of a core."""
    with python("bare", work, "-m", "lab.bench.bare", "a_mic_cap", "a_spk", env=rig.env) as process:
        while "ready" not in process.log:
            process.require_running()
            time.sleep(POLL_S)
        time.sleep(size.settle_s)
        return _cpu_percent({"bare": psutil.Process(process.pid)}, min(size.idle_s, 10.0))


def _cpu_percent(processes: Mapping[str, psutil.Process], for_s: float) -> dict[str, float]:
    before, began = {name: _cpu_s(process) for name, process in processes.items()}, time.monotonic()
    time.sleep(for_s)
    lasted_s = time.monotonic() - began
    return {name: 100 * (_cpu_s(process) - before[name]) / lasted_s for name, process in processes.items()}


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
