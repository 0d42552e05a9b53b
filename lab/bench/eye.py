"""An eye on one vehicle's outputs: every change a `watch` client is told, with the time it was told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from msgspec import Struct

from hw.errors import HardwareError
from hw.virtual_client import OutputChange, VirtualPins
from lab.bench.parts import BenchFailed

T = TypeVar("T")
LIGHTS = ("led_red", "led_green", "led_blue")
FELT = ("motor",)
FELT_OR_BEEPED = ("motor", "buzzer")
WATCH_S = 86_400.0
READY_S = 5.0


class Seen(Struct, frozen=True):
    """A change, and when it was told here (time.monotonic(), s)."""

    change: OutputChange
    seen_at_s: float


class Eye:
    """Watches from entering to leaving. Not for use by several threads at a time."""

    def __init__(self, socket: Path) -> None:
        """`socket` is the vehicle's pin server."""
        self._socket = socket
        self._news = threading.Condition()
        self._seen: list[Seen] = []
        self._levels: dict[str, float] = {}
        self._changed_at: dict[str, float] = {}
        self._ended = ""
        self._thread = threading.Thread(target=self._watch, name="eye", daemon=True)

    def __enter__(self) -> Eye:
        began = threading.Event()
        self._began = began.set
        with VirtualPins(self._socket) as pins:
            self._thread.start()
            if not began.wait(READY_S):
                raise BenchFailed(f"the pins at {self._socket} cannot be watched: {self._ended}")
            levels = pins.levels()
        with self._news:
            self._levels = levels | self._levels
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The connection ends with the vehicle's server, and the thread with it."""

    @property
    def lights(self) -> tuple[bool, ...]:
        """Which of red, green and blue are on."""
        with self._news:
            return self._lights()

    def forget(self) -> None:
        """Drop the changes kept so far: what is waited for comes after this."""
        with self._news:
            self._seen.clear()

    def first(self, since_s: float, signals: tuple[str, ...], within_s: float) -> Seen:
        """Give the first change of one of `signals` at or after `since_s`; raises BenchFailed."""

        def found() -> Seen | None:
            for seen in self._seen:
                if seen.change.at_s >= since_s and seen.change.signal in signals:
                    return seen
            return None

        return self._await(found, within_s, f"no change of {' or '.join(signals)}")

    def await_lights(self, lights: tuple[bool, ...], within_s: float) -> None:
        """Wait until red, green and blue are so; raises BenchFailed."""
        self._await(lambda: self._lights() == lights or None, within_s, f"the lights do not become {lights}")

    def await_still(self, signals: tuple[str, ...], still_s: float, within_s: float) -> None:
        """Wait until none of `signals` was driven for `still_s`: no pattern pauses so long within itself."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            with self._news:
                driven = any(self._levels.get(signal) for signal in signals)
                last_s = max(self._changed_at.get(signal, float("-inf")) for signal in signals)
            if not driven and time.monotonic() - last_s >= still_s:
                return
            time.sleep(0.01)
        raise BenchFailed(f"{' and '.join(signals)} do not come to rest within {within_s:g} s")

    def _lights(self) -> tuple[bool, ...]:
        return tuple(self._levels.get(signal, 0.0) > 0.0 for signal in LIGHTS)

    def _await(self, found: Callable[[], T | None], within_s: float, problem: str) -> T:
        deadline = time.monotonic() + within_s
        with self._news:
            while (what := found()) is None:
                left_s = deadline - time.monotonic()
                if left_s <= 0 or self._ended:
                    raise BenchFailed(f"{self._socket}: {problem} within {within_s:g} s {self._ended}")
                self._news.wait(left_s)
        return what

    def _watch(self) -> None:
        try:
            with VirtualPins(self._socket) as pins:
                for change in pins.watch(WATCH_S, self._began):
                    seen = Seen(change, time.monotonic())
                    with self._news:
                        self._seen.append(seen)
                        self._levels[change.signal] = change.level
                        self._changed_at[change.signal] = change.at_s
                        self._news.notify_all()
        except HardwareError as error:
            with self._news:
                self._ended = str(error)
                self._news.notify_all()
