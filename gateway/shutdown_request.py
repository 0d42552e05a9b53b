"""The file by which the daemon, which may do nothing to the machine, asks root to switch it off.

`ptt-shutdown.path` waits for it; `ptt-shutdown` looks at its owner and content, and once more whether it is still
there, before it powers off: a driver who comes back in time only makes the daemon take it away.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

NAME = "shutdown-request"
CONTENT = b"poweroff: the ignition is off\n"


def ask(path: Path) -> None:
    """Leave the request, whole from its first moment; raises OSError where it cannot be left."""
    temporary = path.with_name(path.name + ".new")
    with suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, CONTENT)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)


def withdraw(path: Path) -> None:
    """Take the request back; nothing happens where there is none. Raises OSError where it cannot be removed."""
    with suppress(FileNotFoundError):
        path.unlink()
