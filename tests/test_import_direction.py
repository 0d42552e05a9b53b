"""Who may import whom: DESIGN section 4 as a table, read from the source with ast, so that no import can hide."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Package → our packages it may import, and third-party modules it may import. The stdlib is open to all but cores.
OURS: dict[str, set[str]] = {
    "protocol": set(),
    "service": set(),
    "hw": {"service"},
    "voice": {"protocol", "service"},
    "gateway": {"protocol", "hw", "service"},
    "dispatch": {"protocol", "service"},
    "monitor": {"protocol", "service"},
    "lab": {"protocol", "service", "hw", "voice", "gateway", "dispatch", "monitor"},
}
THIRD_PARTY: dict[str, set[str]] = {
    "protocol": {"msgspec"},
    "service": {"msgspec", "paho", "systemd"},
    "hw": {"msgspec", "gpiozero", "lgpio", "RPi", "colorzero"},
    "voice": {"msgspec", "requests", "numpy", "pyaudio", "opuslib_next", "agora", "webrtc_noise_gain"},
    "gateway": {"msgspec", "requests"},
    "dispatch": {
        "msgspec",
        "sqlalchemy",
        "requests",
        "litestar",
        "uvicorn",
        "cryptography",
        "segno",
        "prometheus_client",
    },
    "monitor": {"msgspec"},
    "lab": {"msgspec", "numpy", "scipy", "matplotlib", "schemdraw", "psutil", "paho", "pyaudio"}
    | {"requests", "litestar", "uvicorn", "playwright", "PIL"},
}

# Decisions, the interfaces they are written against, and the wire's words. Time, ids and randomness are passed in, I/O
# and waiting are done elsewhere, so a pure module gets by with these modules, the wire's words and its own kind.
PURE = (
    "gateway/core",
    "gateway/ports.py",
    "dispatch/core",
    "dispatch/bridge/core",
    "dispatch/ports.py",
    "dispatch/tokens",
    "voice/core",
    "voice/ports.py",
    "protocol",
)
PURE_MODULES = {
    *("__future__", "abc", "array", "base64", "bisect", "collections", "contextlib", "copy", "dataclasses", "enum"),
    *("fractions", "functools", "hashlib", "heapq", "itertools", "json", "math", "msgspec", "numpy", "operator", "re"),
    *("binascii", "hmac", "protocol", "statistics", "string", "struct", "textwrap", "types", "typing", "unicodedata"),
    *("zlib",),
}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}


def packages_in(root: Path) -> list[str]:
    """Top-level packages that are really there; tests and build output are none."""
    return sorted(path.parent.name for path in root.glob("*/__init__.py") if path.parent.name != "tests")


def imported(tree: ast.AST, module: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line and dotted name of everything `tree` imports, wherever it stands; relative names are made absolute.

    `module` is the package the file belongs to, as its parts.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = module[: len(module) - node.level + 1] if node.level else ()
            name = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                yield node.lineno, (*name, alias.name)


def wrong_imports(root: Path) -> list[str]:
    """Every import against the table, as `path:line: what`."""
    found = []
    for package in packages_in(root):
        if package not in OURS:
            found.append(f"{package}/: a top-level package that the table of allowed imports does not know")
            continue
        for path in sorted((root / package).rglob("*.py")):
            where = path.relative_to(root)
            for line, name in imported(ast.parse(path.read_text("utf-8")), where.parent.parts):
                if not allowed(package, name[0]):
                    found.append(f"{where}:{line}: {package} must not import {name[0]}")
    return found


def allowed(package: str, top: str) -> bool:
    """Whether a module of `package` may import the top-level module `top`."""
    ours = top == package or top in OURS[package]
    return ours or top in THIRD_PARTY[package] or (top in sys.stdlib_module_names and top not in OURS)


def impurities(root: Path) -> list[str]:
    """Everything in a pure module that reaches for the world, as `path:line: what`."""
    found = []
    for path in sorted(path for pure in PURE for path in files_of(root / pure)):
        where, tree = path.relative_to(root), ast.parse(path.read_text("utf-8"))
        for line, name in imported(tree, where.parent.parts):
            if name[0] not in PURE_MODULES and not is_pure(name):
                found.append(f"{where}:{line}: a pure module must not import {'.'.join(name)}")
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
                found.append(f"{where}:{node.lineno}: a pure module must not call {node.func.id}")
    return found


def files_of(path: Path) -> list[Path]:
    """The Python files of a package or module; none where it is not there."""
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def is_pure(name: tuple[str, ...]) -> bool:
    """Whether a dotted name lies in one of the modules that this test holds to be pure."""
    pure = (tuple(path.removesuffix(".py").split("/")) for path in PURE)
    return any(name[: len(parts)] == parts for parts in pure)


def test_every_import_follows_the_table() -> None:
    assert wrong_imports(ROOT) == []


def test_cores_reach_for_nothing_outside_themselves() -> None:
    assert impurities(ROOT) == []


def test_the_check_reads_our_own_packages() -> None:
    assert {"protocol", "service"} <= set(packages_in(ROOT))


def plant(root: Path, path: str, source: str) -> None:
    """Write `source` at `path` below `root`, making the packages around it."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    for folder in [folder for folder in file.relative_to(root).parents if folder.name]:
        (root / folder / "__init__.py").touch()
    file.write_text(source, "utf-8")


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("gateway/loop.py", "import dispatch.store", "gateway/loop.py:1: gateway must not import dispatch"),
        ("dispatch/serve.py", "from gateway import core", "dispatch/serve.py:1: dispatch must not import gateway"),
        ("gateway/app.py", "\n\nimport voice", "gateway/app.py:3: gateway must not import voice"),
        ("protocol/ids.py", "from service import logs", "protocol/ids.py:1: protocol must not import service"),
        ("service/mqtt.py", "import protocol", "service/mqtt.py:1: service must not import protocol"),
        ("hw/led.py", "import protocol.ids", "hw/led.py:1: hw must not import protocol"),
        ("monitor/watch.py", "import rich", "monitor/watch.py:1: monitor must not import rich"),
        ("voice/codec.py", "def f():\n    import gpiozero", "voice/codec.py:2: voice must not import gpiozero"),
        ("gateway/a/b.py", "from ...dispatch import x", "gateway/a/b.py:1: gateway must not import dispatch"),
        ("tools/x.py", "", "tools/: a top-level package that the table of allowed imports does not know"),
    ],
)
def test_a_planted_wrong_import_is_found(tmp_path: Path, path: str, source: str, complaint: str) -> None:
    plant(tmp_path, path, source)

    assert wrong_imports(tmp_path) == [complaint]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("gateway/loop.py", "import json, hw.button, protocol.ids\nfrom . import app\nfrom .core import floor"),
        ("hw/pins.py", "import gpiozero\nfrom service.settings import load"),
        ("lab/demo.py", "import gateway, dispatch, voice, monitor, numpy"),
    ],
)
def test_an_allowed_import_is_left_alone(tmp_path: Path, path: str, source: str) -> None:
    plant(tmp_path, path, source)

    assert wrong_imports(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        (
            "gateway/core/floor.py",
            "import time",
            "gateway/core/floor.py:1: a pure module must not import time",
        ),
        ("dispatch/core/g.py", "from random import random", "must not import random.random"),
        ("gateway/core/floor.py", "from service.logs import Log", "must not import service.logs.Log"),
        ("gateway/core/floor.py", "from ..shell import send", "must not import gateway.shell.send"),
        ("gateway/core/floor.py", "from gateway import app", "must not import gateway.app"),
        (
            "dispatch/core/g.py",
            "def f():\n    print(1)",
            "dispatch/core/g.py:2: a pure module must not call print",
        ),
        ("gateway/ports.py", "import socket", "gateway/ports.py:1: a pure module must not import socket"),
        ("protocol/ids.py", "import uuid", "must not import uuid"),
    ],
)
def test_a_planted_impurity_is_found(tmp_path: Path, path: str, source: str, complaint: str) -> None:
    plant(tmp_path, path, source)

    [found] = impurities(tmp_path)
    assert found.endswith(complaint)


def test_a_core_may_use_the_wires_words_its_ports_and_its_own_modules(tmp_path: Path) -> None:
    plant(
        tmp_path,
        "gateway/core/floor.py",
        "from protocol.ids import User\nfrom . import table\nfrom gateway.core import x\nfrom .. import ports",
    )

    assert impurities(tmp_path) == []
