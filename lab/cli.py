"""`ptt-lab demo | cab | office | press | release | levels | watch | bench`.

Exit status: 0 good, 1 something did not happen as it must, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hw.board import INPUTS
from hw.errors import HardwareError
from lab.texts import LANGS
from protocol.messages import VoicePath

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["bench"]:  # its arguments are its own
        from lab.bench.run import main as bench

        return int(bench(given[1:]))
    options = _parser().parse_args(given)
    try:
        return int(options.run(options))
    except HardwareError as error:
        print(f"ptt-lab: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the interpreter's own flush is quiet
        return EXIT_FAILED


def _demo(options: argparse.Namespace) -> int:
    from lab.demo import live, run
    from service.language import language_of

    lang = options.lang or language_of(os.environ)
    voice = VoicePath.AGORA if options.voice == "agora-stub" else VoicePath.MQTT
    if options.live:
        return live.main(options.out, options.say, lang, voice)
    return run.main(options.out, options.say, lang, voice)


def _cab(options: argparse.Namespace) -> int:
    from lab.cab.run import main as cab
    from service.language import language_of

    return cab(options.out, options.cars, options.port, options.lang or language_of(os.environ), not options.no_browser)


def _office(options: argparse.Namespace) -> int:
    from lab.office_day.run import main as office
    from service.language import language_of

    lang = options.lang or language_of(os.environ)
    return office(options.out, options.cars, options.days, options.speed, options.port, lang, options.pictures)


def _pins(options: argparse.Namespace) -> int:
    from lab import press

    match options.command:
        case "press":
            return press.press(options.socket, options.signal, options.hold)
        case "release":
            return press.release(options.socket, options.signal)
        case "levels":
            return press.levels(options.socket)
        case _:
            return press.watch(options.socket, options.seconds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ptt-lab", description="Virtual vehicles: a demo, a finger, benchmarks.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="command")

    demo = commands.add_parser(
        "demo", help="three vehicles, a console, one office, one story, measured", allow_abbrev=False
    )
    demo.set_defaults(run=_demo)
    demo.add_argument("--out", type=Path, default=Path("build/demo"), metavar="DIR", help="default: %(default)s")
    demo.add_argument("--say", type=Path, metavar="WAV", help="car-1 says this recording")
    demo.add_argument(
        "--voice",
        choices=("mqtt", "agora-stub"),
        default="mqtt",
        help="agora-stub: over our stand-in for Agora's library and cloud, which proves nothing about the real ones",
    )
    demo.add_argument("--live", action="store_true", help="leave it running, and print what to press, watch and kill")
    demo.add_argument("--lang", choices=LANGS, help="language of the timeline (default: LANG)")

    cab = commands.add_parser("cab", help="sit in virtual vehicles, in a browser", allow_abbrev=False)
    cab.set_defaults(run=_cab)
    cab.add_argument("--cars", type=int, choices=(1, 2, 3), default=3, help="vehicles (default: %(default)s)")
    cab.add_argument("--port", type=_port, default=8477, help="on 127.0.0.1; 0: a free one (default: %(default)s)")
    cab.add_argument("--out", type=Path, default=Path("build/cab"), metavar="DIR", help="logs (default: %(default)s)")
    cab.add_argument("--lang", choices=LANGS, help="what the vehicles speak (default: LANG)")
    cab.add_argument("--no-browser", action="store_true", help="only print the address")

    office = commands.add_parser(
        "office", help="a practice office with vehicles, some made-up days and its pages", allow_abbrev=False
    )
    office.set_defaults(run=_office)
    office.add_argument("--cars", type=_number(2, 60), default=20, help="vehicles, 2 to 60 (default: %(default)s)")
    office.add_argument("--days", type=_number(1, 60), default=7, help="days made up, today too (default: %(default)s)")
    office.add_argument(
        "--speed", type=_number(1, 60), default=12, help="speed of the live day, 1 to 60 (default: %(default)s)"
    )
    office.add_argument("--port", type=_port, default=8478, help="on 127.0.0.1; 0: a free one (default: %(default)s)")
    office.add_argument("--out", type=Path, default=Path("build/office"), metavar="DIR", help="default: %(default)s")
    office.add_argument("--lang", choices=LANGS, help="language of what is printed (default: LANG)")
    office.add_argument("--pictures", type=Path, metavar="DIR", help="take pictures of the pages into DIR, and end")

    def pins(name: str, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        made.set_defaults(run=_pins)
        made.add_argument("socket", type=Path, metavar="SOCKET", help="pins_socket of a vehicle with virtual pins")
        return made

    for name, text in (("press", "press a button and keep it down"), ("release", "let a button go")):
        command = pins(name, text)
        command.add_argument("--signal", choices=INPUTS, default="ptt", help="which input (default: %(default)s)")
        if name == "press":
            command.add_argument("--hold", type=_seconds, metavar="SECONDS", help="let go after so long")
    pins("levels", "show every pin's level")
    pins("watch", "show every change of an output").add_argument(
        "--seconds", type=_seconds, metavar="SECONDS", help="end after so long (default: when interrupted)"
    )
    commands.add_parser("bench", help="every benchmark; `ptt-lab bench --help`", add_help=False)
    return parser


def _number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r}: give a number, {least} to {most}")
        return int(text)

    return read


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r}: give a port, 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.02 <= value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r}: give seconds, 0.02 to 86400")
    return value
