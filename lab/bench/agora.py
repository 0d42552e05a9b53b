"""Agora's way over the stand-in of `lab.agora_stub`: how soon it is joined and taken, and how the handover is heard.

A whole office as `ptt-dispatch init` makes it, two units enrolled there, each with the unmodified Python package of the
SDK on a library of ours, and our hub for a cloud: it shows what our side takes, and proves nothing about Agora's. Each
burst opens a session of its own, so that each has a join. The hub's delay changes from burst to burst.
"""

from __future__ import annotations

import json
import statistics
import time
import wave
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from lab.agora_stub.hub import Hub
from lab.bench import murmur
from lab.bench.enrolled import EnrolledUnit
from lab.bench.figure import Figure, bounded, ratio, summary, write_samples
from lab.bench.first_frame import first_frames
from lab.bench.parts import BenchFailed
from lab.bench.progress import Say
from lab.bench.size import Size
from lab.bench.unit_log import Line, clock_offset_s, find, lines
from lab.demo.agora import JOIN_S, AgoraStandIn
from lab.demo.watch import Monitor, Notebook
from lab.office import OFFICE, Office
from protocol.messages import Session, VoicePath

DELAYS_S = (0.05, 0.12, 0.2)
RATE_HZ = 48_000
TAPE_S = 60.0
SETTLE_S = 0.6
"""From the last frame on MQTT on, so much later the handover is over for the listener."""
MARGIN_S = 0.7
"""So much of what is heard after a burst's end belongs to it."""
WAIT_S = 20.0
USERS = ("car-1", "car-2")
STAND_IN = "the stand-in's own (our hub, no network): proves nothing of Agora's cloud"


class _Burst(Struct, frozen=True):
    delay_s: float
    number: int
    session_s: float
    edge_s: float
    end_s: float


class _Judged(Struct, frozen=True, kw_only=True):
    delay_s: float
    joined_ms: dict[str, float]
    mqtt_only_ms: float
    handover_ms: float
    gap: murmur.Gap


def agora(out: Path, work: Path, say: Say, size: Size) -> list[Figure]:
    """Let one unit speak again and again, the other listen; then measure frames from adapter to adapter."""
    tape = murmur.voice(11, TAPE_S, RATE_HZ)
    _write(work / "mouth.wav", tape)
    with ExitStack() as stack:
        stand_in = stack.enter_context(AgoraStandIn(work / "agora"))
        office = Office(work, work, stack)
        office.make(VoicePath.AGORA, stand_in.certificate, "hang_s = 0")
        office.start()
        book = Notebook()
        Monitor(stack, office.server_access, OFFICE, book)
        cars = {user: stack.enter_context(_unit(work, user, office, stand_in)) for user in USERS}
        _await_ready(cars)
        offset_s = clock_offset_s()
        bursts = [
            _speak(cars, stand_in.hub, book, delay_s, size, say)
            for _ in range(size.agora_rounds)
            for delay_s in DELAYS_S
        ]
        first = first_frames(stand_in, work, size.agora_frames)
    logs = {user: lines(cars[user].process.log_path, offset_s) for user in USERS}
    said = _Tape(tape, _epochs(work)[1])
    heard = _heard(work)
    judged = [_judge(burst, logs, said, heard) for burst in bursts]
    return _figures(out, judged, first, logs)


def _unit(work: Path, user: str, office: Office, stand_in: AgoraStandIn) -> EnrolledUnit:
    speaks = f'capture_wav = "{work / "mouth.wav"}"\ncapture_loop = true\n' if user == USERS[0] else ""
    audio = (
        f'backend = "wav"\ncue_volume_percent = 0\n[audio.wav]\n{speaks}playback_wav = "{work / user}.wav"\n'
        f'[agora]\nsdk_dir = "{stand_in.sdk_dir}"'
    )
    return EnrolledUnit(work, user, office, audio, env=stand_in.environ)


def _await_ready(cars: dict[str, EnrolledUnit]) -> None:
    for car in cars.values():
        car.await_talkable()
    deadline = time.monotonic() + WAIT_S
    while not all(find(lines(car.process.log_path, 0.0), "token") for car in cars.values()):
        if time.monotonic() > deadline:
            raise BenchFailed(f"no token within {WAIT_S:.0f} s")
        time.sleep(0.1)
    cars[USERS[0]].await_admitted()


def _speak(cars: dict[str, EnrolledUnit], hub: Hub, book: Notebook, delay_s: float, size: Size, say: Say) -> _Burst:
    """Press, speak, let go, and wait until everybody has left the channel."""
    hub.network.delay_s = delay_s
    car = cars[USERS[0]]
    edge_s = car.pins.press()
    found = book.wait(lambda: book.find(Session, lambda word: word.current_speaker == car.user, edge_s), WAIT_S)
    if found is None or found[1].burst is None:
        raise BenchFailed("a press opened no session")
    time.sleep(max(0.0, edge_s + size.agora_talk_s - time.monotonic()))
    end_s = car.pins.release()
    over = book.wait(lambda: book.find(Session, lambda word: not word.active, end_s), WAIT_S)
    if over is None:
        raise BenchFailed("a session did not end")
    deadline = time.monotonic() + WAIT_S
    while hub.stats(found[1].channel_name).joined:
        if time.monotonic() > deadline:
            raise BenchFailed("a channel was not left")
        time.sleep(0.05)
    time.sleep(MARGIN_S)
    say(f"agora stand-in, delay {1000 * delay_s:.0f} ms: burst {found[1].burst}")
    return _Burst(delay_s, found[1].burst, found[0], edge_s, end_s)


def _judge(burst: _Burst, logs: dict[str, list[Line]], said: _Tape, heard: _Tape) -> _Judged:
    mine = {
        user: [line for line in found if burst.edge_s - 0.1 <= line.at_s <= burst.end_s + MARGIN_S]
        for user, found in logs.items()
    }
    joined = {user: find(found, "agora", state="joined") for user, found in mine.items()}
    both = find(mine[USERS[0]], "voice handed over", mqtt="True", agora="True")
    alone = find(mine[USERS[0]], "voice handed over", mqtt="False", agora="True")
    if not all(joined.values()) or not both or not alone:
        raise BenchFailed(f"burst {burst.number} was not joined ({joined}) or not handed over: {both}, {alone}")
    packet_ms = 20
    both_s, alone_s = (int(each[0].fields["seq"]) * packet_ms / 1000 for each in (both, alone))
    length_s = burst.end_s - burst.edge_s
    try:
        gap = murmur.gap(
            said.cut(burst.edge_s, length_s), heard.cut(burst.edge_s, length_s + MARGIN_S), RATE_HZ,
            both_s, alone_s + SETTLE_S,
        )  # fmt: skip
    except ValueError as error:
        raise BenchFailed(f"burst {burst.number}: {error}") from error
    return _Judged(
        delay_s=burst.delay_s,
        joined_ms={user: 1000 * (found[0].at_s - burst.session_s) for user, found in joined.items()},
        mqtt_only_ms=1000 * both_s,
        handover_ms=1000 * alone_s,
        gap=gap,
    )


def _figures(out: Path, judged: Sequence[_Judged], first: Sequence[float], logs: dict[str, list[Line]]) -> list[Figure]:
    rows = [
        (
            round(1000 * each.delay_s), *each.joined_ms.values(), each.mqtt_only_ms, each.handover_ms,
            each.gap.silence_ms, each.gap.holes_ms, each.gap.jump_ms, each.gap.unlike_ms,
            each.gap.lag_before_ms, each.gap.lag_after_ms,
        )
        for each in judged
    ]  # fmt: skip
    header = (
        "delay_ms", "speaker_joined_ms", "listener_joined_ms", "mqtt_only_ms", "handover_ms",
        "silence_ms", "holes_ms", "jump_ms", "unlike_ms", "lag_before_ms", "lag_after_ms",
    )  # fmt: skip
    file = write_samples(out / "agora_stub.csv", header, rows)
    first_file = write_samples(out / "agora_stub_first_frame.csv", ("own_ms",), [(each,) for each in first])
    joins = [ms for each in judged for ms in each.joined_ms.values()]
    more: dict[str, Any] = {"samples": (file,), "n": len(judged)}
    found = [
        ratio(
            "agora_stub_joined", statistics.median(joins), "ms", f"join time of {STAND_IN}", 1000 * JOIN_S, None,
            n=len(joins), samples=(file,), detail={"announcement_to_joined_ms": summary(joins)},
        ),
        bounded(
            "agora_stub_first_frame", statistics.median(first), "ms", None,
            against=f"nothing: push to callback between two adapters, less the hub's delay; {STAND_IN}",
            n=len(first), samples=(first_file,), detail={"own_ms": summary(first)},
        ),
    ]  # fmt: skip
    for name, times, what in (
        ("mqtt_only", [each.mqtt_only_ms for each in judged], "speech before Agora takes the first frame"),
        ("handover", [each.handover_ms for each in judged], "speech before the last frame on MQTT"),
    ):
        against = f"nothing: {what}, from the edge of a press that opens the session; {STAND_IN}"
        found.append(bounded(f"agora_stub_{name}", statistics.median(times), "ms", None, against=against, **more))
    for delay_s in DELAYS_S:
        gaps = [each.gap for each in judged if each.delay_s == delay_s]
        found.append(
            bounded(
                f"agora_stub_gap_{1000 * delay_s:.0f}ms",
                statistics.median(gap.silence_ms for gap in gaps),
                "ms",
                None,
                against=f"nothing: longest silence at the handover on the listener's samples; {STAND_IN}",
                n=len(gaps),
                samples=(file,),
                detail={
                    "silence_ms": summary([gap.silence_ms for gap in gaps]),
                    "holes_ms": summary([gap.holes_ms for gap in gaps]),
                    "stretch_ms": summary([gap.stretch_ms for gap in gaps]),
                    "jump_ms": summary([gap.jump_ms for gap in gaps]),
                    "unlike_ms": summary([gap.unlike_ms for gap in gaps]),
                    "lag_before_ms": summary([gap.lag_before_ms for gap in gaps]),
                    "lag_after_ms": summary([gap.lag_after_ms for gap in gaps]),
                },
            )
        )
    return found


class _Tape:
    """Samples that begin at a monotonic time; `loop`: again and again."""

    def __init__(self, samples: murmur.Samples, epoch_s: float, *, loop: bool = True) -> None:
        self._samples, self._epoch_s, self._loop = samples, epoch_s, loop

    def cut(self, at_s: float, length_s: float) -> murmur.Samples:
        """Give so much from a time on."""
        places = round((at_s - self._epoch_s) * RATE_HZ) + np.arange(round(length_s * RATE_HZ))
        if not self._loop:
            return np.where(places < len(self._samples), self._samples[np.minimum(places, len(self._samples) - 1)], 0.0)
        return self._samples[places % len(self._samples)]


def _write(path: Path, samples: murmur.Samples) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())


def _epochs(work: Path, user: str = USERS[0]) -> tuple[float, float]:
    words = json.loads((work / f"{user}.wav.json").read_text())
    return float(words["epoch_s"]), float(words["capture_epoch_s"])


def _heard(work: Path) -> _Tape:
    with wave.open(str(work / f"{USERS[1]}.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    return _Tape(samples, _epochs(work, USERS[1])[0], loop=False)
