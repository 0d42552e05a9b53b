"""Comparing data with a settings type, going on after each problem (msgspec itself stops at the first)."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import inspect as mi

from service.settings_words import Invalid, Problem, choices, decode_hook, describe, kind_of

T = TypeVar("T")


class Walk:
    """One comparison of a document with a type; `problems` grows as it goes."""

    def __init__(self, source: str, lines: dict[str, int]) -> None:
        self._source = source
        self._lines = lines
        self.problems: list[Problem] = []

    def whole(self, data: dict[str, Any], type_: type[T]) -> T | None:
        """Return the finished value, or None when `problems` is not empty."""
        self._check(data, mi.type_info(type_), "")
        return None if self.problems else msgspec.convert(data, type_, dec_hook=decode_hook)

    def _add(self, key: str, what: str, mend: str = "") -> None:
        line, near = self._lines.get(key), key
        while line is None and near:
            near = re.sub(r"(\.?[^.\[]*|\[\d+\])$", "", near)
            line = self._lines.get(near)
        self.problems.append(Problem(source=self._source, key=key, line=line, what=what, mend=mend))

    def _check(self, value: Any, info: mi.Type, key: str) -> None:
        titled = info
        while isinstance(info, mi.Metadata):
            info = info.type
        match info:
            case mi.StrType(pattern=str()) if isinstance(value, str):
                self._string(value, info, key, titled)
            case mi.StructType():
                self._struct(value, info, key)
            case mi.UnionType():
                self._union(value, info, key)
            case mi.ListType() | mi.VarTupleType() | mi.SetType() | mi.FrozenSetType():
                if not isinstance(value, list):
                    return self._wrong(value, info, key)
                self._length(len(value), info.min_length, info.max_length, key, "entries")
                for index, item in enumerate(value):
                    self._check(item, info.item_type, f"{key}[{index}]")
            case mi.TupleType():
                if not isinstance(value, list) or len(value) != len(info.item_types):
                    return self._wrong(value, info, key)
                for index, (item, item_info) in enumerate(zip(value, info.item_types, strict=True)):
                    self._check(item, item_info, f"{key}[{index}]")
            case mi.DictType():
                if not isinstance(value, dict):
                    return self._wrong(value, info, key)
                self._length(len(value), info.min_length, info.max_length, key, "entries")
                for name, item in value.items():
                    self._check(name, info.key_type, _join(key, name))
                    self._check(item, info.value_type, _join(key, name))
            case _:
                self._leaf(value, info, key)

    def _struct(self, value: Any, info: mi.StructType, key: str) -> None:
        if not isinstance(value, dict):
            return self._wrong(value, info, key)
        before = len(self.problems)
        known = {field.encode_name: field for field in info.fields}
        for name in value:
            if name not in known and name != info.tag_field:
                self._add(_join(key, name), "unknown key", _nearest(name, sorted(known)))
        for name, field in known.items():
            if name in value:
                self._check(value[name], field.type, _join(key, name))
            elif field.required:
                wanted = describe(field.type)
                mend = f"add the table [{_join(key, name)}]" if wanted == "a table" else f"add {name} = {wanted}"
                self._add(_join(key, name), "is missing", mend)
        if info.tag_field is not None and value.get(info.tag_field) != info.tag and info.tag_field in value:
            self._add(_join(key, info.tag_field), f"must be {info.tag!r}")
        if len(self.problems) > before:
            return
        try:  # rules across fields live in __post_init__; also the backstop for types not walked above
            msgspec.convert(value, info.cls, dec_hook=decode_hook)
        except msgspec.ValidationError as error:
            if isinstance(error.__cause__, Invalid):
                for fault in error.__cause__.faults:
                    self._add(_join(key, fault.field), fault.what, fault.mend)
            else:
                what, _, place = str(error).partition(" - at `$")
                self._add(_join(key, place.strip("`").lstrip(".")), what)

    def _union(self, value: Any, info: mi.UnionType, key: str) -> None:
        options = [option for option in info.types if not isinstance(option, mi.NoneType)]
        if len(options) == 1:  # TOML has no null: an optional is simply left out
            return self._check(value, options[0], key)
        structs = [option for option in options if isinstance(option, mi.StructType)]
        if isinstance(value, dict) and structs:
            if len(structs) == 1:
                return self._check(value, structs[0], key)
            tag_field = structs[0].tag_field or "type"
            tags = {option.tag: option for option in structs}
            if tag_field not in value:
                return self._add(_join(key, tag_field), "is missing", f"add {tag_field} = {choices(tags)}")
            tag = value[tag_field]
            if not isinstance(tag, str | int) or tag not in tags:
                return self._add(_join(key, tag_field), f"is {_show(tag)}", f"use {choices(tags)}")
            return self._check(value, tags[tag], key)
        trials = [Walk(self._source, self._lines) for _ in options]
        for trial, option in zip(trials, options, strict=True):
            trial._check(value, option, key)
        if all(trial.problems for trial in trials):
            self._wrong(value, info, key)

    def _leaf(self, value: Any, info: mi.Type, key: str) -> None:
        match info:
            case mi.BoolType():
                right = isinstance(value, bool)
            case mi.IntType():
                right = isinstance(value, int) and not isinstance(value, bool)
            case mi.FloatType():
                right = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            case mi.StrType():
                right = isinstance(value, str)
            case mi.LiteralType():
                right = any(value == known and type(value) is type(known) for known in info.values)
            case mi.EnumType():
                right = any(value == member.value and type(value) is type(member.value) for member in info.cls)
            case mi.CustomType():
                return self._custom(value, info, key)
            case _:
                return
        if not right:
            return self._wrong(value, info, key)
        if isinstance(info, mi.IntType | mi.FloatType):
            low = (info.ge is not None and value < info.ge) or (info.gt is not None and value <= info.gt)
            high = (info.le is not None and value > info.le) or (info.lt is not None and value >= info.lt)
            odd = info.multiple_of is not None and value % info.multiple_of != 0
            if low or high or odd:
                self._wrong(value, info, key)
        elif isinstance(info, mi.StrType):
            self._string(value, info, key, info)

    def _string(self, value: str, info: mi.StrType, key: str, titled: mi.Type) -> None:
        """Check a string; `titled` is its type as annotated, whose title says in words what a pattern means."""
        self._length(len(value), info.min_length, info.max_length, key, "characters")
        if info.pattern is not None and re.search(info.pattern, value) is None:
            self._wrong(value, titled, key)

    def _custom(self, value: Any, info: mi.CustomType, key: str) -> None:
        try:
            decode_hook(info.cls, value)
        except ValueError as error:
            self._add(key, str(error), f"use {describe(info)}")

    def _length(self, count: int, least: int | None, most: int | None, key: str, unit: str) -> None:
        if (least is not None and count < least) or (most is not None and count > most):
            self._add(key, f"has {count} {unit}", f"use {_range(least, most)} {unit}")

    def _wrong(self, value: Any, info: mi.Type, key: str) -> None:
        self._add(key, f"is {_show(value)}", f"use {describe(info)}")


def _range(least: int | None, most: int | None) -> str:
    if least is not None and most is not None:
        return f"{least} to {most}"
    return f"at least {least}" if least is not None else f"at most {most}"


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"remove it; known here: {', '.join(known)}" if known else "remove it; nothing may stand here"


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value[:40]}..."' if len(value) > 40 else f'"{value}"'
    return str(value) if isinstance(value, int | float) and abs(value) < 1e18 else kind_of(value)


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key and name and not name.startswith("[") else key + name


def lines_of(text: str) -> dict[str, int]:
    """Line of each table and key by dotted name; keys inside inline tables have their outer key's line."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in _plain_lines(text):
        if head := re.match(r"\s*\[(\[)?\s*([^\[\]]+?)\s*\]", line):
            names, table = _names(head[2]), ""
            for depth, name in enumerate(names):
                table = _join(table, name)
                last = depth == len(names) - 1
                if head[1] and last:
                    counts[table] = counts.get(table, -1) + 1
                    found.setdefault(table, number)
                if table in counts:
                    table = f"{table}[{counts[table]}]"
            found.setdefault(table, number)
        elif pair := re.match(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""", line):
            key = table
            for name in _names(pair[1]):
                key = _join(key, name)
                found.setdefault(key, number)
    return found


def _names(dotted: str) -> list[str]:
    return [bare or quoted[1:-1] for bare, quoted in re.findall(r"""([\w-]+)|("[^"]*"|'[^']*')""", dotted)]


def _plain_lines(text: str) -> Iterator[tuple[int, str]]:
    inside = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not inside:
            yield number, line
        for mark in re.findall(r'"""|' + r"'''", line):
            inside = "" if inside == mark else inside or mark
