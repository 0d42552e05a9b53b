"""The files that pages are made of, read once: those of `dispatch/web/static` and of its folders, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
"""What is served, by the end of its name; a file of another kind (versions, a map) lies there unserved."""
DEPTH_MAX = 3


def static_files() -> dict[str, tuple[bytes, str]]:
    """Give content and media type of every file by its path below `/static/`, as `console/page.js`."""
    return dict(_under(files("dispatch.web") / "static", "", DEPTH_MAX))


def _under(folder: Traversable, prefix: str, depth: int) -> Iterator[tuple[str, tuple[bytes, str]]]:
    for entry in folder.iterdir():
        name = entry.name
        if name.startswith((".", "_")):
            continue
        if entry.is_dir():
            if depth > 1:
                yield from _under(entry, f"{prefix}{name}/", depth - 1)
            continue
        kind = TYPES.get(name[name.rfind(".") :])
        if kind is not None:
            yield f"{prefix}{name}", (entry.read_bytes(), kind)
