"""What settings are made of: problems, secrets, and the types of a field in words."""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect as mi

SECRET_BYTES_MAX = 64 << 10
"""A secret file larger than this (64 KiB) is a mistake and is not read."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake in one source: where it is, what is wrong and how to mend it."""

    source: str
    key: str = ""
    line: int | None = None
    what: str
    mend: str = ""

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        text = f"{place}: {self.key}: {self.what}" if self.key else f"{place}: {self.what}"
        return f"{text} -> {self.mend}" if self.mend else text


class SettingsError(Exception):
    """Settings that cannot be used; `problems` holds every mistake found, and `str()` lists them all."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        count = len(self.problems)
        head = "1 problem in the settings:" if count == 1 else f"{count} problems in the settings:"
        return "\n".join([head, *(f"  {problem}" for problem in self.problems)])


class Fault(msgspec.Struct, frozen=True):
    """A broken rule of a struct: its field (dotted, may be empty), what is wrong, how to mend it."""

    field: str
    what: str
    mend: str = ""


class Invalid(ValueError):
    """Raised by a settings struct's `__post_init__`; carries all broken rules of that struct at once."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(
            "; ".join(f"{f.field}: {f.what} ({f.mend})" if f.mend else f"{f.field}: {f.what}" for f in faults)
        )
        self.faults = faults


class Secret:
    """A string that shows itself to nobody by accident: `repr`, `str` and `format` give `***`.

    `reveal()` returns it. Two secrets compare in constant time. An empty one is refused with ValueError.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not value:
            raise ValueError("the secret is empty")
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself; never log or print what this returns."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))


def read_secret(path: Path) -> Secret:
    """Read a secret from a file (one trailing line end is dropped).

    Raises SettingsError for a file that is missing, empty, not regular, over `SECRET_BYTES_MAX`, not UTF-8, or
    that users outside its owner and group may read or write.
    """
    mend = "keep the secret in a file of its own, readable by the service alone"
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise single(str(path), f"the secret cannot be read ({error.strerror})", mend) from error
    with open(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise single(str(path), "the secret is not a regular file", mend)
        if status.st_mode & 0o007:
            raise single(str(path), "the secret is open to every user of this machine", f"chmod o= {path}")
        data = file.read(SECRET_BYTES_MAX + 1)
    if len(data) > SECRET_BYTES_MAX:
        raise single(str(path), f"the secret is over {SECRET_BYTES_MAX} bytes", mend)
    try:
        return Secret(data.decode().removesuffix("\n").removesuffix("\r"))
    except UnicodeDecodeError:
        raise single(str(path), "the secret is not UTF-8 text", mend) from None
    except ValueError:
        raise single(str(path), "the secret is empty", mend) from None


def decode_hook(type_: type[Any], value: Any) -> Any:
    """Build the types msgspec does not know: `Secret` and `Path`, both from a string (msgspec `dec_hook`)."""
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {kind_of(value)}")
    if type_ is Secret:
        return Secret(value)
    if issubclass(type_, Path):
        if not value or "\0" in value:
            raise ValueError("must be a path")
        return Path(value)
    raise NotImplementedError(f"no settings field can have the type {type_.__name__}")


def single(source: str, what: str, mend: str, line: int | None = None) -> SettingsError:
    """Make a SettingsError of one problem."""
    return SettingsError((Problem(source=source, line=line, what=what, mend=mend),))


def describe(info: mi.Type) -> str:
    """Say in words what a field of this type takes, bounds included: `a whole number from 1 to 30`."""
    match info:
        case mi.Metadata():
            said = (info.extra_json_schema or {}).get("title")
            return str(said) if said else describe(info.type)
        case mi.BoolType():
            return "true or false"
        case mi.IntType() | mi.FloatType():
            noun = "a whole number" if isinstance(info, mi.IntType) else "a number"
            lows = (
                [f"at least {info.ge:g}"]
                if info.ge is not None
                else [f"above {info.gt:g}"]
                if info.gt is not None
                else []
            )
            highs = (
                [f"at most {info.le:g}"]
                if info.le is not None
                else [f"below {info.lt:g}"]
                if info.lt is not None
                else []
            )
            steps = [f"in steps of {info.multiple_of:g}"] if info.multiple_of is not None else []
            return ", ".join([noun, *lows, *highs, *steps])
        case mi.StrType():
            return "text" if info.pattern is None else f"text matching {info.pattern}"
        case mi.LiteralType():
            return choices(info.values)
        case mi.EnumType():
            return choices([member.value for member in info.cls])
        case mi.ListType() | mi.VarTupleType() | mi.SetType() | mi.FrozenSetType():
            return f"an array [...], each entry {describe(info.item_type)}"
        case mi.TupleType():
            return "an array of " + " and ".join(describe(item) for item in info.item_types)
        case mi.DictType() | mi.StructType():
            return "a table"
        case mi.UnionType():
            return " or ".join(describe(option) for option in info.types if not isinstance(option, mi.NoneType))
        case mi.CustomType():
            return "a path, in quotes" if issubclass(info.cls, Path) else "text, in quotes"
    return type(info).__name__.removesuffix("Type").lower()


def choices(values: Iterable[Any]) -> str:
    """Join allowed values as they are written in TOML: `"a" or "b"`."""
    return " or ".join(f'"{value}"' if isinstance(value, str) else str(value) for value in values)


def kind_of(value: Any) -> str:
    """Name the kind of a value read from TOML, for messages: `a whole number`."""
    kinds: dict[type, str] = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "text",
        list: "an array",
        dict: "a table",
    }
    return kinds.get(type(value), "a date or time")
