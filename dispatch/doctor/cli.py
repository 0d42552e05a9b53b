"""`ptt-dispatch doctor`: looks at everything an office needs, and says what to do."""

import argparse
import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path

from dispatch.about import version
from dispatch.credentials import with_credentials
from dispatch.live import Live, NotRunning, Stuck, ask, live_paths
from dispatch.settings import DispatchSettings
from service.settings import load

Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add(command: Command) -> None:
    """Add the command to the command line."""
    text = "check services, broker, store, disk, clock, certificates, secrets and tokens; says what to do"
    command("doctor", run, text).add_argument("--json", action="store_true", help="one JSON object")


def run(options: argparse.Namespace) -> int:
    """Look and print; exit status 1 where something does not work. Raises SettingsError."""
    # cryptography, requests: other commands do without
    from dispatch.doctor import broker, browsers, clock, papers, rows, service, store, watchers

    settings = with_credentials(load(options.config, DispatchSettings), os.environ.get("CREDENTIALS_DIRECTORY"))
    now = dt.datetime.now(dt.UTC)
    lives, stuck = services(settings.status_socket_stem)
    stored, _ = store.look(settings)
    known = broker.Found()
    found = [
        rows.ok("configuration", "config", path=str(options.config), version=version()),
        *service.look(lives, stuck, version()),
        *broker.look(settings, known),
        *stored,
        *clock.look(now),
        *papers.look(settings, now),
        *watchers.web(settings, known.logins),
        *browsers.look(settings),
        *watchers.alerts(settings, known.logins),
    ]
    if options.json:
        print(rows.as_json(found))
    else:
        print("\n".join(rows.lines(found, options.lang)))
    return rows.exit_status(found)


def services(stem: Path) -> tuple[tuple[Live, ...], tuple[str, ...]]:
    """Give what every running service says of itself, and why those do not that are stuck."""
    lives: list[Live] = []
    stuck: list[str] = []
    for path in live_paths(stem):
        try:
            lives.append(ask(path))
        except NotRunning:
            continue  # left behind by a process that was killed
        except Stuck as error:
            stuck.append(str(error))
    return tuple(lives), tuple(stuck)
