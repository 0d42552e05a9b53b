"""A light member's button: from the edge to the release, and the trace that is told of it.

It speaks the floor protocol as a vehicle's does: requests and releases again until answered, renews every second.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from msgspec import Struct

from lab.office_day.press import Press
from lab.office_day.world import Voice, World
from protocol.ids import ConnectionId
from protocol.messages import (
    FloorAck,
    FloorDeny,
    FloorGranted,
    FloorRelease,
    FloorRenew,
    FloorRequest,
    FloorRevoke,
    Message,
    PressTrace,
    Priority,
)
from protocol.timers import (
    RELEASE_RETRANSMIT_S,
    RELEASE_TRIES_MAX,
    RENEW_S,
    REQUEST_GIVE_UP_S,
    REQUEST_RETRANSMIT_S,
)
from protocol.topics import Kind

OLD_PRESS_S = 30.0
"""A press that was made without a connection is told of when that is back, if it is no older."""
DENIED_S = 0.4
"""So long after a denial the driver has let go."""


class Counts(Struct):
    """How its presses were answered, for its telemetry."""

    presses: int = 0
    granted: int = 0
    denied: int = 0
    answers_ms: list[int] = []


class Button:
    """One member's. `say` publishes, unless the member hangs or has no connection."""

    def __init__(self, world: World, voice: Voice, rng: Random, say: Callable[[Kind, Message], None]) -> None:
        self.press: Press | None = None
        """The one that is not over."""
        self.counts = Counts()
        self.muted = False
        """Whether the office has switched the transmitter off."""
        self._world, self._voice, self._rng, self._say = world, voice, rng, say
        self._number = 0
        self._untold: list[tuple[float, PressTrace]] = []

    def push(
        self, hold_s: float, priority: Priority, connection: ConnectionId, *, reachable: bool, away_s: float | None
    ) -> None:
        """Press for so long. Nothing where it is pressed already. `away_s`: for how long there is no connection."""
        if self.press is not None:
            return
        self._number += 1
        self.counts.presses += 1
        world = self._world
        press = Press((*connection, self._number), priority, world.now, world.wall_ms, world.clock_error_ms)
        if not reachable:
            press.tell("no connection", world.now + 0.02)
            self._untold.append((world.now, press.trace(world.now + hold_s, away_s)))
            return
        if self.muted:
            press.tell("transmitter muted", world.now)
            self._say(Kind.DEVICE_TRACE, press.trace(world.now + hold_s))
            return
        self.press = press
        press.asked_at = world.now + self._rng.uniform(0.002, 0.009)
        self._say(Kind.FLOOR, FloorRequest(request_id=press.request_id, priority=priority))
        self._while(press, REQUEST_RETRANSMIT_S, self._ask_again)
        self._while(press, hold_s, self._key_up)

    def reply(self, message: Message) -> None:
        """The office answers."""
        press = self.press
        match message:
            case FloorGranted(request_id=request_id) if press is not None and request_id == press.request_id:
                if press.burst is None:
                    self._granted(press, message.burst)
            case FloorDeny(request_id=request_id) if press is not None and request_id == press.request_id:
                if not press.answered:
                    self.counts.denied += 1
                    press.speaker, press.remaining_s = message.speaker_name or message.speaker, message.remaining_s
                    self._answered(press, "denied")
                    self._while(press, DENIED_S, self._over)
            case FloorRevoke(burst=burst) if press is not None and burst == press.burst:
                press.tell("preempted", self._world.now)
                self._key_up(press)
            case FloorAck(request_id=request_id) if press is not None and request_id == press.request_id:
                self._over(press)
            case _:
                pass

    def _granted(self, press: Press, burst: int) -> None:
        press.burst = burst
        self.counts.granted += 1
        self._answered(press, "granted")
        if press.key_up_at is not None:
            self._release(press)
            return
        press.permitted_at = self._world.now
        press.through_at = self._world.now + self._rng.uniform(0.018, 0.03)
        self._voice.begin(burst)
        self._renew(press)

    def _answered(self, press: Press, what: str) -> None:
        press.tell(what, self._world.now)
        self.counts.answers_ms = [*self.counts.answers_ms[-99:], round((self._world.now - press.edge_at) * 1000)]

    def _ask_again(self, press: Press) -> None:
        if press.answered:
            return
        if self._world.now - press.edge_at >= REQUEST_GIVE_UP_S:
            press.tell("no answer", self._world.now)
            self._release(press)
            return
        self._say(Kind.FLOOR_AGAIN, FloorRequest(request_id=press.request_id, priority=press.priority))
        self._while(press, REQUEST_RETRANSMIT_S, self._ask_again)

    def _renew(self, press: Press) -> None:
        if press.key_up_at is None and press.burst is not None:
            press.renew_no += 1
            self._say(Kind.FLOOR, FloorRenew(burst=press.burst, renew_no=press.renew_no))
            self._while(press, RENEW_S, self._renew)

    def _key_up(self, press: Press) -> None:
        if press.key_up_at is not None:
            return
        press.key_up_at = self._world.now
        if press.permitted_at is not None:
            press.frames = self._voice.end()
        if press.burst is not None or not press.answered:
            self._release(press)

    def _release(self, press: Press) -> None:
        press.released_at = press.released_at or self._world.now
        last_seq = press.frames - 1 if press.frames else None
        release = FloorRelease(request_id=press.request_id, burst=press.burst, last_seq=last_seq)
        self._say(Kind.FLOOR if press.releases == 0 else Kind.FLOOR_AGAIN, release)
        press.releases += 1
        if press.releases < RELEASE_TRIES_MAX:
            self._while(press, RELEASE_RETRANSMIT_S, self._release)
        else:
            self._over(press)

    def _over(self, press: Press) -> None:
        if press is self.press:
            self.press = None
            self._say(Kind.DEVICE_TRACE, press.trace(self._world.now))

    def let_go(self) -> None:
        """The button goes up before its time."""
        if self.press is not None:
            self._key_up(self.press)

    def broken(self) -> None:
        """The connection or the ignition ends it."""
        press, self.press = self.press, None
        if press is not None:
            if press.permitted_at is not None and press.key_up_at is None:
                self._voice.end()
            press.tell("link lost", self._world.now)
            self._untold.append((self._world.now, press.trace(self._world.now)))

    def connected(self) -> None:
        """There is a connection: tell of what was pressed without one a moment ago."""
        told, self._untold = self._untold, []
        for at_s, trace in told:
            if self._world.now - at_s < OLD_PRESS_S:
                self._say(Kind.DEVICE_TRACE, trace)

    def _while(self, press: Press, delay_s: float, fn: Callable[[Press], None]) -> None:
        """Call `fn` later if this press is still the one."""
        self._world.at(self._world.now + delay_s, lambda: fn(press) if press is self.press else None)
