"""Press → cue: from the edge of the button's pin to the first change of a light or of the motor, on virtual pins.

Four paths, a block of each in every round, the order turned from round to round: an echo of pins and pin server alone
(the bench's own floor); a vehicle whose loop is idle, in an open session in which nobody speaks; the same vehicle
while it hears a colleague, its session is said again ten times a second and commands are answered; and a vehicle
without a connection. Both times of a press are those of the pin server's process, one clock.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from msgspec import Struct

from hw.virtual_client import VirtualPins
from lab.bench.eye import FELT, FELT_OR_BEEPED, LIGHTS, Eye
from lab.bench.figure import Figure, beside, quantile, ratio, summary, write_samples
from lab.bench.first_syllable import speech
from lab.bench.machine import in_memory
from lab.bench.parts import REGION, START_S, BenchFailed, Unit, Vehicle, dispatch, python
from lab.bench.progress import Say
from lab.bench.size import Size
from lab.bench.traffic import Traffic
from lab.broker import Broker, free_port
from lab.measure.sound import write
from protocol.ids import OfficeId

BAR_MS = 30.0
ECHO, IDLE, BUSY, NO_LINK = "echo", "idle", "busy", "no connection"
ANSWERS = {IDLE: "granted", BUSY: "denied", NO_LINK: "no connection"}
"""What the driver is told first on each path; anything else ends the benchmark."""
OFFICE = OfficeId(REGION, "cue")
DARK, READY, LISTENING = (False, False, False), (False, True, False), (False, False, True)
"""Red, green, blue of the looks in which presses are made: steady ones, so that what changes is the answer."""
AUDIO = 'backend = "wav"\n[telemetry]\nevery_s = 10\n'
HOLD_S = 0.020
"""Longer than the lock-out after an edge."""
REST_S = (0.020, 0.060)
"""Rest before each press: by chance, so that presses meet the loop's own beat everywhere."""
STILL_S = 0.3
"""No vibration pauses so long within itself."""
WITHIN_S = 5.0
SPEECH_S = 30.0


class Cue(Struct, frozen=True, kw_only=True):
    """One press. Times in ms from the pin's edge."""

    round: int
    path: str
    first_ms: float
    """The first change of a light; without a connection of the motor or buzzer, as the light blinks by itself."""
    signal: str
    told_ms: float
    """How much later the watching client was told of it: the bench's own way."""
    felt_ms: float | None = None
    """The first change of the motor, where it was waited for."""


class Bench(Struct, kw_only=True):
    """What presses are made on."""

    echo: VirtualPins
    echo_eye: Eye
    car: Unit
    car_eye: Eye
    colleague: Unit
    lone: Unit
    lone_eye: Eye
    port: int
    chance: random.Random


def cues(out: Path, work: Path, say: Say, size: Size) -> list[Figure]:
    """Measure all paths in turn."""
    if in_memory(work):
        raise BenchFailed(f"{work} is kept in memory only: --out must be on a real disk, which grants are synced to")
    rows: list[Cue] = []
    with ExitStack() as stack:
        bench = _bench(work, stack)
        paths: list[Callable[[Bench, int, Size], list[Cue]]] = [_echo, _idle, _busy, _no_link]
        for number in range(size.cue_rounds):
            for place in range(len(paths)):
                rows += paths[(number + place) % len(paths)](bench, number, size)
            shown = (f"{path} {quantile(_first(rows, path, number), 0.99):.2f}" for path in (ECHO, *ANSWERS))
            say(f"cue, round {number + 1}/{size.cue_rounds}, p99 in ms: {', '.join(shown)}")
    columns = ("round", "path", "first_ms", "signal", "told_ms", "felt_ms")
    file = write_samples(out / "cue.csv", columns, [[getattr(row, name) for name in columns] for row in rows])
    return figures(rows, file)


def figures(rows: Sequence[Cue], file: str) -> list[Figure]:
    """Give what the presses say."""
    first = {path: _first(rows, path) for path in (ECHO, *ANSWERS)}
    felt = {path: [row.felt_ms for row in rows if row.path == path and row.felt_ms is not None] for path in ANSWERS}
    numbers = sorted({row.round for row in rows})
    detail = {
        "first_ms": {path: summary(found) for path, found in first.items()},
        "felt_ms": {path: summary(found) for path, found in felt.items() if found},
        "told_to_the_watcher_later_ms": summary([row.told_ms for row in rows]),
        "first_signals": {path: sorted({row.signal for row in rows if row.path == path}) for path in first},
    }

    def runs(path: str, against: str) -> tuple[dict[str, Any], ...]:
        return tuple(
            {
                "round": number,
                f"{path}_p50_ms": round(statistics.median(_first(rows, path, number)), 4),
                f"{against}_p50_ms": round(statistics.median(_first(rows, against, number)), 4),
            }
            for number in numbers
        )

    idle = "the same vehicle with its loop idle, in the same rounds"
    echo = "virtual pins and their server alone, a light following the button, in the same rounds"
    found = []
    for name, share, bar in (("p50", 0.5, None), ("p99", 0.99, BAR_MS)):
        for path, against, words, stem in (
            (BUSY, IDLE, idle, "cue_busy"),
            (IDLE, ECHO, echo, "cue_idle"),
            (NO_LINK, IDLE, idle, "cue_no_connection"),
        ):
            more: dict[str, Any] = {"n": len(first[path]), "samples": (file,), "detail": detail}
            more["runs"] = runs(path, against)
            value, other = quantile(first[path], share), quantile(first[against], share)
            found.append(beside(f"{stem}_{name}", value, "ms", words, other, bar, **more))
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        granted, denied = quantile(felt[IDLE], share), quantile(felt[BUSY], share)
        words = "the motor's answer to a press that is granted, loop idle, in the same rounds"
        rest: dict[str, Any] = {"n": len(felt[BUSY]), "samples": (file,), "detail": detail}
        found.append(ratio(f"cue_denied_felt_{name}", denied, "ms", words, granted, None, **rest))
    return found


# --- paths ------------------------------------------------------------------------------------------------------------


def _echo(bench: Bench, number: int, size: Size) -> list[Cue]:
    rows = []
    for _ in range(size.cue_presses):
        time.sleep(bench.chance.uniform(*REST_S))
        bench.echo_eye.forget()
        rows.append(_cue(number, ECHO, bench.echo_eye, bench.echo.press(), LIGHTS))
        bench.echo.release()
        bench.echo_eye.await_lights(DARK, WITHIN_S)
    return rows


def _idle(bench: Bench, number: int, size: Size) -> list[Cue]:
    bench.car_eye.await_lights(READY, START_S)
    return _block(bench, number, size, IDLE, READY)


def _busy(bench: Bench, number: int, size: Size) -> list[Cue]:
    bench.colleague.pins.press()
    bench.car_eye.await_lights(LISTENING, START_S)
    with Traffic(bench.port, OFFICE, bench.car.user):
        rows = _block(bench, number, size, BUSY, LISTENING)
    bench.colleague.pins.release()
    bench.car_eye.await_lights(READY, START_S)
    return rows


def _no_link(bench: Bench, number: int, size: Size) -> list[Cue]:
    rows = []
    for _ in range(size.cue_felt):
        bench.lone_eye.await_still(FELT_OR_BEEPED, STILL_S, START_S)
        time.sleep(bench.chance.uniform(*REST_S))
        bench.lone_eye.forget()
        edge_s = bench.lone.pins.press()
        rows.append(_cue(number, NO_LINK, bench.lone_eye, edge_s, FELT_OR_BEEPED))
        _hold(edge_s)
        bench.lone.pins.release()
    _answered(bench.lone, NO_LINK, size.cue_felt)
    return rows


def _block(bench: Bench, number: int, size: Size, path: str, rest: tuple[bool, ...]) -> list[Cue]:
    """Presses, each held until it is answered, and the next made when the light shows `rest` again."""
    car, eye = bench.car, bench.car_eye
    rows = []
    for place in range(size.cue_presses):
        felt = place < size.cue_felt
        if felt:
            eye.await_still(FELT, STILL_S, START_S)
        time.sleep(bench.chance.uniform(*REST_S))
        eye.forget()
        edge_s = car.pins.press()
        rows.append(_cue(number, path, eye, edge_s, LIGHTS, felt=felt))
        car.await_status("the press is answered", lambda status: status["presses"][-1]["answer"], WITHIN_S)
        _hold(edge_s)
        car.pins.release()
        eye.await_lights(rest, WITHIN_S)
    _answered(car, path, size.cue_presses)
    return rows


def _cue(number: int, path: str, eye: Eye, edge_s: float, signals: tuple[str, ...], *, felt: bool = False) -> Cue:
    seen = eye.first(edge_s, signals, WITHIN_S)
    felt_ms = (eye.first(edge_s, FELT, WITHIN_S).change.at_s - edge_s) * 1000 if felt else None
    return Cue(
        round=number,
        path=path,
        first_ms=(seen.change.at_s - edge_s) * 1000,
        signal=seen.change.signal,
        told_ms=(seen.seen_at_s - seen.change.at_s) * 1000,
        felt_ms=felt_ms,
    )


def _hold(edge_s: float) -> None:
    time.sleep(max(0.0, edge_s + HOLD_S - time.monotonic()))


def _answered(car: Unit, path: str, count: int) -> None:
    """Raise BenchFailed unless the last `count` presses were answered as this path does."""
    answers = [press["answer"] for press in car.status(count)["presses"]]
    if answers != [ANSWERS[path]] * count:
        raise BenchFailed(f"{path}: presses were answered {sorted({str(answer) for answer in answers})}")


def _first(rows: Sequence[Cue], path: str, number: int | None = None) -> list[float]:
    return [row.first_ms for row in rows if row.path == path and number in (None, row.round)]


# --- what presses are made on -----------------------------------------------------------------------------------------


def _bench(work: Path, stack: ExitStack) -> Bench:
    broker = stack.enter_context(Broker(persistence=True, folder=work / "broker"))
    stack.enter_context(dispatch(work, broker.port, {OFFICE.office: "talk_limit_s = 600\nhang_s = 600"}))
    write(work / "mouth.wav", speech(SPEECH_S))
    mouth = f'backend = "wav"\n[audio.wav]\ncapture_wav = "{work}/mouth.wav"\ncapture_loop = true'
    car = stack.enter_context(Vehicle(work, "car", OFFICE.office, broker.port, AUDIO))
    colleague = stack.enter_context(Vehicle(work, "colleague", OFFICE.office, broker.port, mouth))
    lone = stack.enter_context(Vehicle(work, "lone", OFFICE.office, free_port(), AUDIO))
    for each in (car, colleague):
        each.await_talkable()
    echo = _start_echo(work, stack)
    # The first press opens the session, which stays open over all rounds.
    colleague.pins.press()
    car.await_status("it hears the colleague", lambda status: status["device"]["voice"]["frames_played"] > 0)
    colleague.pins.release()
    lone.await_status("it knows that it has no connection", lambda status: not status["link"]["up"])
    return Bench(
        echo=echo,
        echo_eye=stack.enter_context(Eye(work / "echo.sock")),
        car=car,
        car_eye=stack.enter_context(Eye(car.socket)),
        colleague=colleague,
        lone=lone,
        lone_eye=stack.enter_context(Eye(lone.socket)),
        port=broker.port,
        chance=random.Random(1),
    )


def _start_echo(work: Path, stack: ExitStack) -> VirtualPins:
    socket = work / "echo.sock"
    process = stack.enter_context(python("echo", work, "-m", "lab.bench.pin_echo", socket))
    deadline = time.monotonic() + START_S
    while "ready" not in process.log:
        process.require_running()
        if time.monotonic() > deadline:
            raise BenchFailed("the echo of the pins does not come up")
        time.sleep(0.02)
    return stack.enter_context(VirtualPins(socket))
