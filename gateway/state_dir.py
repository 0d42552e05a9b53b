"""What survives a restart: the boot counter, which makes every connection of this run newer than all before it.

The counter stands in two files, both written and synced before it is used: whichever is lost or torn, the other one
has it. Where neither can be read (a new card, a damaged one) or written (a full or read-only one) it goes on from the
wall clock's seconds, which lie above any count of starts; a start is never refused for it, but told.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from protocol.ids import JSON_INT_MAX

COUNTER = "boot"
SECOND = "boot.bak"
GENERATION = "generation"
LOCK = "lock"
EMERGENCY = "emergency"


class StateError(Exception):
    """A state directory that cannot be used at all; says what is wrong and how to mend it."""


class Boot(Struct, frozen=True, kw_only=True):
    """This run's numbers. `problem` is empty, or says what is wrong with the directory and how to mend it."""

    generation: int
    number: int
    problem: str = ""


class StateDir:
    """An open state directory, this process's alone until it ends."""

    def __init__(self, path: Path) -> None:
        """Make the directory where it is missing, and lock it; raises StateError where another gateway has it."""
        self.path = path
        self._lock = -1
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise StateError(
                f"another ptt-gateway runs with the state directory {path} -> stop that one, or set [state] dir"
            ) from None
        except OSError as error:
            self.close()
            raise StateError(
                f"the state directory {path} cannot be used ({error.strerror or error}) -> "
                "set [state] dir to one this user may write"
            ) from error

    def close(self) -> None:
        """Let go of the directory; idempotent."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def boot(self, wall_s: float) -> Boot:
        """Raise the counter, once per start, and give it. `wall_s` is Unix time, used where the files are no use."""
        kept = [self._read(name) for name in (COUNTER, SECOND)]
        numbers = [number for number in kept if number is not None]
        new_directory = not any((self.path / name).exists() for name in (COUNTER, SECOND))
        problem = ""
        if not numbers:
            number = max(1, int(wall_s))
            if not new_directory:
                problem = f"both counters in {self.path} are unreadable: went on from the clock -> check the disk"
        else:
            number = max(numbers) + 1
        try:
            for name in (SECOND, COUNTER):
                _write(self.path / name, number)
        except OSError as error:
            number = max(number, int(wall_s))
            problem = (
                f"{self.path} cannot be written ({error.strerror}): went on from the clock -> mend or free the disk"
            )
        return Boot(generation=self._read(GENERATION) or 0, number=min(number, JSON_INT_MAX), problem=problem)

    def _read(self, name: str) -> int | None:
        """A counter's value; None for one that is missing, torn or out of range."""
        try:
            text = (self.path / name).read_bytes()[:32].strip()
        except OSError:
            return None
        if not text.isdigit() or not 0 <= int(text) < JSON_INT_MAX:
            return None
        return int(text)


def read_flag(directory: Path, name: str, *, unreadable: bool) -> bool:
    """Give whether a flag was kept as yes; `unreadable` where that cannot be read."""
    try:
        return {b"0": False, b"1": True}.get((directory / name).read_bytes()[:8].strip(), unreadable)
    except FileNotFoundError:
        return False
    except OSError:
        return unreadable


def keep_flag(directory: Path, name: str, on: bool) -> None:
    """Keep a yes or no over restarts and power cuts; raises OSError where it cannot be kept."""
    _write(directory / name, int(on))


def read_emergency(directory: Path, *, unreadable: int) -> int | None:
    """Give since when (Unix ms) an emergency stands that nobody has cleared; `unreadable` where that cannot be read."""
    try:
        text = (directory / EMERGENCY).read_bytes()[:32].strip()
    except FileNotFoundError:
        return None
    except OSError:
        return unreadable
    return (int(text) or None) if text.isdigit() and int(text) <= JSON_INT_MAX else unreadable


def keep_emergency(directory: Path, since: int | None) -> None:
    """Keep over restarts and power cuts since when an emergency stands, None for none; raises OSError."""
    _write(directory / EMERGENCY, since or 0)


def _write(path: Path, number: int) -> None:
    """Write a number so that after a power cut either the old or the new one is there."""
    temporary = path.with_name(path.name + ".new")
    with suppress(FileNotFoundError):
        temporary.unlink()
    with temporary.open("xb") as file:
        file.write(b"%d\n" % number)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
