"""Every control message with its meaning, fields, example and JSON Schema."""

from typing import Any

import msgspec

from lab.docs.examples import EXAMPLES
from lab.docs.markdown import code, pretty, says, table
from protocol.codec import CARRIES
from protocol.ids import ID_PATTERN
from protocol.messages import Message

_PLAIN_PATTERN = ID_PATTERN.replace(r"(?!\n)", "")
"""The pattern without what only Python's `$` makes necessary: every JSON Schema validator knows the rest."""

_UNSAID = {
    "type": "which message this is",
    "request_id": "the request it is about: its connection_id, then the number of the press",
    "connection_id": "enrolment generation, boot counter, number of the connection",
    "voice": "state of the voice side",
    "frames_played": "voice frames played since the worker's start",
    "frames_concealed": "frames that were missing and concealed",
    "frames_late": "frames that came too late to be played",
    "renew_no": "1, 2, 3, ... within the burst",
    "members": "all that are known, by id",
    "severity": "how much it matters",
    "alert": "its id, as in the topic",
    "version": "of the program",
    "python": "version of the interpreter",
    "board": "model of the machine, and the wiring",
    "capture": "microphone as configured",
    "playback": "speaker as configured",
    "device_info": "free text, e.g. the number plate",
}
"""Meanings of fields that have no description of their own."""


def sections() -> str:
    """Give one section for each message."""
    return "\n".join(_section(example) for example in EXAMPLES)


def schema_of(message: type[Message]) -> dict[str, Any]:
    """Give a message's JSON Schema (2020-12), whole in itself."""
    made = _plain(msgspec.json.schema(message))
    ref = made["$ref"].rpartition("/")[2]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    own = {k: v for k, v in made["$defs"].pop(ref).items() if k != "description"}
    own["title"] = message.__struct_config__.tag
    return head | own | ({"$defs": made["$defs"]} if made["$defs"] else {})


def _section(example: Message) -> str:
    message = type(example)
    tag = str(message.__struct_config__.tag)
    topics = " or ".join(f"`{_topic(kind.value)}`" for kind, tags in CARRIES.items() if tag in tags)
    schema = schema_of(message)
    tables = [_fields(schema, schema)]
    for name, part in schema.get("$defs", {}).items():
        if "properties" in part:
            tables.append(f"`{name}`: {part['description']}\n\n{_fields(part, schema)}")
    built = msgspec.json.decode(msgspec.json.encode(example))
    return "\n".join(
        [
            f"### `{tag}`\n",
            f"{says(message)}\n",
            f"On {topics}.\n",
            *tables,
            "Example:\n",
            code(pretty(built), "json"),
            "Schema:\n",
            code(pretty(schema), "json"),
        ]
    )


def _topic(value: str) -> str:
    return value.replace("{}", "<user>", 1).replace("{}", "<id>", 1)


def _fields(part: dict[str, Any], schema: dict[str, Any]) -> str:
    required = set(part.get("required", ()))
    rows = []
    for name, node in part["properties"].items():
        default = "required" if name in required else pretty(node["default"], 1) if "default" in node else "see below"
        rows.append((f"`{name}`", _takes(node, schema), default, _meaning(node, schema) or _UNSAID.get(name, "")))
    return table(("field", "takes", "default", "meaning"), rows)


def _meaning(node: dict[str, Any], schema: dict[str, Any]) -> str:
    if "description" in node:
        return str(node["description"])
    if "$ref" in node:
        return str(schema["$defs"][node["$ref"].rpartition("/")[2]].get("description", ""))
    return next((_meaning(option, schema) for option in node.get("anyOf", ()) if _meaning(option, schema)), "")


def _takes(node: dict[str, Any], schema: dict[str, Any]) -> str:
    if "anyOf" in node:
        return " or ".join(_takes(option, schema) for option in node["anyOf"])
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        part = schema["$defs"][name]
        return f"`{name}`" if "properties" in part else _takes(part, schema)
    if "enum" in node:
        return ", ".join(f"`{pretty(value)}`" for value in node["enum"])
    match node.get("type"):
        case "integer" | "number":
            low, high = node.get("minimum"), node.get("maximum")
            shown = "2^53-1" if high == 2**53 - 1 else "2^32-1" if high == 2**32 - 1 else high
            return f"{node['type']}, {low} to {shown}"
        case "string":
            if "pattern" in node:
                return "id"
            low, high = node.get("minLength", 0), node.get("maxLength")
            return "string" if high is None else f"string, {low} to {high} characters"
        case "array":
            if "prefixItems" in node:
                return f"array of {len(node['prefixItems'])} integers from 0"
            return f"array of {_takes(node['items'], schema)}"
    return str(node.get("type", "anything"))


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return _PLAIN_PATTERN if node == ID_PATTERN else node
