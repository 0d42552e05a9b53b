"""A child process of ours: started, spoken to over a SOCK_SEQPACKET pair, watched, ended.

Its end is noticed at once by the loop (pidfd), whatever it died of. Its stderr becomes lines of our log, and the last
of them part of the reason why it is gone. A pipe it does not read is a child that does not obey: it is killed.
"""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from service.logs import Log
from service.loop import EVENT_READ, Loop, Timer

W = TypeVar("W")
E = TypeVar("E")

READS_PER_TURN_MAX = 64
SILENT_PIPE_S = 0.2
"""A child whose pipe is closed gets so long to print why before it is killed."""
LINE_BYTES_MAX = 2000
QUIT_S = 1.0
"""A child told to quit is killed after this."""
_OURS = re.compile(r"\S+Z (DEBUG|INFO|WARNING|ERROR)\s+([\w.]+: .*)", re.DOTALL)
"""A line of service.logs on the child's stderr."""


class Language(msgspec.Struct, Generic[W, E], frozen=True, kw_only=True):
    """What is spoken on the pipe. Commands are of type W, events of type E; one datagram is one word."""

    encode: Callable[[W], bytes]
    decode: Callable[[bytes], E]
    """May raise msgspec.DecodeError: the child is then not trusted, and killed."""
    datagram_bytes_max: int
    quit: type
    """The command after which the child's end is expected."""
    may_miss: tuple[type, ...]
    """Commands that do no harm where the pipe is full; one that misses any other is out of step."""


class ChildProcess(Generic[W, E]):
    """At most one child at a time. Events and the end are told in the loop's thread.

    `on_event(event)`: what the child says. `on_gone(reason)`: it ended, or could not be started; told once per start,
    and always after all it said. All methods belong to the loop's thread; `start` alone may come before the loop runs.
    """

    def __init__(
        self,
        loop: Loop,
        hello: bytes,
        language: Language[W, E],
        on_event: Callable[[E], None],
        on_gone: Callable[[str], None],
        argv: Callable[[int], Sequence[str]],
        log: Log,
        name: str,
    ) -> None:
        """`hello`: its first datagram; `argv(fd)`: its command line, given the descriptor of its end of the pipe.

        `log` gets what it prints; `name` says in these lines what it is.
        """
        self._loop = loop
        self._hello = hello
        self._language = language
        self._log = log
        self._says, self._printed = f"{name} says", f"{name} printed"
        self._on_event = on_event
        self._on_gone = on_gone
        self._argv = argv
        self._child: _Child | None = None
        self._early = False
        self.undelivered = 0
        """Commands that found the pipe full, since start."""
        self.starts = 0
        """Children started, since start."""

    @property
    def pid(self) -> int | None:
        """Process id of the running child."""
        return None if self._child is None else self._child.process.pid

    @property
    def quitting(self) -> bool:
        """Whether the running child was told to quit."""
        return self._child is not None and self._child.quitting

    def start_early(self) -> None:
        """Start before anybody asks, so that it loads while we do; the next `start` takes it over."""
        self.start()
        self._early = True

    def start(self) -> None:
        """Start the child; nothing if one runs already. A failure is told by `on_gone`."""
        if self._early or self._child is not None:
            self._early = False
            return
        self.starts += 1
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            ours.setblocking(False)
            ours.send(self._hello)
            process = subprocess.Popen(
                list(self._argv(theirs.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                env={name: value for name, value in os.environ.items() if name not in _SYSTEMD},
            )
        except OSError as error:
            ours.close()
            reason = f"it cannot be started ({error.strerror or error})"
            self._loop.call_at(0.0, lambda: self._on_gone(reason))
            return
        finally:
            theirs.close()
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        child = self._child = _Child(process, ours, os.pidfd_open(process.pid))
        self._loop.add(ours, EVENT_READ, self._readable)
        self._loop.add(process.stdout, EVENT_READ, lambda _: self._drain_text(child))
        self._loop.add(child.pidfd, EVENT_READ, lambda _: self._ended(child))

    def send(self, command: W) -> bool:
        """Hand over a command at once. False where there is no child, or it does not read.

        A child that misses one that matters (all but the language's `may_miss`) is out of step: it is killed.
        """
        child = self._child
        if child is None or child.pipe is None:
            return False
        if isinstance(command, self._language.quit):
            child.quitting = True
        try:
            child.pipe.send(self._language.encode(command))
        except BlockingIOError:
            self.undelivered += 1
            if not isinstance(command, self._language.may_miss):
                self.kill("it does not read its commands")
            return False
        except OSError:
            return False  # it is dying: its end is told when it is known why
        return True

    def kill(self, reason: str) -> None:
        """End it at once (SIGKILL); `on_gone` follows with this reason."""
        child = self._child
        if child is not None and not child.killed_for:
            child.killed_for = reason
            child.process.kill()

    def mute(self) -> None:
        """Close the pipe: the child writes nothing more and exits, whatever state we are in."""
        if self._child is not None:
            self._child.close_pipe(self._loop)

    def close(self, timeout_s: float = QUIT_S) -> None:
        """Wait for a child that was told to quit, kill it after `timeout_s`; nothing is told. Blocks."""
        child, self._child = self._child, None
        if child is None:
            return
        child.leave(self._loop)
        if not child.quitting:
            child.close_pipe(self._loop)  # it exits by itself
        try:
            child.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
        self._text(child)
        child.close_pipe(self._loop)
        child.close()

    # --- inside ------------------------------------------------------------------------------------------------------

    def _readable(self, _ready: int) -> None:
        child = self._child
        if child is not None:
            self._listen(child, READS_PER_TURN_MAX)

    def _listen(self, child: _Child, count: int) -> None:
        for _ in range(count):
            if child.pipe is None:
                return
            try:
                datagram = child.pipe.recv(self._language.datagram_bytes_max)
            except BlockingIOError:
                return
            except OSError:
                datagram = b""
            if not datagram:
                child.close_pipe(self._loop)
                child.deadline = self._loop.call_at(
                    time.monotonic() + (QUIT_S if child.quitting else SILENT_PIPE_S),
                    lambda: self._kill_one(child, "it closed its pipe"),
                )
                return
            try:
                event = self._language.decode(datagram)
            except msgspec.DecodeError as error:
                self._kill_one(child, f"it talks nonsense ({error})")
                return
            self._on_event(event)

    def _kill_one(self, child: _Child, reason: str) -> None:
        if child is self._child:
            self.kill(reason)

    def _drain_text(self, child: _Child) -> None:
        if not self._text(child):
            assert child.process.stdout is not None
            self._loop.remove(child.process.stdout)
            child.text_over = True

    def _text(self, child: _Child) -> bool:
        """Log what it printed; False at the end of it."""
        assert child.process.stdout is not None
        try:
            came = os.read(child.process.stdout.fileno(), 65536)
        except BlockingIOError:
            return True
        *lines, rest = (child.text + came).split(b"\n")
        if not came or len(rest) > LINE_BYTES_MAX:
            lines, rest = [*lines, rest], b""
        child.text = rest
        for line in lines:
            said = line[:LINE_BYTES_MAX].decode(errors="replace").strip()
            if said:
                child.last_line = said
                self._write(said)
        return bool(came)

    def _write(self, said: str) -> None:
        """Log one of its lines, at its own level where it is one of our log lines."""
        found = _OURS.match(said)
        if found is None:
            self._log.warning(self._printed, line=said)
            return
        level, rest = found.groups()
        match level:
            case "DEBUG":
                self._log.debug(self._says, line=rest)
            case "INFO":
                self._log.info(self._says, line=rest)
            case "WARNING":
                self._log.warning(self._says, line=rest)
            case _:
                self._log.error(self._says, line=rest)

    def _ended(self, child: _Child) -> None:
        self._listen(child, 10_000)  # what it said before its end comes first
        while not child.text_over and self._text(child) and _has_text(child):
            pass
        code = child.process.wait()
        reason = child.killed_for or _reason(code)
        if child.last_line and code not in (0, -signal.SIGKILL):
            reason += f"; its last words: {child.last_line[:200]}"
        child.leave(self._loop)
        child.close_pipe(self._loop)
        child.close()
        if child is self._child:
            self._child = None
            self._early = False
            self._on_gone(reason)


class _Child:
    """One process with its descriptors."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: socket.socket, pidfd: int) -> None:
        self.process = process
        self.pipe: socket.socket | None = pipe
        self.pidfd = pidfd
        self.text = b""
        self.text_over = False
        self.last_line = ""
        self.killed_for = ""
        self.quitting = False
        self.deadline: Timer | None = None
        self._watched = True

    def close_pipe(self, loop: Loop) -> None:
        if self.pipe is not None:
            pipe, self.pipe = self.pipe, None
            if self._watched:
                loop.remove(pipe)
            pipe.close()

    def leave(self, loop: Loop) -> None:
        """Take every descriptor out of the loop."""
        if not self._watched:
            return
        assert self.process.stdout is not None
        if self.deadline is not None:
            self.deadline.cancel()
        if self.pipe is not None:
            loop.remove(self.pipe)
        if not self.text_over:
            loop.remove(self.process.stdout)
        loop.remove(self.pidfd)
        self._watched = False

    def close(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.close()
        os.close(self.pidfd)


_SYSTEMD = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}
"""What systemd tells to us alone."""


def _has_text(child: _Child) -> bool:
    assert child.process.stdout is not None
    return bool(select.select([child.process.stdout], [], [], 0)[0])


def _reason(code: int) -> str:
    if code >= 0:
        return f"it exited with {code}"
    try:
        return f"it was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was ended by signal {-code}"
