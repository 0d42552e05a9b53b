"""`python -m voice.transports.agora.probe`: try the staged SDK on this machine; the measuring part of `doctor agora`.

Reads one JSON object (Task) from stdin, so that no token is on a command line, and writes one (Report) to stdout; what
the SDK prints goes to stderr. Exit status 0, or 1 where the report holds an error, 2 for a task that cannot be read.
"""

from __future__ import annotations

import array
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from protocol.worker import Token
from protocol.worker_settings import AgoraSettings
from service.loop import Loop
from voice.transports.agora.package import load
from voice.transports.agora.port import Closed, Connected, Refused, SdkEvent, SdkSession, Speech, Unusable
from voice.transports.agora.sdk import AgoraSdk
from voice.transports.agora.staging import NotStaged, check

RATE_HZ = 16_000
BLOCK_S = 0.01
BEEP_EVERY_S, BEEP_S, BEEP_HZ, BEEP_PEAK = 1.0, 0.2, 1000, 12_000
LOUD, QUIET_S = 1500, 0.3
"""A beep begins with the first block whose peak is over LOUD, after QUIET_S without one."""
JOIN_S_MAX = 20.0
TASK_BYTES_MAX = 16_384


class Task(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to try: to load alone where there is no token, else to stay joined for `join_s`."""

    settings: AgoraSettings = AgoraSettings()
    token: Token | None = None
    join_s: float = 10.0
    speak: bool = False
    """Send a beep every second."""
    hear_uid: int = 0
    """Listen to this uid's beeps."""


class Report(Struct, kw_only=True):
    """What came of it. Times of beeps are CLOCK_MONOTONIC seconds, which all processes of a machine share."""

    error: str = ""
    warnings: tuple[str, ...] = ()
    load_ms: float | None = None
    join_ms: float | None = None
    cpu_percent: float | None = None
    rss_mb: float | None = None
    beeps_sent: list[float] = []
    beeps_heard: list[float] = []


Open = Callable[[Loop, AgoraSettings, Callable[[SdkEvent], None], Callable[[Exception], None]], SdkSession]


def try_loading(task: Task) -> Report:
    """Check the folder and load package and libraries."""
    try:
        staged = check(Path(task.settings.sdk_dir))
        began_at = time.monotonic()
        load(staged)
    except (NotStaged, OSError) as error:
        return Report(error=str(error))
    return Report(load_ms=(time.monotonic() - began_at) * 1000, warnings=staged.warnings, rss_mb=_rss_mb())


def open_sdk(
    loop: Loop, settings: AgoraSettings, tell: Callable[[SdkEvent], None], on_fatal: Callable[[Exception], None]
) -> SdkSession:
    """Open the real SDK."""
    return AgoraSdk(loop, settings, RATE_HZ, tell, on_fatal)


class Joining:
    """One join, from `connect` to the end of the stay."""

    def __init__(self, loop: Loop, task: Task, token: Token, open_: Open = open_sdk) -> None:
        self._loop = loop
        self._task = task
        self.report = Report()
        self._ear = Ear()
        self._session = open_(loop, task.settings, self._told, self._fatal)
        self._session.connect(token)
        self._joined_at: float | None = None
        self._cpu_s = 0.0
        self._blocks = 0
        self._beep = _beep()
        self._give_up = loop.call_at(time.monotonic() + JOIN_S_MAX, lambda: self._end("not joined in time"))

    def run(self) -> Report:
        """Turn until the stay is over; gives what was found."""
        self._loop.run(self._step)
        self._session.close()
        self.report.beeps_heard = self._ear.heard
        self.report.rss_mb = _rss_mb()
        return self.report

    def _step(self, now: float) -> float | None:
        if self._joined_at is None:
            return None
        stayed_s = now - self._joined_at
        if stayed_s >= self._task.join_s:
            self.report.cpu_percent = (time.process_time() - self._cpu_s) / stayed_s * 100
            self._end("")
            return None
        if not self._task.speak:
            return self._joined_at + self._task.join_s
        while self._blocks * BLOCK_S <= stayed_s:
            self._push()
        return self._joined_at + self._blocks * BLOCK_S

    def _push(self) -> None:
        in_second = self._blocks % round(BEEP_EVERY_S / BLOCK_S)
        beeps = in_second < round(BEEP_S / BLOCK_S)
        if in_second == 0:
            self.report.beeps_sent.append(time.monotonic())
        self._session.push(self._beep if beeps else bytes(len(self._beep)))
        self._blocks += 1

    def _told(self, event: SdkEvent) -> None:
        match event:
            case Connected(took_ms=took_ms):
                self._give_up.cancel()
                self.report.join_ms = took_ms
                self._joined_at = time.monotonic()
                self._cpu_s = time.process_time()
                if self._task.speak:
                    self._session.publish()
                if self._task.hear_uid:
                    self._session.subscribe(self._task.hear_uid)
            case Refused(reason=reason) | Closed(reason=reason, again=False) | Unusable(detail=reason):
                self._end(reason)
            case Speech(pcm=pcm, at_s=at_s):
                self._ear.hear(pcm, at_s)

    def _fatal(self, error: Exception) -> None:
        self._end(f"{type(error).__name__}: {error}")

    def _end(self, error: str) -> None:
        self.report.error = self.report.error or error
        self._loop.stop()


class Ear:
    """Notes when each beep began to be heard."""

    def __init__(self) -> None:
        """Nothing was heard."""
        self.heard: list[float] = []
        self._loud_at = -math.inf

    def hear(self, pcm: bytes, at_s: float) -> None:
        """Take 16-bit mono PCM that was handed over at `at_s`."""
        if max(map(abs, array.array("h", pcm)), default=0) < LOUD:
            return
        if at_s - self._loud_at > QUIET_S:
            self.heard.append(at_s)
        self._loud_at = at_s


def _beep() -> bytes:
    count = round(RATE_HZ * BLOCK_S)
    turn = 2 * math.pi * BEEP_HZ / RATE_HZ  # ten whole waves in a block: blocks follow each other without a click
    return array.array("h", (round(BEEP_PEAK * math.sin(turn * i)) for i in range(count))).tobytes()


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def run(task: Task) -> Report:
    """Do what the task says; gives the report."""
    if task.token is None:
        return try_loading(task)
    loop = Loop()
    try:
        return Joining(loop, task, task.token).run()
    finally:
        loop.close()


def main() -> int:
    """Read the task, write the report; gives the exit status."""
    out: BinaryIO = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        task = msgspec.json.decode(sys.stdin.buffer.read(TASK_BYTES_MAX), type=Task)
    except msgspec.DecodeError as error:
        print(f"no task: {error}", file=sys.stderr)
        return 2
    report = run(task)
    out.write(msgspec.json.encode(report) + b"\n")
    out.flush()
    os._exit(1 if report.error else 0)  # native threads of the SDK must not keep a probe from ending


if __name__ == "__main__":
    sys.exit(main())
