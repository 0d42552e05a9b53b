"""No file of ours is longer than one idea takes: 400 lines; and the files that the tests' plan names are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINES_MAX = 400
OURS = ("protocol", "service", "hw", "voice", "gateway", "dispatch", "monitor", "lab", "tests")
WRITTEN = {".py", ".js", ".mjs", ".css", ".html"}
OTHERS = {"vendor", "node_modules", "__pycache__"}


def lengths() -> dict[str, int]:
    """Lines of every file of ours that somebody writes, by its path."""
    files = [path for folder in OURS for path in (ROOT / folder).rglob("*") if path.suffix in WRITTEN]
    mine = [path for path in files if not OTHERS & set(path.relative_to(ROOT).parts)]
    return {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in mine}


def test_no_file_is_longer_than_400_lines() -> None:
    found = lengths()
    assert len(found) > 800
    assert {path: lines for path, lines in found.items() if lines > LINES_MAX} == {}


def test_every_file_that_conftest_plans_for_exists() -> None:
    planned = set(re.findall(r'"(test_\w+\.py)"', (ROOT / "tests/conftest.py").read_text("utf-8")))
    assert len(planned) > 20
    assert sorted(planned - {path.name for path in (ROOT / "tests").rglob("test_*.py")}) == []
