"""A Unix socket of one's own: mode 0600, in a safe directory, stale ones replaced, live ones respected."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from hw.errors import HardwareError

PATH_BYTES_MAX: Final = 107
"""Linux: sun_path has 108 bytes with its end mark (unix(7))."""


def listen(path: Path, what: str = "the pins' socket") -> socket.socket:
    """Listen on a Unix stream socket at `path`, non-blocking, mode 0600; `what` names it in errors.

    Raises HardwareError for a path too long, a directory that is missing or that other users may change, a file
    there that is no socket, or a socket another process serves. One that nobody serves any more is replaced.
    """
    where = f"{what} {path}"
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        raise HardwareError(f"{where} has a path over {PATH_BYTES_MAX} bytes", "choose a shorter one")
    _check_directory(path.parent, where)
    _remove_stale(path, where)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        server.bind(str(path))
        path.chmod(0o600)  # before listen: nobody can connect yet
        server.listen(128)
        server.setblocking(False)
    except OSError as error:
        server.close()
        raise HardwareError(
            f"{where} cannot be made ({error.strerror})", "choose a directory this user owns"
        ) from error
    return server


def unlink_own(path: Path, inode: int) -> None:
    """Remove the socket, unless another process has put its own there meanwhile."""
    with suppress(OSError):
        if path.stat().st_ino == inode:
            path.unlink()


def _check_directory(directory: Path, where: str) -> None:
    try:
        status = directory.stat()
    except OSError as error:
        raise HardwareError(
            f"{where} has no directory to stand in ({error.strerror})", f"mkdir -m 700 {directory}"
        ) from error
    if not stat.S_ISDIR(status.st_mode):
        raise HardwareError(f"{where} does not stand in a directory", "choose another path")
    others_may_write = status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX
    if others_may_write or status.st_uid not in (0, os.geteuid()):
        raise HardwareError(
            f"{where} stands where other users could replace it", f"chmod go-w {directory}, or use your own"
        )


def _remove_stale(path: Path, where: str) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise HardwareError(f"{where} is in the way of another file", "remove it, or choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            with suppress(FileNotFoundError):
                path.unlink()
            return
        except OSError as error:
            raise HardwareError(f"{where} cannot be tried ({error})", "choose another path") from error
    raise HardwareError(f"{where} is served by another process", "stop that one, or choose another path")
