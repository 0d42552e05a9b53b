"""Mouth to ear with the cab's features and without: what they add to the way of the voice.

Four kinds of vehicles, one after the other in each round, everything started anew, the order turned round by round:
48 kHz devices as in `lab.bench.mouth_to_ear`, with what a configuration can switch off switched off, and with every
default; 16 kHz devices (noise suppression works there alone), with everything off, and with everything on.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from msgspec import Struct

from lab.bench.burst import NO_STUCK, SINKS, Heard, calibrate, in_ms, listen, pair
from lab.bench.figure import Figure, quantile, ratio, summary, write_samples
from lab.bench.parts import BenchFailed
from lab.bench.progress import Say
from lab.bench.size import Size
from lab.pulse import PulseRig

FIRST_ISSUE_MS = 47.1
"""10 ms packets at 48 kHz before there was a cab (docs/benchmarks.md), measured in another run."""
PACKET_MS = 10
_QUIET_TABLES = f"{NO_STUCK}[replay]\nkeep = 0\n[focus]\nmute_hang_ms = 0\n[telemetry]\nevery_s = 3600\n"
_FULL_TABLES = "[button]\nstuck_silence_s = 600\n[replay]\nkeep = 20\n[telemetry]\nevery_s = 10\n"


class Kind(Struct, frozen=True):
    """How the vehicles of a pair are configured."""

    name: str
    audio: str
    tables: str


KINDS = (
    Kind("48 kHz, off", "echo_guard_ms = 0", _QUIET_TABLES),
    Kind("48 kHz, defaults", "", "[button]\nstuck_silence_s = 600\n"),
    Kind("16 kHz, off", "device_rate_hz = 16000\necho_guard_ms = 0", _QUIET_TABLES),
    Kind(
        "16 kHz, all on",
        "device_rate_hz = 16000",
        f"[audio.cleaning]\nnoise_suppression = 2\nauto_gain_dbfs = 6\n{_FULL_TABLES}",
    ),
)
"""Defaults, but for the silence after which a held button is stuck: chirps are no speech."""
COMPARED = (
    ("cab_sound_defaults", "48 kHz, defaults", "48 kHz, off"),
    ("cab_sound_all", "16 kHz, all on", "16 kHz, off"),
)


def cab_sound(out: Path, work: Path, say: Say, size: Size) -> list[Figure]:
    """Measure every kind in each round; give a figure for the defaults, and for everything switched on."""
    kinds = KINDS if size.rounds > 1 else KINDS[2:]
    runs: dict[str, list[Heard]] = {kind.name: [] for kind in kinds}
    costs: dict[str, list[dict[str, Any]]] = {kind.name: [] for kind in kinds}
    with PulseRig(SINKS) as rig:
        error = calibrate(rig, size.marks)
        for number in range(size.rounds):
            for kind in turned(kinds, number):
                with pair(rig, work, PACKET_MS, size.quiet_s, audio=kind.audio, tables=kind.tables) as cars:
                    came = listen(rig, size.marks, before=cars.before, after=cars.after)
                found = in_ms(came)
                if not found:
                    raise BenchFailed(f"{kind.name}: none of {len(came)} chirps came through")
                runs[kind.name].append(came)
                costs[kind.name].append(cars.cost["cpu_percent"])
                heard = f"{statistics.median(found):.1f} ms ({len(found)}/{len(came)} heard)"
                say(f"mouth to ear with the cab, round {number + 1}, {kind.name}: {heard}")
    rows = [
        (name, number, at_s, None if delay is None else delay * 1000)
        for name, heard_runs in runs.items()
        for number, run in enumerate(heard_runs)
        for at_s, delay in run
    ]
    file = write_samples(out / "cab_sound.csv", ("kind", "round", "at_s", "delay_ms"), rows)
    detail = {"error_of_the_bench_ms": error, "first_issue_ms": FIRST_ISSUE_MS, "cpu_percent": costs}
    return figures(runs, file, detail)


def turned(kinds: tuple[Kind, ...], number: int) -> tuple[Kind, ...]:
    """Give the order of one round: each begins with the next."""
    first = number % len(kinds)
    return kinds[first:] + kinds[:first]


def figures(runs: dict[str, list[Heard]], file: str, detail: dict[str, Any]) -> list[Figure]:
    """Compare the kinds that were heard; told only."""
    all_ms = {name: [ms for run in each for ms in in_ms(run)] for name, each in runs.items()}
    medians = {name: [round(statistics.median(in_ms(run)), 2) for run in each] for name, each in runs.items()}
    return [
        ratio(
            figure,
            statistics.median(all_ms[on]),
            "ms",
            f"the same vehicles with the cab's features off ({off}), in turn",
            statistics.median(all_ms[off]),
            None,
            n=len(all_ms[on]),
            samples=(file,),
            runs=tuple(
                {"round": number, "on_p50_ms": with_ms, "off_p50_ms": without_ms}
                for number, (with_ms, without_ms) in enumerate(zip(medians[on], medians[off], strict=True))
            ),
            detail=detail
            | {
                "on_ms": summary(all_ms[on]),
                "off_ms": summary(all_ms[off]),
                "on_p95_ms": round(quantile(all_ms[on], 0.95), 2),
                "not_heard": {name: sum(len(run) for run in runs[name]) - len(all_ms[name]) for name in (on, off)},
            },
        )
        for figure, on, off in COMPARED
        if on in runs
    ]
