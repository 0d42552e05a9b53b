"""HTML, made of escaped text: what is not `Markup` is text, whatever it holds. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any, TypeAlias

import msgspec

VOID = frozenset({"input", "meta", "link", "br", "img"})
SVG_VOID = frozenset({"line", "rect"})
"""Of SVG inside of HTML: without the slash what follows would lie inside of them, unseen."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Part: TypeAlias = str | Markup | int | float | Iterable["Part"] | None


def el(name: str, /, *parts: Part, **attributes: str | int | float | bool | None) -> Markup:
    """Make an element. Attributes: `class_` is class, `aria_label` is aria-label; True stands alone, None and False go.

    There is no way to give it `style` or a handler: the pages' policy forbids both.
    """
    said = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    if name in VOID:
        return Markup(f"<{name}{said}>")
    if name in SVG_VOID:
        return Markup(f"<{name}{said}/>")
    return Markup(f"<{name}{said}>{text(*parts)}</{name}>")


def text(*parts: Part) -> Markup:
    """Join parts; whatever is not Markup is escaped."""
    return Markup("".join(_text(part) for part in parts))


def data(name: str, value: Any) -> Markup:
    """Give a block of JSON that a script of ours reads; no text in it can end the block."""
    encoded = msgspec.json.encode(value).decode()
    safe = encoded.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(f'<script type="application/json" id="{html.escape(name)}">{safe}</script>')


def _text(part: Part) -> str:
    if part is None:
        return ""
    if isinstance(part, Markup):
        return part
    if isinstance(part, str | int | float):
        return html.escape(str(part))
    return "".join(_text(each) for each in part)


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    name = key.rstrip("_").replace("_", "-")
    if name == "style" or name.startswith("on"):
        raise ValueError(f"{name}: the pages' policy forbids it")
    if value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'
