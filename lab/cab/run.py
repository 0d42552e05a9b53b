"""`make cab`: an office and vehicles as in the demo, and a page to sit in them; until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import webbrowser
from collections.abc import Mapping
from pathlib import Path

from dispatch.rest.http import Server
from hw.errors import HardwareError
from lab.broker import BrokerFailed
from lab.cab.app import config, listen
from lab.cab.cab import Cab
from lab.cab.mouth import TAPE_S, Mouth
from lab.cab.script import FIRST, SENTENCES, cars, spoken
from lab.cab.texts import LINES
from lab.cab.unit import Unit
from lab.demo.run import EXIT_FAILED, EXIT_USAGE, interruptible, make_room
from lab.demo.speech import NoSpeech
from lab.demo.world import LabFailed, World
from lab.measure.sound import BadSound, Sound
from lab.texts import Texts

PORT = 8477


def main(out: Path, count: int, port: int, lang: str, browse: bool) -> int:
    """Run until Ctrl-C; gives the exit status.

    Port 0 takes a free one; `browse` opens the page where there is a screen.
    """
    texts = Texts(lang, LINES)
    try:
        listening = listen(port)
    except OSError as error:
        print(f"ptt-lab: port {port} of 127.0.0.1: {error.strerror or error}; give another --port", file=sys.stderr)
        return EXIT_USAGE
    try:
        with listening, interruptible():
            names = cars(count)
            print(texts.line("starting", cars=count), flush=True)
            sounds = spoken(list(names))
            make_room(out)
            _run(out, names, sounds, listening, texts, browse)
    except (BadSound, NoSpeech, OSError) as error:
        print(f"ptt-lab: {error}", file=sys.stderr)
        return EXIT_USAGE
    except (BrokerFailed, LabFailed, HardwareError) as error:
        print(f"ptt-lab: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        pass
    print(texts.line("stopped"), file=sys.stderr)
    return 0


def _run(
    out: Path,
    names: dict[str, str],
    sounds: Mapping[str, Mapping[str, Sound]],
    listening: socket.socket,
    texts: Texts,
    browse: bool,
) -> None:
    with World(out / "logs", names, loop=False, cues_percent=60, lang=texts.lang) as world:
        units = [Unit(car, Mouth(car.tape, sounds[user], FIRST[user])) for user, car in world.cars.items()]
        try:
            world.start()
            world.await_ready()
            asyncio.run(_serve(Cab(units, SENTENCES, texts.lang), listening, texts, browse))
        finally:
            for unit in units:
                unit.close()


async def _serve(cab: Cab, listening: socket.socket, texts: Texts, browse: bool) -> None:
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/"

    def started() -> None:
        print(texts.line("ready", url=url), flush=True)
        if browse and has_screen(os.environ):
            webbrowser.open(url)

    server = Server(config(cab, listening), started)
    running = asyncio.create_task(cab.run(), name="cab")
    running.add_done_callback(server.stop_if_failed)
    over = asyncio.get_running_loop().call_later(TAPE_S, _stop, server, texts)
    try:
        await server.serve(sockets=[listening])
    finally:
        over.cancel()
        cab.farewell()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    if not running.cancelled() and (error := running.exception()) is not None:
        raise error


def _stop(server: Server, texts: Texts) -> None:
    print(texts.line("over", hours=round(TAPE_S / 3600)), file=sys.stderr)
    server.should_exit = True


def has_screen(environ: Mapping[str, str]) -> bool:
    """Whether a browser has somewhere to show a page: without one, some would take the terminal."""
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))
