"""What this program and this machine are called."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import metadata
from pathlib import Path


def version() -> str:
    """Give the installed version of this product, or `unknown` in a bare checkout."""
    with suppress(metadata.PackageNotFoundError):
        return metadata.version("ptt-gateway")
    return "unknown"


def model() -> str:
    """Give the name of the board, or the architecture of the machine."""
    with suppress(OSError):
        return Path("/proc/device-tree/model").read_text(errors="replace").rstrip("\0\n")
    return os.uname().machine
