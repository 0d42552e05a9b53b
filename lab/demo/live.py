"""`make demo LIVE=1`: the same vehicles, left running for whoever wants to press, watch and kill."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from hw.errors import HardwareError
from lab.broker import BrokerFailed
from lab.demo.run import EXIT_FAILED, EXIT_USAGE, interruptible, make_room
from lab.demo.script import LIVE, NAMES, SAY_S_MAX
from lab.demo.speech import NoSpeech, recording, speak
from lab.demo.tape import looped
from lab.demo.texts import LIVE_TEXT, Texts
from lab.demo.watch import follow_log
from lab.demo.world import LabFailed, World
from lab.measure.sound import BadSound, Sound
from lab.office import OFFICE, WATCHER
from protocol.messages import VoicePath

PAUSE_S = 1.0
"""Silence between two repetitions of a sentence."""


def main(out: Path, say: Path | None, lang: str, voice: VoicePath) -> int:
    """Run until Ctrl-C; gives the exit status."""
    texts = Texts(lang)
    try:
        sounds = {user: speak(text, voice) for user, (voice, text) in LIVE.items()}
        if say is not None:
            sounds["car-1"] = recording(say, SAY_S_MAX)
        make_room(out)
        with interruptible():
            _live(out, sounds, texts, voice)
    except (BadSound, NoSpeech, OSError) as error:
        print(f"ptt-lab: {error}", file=sys.stderr)
        return EXIT_USAGE
    except (BrokerFailed, LabFailed, HardwareError) as error:
        print(f"ptt-lab: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print(texts.line("stopped"), file=sys.stderr)
    return 0


def _live(out: Path, sounds: dict[str, Sound], texts: Texts, voice: VoicePath) -> None:
    with ExitStack() as stack:
        world = stack.enter_context(
            World(
                out / "logs",
                NAMES,
                loop=True,
                cues_percent=60,
                lang=texts.lang,
                voice=voice,
                pages=voice is VoicePath.MQTT,
            )
        )
        for user, car in world.cars.items():
            looped(car.tape, sounds[user], PAUSE_S)
        stack.callback(_keep_ears, world, out)
        world.start()
        world.office.add_watcher()
        world.await_ready()
        print(_how_to(world, out, texts.lang), flush=True)
        began_s = time.monotonic()
        for user, car in world.cars.items():
            follow_log(car.log, partial(_tell, user, began_s), stack)
        gone: set[str] = set()
        while True:
            time.sleep(0.2)
            for user, car in world.cars.items():
                if car.process is not None and not car.process.running and user not in gone:
                    gone.add(user)
                    print(f"{time.monotonic() - began_s:9.2f} s  {user:8}  {texts.line('gone')}", flush=True)
            if not world.office.broker.running and "broker" not in gone:
                gone.add("broker")
                print(f"{time.monotonic() - began_s:9.2f} s  {'broker':8}  {texts.line('gone')}", flush=True)
            if not world.office.dispatch.running:
                raise LabFailed(f"dispatch ended by itself; see {world.office.dispatch.log}")


def _tell(user: str, began_s: float, line: str) -> None:
    """Print what a vehicle's log says of its driver and of bursts."""
    for mark in ("driver told", "burst heard", "burst played"):
        if mark in line:
            print(f"{time.monotonic() - began_s:9.2f} s  {user:8}  {line[line.index(mark) :]}", flush=True)


def _how_to(world: World, out: Path, lang: str) -> str:
    program = Path(sys.executable).parent
    lines = []
    for user, car in world.cars.items():
        assert car.process is not None
        values = {"press": f"{program}/ptt-lab press {car.pins} --hold 4", "kill": f"kill -9 {car.process.pid}"}
        status = f"{program}/ptt-gateway status --config {car.config}"
        lines.append(LIVE_TEXT[lang]["car"].format(name=car.name, user=user, status=status, ear=car.played, **values))
    watch = (
        f"{program}/ptt watch --broker 127.0.0.1:{world.office.broker_port} --tls-ca {world.office.folder / 'ca.pem'} "
        f"--username {OFFICE.region}.{OFFICE.office}.{WATCHER} --password-file {world.office.watcher_secret}"
    )
    ca = world.office.folder / "ca.pem"
    console = ""
    if world.origin:
        values = {"login": world.desk_login, "secret": str(world.desk_secret)}
        console = LIVE_TEXT[lang]["console"].format(pages=world.origin, ca=ca, **values)
    dispatch = f"{program}/ptt-dispatch status --config {world.office.config}"
    told = LIVE_TEXT[lang]["all"].format(cars="\n".join(lines), watch=watch, dispatch=dispatch, out=out)
    return told + console


def _keep_ears(world: World, out: Path) -> None:
    """What was heard is kept: the temporary folder goes."""
    world.stop()
    for user, car in world.cars.items():
        if car.played.exists():
            shutil.copy(car.played, out / f"heard-{user}-live.wav")
