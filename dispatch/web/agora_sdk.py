"""Agora's Web SDK for the console: staged by the operator, checked against a pinned digest before anybody is served it.

It is not part of this product (docs/agora.md): `ptt-dispatch web stage-agora-sdk FILE` takes it out of npm's package.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import tarfile
import tempfile
import threading
import zlib
from pathlib import Path

PACKAGE = "agora-rtc-sdk-ng"
VERSION = "4.24.8"
MEMBER = "AgoraRTC_N-production.esm.mjs"
"""The file of the package that a page loads: a module that imports nothing."""
SHA256 = "6666a1914149c34724c59bd2d5117ffdd570253abb532ab096ec5fa6f742dca0"
FILE_NAME = f"agora-rtc-sdk-ng-{VERSION}.js"
"""Under this name it lies in its folder, and is served below /static/agora/."""
SDK_PATH = f"/static/agora/{FILE_NAME}"
BYTES_MAX = 64 << 20
"""Neither the package nor the file is larger; so much is read of what is given."""
UNPACKED_MAX = 256 << 20
"""So much at most is unpacked, and never held at once: a small file can unpack to any size."""


class BadSdk(Exception):
    """The file given is not the SDK: says what it is, and how to mend it."""


def stage(given: Path, folder: Path) -> Path:
    """Put the SDK's file into `folder`, made if it is not there; gives its path there. Raises BadSdk, OSError.

    `given` is npm's package (`agora-rtc-sdk-ng-<version>.tgz`) or the file itself. What lay there before is replaced
    whole or not at all.
    """
    with given.open("rb") as file:
        data = file.read(BYTES_MAX + 1)
    if len(data) > BYTES_MAX:
        raise BadSdk(f"{given} has over {BYTES_MAX >> 20} MiB -> {_MEND}")
    content = _unpacked(given, data) if data[:2] == b"\x1f\x8b" else data
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise BadSdk(f"{given}: {MEMBER} has SHA-256 {found}, version {VERSION} has {SHA256} -> {_MEND}")
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{FILE_NAME}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644)
            file.flush()
            os.fsync(file.fileno())
        target = folder / FILE_NAME
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    return target


_MEND = f"npm pack {PACKAGE}@{VERSION}, and give the .tgz it makes"


def _unpacked(given: Path, data: bytes) -> bytes:
    """Give the file out of npm's package."""
    try:
        with _Bounded(fileobj=io.BytesIO(data)) as plain, tarfile.open(fileobj=plain, mode="r|") as package:
            for entry in package:
                if entry.name == f"package/{MEMBER}" and entry.isfile() and entry.size <= BYTES_MAX:
                    file = package.extractfile(entry)
                    if file is not None:
                        return file.read()
    except (tarfile.TarError, zlib.error, OSError, EOFError) as error:
        raise BadSdk(f"{given} cannot be unpacked ({error}) -> {_MEND}") from error
    raise BadSdk(f"{given} is no package of {PACKAGE}: it holds no package/{MEMBER} -> {_MEND}")


class _Bounded(gzip.GzipFile):
    """Gives UNPACKED_MAX bytes, then BadSdk."""

    _given = 0

    def read(self, size: int | None = -1) -> bytes:
        """Give the next bytes; raises BadSdk past the bound."""
        found = super().read(size)
        self._given += len(found)
        if self._given > UNPACKED_MAX:
            raise BadSdk(f"what is given unpacks to over {UNPACKED_MAX >> 20} MiB -> {_MEND}")
        return found


class StagedSdk:
    """What lies staged in `folder`. Any thread; a file that changes is read and checked anew, without a restart."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._lock = threading.Lock()
        self._known: tuple[int, int] | None = None
        self._content: bytes | None = None

    def content(self) -> bytes | None:
        """Give the SDK's file; None where it is not staged, or is not what was pinned. Reads the disk."""
        with self._lock:
            try:
                stat = self._path.stat()
                mark = (stat.st_mtime_ns, stat.st_size)
                if mark != self._known:
                    data = self._path.read_bytes() if stat.st_size <= BYTES_MAX else b""
                    self._content = data if hashlib.sha256(data).hexdigest() == SHA256 else None
                    self._known = mark
            except OSError:
                self._known = self._content = None
            return self._content
