"""The pages' scripts, read: none makes markup or code out of a text, or leaves what it knows where others find it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dispatch.web import live_pages

STATIC = Path(live_pages.__file__).parent / "static"
OURS = sorted(path for path in STATIC.rglob("*.js") if "vendor" not in path.parts)
SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|srcdoc|document\.write|DOMParser|javascript:"
    r"|\beval\(|new Function|setTimeout\(\s*[\"'`]|console\.(log|debug|info)|\.cookie\b|sessionStorage|indexedDB"
)


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(STATIC)))
def test_no_script_makes_markup_or_code_of_a_text_nor_leaves_one_behind(path: Path) -> None:
    said = path.read_text("utf-8")

    assert SINKS.findall(said) == []
    stored = [line.strip() for line in said.splitlines() if "localStorage.setItem" in line]
    assert [line for line in stored if "JSON.stringify(chosen)" not in line] == []


def test_every_script_is_looked_at() -> None:
    names = {str(path.relative_to(STATIC)) for path in OURS}
    assert {"live.js", "console/page.js", "console/shown.js", "console/link.js"} <= names
