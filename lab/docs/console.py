"""What the call manager's console takes from the protocol: JavaScript modules made from the code that decides."""

import ast
import json
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import protocol.timers
from gateway.core.told import Told
from lab.docs.messages import schema_of
from protocol.codec import CARRIES, PAYLOAD_BYTES_MAX, ROSTER_BYTES_MAX
from protocol.messages import Message
from protocol.topics import Kind

FOLDER = "dispatch/web/static/console"
TIMERS = f"{FOLDER}/timers.js"
SCHEMAS = f"{FOLDER}/schemas.js"

_HEAD = "// Made by `make docs` from protocol/: do not edit.\n"
_KINDS = (
    Kind.SESSION,
    Kind.FLOOR,
    Kind.FLOOR_AGAIN,
    Kind.REPLY,
    Kind.PRESENCE,
    Kind.ROSTER,
    Kind.HEARTBEAT,
    Kind.ALERT,
    Kind.DEVICE_TRACE,
    Kind.COMMAND,
    Kind.COMMAND_REPLY,
)
"""Topics the console reads or writes, voice apart."""
_SAID_FOR_PEOPLE = ("title", "description", "$schema")


def timers() -> str:
    """Give every duration and count of protocol.timers, seconds, under its own name."""
    found = ast.parse(Path(protocol.timers.__file__).read_text(encoding="utf-8")).body
    lines = []
    for statement, meaning in pairwise(found):
        match statement, meaning:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(text))):
                value = getattr(protocol.timers, name)
                lines += [f"/** {' '.join(text.split())} */", f"export const {name} = {value};"]
    return _HEAD + "\n" + "\n".join(lines) + "\n"


def schemas() -> str:
    """Give the JSON Schemas of the messages the console knows, where each may travel, and what people are told."""
    kinds = {kind.name: sorted(CARRIES[kind]) for kind in _KINDS}
    tags = {tag for carried in kinds.values() for tag in carried}
    known = {str(message.__struct_config__.tag): message for message in get_args(Message)}
    parts = [
        "/** Topic kind -> the tail of its topic; `{}` stands for ids. */",
        f"export const TOPICS = {_frozen({kind.name: kind.value for kind in (*_KINDS, Kind.VOICE)})};",
        "/** Topic kind -> the types it carries. */",
        f"export const CARRIES = {_frozen(kinds)};",
        "/** Longest payload, bytes. */",
        f"export const PAYLOAD_BYTES_MAX = {PAYLOAD_BYTES_MAX};",
        f"export const ROSTER_BYTES_MAX = {ROSTER_BYTES_MAX};",
        "/** What can be said of a press, and to a listener. */",
        f"export const TOLD = {_frozen({told.name: told.value for told in Told})};",
        "/** Type -> JSON Schema, as docs/protocol.md has it. */",
        "export const SCHEMAS = {",
        *(f"  {tag}: {_compact(_plain(schema_of(known[tag])))}," for tag in sorted(tags)),
        "};",
    ]
    return _HEAD + "\n" + "\n".join(parts) + "\n"


def _frozen(table: dict[str, Any]) -> str:
    return f"Object.freeze({json.dumps(table, indent=2)})"


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _plain(schema: Any) -> Any:
    """A schema without what is written for people."""
    match schema:
        case dict():
            return {name: _plain(part) for name, part in schema.items() if name not in _SAID_FOR_PEOPLE}
        case list():
            return [_plain(part) for part in schema]
        case _:
            return schema
