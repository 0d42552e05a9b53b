"""What a running service says of itself to `ptt-dispatch status`: one JSON object on a Unix socket.

Who connects says one word of what is wanted (`status`, `clean`); the answer follows.

The answer comes from the service's own loop. A loop that does not turn does not answer, a process that is gone
refuses: so this can never show a state that is not so, as a file could.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from dispatch.admission import LiveAdmission
from dispatch.cleaning import Swept
from service.loop import EVENT_READ, Loop, Timer

T = TypeVar("T")

ANSWER_S = 2.0
"""A service that has not answered within this time is stuck."""
CLEAN_S = 10.0
"""A sweep may have to wait for the disk."""
GUESTS_MAX = 16
"""Who has connected and not said yet what he wants; beyond so many the oldest is put out."""
STATUS, CLEAN = b"status", b"clean"
_ANSWER_BYTES_MAX = 1 << 20
_PATH_BYTES_MAX = 107


class LiveOffice(Struct, frozen=True, kw_only=True):
    """One office as the running service has it."""

    office: str
    opened: bool
    refused: str | None
    discarded: int
    cleaned: int


class Live(Struct, frozen=True, kw_only=True):
    """A running service at this moment. Durations in s."""

    replica: str
    version: str = ""
    """Of the program that runs; what is installed may be newer."""
    pid: int
    up_s: float
    broker: str
    broker_connected: bool
    broker_reason: str
    store_error: str | None
    offices: tuple[LiveOffice, ...]
    dropped: dict[str, int]
    """Messages dropped since start, by reason."""
    admission: LiveAdmission | None = None
    """None: it is open, whoever the broker lets in is a member."""


class NotRunning(Exception):
    """Nobody serves this socket."""


class Stuck(Exception):
    """Somebody serves this socket and does not answer."""


class AlreadyRunning(Exception):
    """Another service of the same replica name is running."""


class LiveSocket:
    """Answers whoever connects to `path` (mode 0600) and says what he wants. Raises AlreadyRunning, OSError."""

    def __init__(self, loop: Loop, path: Path, describe: Callable[[], Live], sweep: Callable[[], Swept]) -> None:
        self._loop = loop
        self._path = path
        self._words: dict[bytes, Callable[[], Live | Swept]] = {STATUS: describe, CLEAN: sweep}
        self._guests: dict[socket.socket, Timer] = {}
        _remove_stale(path)
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _reachable(path) as name:
                old = os.umask(0o177)
                try:
                    self._server.bind(name)
                finally:
                    os.umask(old)
            self._server.listen(8)
            self._server.setblocking(False)
        except OSError:
            self._server.close()
            raise
        loop.add(self._server, EVENT_READ, self._welcome)

    def close(self) -> None:
        """Stop answering and remove the socket."""
        for guest in tuple(self._guests):
            self._part(guest)
        self._loop.remove(self._server)
        self._server.close()
        self._path.unlink(missing_ok=True)

    def _welcome(self, _ready: int) -> None:
        try:
            guest, _ = self._server.accept()
        except OSError:
            return  # gone already
        guest.setblocking(False)
        if len(self._guests) >= GUESTS_MAX:
            self._part(next(iter(self._guests)))
        self._guests[guest] = self._loop.call_at(time.monotonic() + ANSWER_S, lambda: self._part(guest))
        self._loop.add(guest, EVENT_READ, lambda _ready: self._answer(guest))

    def _answer(self, guest: socket.socket) -> None:
        try:
            word = guest.recv(64)
            answer = self._words.get(word.strip())
            if answer is not None:
                guest.send(msgspec.json.encode(answer()))
        except BlockingIOError:
            return
        except OSError:
            pass  # gone, or not reading
        self._part(guest)

    def _part(self, guest: socket.socket) -> None:
        timer = self._guests.pop(guest, None)
        if timer is not None:
            timer.cancel()
            self._loop.remove(guest)
            guest.close()


def ask(path: Path) -> Live:
    """Ask the service at `path` how it is. Raises NotRunning, Stuck."""
    return _asked(path, STATUS, Live, ANSWER_S)


def ask_to_clean(path: Path) -> Swept:
    """Have the service at `path` sweep now; it answers once that is committed. Raises NotRunning, Stuck."""
    return _asked(path, CLEAN, Swept, CLEAN_S)


def _asked(path: Path, word: bytes, answer: type[T], within_s: float) -> T:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(within_s)
        try:
            with _reachable(path) as name:
                line.connect(name)
        except (TimeoutError, BlockingIOError) as error:
            raise Stuck(f"{path}: no answer within {within_s:g} s") from error
        except PermissionError as error:
            raise Stuck(f"{path}: {error.strerror}") from error
        except OSError as error:
            raise NotRunning(str(path)) from error
        said = b""
        try:
            line.sendall(word)
            while len(said) < _ANSWER_BYTES_MAX and (part := line.recv(65536)):
                said += part
            return msgspec.json.decode(said, type=answer)
        except (OSError, msgspec.MsgspecError) as error:
            raise Stuck(f"{path}: no answer within {within_s:g} s") from error


def live_paths(stem: Path) -> tuple[Path, ...]:
    """Give the sockets that services with this stem have left or serve, by replica."""
    begin, end = f"{stem.name}.", ".sock"
    try:
        names = sorted(os.listdir(stem.parent))
    except OSError:
        return ()
    return tuple(stem.parent / name for name in names if name.startswith(begin) and name.endswith(end))


def _remove_stale(path: Path) -> None:
    try:
        ask(path)
    except NotRunning:
        path.unlink(missing_ok=True)
        return
    except Stuck:
        pass
    raise AlreadyRunning(str(path))


@contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """Give a name for a socket's path that fits into a socket address, however deep its folder is."""
    if len(os.fsencode(path)) <= _PATH_BYTES_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
