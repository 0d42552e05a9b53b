"""The voice worker as the daemon's child process: `service.child_process` speaking `protocol.worker`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from protocol.worker import (
    DATAGRAM_BYTES_MAX,
    Command,
    Cue,
    Ping,
    Prepare,
    Quit,
    Say,
    WorkerEvent,
    decode_event,
    encode,
)
from protocol.worker_settings import WorkerSettings, encode_settings
from service.child_process import ChildProcess, Language
from service.logs import Log
from service.loop import Loop

_LANGUAGE: Language[Command, WorkerEvent] = Language(
    encode=encode,
    decode=decode_event,
    datagram_bytes_max=DATAGRAM_BYTES_MAX,
    quit=Quit,
    may_miss=(Ping, Cue, Say, Prepare),
)
_log = Log("gateway.voice")


def worker_argv(pipe_fd: int) -> list[str]:
    """Give the command line of the real worker: this interpreter, the package voice."""
    return [sys.executable, "-m", "voice", "--pipe-fd", str(pipe_fd)]


class WorkerProcess(ChildProcess[Command, WorkerEvent]):
    """At most one voice worker at a time; see ChildProcess for what is told, and when."""

    def __init__(
        self,
        loop: Loop,
        settings: WorkerSettings,
        on_event: Callable[[WorkerEvent], None],
        on_gone: Callable[[str], None],
        argv: Callable[[int], Sequence[str]] = worker_argv,
    ) -> None:
        """Raise SettingsTooLong where the settings do not fit the pipe."""
        super().__init__(loop, encode_settings(settings), _LANGUAGE, on_event, on_gone, argv, _log, "voice worker")

    def prepare(self, settings: WorkerSettings) -> None:
        """Give the next worker other settings; the running one keeps its own. Raises SettingsTooLong."""
        self._hello = encode_settings(settings)
