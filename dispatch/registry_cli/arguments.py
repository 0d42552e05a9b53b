"""Arguments of the registry's commands. What carries them out is imported only when one is run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from dispatch.registry_cli.parsing import hours, keep_count, keep_s, office_id, plain_id, switch, user_at
from protocol.messages import Priority, VoicePath
from protocol.rest import REPLAY_COUNT, REPLAY_KEEP_S_MAX, Role

if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]

CODE_VALID_H = 24


def add(commands: Commands, common: argparse.ArgumentParser, lang: argparse.ArgumentParser) -> None:
    """Add every command below `commands`, with the arguments of `common`; `init` has no configuration, so `lang`'s."""
    _init(commands, lang)
    _region(_group(commands, "region", "regions of offices"), common)
    _office(_group(commands, "office", "offices"), common)
    _user(_group(commands, "user", "users: people, monitors, bridges, and what units are called"), common)
    _device(_group(commands, "device", "units in vehicles: enrolment codes, replacements, clones"), common)
    _bursts(_group(commands, "bursts", "what was said and is kept for those who missed it"), common)
    _cert(_group(commands, "cert", "the office's certificates"), common)
    text = "give an office that has none the availability probe, or the probe a new secret"
    _command(commands, "probe", "probe.make", common, text)
    made = _command(
        commands, "broker-config", "broker.config", common, "write mosquitto's folder anew from the registry"
    )
    made.add_argument("--broker-dir", type=Path, metavar="DIR", help="the folder (default: broker_dir)")
    made.add_argument("--if-damaged", action="store_true", help="only where its file of users cannot be used")


def _run(options: argparse.Namespace) -> int:
    from dispatch.registry_cli.run import run  # cryptography, the database: `status` and `events` do without

    return run(options)


def _group(commands: Commands, name: str, text: str) -> Commands:
    group = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    return group.add_subparsers(title="commands", required=True, metavar="COMMAND")


def _command(
    commands: Commands,
    name: str,
    do: str,
    common: argparse.ArgumentParser,
    text: str,
) -> argparse.ArgumentParser:
    made = commands.add_parser(name, parents=[common], help=text, description=text, allow_abbrev=False)
    made.set_defaults(run=_run, do=do)
    return made


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON")


def _init(commands: Commands, lang: argparse.ArgumentParser) -> None:
    text = (
        "make authority, certificates, the broker's configuration, the first office and its admin; overwrites nothing"
    )
    made = commands.add_parser("init", parents=[lang], help=text, description=text, allow_abbrev=False)
    made.set_defaults(run=_run, do="init")
    made.add_argument(
        "--dir", type=Path, default=Path("/etc/ptt"), help="configuration's folder (default: %(default)s)"
    )
    made.add_argument("--region", type=plain_id, required=True, help="region's id, such as seoul")
    made.add_argument("--office", type=plain_id, required=True, help="office's id, such as hq")
    made.add_argument("--name", required=True, help="office's name as people call it")
    made.add_argument("--region-name", help="region's name (default: its id)")
    made.add_argument(
        "--host", action="append", required=True, help="host name or address that vehicles reach; the first is used"
    )
    made.add_argument(
        "--voice", type=VoicePath, choices=list(VoicePath), default=VoicePath.MQTT, help="voice's network"
    )
    made.add_argument("--admin", type=plain_id, default="admin", help="first admin's id (default: %(default)s)")
    made.add_argument("--show-secret", action="store_true", help="print the admin's secret too")
    made.add_argument("--store", type=Path, help="SQLite file (default: /var/lib/ptt-dispatch/office.db)")
    made.add_argument("--secrets", type=Path, metavar="DIR", help="folder of secrets (default: /etc/credstore)")
    made.add_argument("--broker-dir", type=Path, metavar="DIR", help="mosquitto's (default: /var/lib/mosquitto/ptt)")
    made.add_argument("--listen", default="", metavar="ADDRESS", help="listen on this address alone")
    made.add_argument("--broker-port", type=int, default=8883, help="broker's TLS port (default: %(default)s)")
    made.add_argument("--rest-port", type=int, default=8443, help="REST service's port (default: %(default)s)")
    made.add_argument("--web-port", type=int, default=8444, help="dashboard's port (default: %(default)s)")
    text = "broker's port for consoles in browsers, 0: none (default: %(default)s)"
    made.add_argument("--websocket-port", type=int, default=8884, help=text)
    made.add_argument(
        "--link",
        action=argparse.BooleanOptionalAction,
        help="copy ptt.conf into /etc/mosquitto/conf.d (default: for /etc/ptt)",
    )


def _region(group: Commands, common: argparse.ArgumentParser) -> None:
    made = _command(group, "add", "region.add", common, "add a region")
    made.add_argument("region", type=plain_id)
    made.add_argument("--name", required=True)
    _json(_command(group, "list", "region.list", common, "list regions"))


def _office(group: Commands, common: argparse.ArgumentParser) -> None:
    made = _command(group, "add", "office.add", common, "add an office to a region that is there")
    made.add_argument("of", type=office_id, metavar="REGION/OFFICE")
    made.add_argument("--name", required=True)
    made.add_argument("--voice", type=VoicePath, choices=list(VoicePath), default=VoicePath.MQTT)
    _json(_command(group, "list", "office.list", common, "list offices"))
    made = _command(group, "rename", "office.rename", common, "change an office's name")
    made.add_argument("of", type=office_id, metavar="REGION/OFFICE")
    made.add_argument("name")
    made = _command(group, "voice", "office.voice", common, "change what an office's voice goes over")
    made.add_argument("of", type=office_id, metavar="REGION/OFFICE")
    made.add_argument("voice", type=VoicePath, choices=list(VoicePath))
    made = _command(group, "replay", "office.replay", common, "keep what is said for those who missed it, or not")
    made.add_argument("of", type=office_id, metavar="REGION/OFFICE")
    made.add_argument("off", nargs="?", choices=["off"], help="keep nothing, and delete what is kept")
    made.add_argument("--keep", type=keep_s, metavar="SECONDS", help=f"for how long, 1 to {REPLAY_KEEP_S_MAX}")
    made.add_argument(
        "--count", type=keep_count, default=REPLAY_COUNT, metavar="N", help="at most (default: %(default)s)"
    )
    made = _command(group, "revoke", "office.revoke", common, "shut every door to all users of an office, at once")
    made.add_argument("of", type=office_id, metavar="REGION/OFFICE")
    _revoke(made)


def _named(
    group: Commands,
    name: str,
    do: str,
    common: argparse.ArgumentParser,
    text: str,
) -> argparse.ArgumentParser:
    """A command on one user."""
    made = _command(group, name, do, common, text)
    made.add_argument("user", type=user_at, metavar="USER", help="user's id, or REGION/OFFICE/USER")
    made.add_argument("--office", type=office_id, metavar="REGION/OFFICE", help="where several offices know this id")
    return made


def _secret(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--secret-file", type=Path, metavar="FILE", help="write the secret into this new file, mode 0600"
    )
    where.add_argument("--show-secret", action="store_true", help="print the secret although this is no terminal")


def _user(group: Commands, common: argparse.ArgumentParser) -> None:
    made = _named(group, "add", "user.add", common, "add a user; people and bridges are given a secret")
    made.add_argument("--role", type=Role, choices=list(Role), required=True)
    made.add_argument("--name", required=True, help="as drivers hear it")
    made.add_argument("--priority", type=Priority, choices=list(Priority), default=Priority.NORMAL)
    made.add_argument("--listen-only", action="store_true")
    _secret(made)
    made = _command(group, "list", "user.list", common, "list users")
    made.add_argument("--office", type=office_id, metavar="REGION/OFFICE", help="of this office only")
    _json(made)
    _json(_named(group, "show", "user.show", common, "show one user"))
    _named(group, "rename", "user.rename", common, "change a user's name").add_argument("name")
    made = _named(group, "priority", "user.priority", common, "change the highest priority a user may ask for")
    made.add_argument("priority", type=Priority, choices=list(Priority))
    made = _named(group, "listen-only", "user.listen-only", common, "let a user speak, or not")
    made.add_argument("listen_only", type=switch, metavar="on|off")
    _revoke(_named(group, "revoke", "user.revoke", common, "shut every door to a user, at once"))
    _named(group, "restore", "user.restore", common, "take a revocation back")
    _secret(_named(group, "rotate", "user.rotate", common, "give a user a new secret"))


def _revoke(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--why", default="", help="for the log")


def _device(group: Commands, common: argparse.ArgumentParser) -> None:
    made = _named(group, "add", "device.add", common, "add a unit, without a code yet")
    made.add_argument("--name", required=True, help="as drivers hear it")
    _unit_role(made, "(default: %(default)s)")
    made = _named(group, "code", "device.code", common, "make a one-time enrolment code for a unit")
    made.add_argument("--create", action="store_true", help="add the user first, if it is not there")
    made.add_argument("--name", help="with --create: as drivers hear it")
    _unit_role(made, "with --create (default: %(default)s)")
    _code(made)
    made = _named(group, "rotate", "device.rotate", common, "make a code that gives an enrolled unit a new secret")
    _code(made)
    made.set_defaults(create=False)
    made = _command(group, "list", "device.list", common, "list units")
    made.add_argument("--office", type=office_id, metavar="REGION/OFFICE", help="of this office only")
    _json(made)
    _named(group, "rename", "device.rename", common, "change a unit's name").add_argument("name")
    _revoke(_named(group, "revoke", "device.revoke", common, "shut every door to a unit, at once"))
    text = "take off the alerts of a unit that is gone (wrecked, taken out, revoked), its emergency too"
    _named(group, "clear-alerts", "device.clear-alerts", common, text)
    _named(group, "cured", "device.cured", common, "end a clone's alert: the identity is one unit's again")


def _unit_role(made: argparse.ArgumentParser, text: str) -> None:
    roles = [Role.VEHICLE_GATEWAY, Role.PICKUP_DRIVER]
    made.add_argument("--role", type=Role, choices=roles, default=Role.VEHICLE_GATEWAY, help=text)


def _code(made: argparse.ArgumentParser) -> None:
    made.add_argument("--valid-h", type=hours, default=CODE_VALID_H, help="hours it is valid (default: %(default)s)")
    made.add_argument("--png", type=Path, metavar="FILE", help="write the QR code into this new file, mode 0600")
    made.add_argument("--qr", action=argparse.BooleanOptionalAction, default=True, help="QR code in the terminal")
    _json(made)


def _bursts(group: Commands, common: argparse.ArgumentParser) -> None:
    made = _command(group, "list", "bursts.list", common, "list the bursts that are kept")
    made.add_argument("--office", type=office_id, metavar="REGION/OFFICE", help="of this office only")
    _json(made)
    made = _command(group, "delete", "bursts.delete", common, "delete bursts that are kept")
    which = made.add_mutually_exclusive_group(required=True)
    which.add_argument("--user", type=user_at, metavar="USER", help="those of a user, or REGION/OFFICE/USER")
    which.add_argument("--all", action="store_true", help="all of them, or of --office")
    made.add_argument("--office", type=office_id, metavar="REGION/OFFICE", help="of this office only")


def _cert(group: Commands, common: argparse.ArgumentParser) -> None:
    _json(_command(group, "show", "cert.show", common, "show names and ends of the certificates"))
    made = _command(group, "renew", "cert.renew", common, "make a new server certificate of the same authority")
    made.add_argument("--host", action="append", help="names and addresses it is for (default: as before)")
