"""The configuration reference of docs/operations.md, from the structs that read the files."""

import json
import re
from pathlib import PurePath
from typing import Any

import msgspec
from msgspec import inspect as mi

from dispatch.bridge.settings import BridgeSettings
from dispatch.settings import DispatchSettings
from gateway.settings import GatewaySettings
from hw.board import Board
from lab.docs.markdown import says, table
from protocol.ids import ID_PATTERN
from service.settings_words import Secret, describe

_UNSAID = {
    "username": "User name at the broker",
    "password": "Password; better in the systemd credential `mqtt-password`",
    "tls_ca": "PEM file of the authority that signed the broker's certificate; default: the system's",
    "tls_cert": "PEM file of this client's own certificate, where the broker asks for one",
    "tls_key": "PEM file of its key, without a passphrase",
    "region": "Region of the office",
    "office": "Office inside the region",
}
"""Meanings of fields that have no description of their own."""


def gateway() -> str:
    """gateway.toml, without the wiring."""
    return _tables(GatewaySettings, "")


def board() -> str:
    """The wiring: [pins.board] or a file of its own."""
    return _tables(Board, "")


def dispatch() -> str:
    """dispatch.toml."""
    return _tables(DispatchSettings, "")


def bridge() -> str:
    """bridge.toml."""
    return _tables(BridgeSettings, "")


def _tables(settings: type[msgspec.Struct], path: str) -> str:
    info = mi.type_info(settings)
    assert isinstance(info, mi.StructType)
    rows, nested = [], []
    for field in info.fields:
        inner, many = _struct(field.type)
        if inner is Board:
            said = "the wiring, in tables below this one; see the next section"
            rows.append((f"`{field.encode_name}`", "tables", "standard wiring", said))
        elif inner is not None:
            name = f"{path}.{field.encode_name}" if path else field.encode_name
            nested.append((name, inner, many))
        else:
            rows.append(_row(field))
    title = f"`[[{path}]]`" if path.endswith("[]") else f"`[{path}]`" if path else "Outside of any table"
    title = title.replace("[]]]", "]]")
    said = " ".join(part for part in re.split(r"(?<=\.) ", says(settings)) if not part.startswith("Raises"))
    own = [f"{title}: {said}\n\n{table(('key', 'takes', 'default', 'meaning'), rows)}"] if rows else []
    return "\n".join(own + [_tables(inner, name + ("[]" if many else "")) for name, inner, many in nested])


def _row(field: mi.Field) -> tuple[str, str, str, str]:
    name = field.encode_name
    said = _description(field.type) or _UNSAID.get(name, "")
    if not said and name.isidentifier():
        said = f"{name.replace('_', ' ')} (see docs/wiring.md)" if "hz" not in name else name
    takes = describe(field.type).replace(f"text matching {ID_PATTERN}", "an id: 1 to 32 of a-z, 0-9 and -")
    return f"`{name}`", takes.replace(r"text matching ^\S+$", "text without blanks"), _default(field), said.rstrip(".")


def _default(field: mi.Field) -> str:
    value: Any = field.default
    if value is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    if value is msgspec.NODEFAULT:
        return "**required**"
    if value is None or value == "":
        return "not set"
    if isinstance(value, Secret):
        return "not set"
    if isinstance(value, PurePath):
        value = str(value)
    return f"`{json.dumps(msgspec.to_builtins(value), ensure_ascii=False)}`"


def _struct(info: mi.Type) -> tuple[type[msgspec.Struct] | None, bool]:
    """Give the struct a field holds, and whether it holds many."""
    match info:
        case mi.Metadata():
            return _struct(info.type)
        case mi.StructType():
            return info.cls, False
        case mi.VarTupleType() | mi.ListType():
            inner, _ = _struct(info.item_type)
            return inner, True
        case mi.UnionType():
            return next((found for option in info.types if (found := _struct(option))[0] is not None), (None, False))
    return None, False


def _description(info: mi.Type) -> str:
    found = ""
    while isinstance(info, mi.Metadata):
        found = str((info.extra_json_schema or {}).get("description", found))
        info = info.type
    if not found and isinstance(info, mi.UnionType):
        found = next((said for option in info.types if (said := _description(option))), "")
    return " ".join(found.split())
