"""`ptt-gateway`: run the daemon, look at its configuration, its devices and what it is doing.

Exit status: 0 it is well; 1 it is not, or the daemon cannot be reached; 2 the command line or the configuration is
wrong; 70 the daemon ended by a programmer's error.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from gateway.levels_cli import add_parser as levels_parser
from gateway.texts import KO, LANGS, Texts, pick

if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status."""
    arguments = _parser().parse_args(argv)
    texts = pick(arguments.lang, os.environ)
    try:
        match arguments.command:
            case "run":
                return _run(arguments, texts)
            case "check-config":
                return _check_config(arguments, texts)
            case "show-config":
                return _show_config(arguments, texts)
            case "devices":
                return _devices(arguments, texts)
            case "enrol":
                from gateway import enrol_cli

                return enrol_cli.run(arguments, "ko" if texts is KO else "en")
            case "doctor":
                from gateway import doctor

                return doctor.run(arguments, "ko" if texts is KO else "en")
            case "levels":
                from gateway import levels_cli

                return levels_cli.run(arguments, "ko" if texts is KO else "en")
            case "outputs-off":
                return _outputs_off(arguments, texts)
            case _:
                return _status(arguments, texts)
    except BrokenPipeError:  # `ptt-gateway status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ptt-gateway",
        description="In-vehicle push-to-talk gateway: a button in the car becomes a two-way radio.",
        epilog="Exit status: 0 well, 1 not well, 2 wrong usage or configuration, 70 internal error.",
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config",
        type=Path,
        default=Path("/etc/ptt/gateway.toml"),
        metavar="FILE",
        help="configuration (default: %(default)s)",
    )
    common.add_argument("--lang", choices=LANGS, help="language of what is printed (default: by LANG)")
    as_json = argparse.ArgumentParser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="print JSON, for programs")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", parents=[common], help="run the daemon (systemd does)")
    commands.add_parser(
        "check-config", parents=[common, as_json], help="read the configuration and list every mistake in it"
    )
    show = commands.add_parser(
        "show-config", parents=[common, as_json], help="print the configuration in effect, defaults included"
    )
    show.add_argument(
        "--redact",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="hide secrets (the default; --no-redact shows them)",
    )
    commands.add_parser(
        "devices", parents=[common, as_json], help="list sound devices by name, and which pin factories work here"
    )
    commands.add_parser(
        "outputs-off",
        parents=[common],
        help="put every output off while the daemon does not run (systemd does, after it was killed)",
    )
    status = commands.add_parser("status", parents=[common, as_json], help="ask the running daemon what it is doing")
    status.add_argument("--presses", type=int, default=5, metavar="N", help="show the last N presses (default: 5)")
    levels_parser(commands, [common, as_json])
    _enrol_parser(commands, common)
    _doctor_parser(commands, common, as_json)
    return parser


def _enrol_parser(commands: Commands, common: argparse.ArgumentParser) -> None:
    enrol = commands.add_parser(
        "enrol",
        parents=[common],
        help="become a member of an office, with the one-time code it made",
        description="Exchange a one-time code (`ptt-dispatch device code`) for this unit's credentials, authority and "
        "configuration. A unit that was enrolled before becomes what the new code says.",
        epilog="Give CODE as `-`, or not at all, to type or pipe it in: what stands on a command line is seen by every "
        "user of the machine. Exit status: 0 enrolled, 1 not (try again), 2 wrong usage, 3 the code is of no use.",
    )
    enrol.add_argument("url", nargs="?", metavar="URL", help="address of the office, https://host:port")
    enrol.add_argument(
        "code", nargs="?", default="-", metavar="CODE", help="the one-time code; `-` reads it from stdin"
    )
    enrol.add_argument(
        "--file",
        type=Path,
        action="append",
        metavar="FILE",
        help="two lines, URL and CODE, as on the boot partition; several times: the first that is there",
    )
    enrol.add_argument("--state-dir", type=Path, metavar="DIR", help="default: [state] dir of the configuration")


def _doctor_parser(commands: Commands, common: argparse.ArgumentParser, as_json: argparse.ArgumentParser) -> None:
    doctor = commands.add_parser("doctor", help="try out on this machine what cannot be tried elsewhere")
    what = doctor.add_subparsers(dest="what", required=True, metavar="WHAT")
    agora = what.add_parser(
        "agora",
        parents=[common, as_json],
        help="page size, C library, staged SDK and its load time; with --join the channel itself",
    )
    agora.add_argument("--join", action="store_true", help="join the office's channel for 10 s with a real token")
    agora.add_argument(
        "--second",
        type=Path,
        metavar="DIR",
        help="state directory of a second enrolment on this machine, which listens: measures voice there and back",
    )


def _run(arguments: argparse.Namespace, texts: Texts) -> int:
    from service import logs

    logs.configure("ptt-gateway")
    from gateway import settings
    from service.settings import SettingsError

    try:
        configuration, enrolment = settings.read_enrolled(arguments.config)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    logs.configure("ptt-gateway", configuration.log.level)
    from gateway import app

    return app.run(configuration, enrolment)


def _check_config(arguments: argparse.Namespace, texts: Texts) -> int:
    from gateway import inspection, settings
    from service.settings import Problem, SettingsError

    problems: tuple[Problem, ...]
    dims = True
    try:
        configuration = settings.read(arguments.config)
        problems, dims = inspection.problems(configuration, arguments.config), inspection.dims(configuration)
    except SettingsError as error:
        problems = error.problems
    if arguments.json:
        inspection.print_json({"ok": not problems, "problems": problems, "lights_dim": dims})
    elif problems:
        print(SettingsError(problems), file=sys.stderr)
    else:
        print(texts.config_good.format(path=arguments.config))
        if not dims:
            print(texts.no_dimming)
    return EXIT_USAGE if problems else EXIT_OK


def _show_config(arguments: argparse.Namespace, texts: Texts) -> int:
    from gateway import inspection, settings
    from service.settings import SettingsError, dump, redacted

    try:
        configuration = settings.read(arguments.config)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    if arguments.json:
        inspection.print_json(redacted(configuration) if arguments.redact else inspection.revealed(configuration))
    else:
        print(dump(configuration, redact=arguments.redact), end="")
    return EXIT_OK


def _devices(arguments: argparse.Namespace, texts: Texts) -> int:
    from gateway import inspection, settings
    from hw.board import Board
    from service.settings import SettingsError

    try:
        board = settings.read_file(arguments.config).pins.wiring()
    except SettingsError:
        board = Board()  # without a configuration one looks around, to write it
    sound, sound_error = inspection.sound_devices(arguments.json)
    factories = inspection.factories(board)
    if arguments.json:
        inspection.print_json({"sound": sound or None, "sound_error": sound_error or None, "pin_factories": factories})
    else:
        print(texts.sound_devices)
        print(inspection.indented(sound or texts.no_sound.format(why=sound_error)))
        print(texts.pin_factories)
        for factory in factories:
            print(f"  {factory.name:8} {texts.works if factory.works else f'{texts.works_not}: {factory.why}'}")
    return EXIT_FAILED if sound_error else EXIT_OK


def _outputs_off(arguments: argparse.Namespace, texts: Texts) -> int:
    from gateway import settings
    from hw.errors import HardwareError
    from hw.hardware import outputs_off
    from service.settings import SettingsError

    try:
        outputs_off(settings.read_file(arguments.config).pins)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    except HardwareError as error:
        print(texts.outputs_stay.format(why=error), file=sys.stderr)
        return EXIT_FAILED
    print(texts.outputs_off)
    return EXIT_OK


def _status(arguments: argparse.Namespace, texts: Texts) -> int:
    from gateway import settings
    from gateway.status_client import Unreachable, ask
    from gateway.status_text import render
    from service.settings import SettingsError

    try:
        sockets = settings.read_file(arguments.config).status_sockets()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    try:
        answer = ask(sockets, arguments.presses)
    except Unreachable as error:
        print(texts.not_running.format(why=error), file=sys.stderr)
        return EXIT_FAILED
    if arguments.json:
        print(answer.raw)
    else:
        print("\n".join(render(answer.status, texts)))
    well = answer.status["link"]["up"] and answer.status["device"]["voice"]["worker"] == "ok"
    return EXIT_OK if well else EXIT_FAILED
