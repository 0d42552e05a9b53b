"""`make bench`: every benchmark in turn, a JSON file and raw samples for each figure, a table at the end."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from lab.bench.agora import agora
from lab.bench.cab_sound import cab_sound
from lab.bench.cpu import cpu
from lab.bench.cue import cues
from lab.bench.doors import doors
from lab.bench.event_log import event_log
from lab.bench.figure import Figure, table, write
from lab.bench.first_syllable import first_syllable
from lab.bench.machine import describe
from lab.bench.memory import memory
from lab.bench.mouth_to_ear import mouth_to_ear
from lab.bench.parts import BenchFailed
from lab.bench.press import press_granted
from lab.bench.progress import Say
from lab.bench.size import FULL, SHORT, Size
from lab.bench.start import start_and_rest
from lab.bench.token import tokens
from lab.broker import BrokerFailed
from lab.process import LabFailed
from lab.pulse import RigFailed

MINUTES_MAX = 24 * 60
EVENTS_MIN, EVENTS_MAX = 10_000, 20_000_000
EXIT_OK, EXIT_MISSED, EXIT_FAILED = 0, 1, 2


def _dashboard(out: Path, work: Path, say: Say, size: Size) -> list[Figure]:
    """Only this one needs a browser's driver."""
    try:
        from lab.bench.dashboard import dashboard
    except ImportError as error:
        raise BenchFailed(f"{error} -> make setup") from error
    return dashboard(out, work, say, size)


BENCHES: dict[str, Callable[[Path, Path, Say, Size], list[Figure]]] = {
    "press": press_granted,
    "doors": doors,
    "start": start_and_rest,
    "mouth-to-ear": mouth_to_ear,
    "cue": cues,
    "cab-sound": cab_sound,
    "cpu": cpu,
    "first-syllable": first_syllable,
    "token": tokens,
    "agora-stub": agora,
    "memory": memory,
    "event-log": event_log,
    "dashboard": _dashboard,
}


def main(argv: list[str]) -> int:
    """Run; 0 where every bar holds (or --no-fail), 1 where one does not, 2 where a benchmark could not be done."""
    options = _parser().parse_args(argv)
    out: Path = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    machine = describe(out)
    if machine.load_before > 0.5:
        print(
            f"the machine is busy (load {machine.load_before}): figures will be worse than it can do", file=sys.stderr
        )
    size = SHORT if options.short else FULL
    if options.minutes is not None:
        size = replace(size, memory_s=60 * options.minutes)
    if options.events is not None:
        size = replace(size, events=options.events)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {line}", flush=True)

    figures: list[Figure] = []
    failed = False
    for name in options.only or BENCHES:
        work = out / "work" / name
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            found = BENCHES[name](out, work, say, size)
        except (BenchFailed, BrokerFailed, LabFailed, RigFailed) as error:
            print(f"{name}: not measured: {error}\nlogs are in {work}", file=sys.stderr)
            failed = True
            continue
        for figure in found:
            write(figure, out, machine)
        figures += found
        shutil.rmtree(work)
    print(f"\n{table(figures)}\n\n{len(figures)} figures in {out}, {time.monotonic() - began:.0f} s")
    if failed:
        return EXIT_FAILED
    missed = [figure.name for figure in figures if not figure.holds]
    if missed:
        print(f"over the bar: {', '.join(missed)}", file=sys.stderr)
    return EXIT_MISSED if missed and not options.no_fail else EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ptt-lab bench", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="folder of the results, on a real disk")
    parser.add_argument("--only", action="append", choices=tuple(BENCHES), help="only this one (may be given again)")
    parser.add_argument("--no-fail", action="store_true", help="exit with 0 although a bar does not hold")
    parser.add_argument(
        "--short", action="store_true", help="a few samples only: shows that it works, measures nothing"
    )
    parser.add_argument(
        "--minutes", type=_minutes, help=f"how long memory is watched (default {FULL.memory_s / 60:g}, an hour is 60)"
    )
    parser.add_argument(
        "--events", type=_events, help=f"so many in the event log (default {FULL.events}, the plan's size is 5000000)"
    )
    return parser


def _events(text: str) -> int:
    if not text.isdecimal() or len(text) > 9 or not EVENTS_MIN <= int(text) <= EVENTS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of events from {EVENTS_MIN} to {EVENTS_MAX}")
    return int(text)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes <= MINUTES_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes from 0 to {MINUTES_MAX}")
    return minutes
