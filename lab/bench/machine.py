"""What the figures were measured on: without it they say nothing."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from msgspec import Struct

from lab.bench.disk import Disk

SYNCS = 50
_PACKAGES = ("paho-mqtt", "SQLAlchemy", "msgspec", "PyAudio", "opuslib-next", "gpiozero")


class Machine(Struct, frozen=True, kw_only=True):
    """Facts of the machine, its software, and how busy it was."""

    at: str
    cpu: str
    cores: int
    memory_mib: int
    kernel: str
    python: str
    mosquitto: str
    pulseaudio: str
    packages: dict[str, str]
    commit: str
    disk: str
    """File system that the store lies on, and its device."""
    fdatasync_ms: float
    """Median time of a synced write there, of the size of a grant's commit."""
    load_before: float
    """One-minute load average before the run: above 0.5 somebody else was at work."""


def describe(folder: Path) -> Machine:
    """Give this machine's facts; `folder` is on the disk that the store will use."""
    return Machine(
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        cpu=_cpu(),
        cores=os.cpu_count() or 0,
        memory_mib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        mosquitto=_first_line("mosquitto", "-h"),
        pulseaudio=_first_line("pulseaudio", "--version"),
        packages={name: _version(name) for name in _PACKAGES},
        commit=_commit(),
        disk=file_system(folder),
        fdatasync_ms=round(_sync_ms(folder), 3),
        load_before=round(os.getloadavg()[0], 2),
    )


def file_system(folder: Path) -> str:
    """Give type and device of the file system that holds `folder`, e.g. `ext4 on /dev/vda`."""
    where, best = folder.resolve(), ("", "unknown")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        device, point, kind, *_ = line.split()
        if where.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, f"{kind} on {device}")
    return best[1]


def in_memory(folder: Path) -> bool:
    """Whether what is written there is kept in memory only, so that syncing costs nothing."""
    return file_system(folder).split()[0] in ("tmpfs", "ramfs")


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    return platform.machine()


def _first_line(program: str, argument: str) -> str:
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        return "none"
    done = subprocess.run([path, argument], capture_output=True, text=True, timeout=10, check=False)
    return next(iter((done.stdout or done.stderr).splitlines()), "unknown")


def _version(package: str) -> str:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return "none"


def _commit() -> str:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        ["git", "-C", str(root), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _sync_ms(folder: Path) -> float:
    with Disk(folder) as disk:
        return statistics.median(disk.sync_ms() for _ in range(SYNCS))
