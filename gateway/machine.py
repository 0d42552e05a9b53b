"""How this machine is, from the kernel's files: a few small reads, each bounded, each None where there is no such file.

Not for the loop's thread: the firmware's answer comes through a mailbox, and a file system may hang.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gateway.core.words import Machine

READ_BYTES_MAX = 4096
DIGITS_MAX = 18
MILLIDEGREES_MAX = 200_000
THERMAL = "sys/class/thermal/thermal_zone0/temp"
"""Thousandths of a degree; on a Raspberry Pi the processor's."""
THROTTLED = "sys/bus/platform/drivers/raspberrypi-firmware/*/get_throttled"
"""Raspberry Pi's kernel: a hexadecimal bit field, as `vcgencmd get_throttled` prints it."""
_MB = 1_000_000


def measure(state_dir: Path, queue_bytes: int = 0, root: Path = Path("/")) -> Machine:
    """Read it all; `root` is where `/proc` and `/sys` are. Never raises for what it finds there."""
    millidegrees = _integer(_read(root / THERMAL), 10)
    if millidegrees is not None and abs(millidegrees) > MILLIDEGREES_MAX:
        millidegrees = None
    bits = next((_integer(_read(path), 16) for path in root.glob(THROTTLED)), None)
    return Machine(
        temperature_c=None if millidegrees is None else millidegrees / 1000,
        throttled=bits if bits is not None and 0 <= bits < 1 << 32 else None,
        load_1min=_load(_read(root / "proc/loadavg")),
        memory_free_mb=_memory(_read(root / "proc/meminfo")),
        disk_free_mb=_disk(state_dir),
        queue_bytes=queue_bytes,
    )


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(READ_BYTES_MAX).decode("ascii", "replace")
    except OSError:
        return ""


def _integer(text: str, base: int) -> int | None:
    try:
        return int(text.strip()[:DIGITS_MAX], base)
    except ValueError:
        return None


def _words(text: str) -> Iterator[str]:
    return iter(text.split())


def _load(text: str) -> float | None:
    try:
        load = float(next(_words(text), ""))
    except ValueError:
        return None
    return load if 0 <= load < 1e6 else None


def _memory(text: str) -> float | None:
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            kib = _integer(next(_words(rest), ""), 10)
            return None if kib is None or kib < 0 else kib * 1024 / _MB
    return None


def _disk(path: Path) -> float | None:
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize / _MB
