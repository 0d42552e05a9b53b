"""What must follow in the story, and how soon: waited for among what the office says and the pins show."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from gateway.status_client import Unreachable
from lab.demo.facts import DENIED_MS
from lab.demo.outcome import Follow, Outcome
from lab.demo.watch import Notebook
from lab.demo.world import LabFailed, World
from protocol.messages import (
    Presence,
)

T = TypeVar("T")

STEP_S = 30.0
"""Each step that must follow is awaited so long: a machine may be busy. How soon it came is judged afterwards."""
FOLLOW_S = 6.0
"""So soon each step must follow, but for..."""
TOLD_S = 1.5
"""...what the driver is told of a grant, and..."""
HANG_S = 9.0
"""...the end of a session."""


class BrokeOff(LabFailed):
    """Something did not follow. `span`: in which time it had to; a machine that stood still then may be why."""

    def __init__(self, what: str, since_s: float) -> None:
        super().__init__(what)
        self.span = (since_s, time.monotonic())


class Eyes:
    """Waits, for a while; raises BrokeOff where a thing does not follow, and notes how soon each did."""

    def __init__(self, world: World, outcome: Outcome) -> None:
        """What followed is added to the outcome; vehicles that its bursts killed need not run."""
        self._world = world
        self._outcome = outcome
        self.book = Notebook(self.check_running)
        """All that is heard and seen."""

    def answered(self, user: str, edge_s: float, answer: str) -> dict[str, Any]:
        """Wait until the press of that edge was answered, as `ptt-gateway status` shows it."""
        car = self._world.cars[user]
        deadline = time.monotonic() + STEP_S
        press: dict[str, Any] = {}
        while time.monotonic() < deadline:
            with contextlib.suppress(Unreachable):  # too busy to tell; one that is gone is seen by check_running
                newest = car.status()["presses"][-1:]
                press = dict(newest[0]) if newest else {}
            if press and abs(press["edge_at"] - edge_s) < 0.5 and press["answer"] is not None:
                break
            self.check_running()
            time.sleep(0.01)
        if press.get("answer") != answer:
            what = f"{user}'s press should be {answer}; it was: {press.get('answer') or 'not answered'}"
            raise BrokeOff(what, edge_s)
        return press

    def told(self, user: str, edge_s: float, *, red: bool) -> str:
        """See at the pins what the driver is told: the motor, and the red light while transmitting."""
        count = 1 if red else len(DENIED_MS)

        def look() -> list[float] | None:
            felt = pulses(self.book, user, edge_s)
            lit = any(c.signal == "led_red" and c.level > 0 for c in self._outputs(user, edge_s))
            return felt if len(felt) >= count and (lit or not red) else None

        began_s = time.monotonic()
        lengths = self.book.wait(look, STEP_S)
        if lengths is None:
            raise BrokeOff(f"{user}'s driver is not told by light and motor: {self._outputs(user, edge_s)}", edge_s)
        self.follows(f"{user}'s driver is told by light and motor", began_s, time.monotonic(), TOLD_S)
        felt = " + ".join(f"{round(ms / 10) * 10}" for ms in lengths[:count])
        return f"LED + motor {felt} ms" if red else f"motor {felt} ms"

    def _outputs(self, user: str, since_s: float) -> list[Any]:
        return [c for c in list(self.book.outputs.get(user, ())) if c.at_s >= since_s]

    def each(
        self, users: tuple[str, ...], holds: Callable[[Presence], bool], since_s: float, what: str
    ) -> Iterator[tuple[str, float]]:
        """Give each user and when, as their presences come to say it."""
        missing = list(users)

        def look() -> tuple[str, float] | None:
            for user in missing:
                if (found := self.book.find(Presence, holds, since_s, user)) is not None:
                    return user, found[0]
            return None

        began_s = time.monotonic()
        while missing:
            came = self.book.wait(look, STEP_S)
            if came is None:
                raise BrokeOff(f"not within {STEP_S:.0f} s: {what.format(', '.join(missing))}", since_s)
            missing.remove(came[0])
            self.follows(what.format(came[0]), began_s, came[1], FOLLOW_S)
            yield came

    def first(
        self,
        of: type[T],
        holds: Callable[[T], bool],
        since_s: float,
        what: str,
        user: str = "",
        within_s: float = FOLLOW_S,
    ) -> tuple[float, T]:
        """Give the first such message at or after `since_s`, and when it was heard (monotonic s)."""
        found: tuple[float, T] | None = self.book.wait(lambda: self.book.find(of, holds, since_s, user), STEP_S)
        if found is None:
            raise BrokeOff(f"not within {STEP_S:.0f} s: {what}", since_s)
        self.follows(what, since_s, found[0], within_s)
        return found

    def follows(self, what: str, since_s: float, at_s: float, within_s: float) -> None:
        """Note how soon it followed, and how soon it must."""
        took_s = max(0.0, at_s - since_s)
        self._outcome.follows.append(Follow(what=what, since_s=since_s, took_s=took_s, within_s=within_s))

    def check_running(self) -> None:
        """Raise LabFailed where a process has ended that the story did not kill."""
        self._world.check_running(but=[burst.speaker for burst in self._outcome.bursts if burst.killed])


def pulses(book: Notebook, user: str, since_s: float) -> list[float]:
    """Lengths of the motor's pulses, ms."""
    lengths, began = [], None
    for change in list(book.outputs.get(user, ())):
        if change.signal != "motor" or change.at_s < since_s:
            continue
        if change.level > 0 and began is None:
            began = change.at_s
        elif change.level == 0 and began is not None:
            lengths.append((change.at_s - began) * 1000)
            began = None
    return lengths
