"""Calls and problems of the REST interface, for docs/rest.md, from what the OpenAPI document is made of."""

from typing import Any

from dispatch.rest.openapi import OPERATIONS, Operation, document
from dispatch.rest.problems import KINDS
from lab.docs.markdown import code, pretty, table

_DOCUMENT = document("https://office.example.com:8443")


def calls() -> str:
    """One section for each call: what it is for, an example of both bodies, and what it may be refused with."""
    return "\n".join(_section(operation) for operation in OPERATIONS)


def problems() -> str:
    """Every problem by its code."""
    rows = [(f"`{name}`", str(kind.status), kind.title, kind.mend) for name, kind in KINDS.items()]
    return table(("code", "status", "title", "mend"), rows)


def _section(operation: Operation) -> str:
    parts = [f"### `{operation.method.upper()} {operation.path}`\n", f"{operation.summary}. {operation.description}\n"]
    if operation.login:
        parts.append("With a login.\n")
    if operation.query:
        rows = [(f"`{name}`", _takes(schema), meaning) for name, schema, meaning in operation.query]
        parts += ["Behind the path (none is required):\n", table(("parameter", "takes", "meaning"), rows)]
    if operation.asks_bytes:
        parts.append(f"Asks: a body of `{operation.asks_bytes}`\n")
    if operation.asks is not None:
        parts += ["Asks:\n", _fields(operation.asks.__name__), code(pretty(operation.example), "json")]
    given = f", `{operation.media_type}`" if operation.given is None else ":"
    parts.append(f"Gives {operation.status}{given}\n")
    if operation.gives is not None:
        parts.append(_fields(operation.gives.__name__))
    if operation.given is not None:
        parts.append(code(pretty(operation.given), "json"))
    refusals = sorted(operation.refusals, key=lambda name: KINDS[name].status)
    parts.append("Problems: " + ", ".join(f"`{name}` ({KINDS[name].status})" for name in refusals) + ".\n")
    return "\n".join(parts)


def _fields(name: str) -> str:
    schema = _DOCUMENT["components"]["schemas"][name]
    required = set(schema.get("required", ()))
    rows = [
        (f"`{field}`", _takes(node), "required" if field in required else pretty(node.get("default")), _meaning(node))
        for field, node in schema["properties"].items()
    ]
    return table(("field", "takes", "default", "meaning"), rows)


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    found: dict[str, Any] = _DOCUMENT["components"]["schemas"][node["$ref"].rpartition("/")[2]]
    return found


def _takes(node: dict[str, Any]) -> str:
    node = _resolved(node)
    if "anyOf" in node:
        return " or ".join(_takes(option) for option in node["anyOf"])
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    if "properties" in node:
        inner = ", ".join(f"`{field}`: {_takes(each)}" for field, each in node["properties"].items())
        return f"object ({inner})"
    if node.get("type") == "integer":
        return f"integer, {node['minimum']} to {node['maximum']}"
    if "pattern" in node:
        return f"string `{node['pattern'].replace('(?!' + chr(92) + 'n)', '')}`{_length(node)}"
    return f"{node['type']}{_length(node)}"


def _length(node: dict[str, Any]) -> str:
    if "maxLength" not in node:
        return ""
    return f", {node.get('minLength', 0)} to {node['maxLength']} characters"


def _meaning(node: dict[str, Any]) -> str:
    if "description" in node:
        return str(node["description"])
    options = (_resolved(option).get("description") for option in [node, *node.get("anyOf", ())])
    return next((str(said) for said in options if said), "")
