"""The command `ptt` of a remote monitor."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from monitor import command, watch
from monitor.words import LANGS, Words
from protocol.commands import BadCommand, read
from protocol.ids import OfficeId
from protocol.login import BadLogin, parse_login
from protocol.topics import BadTopic, check_id
from service.language import language_of
from service.mqtt import BrokerSettings
from service.settings import Invalid, Secret, SettingsError, read_secret

WRONG_USE = 2
"""Exit status for arguments that make no sense, as argparse has it."""

_EPILOG = """examples:
  ptt watch --broker broker.example:1883 --office seoul/north
  ptt watch --broker broker.example --ca ca.pem --username seoul.north.desk --password-file desk.secret --all
  ptt watch --all --once
  ptt watch --all --json | jq 'select(.kind == "alert")'

exit status: 0 ended by the user or snapshot printed, 1 broker not reached (--once), 2 wrong use,
3 another watch logged in under the same login"""


_CMD_EPILOG = """examples:
  ptt cmd --broker broker.example --ca ca.pem --username seoul.north.tech --password-file tech.secret \\
      seoul/north car-1 identify
  ptt cmd seoul/north car-1 levels --mic 6 --speaker -3
  ptt cmd seoul/north car-1 mute

exit status: 0 done, 1 broker not reached or login not allowed, 2 wrong use, 3 another connection took this login,
4 no answer, 5 the vehicle refused"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `ptt` with these arguments (the process's own by default) and give its exit status."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.command == "cmd":
        return _cmd(parser, args)
    try:
        settings = _settings(args)
    except (SettingsError, Invalid) as error:
        parser.exit(WRONG_USE, f"ptt watch: {error}\n")
    words = Words(args.lang or language_of(os.environ))
    offices = args.office or _offices_of(args.username)
    try:
        if args.once:
            return watch.once(settings, offices, words)
        if args.json:
            return watch.json_lines(settings, offices, words)
        if not sys.stdout.isatty():
            parser.exit(WRONG_USE, "ptt watch: the output is no terminal: use --once or --json\n")
        return watch.live(settings, offices, words)
    except SettingsError as error:
        parser.exit(WRONG_USE, f"ptt watch: {error}\n")


def _cmd(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    """Send one command."""
    op = command.OPS[args.op]
    params = {"mic_db": args.mic, "speaker_db": args.speaker}
    given = {name: value for name, value in params.items() if value is not None}
    try:
        read(op, given)
        settings = _settings(args)
        return command.ask(
            settings,
            args.office,
            args.user,
            op,
            given,
            Words(args.lang or language_of(os.environ)),
            as_json=args.json,
            answer_s=args.timeout,
        )
    except (SettingsError, Invalid, BadCommand) as error:
        parser.exit(WRONG_USE, f"ptt cmd: {error}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ptt", description="Tools of a remote monitor.")
    commands = parser.add_subparsers(title="commands", required=True, dest="command")
    _cmd_parser(commands.add_parser)
    live = commands.add_parser(
        "watch",
        help="see who speaks, who is there and what is wrong, live",
        description="Show sessions, members, the last bursts and alerts of offices, from the MQTT broker alone.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = live.add_mutually_exclusive_group(required=True)
    which.add_argument("--office", type=_office, action="append", default=[], metavar="REGION/OFFICE")
    which.add_argument("--all", action="store_true", help="every office that this login may see")
    how = live.add_mutually_exclusive_group()
    how.add_argument("--once", action="store_true", help="print one snapshot and exit")
    how.add_argument("--json", action="store_true", help="write every change as a line of JSON")
    _connection(live)
    return parser


def _connection(live: argparse.ArgumentParser) -> None:
    """Add what says how the broker is reached, and the language."""
    live.add_argument("--broker", type=_broker, default=("localhost", None), metavar="HOST[:PORT]")
    live.add_argument("--lang", choices=LANGS, help="language of the view (else by LANG)")
    live.add_argument(
        "--username", metavar="LOGIN", help="region.office.user of a monitor; one connection at a time under one login"
    )
    live.add_argument("--password-file", type=Path, metavar="FILE", help="a file that others cannot read")
    live.add_argument("--tls", action="store_true", help="encrypt; the port is then 8883 unless given")
    live.add_argument(
        "--ca", "--tls-ca", dest="tls_ca", metavar="FILE", help="authority of the broker, PEM (implies --tls)"
    )


def _cmd_parser(add: Callable[..., argparse.ArgumentParser]) -> None:
    asks = add(
        "cmd",
        help="ask a vehicle: identify, levels, restart, mute, unmute, clear-emergency, telemetry, self-check",
        description="Ask one vehicle for one thing and wait for its answer. No command can make a vehicle talk.",
        epilog=_CMD_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    asks.add_argument("office", type=_office, metavar="REGION/OFFICE")
    asks.add_argument("user", type=_user, metavar="USER")
    asks.add_argument("op", choices=command.OPS, metavar="OP", help=", ".join(command.OPS))
    asks.add_argument("--mic", type=float, metavar="DB", help="levels: gain of the microphone, -20 to 20")
    asks.add_argument("--speaker", type=float, metavar="DB", help="levels: gain of the speaker, -20 to 20")
    asks.add_argument("--json", action="store_true", help="print the answer as one line of JSON")
    asks.add_argument(
        "--timeout", type=_seconds, default=command.ANSWER_S, metavar="S", help="wait so long (default: 5 s)"
    )
    _connection(asks)


def _settings(args: argparse.Namespace) -> BrokerSettings:
    host, port = args.broker
    tls = args.tls or args.tls_ca is not None
    password: Secret | None = None if args.password_file is None else read_secret(args.password_file)
    return BrokerSettings(
        host=host,
        port=port or (8883 if tls else 1883),
        username=args.username,
        password=password,
        tls=tls,
        tls_ca=args.tls_ca,
    )


def _broker(text: str) -> tuple[str, int | None]:
    found = re.fullmatch(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:/\[\]]{1,255}))(?::(?P<port>\d{1,5}))?", text)
    port = int(found["port"]) if found and found["port"] else None
    if found is None or (port is not None and not 1 <= port <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no broker: give HOST, HOST:PORT or [IPV6]:PORT, port 1 to 65535")
    return found["v6"] or found["host"], port


def _offices_of(username: str | None) -> list[OfficeId]:
    """Give what `--all` means: the login's own office, since a broker with logins shows it no other; else every one."""
    try:
        return [] if username is None else [parse_login(username).office]
    except BadLogin:  # of a broker that is not of our making
        return []


def _user(text: str) -> str:
    try:
        return check_id(text, "user")
    except BadTopic as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d{1,3}(\.\d+)?", text) or not 0.1 <= float(text) <= 600:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: give 0.1 to 600 seconds")
    return float(text)


def _office(text: str) -> OfficeId:
    region, slash, office = text.partition("/")
    try:
        if not slash:
            raise BadTopic("a region and an office are needed")
        return OfficeId(check_id(region, "region"), check_id(office, "office"))
    except BadTopic as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no office: {error}; give REGION/OFFICE") from None
