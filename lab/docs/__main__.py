"""`python -m lab.docs [--check]`: write what is generated in docs/, or say which of it is stale (exit status 1)."""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lab.docs import (
    acl,
    commands,
    console,
    cues,
    driver_card,
    focus,
    indicators,
    machines,
    messages,
    rest,
    settings,
    wire,
    wiring,
)
from lab.docs.markers import fill
from protocol.worker import Sound

ROOT = Path(__file__).resolve().parents[2]

PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "docs/protocol.md": {
        "topics": wire.topics,
        "messages": messages.sections,
        "voice-frame": wire.voice,
        "burst-file": wire.burst_file,
        "timers": wire.timers,
        "causes": wire.causes,
        "events": wire.events,
        "commands": commands.commands,
        "server-table": machines.server,
        "participant-table": machines.participant,
    },
    "docs/architecture.md": {
        "answers": indicators.answers,
        "lights": indicators.lights,
        "patterns": indicators.patterns,
        "focus-inputs": focus.inputs,
        "focus-rules": focus.rules,
    },
    "docs/cues.md": {
        "answers": indicators.answers,
        "lights": indicators.lights,
        "patterns": indicators.patterns,
        "cue-recipes": cues.recipes,
        "cue-pictures": cues.pictures,
        "cues-told-apart": partial(cues.told_apart, ROOT),
    },
    "docs/driver-card.md": {
        "card-lights": driver_card.lights,
        "card-signals": driver_card.signals,
        "card-events": driver_card.events,
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
    "docs/wiring.md": wiring.PARTS,
}
"""Document -> part -> what makes it."""

FILES: dict[str, Callable[[], str]] = {
    **{cues.file_name(sound): partial(cues.picture, sound) for sound in Sound},
    driver_card.HTML: driver_card.page,
    console.TIMERS: console.timers,
    console.SCHEMAS: console.schemas,
    **wiring.FILES,
}
"""Whole files -> what makes them."""


def made(name: str, root: Path = ROOT) -> str:
    """Give what a generated document or file says now."""
    return FILES[name]() if name in FILES else fill((root / name).read_text(), PARTS[name])


def stale(root: Path = ROOT) -> list[str]:
    """Give the documents whose generated parts are not what the code says, and the files that are not."""
    return [
        name for name in (*PARTS, *FILES) if not (root / name).exists() or made(name, root) != (root / name).read_text()
    ]


def main() -> int:
    """Run the command; gives the exit status."""
    parser = argparse.ArgumentParser(prog="lab.docs", description="What is generated in docs/.")
    parser.add_argument("--check", action="store_true", help="change nothing, say what is stale")
    check = parser.parse_args().check
    if not check and cues.measure_again(ROOT):
        print(f"{cues.MEASURED} measured")
    old = stale()
    for name in old:
        print(f"{name} is stale: make docs" if check else f"{name} written")
        if not check:
            path = ROOT / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(made(name))
    return 1 if check and old else 0


if __name__ == "__main__":
    sys.exit(main())
