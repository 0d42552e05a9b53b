"""What `ptt-dispatch serve` takes of memory while twenty members press in turn, over minutes or an hour.

A session is opened every few turns and closed again, every press is logged, traced and reported as heard. What is told
is the growth by the hour, of a line laid through the samples after the first tenth: caches and pools fill in that.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import psutil

from lab.bench.figure import Figure, bounded, write_samples
from lab.bench.members import Member, Turns
from lab.bench.parts import REGION, BenchFailed, dispatch
from lab.bench.progress import Say
from lab.bench.size import Size
from lab.broker import Broker
from protocol.ids import OfficeId

OFFICE = OfficeId(REGION, "memory")
MEMBERS = 20
HANG_S = 2.0
HOLD_S = 2.0
PAUSES_S = 2.5
"""Longer than the session is kept open, so that every press opens one and closes one."""
MIB = 1 << 20
Row = tuple[float, float, float, int, int]


def memory(out: Path, work: Path, say: Say, size: Size) -> list[Figure]:
    """Sample RSS and PSS of the service in even steps; give the last ones and their growth."""
    rows: list[Row] = []
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(persistence=True, folder=work / "broker"))
        service = stack.enter_context(dispatch(work, broker.port, {OFFICE.office: f"hang_s = {HANG_S}"}))
        users = [f"car-{number:02}" for number in range(1, MEMBERS + 1)]
        members = [stack.enter_context(Member(broker.port, OFFICE, user)) for user in users]
        hold_s, pause_s = (HOLD_S, PAUSES_S) if size.memory_s > 60 else (0.2, 0.1)
        turns = stack.enter_context(Turns(members, hold_s, pause_s))
        process, began = psutil.Process(service.pid), time.monotonic()
        told = began
        while (now := time.monotonic()) < began + size.memory_s:
            found = process.memory_full_info()
            rows.append((now - began, found.rss / MIB, found.pss / MIB, turns.granted, turns.denied))
            if now - told >= 60:
                told = now
                say(f"memory: {(now - began) / 60:.0f} min, {turns.granted} presses, {found.rss / MIB:.2f} MiB")
            time.sleep(max(0.0, now + size.memory_every_s - time.monotonic()))
            service.require_running()
            if turns.failed is not None:
                raise turns.failed
    if not rows[-1][3]:
        raise BenchFailed("no press was granted")
    file = write_samples(out / "memory.csv", ("at_s", "rss_mib", "pss_mib", "granted", "denied"), rows)
    return figures(rows, file)


def figures(rows: Sequence[Row], file: str) -> list[Figure]:
    """Judge nothing: no bar was set."""
    settled = [row for row in rows if row[0] >= rows[-1][0] / 10]
    detail = {
        "minutes": round(rows[-1][0] / 60, 2),
        "granted": rows[-1][3],
        "denied": rows[-1][4],
        "first_rss_mib": round(rows[0][1], 2),
        "settled_rss_mib": round(settled[0][1], 2),
        "most_rss_mib": round(max(row[1] for row in rows), 2),
        "last_pss_mib": round(rows[-1][2], 2),
    }
    growth = {name: round(per_hour([(row[0], row[at]) for row in settled]), 3) for name, at in (("rss", 1), ("pss", 2))}
    told = {"n": len(rows), "samples": (file,), "detail": detail | {"growth_mib_per_hour": growth}}
    return [
        bounded("dispatch_memory", rows[-1][1], "MiB RSS", None, against="nothing: no bar was set", **told),
        bounded("dispatch_memory_growth", growth["rss"], "MiB RSS by the hour", None, against="nothing", **told),
    ]


def per_hour(samples: Sequence[tuple[float, float]]) -> float:
    """Slope of the straight line through (s, MiB), in MiB by the hour; 0 where there are fewer than two."""
    if len(samples) < 2:
        return 0.0
    return statistics.linear_regression(*zip(*samples, strict=True)).slope * 3600
