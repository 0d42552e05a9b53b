"""`ptt watch`: the three ways to watch — live on a terminal, one snapshot, a stream of JSON lines."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec

from monitor.follow import Follower
from monitor.model import Change
from monitor.render import View, render
from monitor.screen import Screen
from monitor.words import Words
from protocol.ids import OfficeId
from service.loop import EVENT_READ, Loop
from service.mqtt import BrokerSettings

OK = 0
UNREACHABLE = 1
"""Exit status of `--once` when the broker cannot be reached or refuses."""
TAKEN_OVER = 3
"""Exit status when another watch logged in under the same identity."""

FRAME_S = 0.1
"""No more than one drawing in this time."""
TICK_S = 0.5
"""Durations on the screen are redrawn this often."""
ONCE_WIDTH = 110
"""Columns of a snapshot that goes to no terminal."""


def once(settings: BrokerSettings, offices: Sequence[OfficeId], words: Words) -> int:
    """Print one snapshot once the retained messages are in. One try: UNREACHABLE, with the reason on stderr."""
    with looping() as loop:

        def on_link() -> None:
            if follower.complete or follower.failures or follower.taken_over:
                loop.stop()

        follower = Follower(loop, settings, offices, lambda _change: None, on_link)
        follower.start()
        loop.run(lambda _now: None)
        if follower.taken_over:
            return _taken_over(settings, words)
        if not follower.complete:
            reason = follower.model.link.reason
            if reason:
                print(f"ptt watch: {reason}", file=sys.stderr)
            return UNREACHABLE
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        columns = os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else 0
        view = View(width=columns or ONCE_WIDTH, words=words, colour=colour)
        lines = render(follower.model, view, settings.address, time.monotonic(), _wall_ms())
        _write("".join(f"{line.rstrip()}\n" for line in lines))
        follower.close()
    return OK


def json_lines(settings: BrokerSettings, offices: Sequence[OfficeId], words: Words) -> int:
    """Write every change as one JSON object a line, for ever; ends quietly when nobody reads any more.

    `kind` is session, presence, roster, alert, device_state, device_telemetry, events, bad or link; `message` is null
    where a topic was cleared.
    """
    with looping() as loop:

        def say(record: dict[str, Any]) -> None:
            at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            if not _write(msgspec.json.encode({"at": at, **record}).decode() + "\n"):
                loop.stop()

        def on_change(change: Change) -> None:
            say(_record(change))

        def on_link() -> None:
            link = follower.model.link
            say({"kind": "link", "connected": link.up, "complete": follower.complete, "reason": link.reason})
            if follower.taken_over:
                loop.stop()

        follower = Follower(loop, settings, offices, on_change, on_link)
        follower.start()
        loop.run(lambda _now: None)
        follower.close()
    return _taken_over(settings, words) if follower.taken_over else OK


def _taken_over(settings: BrokerSettings, words: Words) -> int:
    print(f"ptt watch: {words('taken_over', settings.username or '')}", file=sys.stderr)
    return TAKEN_OVER


def _record(change: Change) -> dict[str, Any]:
    if change.kind == "bad":
        return {"kind": "bad", "detail": change.detail}
    names = {"office": str(change.office), "user": change.user, "item": change.item}
    return {"kind": change.kind, **{k: v for k, v in names.items() if v}, "message": change.message}


def live(settings: BrokerSettings, offices: Sequence[OfficeId], words: Words) -> int:
    """Show the fleet on this terminal until q, Ctrl-C or SIGTERM."""
    with looping() as loop, Screen() as screen:
        player = _Live(loop, screen, settings, offices, words)
        with _on_signal(signal.SIGWINCH, lambda: loop.call_soon_threadsafe(player.resized)):
            player.run()
    return _taken_over(settings, words) if player.taken_over else OK


class _Live:
    """Joins follower, keyboard and screen."""

    def __init__(
        self, loop: Loop, screen: Screen, settings: BrokerSettings, offices: Sequence[OfficeId], words: Words
    ) -> None:
        self._loop = loop
        self._screen = screen
        self._words = words
        self._broker = settings.address
        self._scroll = 0
        self._dirty = True
        self._drawn_s = 0.0
        self._follower = Follower(loop, settings, offices, lambda _change: self._touch(), self._touch)

    def run(self) -> None:
        """Turn until the user has enough."""
        keys_fd = self._screen.keys_fd
        if keys_fd is not None:
            self._loop.add(keys_fd, EVENT_READ, lambda _ready: self._keys())
        self._follower.start()
        self._loop.run(self._step)
        self._follower.close()

    def resized(self) -> None:
        """The terminal has another size."""
        self._screen.forget()
        self._drawn_s = 0.0
        self._dirty = True

    @property
    def taken_over(self) -> bool:
        """Whether another watch took this one's place."""
        return self._follower.taken_over

    def _touch(self) -> None:
        self._dirty = True
        if self._follower.taken_over:
            self._loop.stop()

    def _keys(self) -> None:
        for key in self._screen.read_keys():
            match key:
                case "q" | "Q":
                    self._loop.stop()
                case "j":
                    self._scroll += 1
                case "k":
                    self._scroll = max(0, self._scroll - 1)
                case "\x0c":
                    self._screen.forget()
        self._dirty = True

    def _step(self, now: float) -> float:
        due_s = self._drawn_s + (FRAME_S if self._dirty else TICK_S)
        if now < due_s:
            return due_s
        columns, rows = self._screen.size()
        view = View(
            width=max(20, columns - 1),
            height=rows,
            words=self._words,
            colour="NO_COLOR" not in os.environ,
            scroll=self._scroll,
        )
        try:
            self._screen.draw(render(self._follower.model, view, self._broker, now, _wall_ms()))
        except OSError:
            self._loop.stop()  # the terminal is gone
        self._dirty, self._drawn_s = False, now
        return now + TICK_S


@contextmanager
def looping() -> Iterator[Loop]:
    """A loop that SIGINT, SIGTERM and SIGHUP end in an orderly way."""
    loop = Loop()
    with (
        _on_signal(signal.SIGINT, loop.stop),
        _on_signal(signal.SIGTERM, loop.stop),
        _on_signal(signal.SIGHUP, loop.stop),
    ):
        yield loop
    loop.close()


@contextmanager
def _on_signal(number: signal.Signals, fn: Callable[[], object]) -> Iterator[None]:
    before = signal.signal(number, lambda _number, _frame: fn())
    try:
        yield
    finally:
        signal.signal(number, before)


def _write(text: str) -> bool:
    """Write to stdout at once; False when nobody reads it any more."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at its exit
        return False
    return True


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
