"""`python -m lab.docs [--check]`: write the generated parts of docs/*.md, or say which are stale (exit status 1)."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from lab.docs import acl, indicators, machines, messages, rest, settings, wire
from lab.docs.markers import fill

ROOT = Path(__file__).resolve().parents[2]

PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "docs/protocol.md": {
        "topics": wire.topics,
        "messages": messages.sections,
        "voice-frame": wire.voice,
        "timers": wire.timers,
        "causes": wire.causes,
        "events": wire.events,
        "server-table": machines.server,
        "participant-table": machines.participant,
    },
    "docs/architecture.md": {
        "answers": indicators.answers,
        "lights": indicators.lights,
        "patterns": indicators.patterns,
    },
    "docs/operations.md": {
        "gateway-settings": settings.gateway,
        "board-settings": settings.board,
        "dispatch-settings": settings.dispatch,
    },
    "docs/rest.md": {
        "rest-calls": rest.calls,
        "rest-problems": rest.problems,
    },
    "docs/agora.md": {
        "bridge-settings": settings.bridge,
    },
    "docs/security.md": {
        "broker-acl": acl.rights,
    },
}
"""Document -> part -> what makes it."""


def stale(root: Path = ROOT) -> list[str]:
    """Give the documents whose generated parts are not what the code says."""
    return [
        name for name, parts in PARTS.items() if fill((root / name).read_text(), parts) != (root / name).read_text()
    ]


def main() -> int:
    """Run the command; gives the exit status."""
    parser = argparse.ArgumentParser(prog="lab.docs", description="Generated parts of docs/*.md.")
    parser.add_argument("--check", action="store_true", help="change nothing, say what is stale")
    check = parser.parse_args().check
    old = stale()
    for name in old:
        print(f"{name} is stale: make docs" if check else f"{name} written")
        if not check:
            path = ROOT / name
            path.write_text(fill(path.read_text(), PARTS[name]))
    return 1 if check and old else 0


if __name__ == "__main__":
    sys.exit(main())
