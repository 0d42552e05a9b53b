"""The story's steps: printed while they happen, kept for the report. Times are ms of one clock from the start."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from lab.demo.texts import Texts


class Step(Struct, frozen=True, kw_only=True):
    """One thing that happened."""

    at_ms: float
    who: str
    what: str
    text: str
    measures: dict[str, Any] = {}


HOLD_S = 0.3
"""A line waits so long for earlier ones that are learnt later."""


class Timeline:
    """Steps as they come, from any thread; printed in their order, HOLD_S behind. `flush` before reading `steps`."""

    def __init__(self, texts: Texts, write: Callable[[str], object] | None = None) -> None:
        self.start_s = time.monotonic()
        self._texts = texts
        self._write = write or _print
        self._steps: list[Step] = []
        self._waiting: list[Step] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._printer = threading.Thread(target=self._run, name="timeline", daemon=True)
        self._printer.start()

    @property
    def steps(self) -> list[Step]:
        """Everything that happened, in order."""
        with self._lock:
            return sorted([*self._steps, *self._waiting], key=_at)

    def ms(self, at_s: float) -> float:
        """Give a CLOCK_MONOTONIC time as ms of the story, to a tenth."""
        return round((at_s - self.start_s) * 1000, 1)

    def add(self, at_s: float, who: str, what: str, **measures: Any) -> None:
        """Note a step. `what` names its text; measures fill it in."""
        text = self._texts.step(what, measures)
        step = Step(at_ms=self.ms(at_s), who=who, what=what, text=text, measures=measures)
        with self._lock:
            self._waiting.append(step)

    def flush(self) -> None:
        """Print what waits."""
        self._pass_on(float("inf"))

    def close(self) -> None:
        """Print what waits, and stop printing."""
        self._closed.set()
        self._printer.join(2)
        self.flush()

    def _run(self) -> None:
        while not self._closed.wait(0.05):
            self._pass_on(self.ms(time.monotonic() - HOLD_S))

    def _pass_on(self, before_ms: float) -> None:
        with self._lock:
            due = sorted((step for step in self._waiting if step.at_ms <= before_ms), key=_at)
            self._waiting = [step for step in self._waiting if step.at_ms > before_ms]
            self._steps += due
            for step in due:
                self._write(f"{step.at_ms:8.0f} ms  {step.who:8}  {step.text}")


def _at(step: Step) -> float:
    return step.at_ms


def _print(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody reads any more: the report is still written
        print(line, flush=True)
