"""The bridge's voice worker as its child process: `service.child_process` speaking `protocol.worker`."""

import sys
from collections.abc import Callable, Sequence

from protocol.worker import DATAGRAM_BYTES_MAX, Command, Ping, Quit, WorkerEvent, decode_event, encode
from protocol.worker_settings import WorkerSettings, encode_settings
from service.child_process import ChildProcess, Language
from service.logs import Log
from service.loop import Loop

_LANGUAGE: Language[Command, WorkerEvent] = Language(
    encode=encode, decode=decode_event, datagram_bytes_max=DATAGRAM_BYTES_MAX, quit=Quit, may_miss=(Ping,)
)
_log = Log("dispatch.bridge.voice")


def worker_argv(pipe_fd: int) -> list[str]:
    """Give the command line of the voice worker: this interpreter, the package voice."""
    return [sys.executable, "-m", "voice", "--pipe-fd", str(pipe_fd)]


def start_worker_of(
    loop: Loop,
    settings: WorkerSettings,
    on_event: Callable[[WorkerEvent], None],
    on_gone: Callable[[str], None],
    argv: Callable[[int], Sequence[str]] = worker_argv,
) -> ChildProcess[Command, WorkerEvent]:
    """Make the worker's process, not started yet; raises SettingsTooLong."""
    return ChildProcess(loop, encode_settings(settings), _LANGUAGE, on_event, on_gone, argv, _log, "voice worker")
