"""`ptt-dispatch web stage-agora-sdk`: puts Agora's Web SDK where the console's page is served it from."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dispatch.settings import DispatchSettings
from dispatch.web.agora_sdk import PACKAGE, SDK_PATH, VERSION, BadSdk, stage
from service.settings import load


def add(web: argparse.ArgumentParser) -> None:
    """Add the action to the `web` command; without it `web` serves."""
    actions = web.add_subparsers(title="actions", metavar="ACTION")
    text = f"stage Agora's Web SDK {VERSION} for the console: npm's {PACKAGE}-{VERSION}.tgz, or the file out of it"
    made = actions.add_parser("stage-agora-sdk", help=text, description=text, allow_abbrev=False)
    made.add_argument("file", type=Path, metavar="FILE", help="the package, or its file")
    made.add_argument(
        "--config", type=Path, default=argparse.SUPPRESS, metavar="PATH", help="TOML file (as the command's)"
    )
    made.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Stage it; exit status 1, and why, where that cannot be done."""
    folder = load(options.config, DispatchSettings).agora_web_dir
    try:
        staged = stage(options.file, folder)
    except BadSdk as error:
        print(f"ptt-dispatch: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = error.filename or folder
        print(f"ptt-dispatch: {where}: {error.strerror} -> check path and rights, or run it as root", file=sys.stderr)
        return 1
    print(f"staged: {staged} (served as {SDK_PATH}; a running `ptt-dispatch web` takes it up by itself)")
    return 0
