"""Follows the fleet on the broker: subscribes, feeds the model, comes back after every loss."""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Callable, Sequence
from typing import assert_never

from monitor.model import Change, Model
from protocol.ids import OfficeId
from protocol.topics import ROOT, Kind, everyone
from service.loop import Loop, Timer
from service.mqtt import (
    Acked,
    Backoff,
    BrokerSettings,
    Connected,
    DialFailed,
    Disconnected,
    Filter,
    LinkEvent,
    MqttLink,
    Received,
    Subscribed,
)

WATCHED = (Kind.SESSION, Kind.PRESENCE, Kind.ROSTER, Kind.EVENTS, Kind.ALERT, Kind.DEVICE_STATE, Kind.DEVICE_TELEMETRY)
QUIET_S = 0.25
"""After the last retained message nothing came for so long: the broker is asked whether that was all."""
SILENT_S_MAX = 15.0
"""A broker that neither sends anything nor answers for so long, before all has come, is hung up on."""
RETRY_S_MIN = 0.5
RETRY_S_MAX = 15.0
TAKEN_OVER_S = 10.0
"""A login that is cut off twice within this time, though the broker lets it in at once each time, is another's now.

Mosquitto up to 2.0.11 at least closes the older of two connections without a word. Both come back and cut each other
off; the older one is the first to see it twice, and gives way.
"""


def filters(offices: Sequence[OfficeId]) -> list[tuple[str, int]]:
    """Give the subscriptions for these offices, or for all that there are where none is named."""
    if offices:
        return [(everyone(office, kind), 1) for office in offices for kind in WATCHED]
    return [(f"{ROOT}/+/+/{kind.value.replace('{}', '+')}", 1) for kind in WATCHED]


class Follower:
    """A model kept true. `on_change` hears every change; `on_link` that the link or the completeness changed.

    `complete` is true once the broker's retained messages are all in. Dials again for ever, with back-off.

    How that is known, however slow the line: after a moment of quiet one filter is subscribed to once more, without
    its retained messages. The broker handles what we send in order, our acknowledgements first, and these make it send
    what it still holds back; so when no retained message comes before its answer, there is none left. A read-only
    account can ask that.
    """

    def __init__(
        self,
        loop: Loop,
        settings: BrokerSettings,
        offices: Sequence[OfficeId],
        on_change: Callable[[Change], None],
        on_link: Callable[[], None],
    ) -> None:
        self.model = Model(time.monotonic())
        self.complete = False
        self.failures = 0
        """Dials that came to nothing, and connections lost, in a row."""
        self._loop = loop
        self._filters = filters(offices)
        self._on_change = on_change
        self._on_link = on_link
        self._link = MqttLink(loop, settings, self._on_event)
        self._backoff = Backoff(RETRY_S_MIN, RETRY_S_MAX, random.Random())
        # An office with a registry locks a login to its client id; without a login nobody takes another's place.
        self._client_id = settings.username or f"watch-{os.getpid()}-{secrets.token_hex(4)}"
        self._login = settings.username is not None
        self._cut_off_s = float("-inf")
        self.taken_over = False
        """Another watch logged in under the same identity: this one is over, or they would throw each other out."""
        self._timer: Timer | None = None
        self._question: int | None = None

    def start(self) -> None:
        """Dial for the first time."""
        self._link.dial(self._client_id, None)

    def close(self) -> None:
        """Say goodbye to the broker."""
        self._link.close(0.5)

    def _on_event(self, event: LinkEvent) -> None:
        now = time.monotonic()
        match event:
            case Connected():
                self.model.linked(now)
                self._link.subscribe(self._filters)
                self._await_answer(now)
                self._on_link()
            case Subscribed(ok=False):
                self._link.drop(f"the broker refuses to tell: {event.detail}")
            case Subscribed() if event.mid == self._question:
                self._now_complete()
            case Subscribed():
                if self._question is None and not self.complete:
                    self._await_quiet(now)
            case Received():
                if event.retain and not self.complete:
                    self._await_quiet(now)
                self._apply(event)
            case Disconnected():
                before, self._cut_off_s = self._cut_off_s, now
                twice = self._login and now - before <= TAKEN_OVER_S
                if event.taken_over or twice:
                    self._give_way(event.reason, now)
                else:
                    self._lost(event.reason, now)
            case DialFailed():
                self._cut_off_s = float("-inf")  # the broker was away: that was why
                self._lost(event.reason, now)
            case Acked():
                pass
            case _:
                assert_never(event)

    def _apply(self, event: Received) -> None:
        wall_ms = time.time_ns() // 1_000_000
        for change in self.model.apply(event.topic, event.payload, event.retain, event.at_s, wall_ms):
            self._on_change(change)

    def _await_quiet(self, now: float) -> None:
        self._question = None  # whatever is answered to it, that was not all
        self._set_timer(now + QUIET_S, self._ask)

    def _ask(self) -> None:
        name, qos = self._filters[0]
        self._question = self._link.subscribe([Filter(name, qos, retain_handling=2)])
        self._await_answer(time.monotonic())

    def _await_answer(self, now: float) -> None:
        self._set_timer(now + SILENT_S_MAX, lambda: self._link.drop("the broker does not tell what it retains"))

    def _set_timer(self, when_s: float, fn: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = self._loop.call_at(when_s, fn)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _now_complete(self) -> None:
        self._stop_timer()
        self._question = None
        self.complete = True
        self.failures = 0
        self._backoff.reset()
        for change in self.model.settled():
            self._on_change(change)
        self._on_link()

    def _give_way(self, reason: str, now: float) -> None:
        self.taken_over = True
        self._stop_timer()
        self.model.unlinked(reason, now)
        self._on_link()

    def _lost(self, reason: str, now: float) -> None:
        self._stop_timer()
        self._question = None
        self.complete = False
        self.failures += 1
        self.model.unlinked(reason, now)
        self._loop.call_at(now + self._backoff.next_delay(), self.start)
        self._on_link()
