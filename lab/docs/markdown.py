"""Small pieces of Markdown and JSON as the documents have them."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

WIDTH = 150


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Give a table; a `|` or line break inside of a cell is made harmless."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def code(text: str, language: str) -> str:
    """Give a fenced block."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def says(what: object) -> str:
    """Give the first paragraph of a docstring on one line; raises ValueError where there is none."""
    text = getattr(what, "__doc__", None)
    if not text:
        raise ValueError(f"{what!r} says nothing of itself")
    return " ".join(str(text).split("\n\n")[0].split())


def pretty(value: Any, indent: int = 0) -> str:
    """Give JSON that breaks lines only where one would be longer than WIDTH."""
    flat = json.dumps(value, ensure_ascii=False)
    if not value or not isinstance(value, dict | list) or (indent and indent + len(flat) <= WIDTH):
        return flat
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        items = [f"{json.dumps(k, ensure_ascii=False)}: {pretty(v, indent + 2)}" for k, v in value.items()]
        opening, closing = "{", "}"
    else:
        items = [pretty(v, indent + 2) for v in value]
        opening, closing = "[", "]"
    return f"{opening}\n" + ",\n".join(inner + item for item in items) + f"\n{' ' * indent}{closing}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|") or " "
