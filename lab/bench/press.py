"""Press → granted: from the edge of the button's pin to Floor Granted handled in the gateway's loop.

A real gateway, a real dispatch that commits each grant synced to a real disk, one broker. After each press, while the
gateway is at rest again, comes one raw QoS 1 round trip on the same broker, so that both see the same minute of the
machine, and one raw sync of the disk, which says how much of a press is the disk's; after each block comes a row of
round trips back to back, as a busy client would have them.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from lab.bench.disk import Disk
from lab.bench.figure import Figure, quantile, ratio, summary, write_samples
from lab.bench.machine import in_memory
from lab.bench.parts import BenchFailed, Unit, Vehicle, dispatch
from lab.bench.progress import Say
from lab.bench.round_trip import RoundTrip, round_trip
from lab.bench.size import Size
from lab.broker import Broker

BAR_P50, BAR_P99, AIM_P50 = 4.0, 6.0, 3.0
BLOCK = 100
WARM_UP = 20
HOLD_S = 0.020
"""How long the button is held; a grant that takes longer is waited for, and measured."""
REST_S = 0.015
"""Rest before each press and each round trip: nobody presses a button back to back."""
GRANT_S = 2.0

COLUMNS = ("press_ms", "round_trip_ms", "sync_ms", "to_loop_ms", "to_sent_ms", "to_read_ms", "to_handled_ms")
STEPS = ("edge→loop", "loop→request sent", "sent→grant read", "read→grant handled")
"""What the last four columns are."""

AGAINST = "raw QoS 1 request→reply round trip of two paho clients on the same broker, after the same rest"


def press_granted(out: Path, work: Path, say: Say, size: Size) -> list[Figure]:
    """Measure presses inside an open session, and fewer of which each opens a session."""
    if in_memory(work):
        raise BenchFailed(f"{work} is kept in memory only: --out must be on a real disk, which grants are synced to")
    figures = []
    with Broker(persistence=True, folder=work / "broker") as broker:
        offices = {"open": "hang_s = 600", "opening": "hang_s = 0"}
        with dispatch(work, broker.port, offices), round_trip(work, broker.port) as raw, Disk(work) as disk:
            for variant, count in (("open", size.presses), ("opening", size.opening_presses)):
                with Vehicle(work, f"car-{variant}", variant, broker.port, 'backend = "wav"') as car:
                    car.await_talkable()
                    figures += _variant(out, say, variant, count, car, raw, disk)
    return figures


def _variant(out: Path, say: Say, variant: str, n: int, car: Vehicle, raw: RoundTrip, disk: Disk) -> list[Figure]:
    press_block(car, raw, disk, min(WARM_UP, n))
    rows: list[tuple[Any, ...]] = []
    tight: list[tuple[int, float]] = []
    runs: list[dict[str, Any]] = []
    block = 0
    while len(rows) < n:
        count = min(BLOCK, n - len(rows))
        came = press_block(car, raw, disk, count)
        rows += [(block, *row) for row in came]
        tight += [(block, raw.once_ms()) for _ in range(count)]
        presses, trips = [row[0] for row in came], [row[1] for row in came]
        runs.append(
            {
                "block": block,
                "press_p50_ms": round(statistics.median(presses), 4),
                "round_trip_p50_ms": round(statistics.median(trips), 4),
                "ratio_p50": round(statistics.median(presses) / statistics.median(trips), 3),
            }
        )
        block += 1
        say(f"press ({variant} session): {len(rows)}/{n}, ratio of this block's medians {runs[-1]['ratio_p50']:.2f}")
    stem = "press_granted" if variant == "open" else "press_granted_opening"
    files = (
        write_samples(out / f"{stem}.csv", ("block", *COLUMNS), rows),
        write_samples(out / f"{stem}_back_to_back.csv", ("block", "round_trip_ms"), tight),
    )
    return _figures(stem, rows, [row[1] for row in tight], files, tuple(runs), judged=variant == "open")


def _figures(
    stem: str,
    rows: list[tuple[Any, ...]],
    tight: list[float],
    files: tuple[str, ...],
    runs: tuple[dict[str, Any], ...],
    *,
    judged: bool,
) -> list[Figure]:
    presses, trips = [row[1] for row in rows], [row[2] for row in rows]
    with_disk = [row[2] + row[3] for row in rows]
    detail = {
        "press_ms": summary(presses),
        "round_trip_ms": summary(trips),
        "raw_sync_ms": summary([row[3] for row in rows]),
        "round_trip_back_to_back_ms": summary(tight),
        "ratio_p50_against_round_trip_and_sync": round(statistics.median(presses) / statistics.median(with_disk), 3),
        "ratio_p99_against_round_trip_and_sync": round(quantile(presses, 0.99) / quantile(with_disk, 0.99), 3),
        "ratio_p50_against_back_to_back": round(statistics.median(presses) / statistics.median(tight), 3),
        "ratio_p99_against_back_to_back": round(quantile(presses, 0.99) / quantile(tight, 0.99), 3),
        "steps_p50_ms": {
            name: round(statistics.median(row[4 + place] for row in rows), 4) for place, name in enumerate(STEPS)
        },
    }
    found = []
    for name, share, bar, aim in (("p50", 0.5, BAR_P50, AIM_P50), ("p99", 0.99, BAR_P99, None)):
        found.append(
            ratio(
                f"{stem}_{name}",
                quantile(presses, share),
                "ms",
                AGAINST,
                quantile(trips, share),
                bar if judged else None,
                aim=aim if judged else None,
                n=len(presses),
                samples=files,
                runs=runs,
                detail=detail,
            )
        )
    return found


def press_block(car: Unit, raw: RoundTrip, disk: Disk, count: int) -> list[tuple[float, ...]]:
    """Press `count` times; gives (press, round trip, raw sync, and the four steps of the press) in ms for each."""
    edges, trips, syncs = [], [], []
    for _ in range(count):
        time.sleep(REST_S)
        edges.append(car.pins.press())
        time.sleep(HOLD_S)
        car.await_status("the press is granted", lambda status: status["presses"][-1]["handled_at"], GRANT_S)
        car.pins.release()
        time.sleep(REST_S)
        car.await_status("the floor is given back", _at_rest)
        time.sleep(REST_S)
        trips.append(raw.once_ms())
        syncs.append(disk.sync_ms())
    presses = _presses(car, edges)
    return [
        (
            (press["handled_at"] - edge) * 1000,
            trip,
            sync,
            (press["loop_at"] - edge) * 1000,
            (press["sent_at"] - press["loop_at"]) * 1000,
            (press["granted_at"] - press["sent_at"]) * 1000,
            (press["handled_at"] - press["granted_at"]) * 1000,
        )
        for edge, trip, sync, press in zip(edges, trips, syncs, presses, strict=True)
    ]


def _at_rest(status: dict[str, Any]) -> bool:
    return bool(status["device"]["floor"] == "U: has no permission")


def _presses(car: Unit, edges: list[float]) -> list[dict[str, Any]]:
    """The daemon's own record of these presses; raises BenchFailed where one was not granted."""
    kept = car.status(len(edges))["presses"]
    for edge, press in zip(edges, kept, strict=True):
        if abs(press["edge_at"] - edge) > 0.005 or press["handled_at"] is None:
            raise BenchFailed(f"a press at {edge} was not granted: {press}")
    return list(kept)
