"""Press → granted with the doors shut and open, side by side: what TLS, logins, rights and the registry cost a press.

Two whole offices run at the same time: one as `ptt-dispatch init` makes it, one with a broker that lets in whoever
comes. Presses come in pairs, one at each office, the order changing from pair to pair: both see the same moments of
machine and disk. Each press has its own round trip and its own raw sync, as in `lab.bench.press`.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lab.bench.disk import Disk
from lab.bench.enrolled import EnrolledUnit
from lab.bench.figure import Figure, quantile, ratio, summary, write_samples
from lab.bench.machine import in_memory
from lab.bench.parts import BenchFailed, Unit, Vehicle, dispatch
from lab.bench.press import COLUMNS, STEPS, WARM_UP, press_block
from lab.bench.progress import Say
from lab.bench.round_trip import Access, RoundTrip, round_trip
from lab.bench.size import Size
from lab.broker import Broker
from lab.office import Office
from protocol.login import SERVER_LOGIN
from protocol.messages import VoicePath

FLOOR = "hang_s = 600"
"""The session stays open over the whole run, in both offices."""
AUDIO = 'backend = "wav"'
OPEN, SHUT = "open", "shut"

Row = tuple[float, ...]


def doors(out: Path, work: Path, say: Say, size: Size) -> list[Figure]:
    """Measure presses at both offices in turn."""
    if in_memory(work):
        raise BenchFailed(f"{work} is kept in memory only: --out must be on a real disk, which grants are synced to")
    rows: dict[str, list[tuple[int, Row]]] = {OPEN: [], SHUT: []}
    runs = []
    with ExitStack() as stack:
        sides = {OPEN: _open(work / OPEN, stack), SHUT: _shut(work / SHUT, stack)}
        disk = stack.enter_context(Disk(work))
        for car, raw in sides.values():
            car.await_talkable()
            press_block(car, raw, disk, min(WARM_UP, size.door_presses))
        for number in range(size.door_rounds):
            for turn in range(size.door_presses):
                for side in (OPEN, SHUT) if turn % 2 == 0 else (SHUT, OPEN):
                    car, raw = sides[side]
                    rows[side] += [(number, row) for row in press_block(car, raw, disk, 1)]
            runs.append(_round(number, rows))
            say(f"doors: round {number + 1}/{size.door_rounds}, shut against open {runs[-1]['ratio_p50']:.2f}")
    table = [(number, side, *row) for side, found in rows.items() for number, row in found]
    file = write_samples(out / "press_doors.csv", ("round", "doors", *COLUMNS), table)
    plain, secured = ([row for _, row in rows[side]] for side in (OPEN, SHUT))
    return figures(plain, secured, runs, file)


def figures(plain: Sequence[Row], secured: Sequence[Row], runs: Sequence[dict[str, Any]], file: str) -> list[Figure]:
    """Give what the rows (as `press_block` gives them) of the open and the shut office say."""
    shut, shut_trips = [row[0] for row in secured], [row[1] for row in secured]
    opened, open_trips = [row[0] for row in plain], [row[1] for row in plain]
    detail = {
        "pair_difference_ms": summary([a - b for a, b in zip(shut, opened, strict=True)]),
        "shut": _detail(secured),
        "open": _detail(plain),
        "open_press_to_round_trip_p50": round(statistics.median(opened) / statistics.median(open_trips), 3),
        "round_trip_shut_to_open_p50": round(statistics.median(shut_trips) / statistics.median(open_trips), 3),
    }
    more: dict[str, Any] = {"n": len(shut), "samples": (file,), "runs": tuple(runs), "detail": detail}
    against = "the same press at an office without TLS, logins and registry, in turn"
    trip = "raw QoS 1 request→reply round trip over TLS at the same broker, after the same rest"
    return [
        ratio(f"press_doors_{name}", quantile(shut, share), "ms", against, quantile(opened, share), None, **more)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    ] + [
        ratio(f"press_doors_trip_{name}", quantile(shut, share), "ms", trip, quantile(shut_trips, share), None, **more)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    ]


def _open(folder: Path, stack: ExitStack) -> tuple[Unit, RoundTrip]:
    folder.mkdir()
    broker = stack.enter_context(Broker(persistence=True, folder=folder / "broker"))
    stack.enter_context(dispatch(folder, broker.port, {"office": FLOOR}))
    car = stack.enter_context(Vehicle(folder, "car-open", "office", broker.port, AUDIO))
    return car, stack.enter_context(round_trip(folder, broker.port))


def _shut(folder: Path, stack: ExitStack) -> tuple[Unit, RoundTrip]:
    folder.mkdir()
    office = Office(folder, folder, stack)
    office.make(VoicePath.MQTT, None, FLOOR)
    office.config.write_text(f'log_level = "warning"\n{office.config.read_text("utf-8")}', "utf-8")
    office.start()
    car = stack.enter_context(EnrolledUnit(folder, "car-shut", office, AUDIO))
    car.await_talkable()
    car.await_admitted()
    access = Access(office.broker.ca, SERVER_LOGIN, office.server_secret_file)
    return car, stack.enter_context(round_trip(folder, office.broker_port, access))


def _round(number: int, rows: dict[str, list[tuple[int, Row]]]) -> dict[str, Any]:
    shut, opened = (statistics.median(row[0] for of, row in rows[side] if of == number) for side in (SHUT, OPEN))
    return {
        "round": number,
        "shut_p50_ms": round(shut, 4),
        "open_p50_ms": round(opened, 4),
        "ratio_p50": round(shut / opened, 3),
    }


def _detail(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "press_ms": summary([row[0] for row in rows]),
        "round_trip_ms": summary([row[1] for row in rows]),
        "raw_sync_ms": summary([row[2] for row in rows]),
        "steps_p50_ms": {
            name: round(statistics.median(row[3 + place] for row in rows), 4) for place, name in enumerate(STEPS)
        },
    }
