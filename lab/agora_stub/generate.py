"""What the C stand-in must offer, read from the Python package's own source: symbols, and the order of callbacks."""

import ast
import re
from pathlib import Path

OBSERVERS = {
    "CONN": ("_rtc_connection_observer.py", "RTCConnectionObserverInner"),
    "USER": ("_local_user_observer.py", "RTCLocalUserObserverInner"),
    "AUDIO": ("_audio_frame_observer.py", "AudioFrameObserverInner"),
}
"""Prefix of the C names → where the package declares the structure of callbacks."""

_SYMBOL = re.compile(r"\bagora_lib\.(agora_\w+)")
_DEFINED = re.compile(r"^(?:static )?\w[\w ]*?[ *](agora_\w+)\(", re.MULTILINE)


def symbols_of(package: Path) -> set[str]:
    """Every symbol of libagora_rtc_sdk.so that the source below `package` (the folder agora/) looks up."""
    return {name for path in sorted(package.rglob("*.py")) for name in _SYMBOL.findall(path.read_text("utf-8"))}


def defined_in(source: str) -> set[str]:
    """The agora_ functions that a C source defines."""
    return set(_DEFINED.findall(source))


def header(package: Path, source: str) -> str:
    """The text of stub_symbols.h: callbacks' numbers, and a function returning 0 for each symbol not in `source`."""
    lines = ["/* Generated from the package's own source by lab.agora_stub.generate. */"]
    for prefix, (file, name) in OBSERVERS.items():
        lines += [
            f"#define {prefix}_{field} {index}"
            for field, index in _fields(package / "rtc/_ctypes_handle" / file, name).items()
        ]
    lines += [f"long {name}(void) {{ return 0; }}" for name in sorted(symbols_of(package) - defined_in(source))]
    return "\n".join(lines) + "\n"


def _fields(path: Path, name: str) -> dict[str, int]:
    """Names of a ctypes structure's fields with their positions; of a name that stands there twice, the first."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef) and node.name == name:
            for item in node.body:
                match item:
                    case ast.Assign(targets=[ast.Name(id="_fields_")], value=ast.List(elts=entries)):
                        found: dict[str, int] = {}
                        for index, entry in enumerate(entries):
                            assert isinstance(entry, ast.Tuple)
                            found.setdefault(str(ast.literal_eval(entry.elts[0])), index)
                        return found
    raise ValueError(f"{path} declares no {name} with _fields_")
