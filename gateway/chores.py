"""The thread for what may take long: looking at the machine, and files that must be on the disk.

One thing after the other, in the order asked; what came of it is an event for the core.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path

from gateway import levels_file, machine, shutdown_request, state_dir
from gateway.core.words import (
    AskShutdown,
    CoreEvent,
    EmergencyKept,
    Keep,
    KeepEmergency,
    Kept,
    LevelsKept,
    Measured,
    SaveLevels,
    ShutdownAsked,
)
from service.logs import Log

WAITING_MAX = 32
CLOSE_S = 1.0
"""What was asked for before the end is done within this time, or not at all."""
Job = Callable[[], CoreEvent]

_log = Log("gateway.chores")


class Chores:
    """Asked in the loop's thread; `feed` is called there, too, through `call_soon`."""

    def __init__(
        self,
        state: Path,
        request: Path,
        call_soon: Callable[[Callable[[], None]], object],
        feed: Callable[[CoreEvent], None],
    ) -> None:
        """`state`: the state directory; `request`: the file that asks root to switch the machine off."""
        self._state = state
        self._request = request
        self._call_soon = call_soon
        self._feed = feed
        self._jobs: queue.Queue[Job | None] = queue.Queue(WAITING_MAX)
        self._thread = threading.Thread(target=self._run, name="ptt-chores", daemon=True)

    def measure(self, queue_bytes: int) -> None:
        """Look how the machine is; Measured follows. Left out where the last looks still hang."""
        self._do(lambda: Measured(machine=machine.measure(self._state, queue_bytes)))

    def keep(self, wish: Keep) -> None:
        """Keep a flag over restarts; Kept follows."""

        def job() -> CoreEvent:
            try:
                state_dir.keep_flag(self._state, wish.flag.value, wish.on)
            except OSError as error:
                return Kept(flag=wish.flag, on=wish.on, problem=f"{self._state}: {error.strerror or error}")
            return Kept(flag=wish.flag, on=wish.on)

        if not self._do(job):
            self._feed(Kept(flag=wish.flag, on=wish.on, problem=f"{self._state} does not answer"))

    def keep_emergency(self, wish: KeepEmergency) -> None:
        """Keep over restarts whether an emergency stands; EmergencyKept follows."""

        def job() -> CoreEvent:
            try:
                state_dir.keep_emergency(self._state, wish.since)
            except OSError as error:
                return EmergencyKept(problem=f"{self._state / state_dir.EMERGENCY}: {error.strerror or error}")
            return EmergencyKept()

        if not self._do(job):
            self._feed(EmergencyKept(problem=f"{self._state} does not answer"))

    def save_levels(self, wish: SaveLevels) -> None:
        """Keep the sound levels over restarts; LevelsKept follows."""
        levels = levels_file.SavedLevels(mic_db=wish.mic_db, speaker_db=wish.speaker_db)

        def job() -> CoreEvent:
            try:
                levels_file.write(self._state, levels)
            except OSError as error:
                return LevelsKept(problem=f"{self._state / levels_file.NAME}: {error.strerror or error}")
            return LevelsKept()

        if not self._do(job):
            self._feed(LevelsKept(problem=f"{self._state} does not answer"))

    def ask_shutdown(self, wish: AskShutdown) -> None:
        """Ask root to switch the machine off, or take that back; ShutdownAsked follows."""

        def job() -> CoreEvent:
            try:
                (shutdown_request.ask if wish.wanted else shutdown_request.withdraw)(self._request)
            except OSError as error:
                problem = f"{self._request}: {error.strerror or error}"
                return ShutdownAsked(wanted=wish.wanted, problem=problem)
            return ShutdownAsked(wanted=wish.wanted)

        if not self._do(job):
            self._feed(ShutdownAsked(wanted=wish.wanted, problem=f"{self._request} cannot be written"))

    def close(self) -> None:
        """End when what was asked for is done, or after CLOSE_S."""
        self._call_soon = lambda _fn: None
        try:
            self._jobs.put_nowait(None)
        except queue.Full:
            return  # the thread ends with the process
        if self._thread.ident is not None:
            self._thread.join(CLOSE_S)

    def _do(self, job: Job) -> bool:
        if self._thread.ident is None:
            self._thread.start()
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            _log.warning("a file system or the firmware hangs: left out", waiting=WAITING_MAX)
            return False
        return True

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            event = job()
            self._call_soon(lambda event=event: self._feed(event))  # type: ignore[misc]
