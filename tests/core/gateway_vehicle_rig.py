"""A whole vehicle core, its events put in and its effects taken out by hand."""

from __future__ import annotations

import random

from gateway.core.vehicle import Vehicle
from gateway.core.who import Who
from gateway.core.words import (
    CoreEvent,
    Effect,
    FromWorker,
    LinkUp,
    Look,
    Publish,
    Received,
    Show,
)
from protocol.messages import (
    DeviceInfo,
    FloorGranted,
    Message,
    Presence,
    PresenceState,
)
from protocol.topics import Kind
from protocol.worker import (
    Device,
    Hello,
    SoundDevice,
    VoiceLink,
)


class Rig:
    """A vehicle with a clock."""

    def __init__(self) -> None:
        presence = Presence(state=PresenceState.ONLINE, connection_id=(0, 7, 0), presence_no=0, name="one")
        info = DeviceInfo(version="1", python="3", board="b", pins="virtual", capture="c", playback="p")
        who = Who(user="car-1", generation=0, boot=7, presence=presence, info=info)
        self.vehicle = Vehicle(who, random.Random(1).random)
        self.now = 100.0
        self.all: list[tuple[float, Effect]] = []
        self._keep(self.vehicle.start(self.now, 0))
        self.tick()

    def _keep(self, effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
        self.all += [(self.now, effect) for effect in effects]
        return effects

    def feed(self, *events: CoreEvent) -> tuple[Effect, ...]:
        effects: tuple[Effect, ...] = ()
        for event in events:
            effects += self._keep(self.vehicle.handle(event, self.now, int(self.now * 1000)))
        return effects

    def tick(self) -> tuple[Effect, ...]:
        return self._keep(self.vehicle.tick(self.now, int(self.now * 1000)))

    def wait(self, seconds: float) -> list[Effect]:
        """Let time pass, ticking exactly when asked to."""
        end, done = self.now + seconds, []
        turns = 0
        while (due := self.vehicle.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            done += self.tick()
            turns += 1
            assert turns < 10_000, "it asks to be called again and again"
        self.now = end
        return done

    def worker_up(self) -> Rig:
        self.feed(
            FromWorker(event=Hello(pid=1, transport="mqtt")),
            FromWorker(event=SoundDevice(device=Device.CAPTURE, ok=True)),
            FromWorker(event=SoundDevice(device=Device.PLAYBACK, ok=True)),
            FromWorker(event=VoiceLink(up=True)),
        )
        return self

    def up(self) -> Rig:
        self.worker_up().feed(LinkUp())
        return self

    def reply(self, message: Message) -> tuple[Effect, ...]:
        return self.feed(Received(kind=Kind.REPLY, message=message))

    def grant(self, press: int = 1, burst: int = 5, rev: int = 10) -> tuple[Effect, ...]:
        return self.reply(FloorGranted(rev=rev, request_id=(0, 7, 1, press), burst=burst, duration_s=30, lease_s=3))

    def shows(self) -> Look:
        return [effect.look for _, effect in self.all if isinstance(effect, Show)][-1]

    def published(self, of: type[Message]) -> list[Publish]:
        return [e for _, e in self.all if isinstance(e, Publish) and isinstance(e.message, of)]
