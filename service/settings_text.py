"""Showing settings: plain builtins for machines, commented TOML for people; secrets hidden in both."""

from __future__ import annotations

import json
import re
from pathlib import PurePath
from typing import Any

import msgspec
from msgspec import inspect as mi

from service.settings_words import Secret, describe

_HIDDEN = "***"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_URL_PASSWORD = re.compile(r"(?<=://)([^/@:\s]*):[^/\s]*@")


def redacted(value: Any) -> dict[str, Any]:
    """Return a settings struct as builtins, with secrets and passwords inside URLs as `***`."""
    built: dict[str, Any] = _builtins(value, redact=True)
    return built


def dump(value: msgspec.Struct, *, redact: bool = True) -> str:
    """Return a settings struct as TOML, each field under a comment made of its description and its bounds.

    Every field is written, defaults too; one that is not set is a comment. With `redact=False` the text reads
    back (`settings.parse`) as an equal value, and holds the secrets.
    """
    lines: list[str] = []
    _table(lines, "", value, redact)
    return "\n".join(lines).strip() + "\n"


def _builtins(value: Any, *, redact: bool) -> Any:
    def hook(other: Any) -> Any:
        if isinstance(other, Secret):
            return _HIDDEN if redact else other.reveal()
        if isinstance(other, PurePath):
            return str(other)
        raise NotImplementedError(f"settings cannot hold {type(other).__name__}")

    built = msgspec.to_builtins(value, enc_hook=hook)
    return _without_passwords(built) if redact else built


def _without_passwords(value: Any) -> Any:
    match value:
        case dict():
            return {name: _without_passwords(item) for name, item in value.items()}
        case list() | tuple():
            return [_without_passwords(item) for item in value]
        case str():
            return _URL_PASSWORD.sub(rf"\1:{_HIDDEN}@", value)
    return value


def _table(lines: list[str], name: str, value: msgspec.Struct, redact: bool) -> None:
    """Write one struct: its plain fields first, as TOML wants it, then its tables."""
    info = mi.type_info(type(value))
    assert isinstance(info, mi.StructType)
    if info.tag_field is not None:
        lines.append(f"{_key(info.tag_field)} = {_inline(info.tag)}")
    later: list[tuple[mi.Field, Any]] = []
    for field in info.fields:
        item = getattr(value, field.name)
        if _is_table(item) or _is_tables(item):
            later.append((field, item))
            continue
        lines.extend(_comment(field.type))
        if item is None:
            lines.append(f"# {_key(field.encode_name)} is not set")
        else:
            lines.append(f"{_key(field.encode_name)} = {_inline(_builtins(item, redact=redact))}")
    for field, item in later:
        path = f"{name}.{_key(field.encode_name)}" if name else _key(field.encode_name)
        _nested(lines, path, item, redact, _description(field.type))


def _nested(lines: list[str], path: str, item: Any, redact: bool, comment: str) -> None:
    remark = [f"# {comment}"] if comment else []
    if isinstance(item, msgspec.Struct):
        lines.extend(["", *remark, f"[{path}]"])
        _table(lines, path, item, redact)
    elif isinstance(item, dict):
        lines.extend(["", *remark, f"[{path}]"])
        plain = {name: part for name, part in item.items() if not (_is_table(part) or _is_tables(part))}
        lines.extend(f"{_key(name)} = {_inline(_builtins(part, redact=redact))}" for name, part in plain.items())
        for name, part in item.items():
            if name not in plain:
                _nested(lines, f"{path}.{_key(name)}", part, redact, "")
    else:
        for part in item:
            lines.extend(["", *remark, f"[[{path}]]"])
            _table(lines, path, part, redact)


def _is_table(item: Any) -> bool:
    return isinstance(item, msgspec.Struct | dict)


def _is_tables(item: Any) -> bool:
    return isinstance(item, list | tuple) and bool(item) and all(isinstance(part, msgspec.Struct) for part in item)


def _description(info: mi.Type) -> str:
    found = ""
    while isinstance(info, mi.Metadata):
        found = str((info.extra_json_schema or {}).get("description", found))
        info = info.type
    return " ".join(found.split())


def _comment(info: mi.Type) -> list[str]:
    said = _description(info)
    return [f"# {said.rstrip('.')}: {describe(info)}." if said else f"# {describe(info)}."]


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _inline(name)


def _inline(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case dict():
            pairs = ", ".join(f"{_key(name)} = {_inline(item)}" for name, item in value.items() if item is not None)
            return f"{{ {pairs} }}" if pairs else "{}"
        case list() | tuple() | set() | frozenset():
            return f"[{', '.join(_inline(item) for item in value)}]"
    return repr(value)
