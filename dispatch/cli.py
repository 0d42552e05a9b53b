"""`ptt-dispatch`: the office's services and all an operator does. Each group of commands has a module of its own; those
of services, `status` and configuration are here. docs/operations.md lists them all.

Exit status: 0 good, 1 an operating error (or, of `status`, a service that cannot serve), 2 usage or configuration.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dispatch import backup_cli, history_cli, minutes_cli, sessions_cli
from dispatch.alerting import cli as alerts_cli
from dispatch.app import App
from dispatch.credentials import with_credentials
from dispatch.doctor import cli as doctor_cli
from dispatch.live import AlreadyRunning, Live, NotRunning, Stuck, ask, live_paths
from dispatch.ports import StoreUnavailable
from dispatch.registry_cli import arguments as registry_commands
from dispatch.report import command as report_cli
from dispatch.settings import DEFAULT_PATH, DispatchSettings
from dispatch.show import Status, status_json, status_lines
from dispatch.store.reader import Snapshot, StoreReader
from dispatch.traces import cli as trace_cli
from dispatch.web import agora_cli as web_agora_cli
from dispatch.words import LANGUAGES, language_of, say
from service.logs import configure
from service.settings import SettingsError, dump, load

BRIDGE_PATH = Path("/etc/ptt/bridge.toml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except SettingsError as error:
        return _fail(str(error), 2)
    except AlreadyRunning as error:
        return _fail(
            f"another service with this replica name is running ({error}) -> give this one its own `replica`", 1
        )
    except StoreUnavailable as error:
        return _fail(str(error), 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the interpreter's own flush is quiet
        return 0
    except KeyboardInterrupt:
        return 0
    except PermissionError as error:
        return _fail(f"{error.filename or 'system'}: {error.strerror} -> it belongs to the service: use sudo", 1)
    except OSError as error:
        return _fail(f"{error.filename or 'system'}: {error.strerror or error}", 1)


def _fail(text: str, code: int) -> int:
    print(f"ptt-dispatch: {text}", file=sys.stderr)
    return code


# --- commands -------------------------------------------------------------------------------------------------------


def _serve(options: argparse.Namespace) -> int:
    settings = with_credentials(load(options.config, DispatchSettings), os.environ.get("CREDENTIALS_DIRECTORY"))
    configure("ptt-dispatch", settings.log_level)
    App(settings, adopt=options.adopt).run()
    return 0


def _rest(options: argparse.Namespace) -> int:
    from dispatch.rest.server import RestApp, RestFailed  # the web framework: no other command waits for its import

    settings = with_credentials(load(options.config, DispatchSettings), os.environ.get("CREDENTIALS_DIRECTORY"))
    configure("ptt-dispatch-rest", settings.log_level)
    try:
        RestApp(settings).run()
    except RestFailed as error:
        return _fail(str(error), 1)
    return 0


def _web(options: argparse.Namespace) -> int:
    from dispatch.rest.server import RestFailed  # the web framework, as above
    from dispatch.web.server import WebApp

    settings = with_credentials(load(options.config, DispatchSettings), os.environ.get("CREDENTIALS_DIRECTORY"))
    configure("ptt-dispatch-web", settings.log_level)
    try:
        WebApp(settings).run()
    except RestFailed as error:
        return _fail(str(error), 1)
    return 0


def _agora_bridge(options: argparse.Namespace) -> int:
    from dispatch.bridge.app import BridgeApp  # no other command waits for its import
    from dispatch.bridge.settings import read

    bridge = read(options.config)
    if options.check:
        print(f"{options.config}: good")
        return 0
    configure("ptt-agora-bridge", bridge.log_level)
    BridgeApp(bridge).run()
    return 0


def _status(options: argparse.Namespace) -> int:
    settings = load(options.config, DispatchSettings)
    live, stuck = _services(settings.status_socket_stem)
    where, store_id, error, snapshots = _stored(settings.store.sqlalchemy_url)
    status = Status(
        configured=tuple(settings.offices),
        live=live,
        stuck=stuck,
        where=where,
        store_id=store_id,
        store_error=error,
        snapshots=snapshots,
        registry=settings.admission == "registry",
    )
    print(status_json(status) if options.json else "\n".join(status_lines(status, options.lang, settings.zone_of)))
    return 0 if status.well else 1


def _services(stem: Path) -> tuple[tuple[Live, ...], tuple[str, ...]]:
    live: list[Live] = []
    stuck: list[str] = []
    for path in live_paths(stem):
        try:
            live.append(ask(path))
        except NotRunning:
            continue  # left behind by a process that was killed
        except Stuck as error:
            stuck.append(str(error))
    return tuple(live), tuple(stuck)


def _stored(url: str) -> tuple[str, str | None, str | None, tuple[Snapshot, ...]]:
    """Give where the store is, its id, what is wrong with it, and its offices."""
    try:
        reader = StoreReader(url)
    except StoreUnavailable as error:
        return "", None, str(error), ()
    try:
        snapshots = tuple(s for s in map(reader.snapshot, reader.offices()) if s is not None)
    except StoreUnavailable as error:
        return reader.where, reader.store_id, str(error), ()
    finally:
        reader.close()
    return reader.where, reader.store_id, None, snapshots


def _check_config(options: argparse.Namespace) -> int:
    settings = with_credentials(load(options.config, DispatchSettings), os.environ.get("CREDENTIALS_DIRECTORY"))
    print(say("config_ok", options.lang, path=options.config, offices=len(settings.office)))
    return 0


def _show_config(options: argparse.Namespace) -> int:
    print(dump(load(options.config, DispatchSettings), redact=options.redact), end="")
    return 0


# --- arguments ------------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    lang = argparse.ArgumentParser(add_help=False)
    lang.add_argument(
        "--lang", choices=LANGUAGES, default=language_of(os.environ), help="language of sentences (default: LANG)"
    )
    common = argparse.ArgumentParser(add_help=False, parents=[lang])
    common.add_argument(
        "--config", type=Path, default=DEFAULT_PATH, metavar="PATH", help=f"TOML file (default: {DEFAULT_PATH})"
    )
    parser = argparse.ArgumentParser(
        prog="ptt-dispatch",
        description="The office's floor control server: one speaker at a time, by the store's word.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, parents=[common], help=text, description=text, allow_abbrev=False)
        made.set_defaults(run=run)
        return made

    serve = command("serve", _serve, "serve the configured offices until SIGTERM")
    serve.add_argument(
        "--adopt",
        action="store_true",
        help="take over offices whose session another store issued (after a move or a restore); for one start only",
    )
    command("rest", _rest, "serve tokens and enrolment over HTTPS until SIGTERM")
    web_agora_cli.add(command("web", _web, "serve the dashboard over HTTPS until SIGTERM"))
    text = "carry voice between an office's broker and its Agora channel until SIGTERM"
    bridge = commands.add_parser("agora-bridge", help=text, description=text, allow_abbrev=False)
    bridge.add_argument(
        "--config", type=Path, default=BRIDGE_PATH, metavar="PATH", help=f"TOML file (default: {BRIDGE_PATH})"
    )
    bridge.add_argument("--check", action="store_true", help="check the configuration, its secret included, and end")
    bridge.set_defaults(run=_agora_bridge)
    status = command("status", _status, "show offices, members, store and service; exit status 1 if it cannot serve")
    status.add_argument("--json", action="store_true", help="one JSON object")
    history_cli.add(command)
    trace_cli.add(command)
    report_cli.add(command)
    command("check-config", _check_config, "check the configuration, telling every mistake at once")
    show = command("show-config", _show_config, "show the whole configuration, defaults included")
    show.add_argument(
        "--redact", action=argparse.BooleanOptionalAction, default=True, help="hide secrets (default: they are hidden)"
    )
    minutes_cli.add(command)
    sessions_cli.add(command)
    doctor_cli.add(command)
    backup_cli.add(command)
    alerts_cli.add(command)
    registry_commands.add(commands, common, lang)
    return parser
