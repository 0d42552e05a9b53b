"""The first syllable: what a listener hears of speech that begins with the press, when the grant is late.

Two real gateways with their workers, dispatch and a broker. The speaker's line holds the request for the floor back by
0 to 1.5 s; then it is as fast as ever, as a cellular modem that had to wake. Real sentences are spoken from the press
on; what the listener's speaker played is laid over what was said (`lab.measure.align`), window by window: what is
missing, and how much later each part was heard. Twice more with the button held beyond the talk-time limit: the usual
one, and one so short that much of the delay is still there when the capture stops.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from lab.bench.figure import Figure, bounded, write_samples
from lab.bench.first_syllable_picture import Talk, draw
from lab.bench.parts import BenchFailed, Vehicle, dispatch
from lab.bench.progress import Say
from lab.bench.size import Size
from lab.broker import Broker
from lab.demo.speech import Voice, speak
from lab.measure.align import align
from lab.measure.sound import RATE_HZ, Recording, Sound, read, write
from lab.proxy import Proxy

OFFICE = "syllable"
DELAYS_S = (0.0, 0.5, 1.0, 1.5)
LIMITS_S = (5.0, 30.0)
TALK_S = 12.0
BEFORE_S = 7.0
"""The tape is silent for so long, while everything comes up."""
EARLY_S = 0.005
"""The button goes down so much before the first sound."""
USUAL_S = 0.05
"""Worked off: the delay is back within this of what it is without any wait, and stays there."""
SENTENCES = (
    "사고가 났습니다 모두 우회하세요",
    "구급차가 곧 도착합니다",
    "길을 비워 주세요",
    "서울역 앞 삼거리에서 기다리겠습니다",
    "지금 출발합니다",
    "도착하면 다시 말씀드리겠습니다",
    "짐이 세 개 남았습니다",
    "다음 손님은 강남역입니다",
)
PAUSES_S = (0.25, 0.15, 0.45, 0.3)
AGAINST = "nothing: no speech may be missing but single periods of the voice and pauses over 0.2 s"


def first_syllable(out: Path, work: Path, say: Say, size: Size) -> list[Figure]:
    """Measure each delay, and the longest at the talk-time limit."""
    said = speech(LIMITS_S[-1] + 6.0)
    talks = []
    for delay_s in DELAYS_S if size.rounds > 1 else DELAYS_S[-1:]:
        talks.append(_talk(work / f"{delay_s:g}", said, delay_s, TALK_S, say))
    if size.rounds > 1:
        for limit_s in LIMITS_S:
            talks.append(_talk(work / f"limit-{limit_s:g}", said, DELAYS_S[-1], limit_s + 4.0, say, limit_s=limit_s))
    usual_s = min(talk.delay_s_at_end for talk in talks)
    return [_figure(out, talk, usual_s) for talk in talks]


def speech(for_s: float) -> Sound:
    """Sentences with pauses between them, at least so long."""
    voice = Voice("ko", 165, 45)
    spoken = [speak(text, voice) for text in SENTENCES]
    parts: list[Sound] = []
    number = 0
    while sum(len(part) for part in parts) < for_s * RATE_HZ:
        pause = np.zeros(round(PAUSES_S[number % len(PAUSES_S)] * RATE_HZ), np.float32)
        parts += [spoken[number % len(spoken)], pause]
        number += 1
    return np.concatenate(parts)


def _talk(work: Path, said: Sound, delay_s: float, for_s: float, say: Say, *, limit_s: float | None = None) -> Talk:
    work.mkdir(parents=True)
    tape = np.concatenate([np.zeros(round(BEFORE_S * RATE_HZ), np.float32), said])
    write(work / "mouth.wav", tape)
    with ExitStack() as stack:
        broker = stack.enter_context(Broker())
        line = stack.enter_context(Proxy(broker.port))
        stack.enter_context(
            dispatch(work, broker.port, {OFFICE: f"talk_limit_s = {limit_s or LIMITS_S[-1]:g}\nhang_s = 600"})
        )
        cars = []
        for name, port, mouth in (("car-a", line.port, work / "mouth.wav"), ("car-b", broker.port, "")):
            audio = (
                f'backend = "wav"\ncue_volume_percent = 0\nsentence_volume_percent = 0\n'
                f'[audio.wav]\ncapture_wav = "{mouth}"\nplayback_wav = "{work / name}.wav"'
            )
            cars.append(stack.enter_context(Vehicle(work, name, OFFICE, port, audio)))
        speaker, listener = cars
        for car in cars:
            car.await_talkable()
        begins_s = _times(work / "car-a.wav")[1] + BEFORE_S
        edge_s = begins_s - EARLY_S
        if edge_s - time.monotonic() < 0.2:
            raise BenchFailed(f"the vehicles took longer than {BEFORE_S:g} s to come up")
        time.sleep(edge_s - time.monotonic())
        line.delay_s = delay_s  # of what is sent now: the request; the answer finds the line awake
        edge_s = speaker.pins.press()
        awake = threading.Timer(min(0.05, delay_s), lambda: setattr(line, "delay_s", 0.0))
        awake.start()
        time.sleep(max(0.0, edge_s + for_s - time.monotonic()))
        up_s = speaker.pins.release()
        awake.join()
        time.sleep(3.0)
        press = speaker.status()["presses"][0]
        if limit_s is not None:
            up_s = float(press["handled_at"]) + limit_s
        voice = listener.status()["device"]["voice"]
        until_s = time.monotonic()
    heard = Recording(read(work / "car-b.wav"), _times(work / "car-b.wav")[0])
    spoken = Recording(said, begins_s).cut(edge_s, up_s)
    found = align(spoken, heard.cut(edge_s, until_s), faster_s=delay_s)
    talk = Talk(
        delay_s=delay_s, limit_s=limit_s, press=press, voice=voice,
        said=spoken, heard=heard.cut(edge_s, up_s + 1.5), found=found,
    )  # fmt: skip
    lags = f"heard {found.lag_start_ms:.0f} ms later at first, {found.lag_end_ms:.0f} ms at the end"
    ends = f"first {found.first_found:.0%}, last {found.last_found:.0%} found"
    say(f"first syllable, {talk.title}: {lags}; {ends}; {'; '.join(found.problems) or 'whole'}")
    return talk


def _times(wav: Path) -> tuple[float, float]:
    """Of a worker's recording: the times of the first sample played, and of the tape's."""
    words = json.loads(wav.with_name(wav.name + ".json").read_text())
    return float(words["epoch_s"]), float(words["capture_epoch_s"])


def _figure(out: Path, talk: Talk, usual_s: float) -> Figure:
    found = talk.found
    name = f"first_syllable_{round(talk.delay_s * 1000)}ms"
    if talk.limit_s is not None:
        name += f"_limit_{talk.limit_s:g}s"
    draw(out / f"{name}.png", talk)
    rows = [(window.at_ms / 1000, window.lag_ms, window.likeness, window.found) for window in found.windows]
    file = write_samples(out / f"{name}.csv", ("said_at_s", "delay_ms", "likeness", "found"), rows)
    late = [at for at, delay_ms, _, _ in rows if delay_ms / 1000 > usual_s + USUAL_S]
    return bounded(
        name,
        float(len(found.problems)),
        "problems",
        0.5,
        against=AGAINST,
        n=len(rows),
        samples=(file,),
        detail={
            "problems": list(found.problems),
            "picture": f"{name}.png",
            "grant_late_s": talk.delay_s,
            "delay_at_first_ms": round(found.lag_start_ms),
            "delay_at_end_ms": round(found.lag_end_ms),
            "worked_off_after_s": round(max(late, default=0.0), 2),
            "first_syllable_found": round(found.first_found, 3),
            "last_syllable_found": round(found.last_found, 3),
            "missing_ms": round(found.missing_ms),
            "missing_near_ms": round(found.missing_near_ms),
            "voiced_ms": round(found.voiced_ms),
            "level_db": round(found.level_db, 2),
            "press": talk.press,
            "listener_voice": talk.voice,
        },
    )
