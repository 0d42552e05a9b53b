"""Buttons: raw edges from the driver's thread, and the pure debouncing that the gateway's loop does.

gpiozero's own debouncing delays or loses edges, and its Button class starts a thread for each button
(facts: "bounce_time=None, act on the first edge, ignore edges for a short lock-out, re-read the level after
it"). So `PttButton` only reports edges as they come, and `Debounce` decides, in the loop that owns the time:

    driver's thread: on_edge(active, at_s) -> the loop's queue
    loop:            changes = debounce.edge(active, at_s)
                     ... at debounce.next_deadline(): changes = debounce.tick(button.level(), now)

Queued edges go first, deadlines after them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gpiozero
import msgspec

from hw.board import Bias, Level


class Change(msgspec.Struct, frozen=True):
    """A button that is pressed or released now; `at_s` is the edge's time, or the time it was noticed."""

    pressed: bool
    at_s: float


class Debounce:
    """Turns a bouncing contact into presses and releases. Pure: times are passed in.

    The leading edge is reported at once. For `lockout_s` after each report edges are ignored; then the level is
    read again and a change missed meanwhile is reported. While pressed, the level is read again every `poll_s`,
    so that a release whose edge was lost ends the press all the same. A button already held at `begin` gives no
    press until it was seen released for a whole lock-out (`held_at_start`). Reports alternate, beginning with a press.
    """

    def __init__(self, *, lockout_s: float = 0.015, poll_s: float = 0.1) -> None:
        self._lockout_s = lockout_s
        self._poll_s = poll_s
        self._pressed = False
        self._held_at_start = False
        self._locked_until: float | None = None
        self._seen_in_lockout: bool | None = None
        self._poll_at: float | None = None
        self._begun_at = float("-inf")

    @property
    def pressed(self) -> bool:
        """The state as it was last reported."""
        return self._pressed

    @property
    def held_at_start(self) -> bool:
        """True from a `begin` with the button down until it has been seen released."""
        return self._held_at_start

    def begin(self, active: bool, now: float) -> bool:
        """Take the level at start, read at or after `now`; returns whether the button is held and not to be trusted.

        Edges from before `now` that are still in a queue are passed over.
        """
        self._begun_at = now
        self._pressed = False
        self._held_at_start = active
        self._locked_until = None
        self._seen_in_lockout = None
        self._poll_at = now + self._poll_s if active else None
        return active

    def edge(self, active: bool, at_s: float) -> tuple[Change, ...]:
        """Take one edge, in the order they came; returns what changed by it (usually one, at most two)."""
        if at_s < self._begun_at:
            return ()
        changes: tuple[Change, ...] = ()
        if self._locked_until is not None:
            if at_s < self._locked_until:
                self._seen_in_lockout = active
                return ()
            # The loop was late: what a re-read at the lock-out's end would have found is what the last edge in it said.
            locked_until, seen = self._locked_until, self._seen_in_lockout
            changes = self._settle(self._pressed if seen is None else seen, locked_until)
            if self._locked_until is not None and at_s < self._locked_until:
                self._seen_in_lockout = active
                return changes
        return changes + self._settle(active, at_s)

    def tick(self, active: bool, now: float) -> tuple[Change, ...]:
        """Take the level as just read; does nothing before `next_deadline`. Returns what changed."""
        deadline = self.next_deadline()
        return () if deadline is None or now < deadline else self._settle(active, now)

    def next_deadline(self) -> float | None:
        """When the level must be read again and given to `tick`; None while only an edge can change anything."""
        return self._poll_at if self._locked_until is None else self._locked_until

    def _settle(self, active: bool, at_s: float) -> tuple[Change, ...]:
        """Compare a trusted level with the state; report a change and lock, or go on waiting."""
        was_locked, self._locked_until, self._seen_in_lockout = self._locked_until is not None, None, None
        if self._held_at_start:
            return self._settle_held(active, at_s, was_locked)
        if active == self._pressed:
            self._poll_at = at_s + self._poll_s if self._pressed else None
            return ()
        self._pressed = active
        self._locked_until = at_s + self._lockout_s
        self._poll_at = None
        return (Change(active, at_s),)

    def _settle_held(self, active: bool, at_s: float, was_locked: bool) -> tuple[Change, ...]:
        if active:
            self._poll_at = at_s + self._poll_s
        elif was_locked:
            self._held_at_start, self._poll_at = False, None
        else:
            self._locked_until = at_s + self._lockout_s
        return ()


class PttButton:
    """One button or contact on a pin: delivers raw edges, and its level when asked.

    `on_edge(active, at_s)` comes on the pin driver's thread with `time.monotonic()` taken there; it must only
    enqueue. gpiozero's errors pass through (hw.panel names the signal and the mend).
    """

    def __init__(
        self, pin: int, *, active: Level, pull: Bias, factory: Any, on_edge: Callable[[bool, float], None]
    ) -> None:
        self._active_high = active == "high"
        self._on_edge = on_edge
        pull_up = {"up": True, "down": False, "none": None}[pull]
        active_state = self._active_high if pull == "none" else None
        self._device = gpiozero.InputDevice(pin, pull_up=pull_up, active_state=active_state, pin_factory=factory)
        try:
            self._device.pin.bounce = None
            self._device.pin.edges = "both"
            self._device.pin.when_changed = self._changed
        except BaseException:
            self._device.close()
            raise

    def level(self) -> bool:
        """Whether the contact is active now, as the pin says."""
        return bool(self._device.pin.state) == self._active_high

    def close(self) -> None:
        """Stop the edges and release the pin; idempotent."""
        if not self._device.closed:
            self._device.pin.when_changed = None
        self._device.close()

    def _changed(self, ticks: object, state: int) -> None:
        at_s = time.monotonic()
        self._on_edge(bool(state) == self._active_high, at_s)
