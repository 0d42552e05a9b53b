"""A vehicle's core with a clock, an ignition, and a shell that measures, keeps and asks as it is told to."""

from __future__ import annotations

import random
from typing import Any

from gateway.core.told import Told
from gateway.core.vehicle import Vehicle
from gateway.core.who import Who
from gateway.core.words import (
    Acked,
    AskShutdown,
    CoreEvent,
    Effect,
    FromWorker,
    InputChanged,
    Keep,
    Kept,
    LinkUp,
    Look,
    Machine,
    Measure,
    Measured,
    Pressed,
    Publish,
    Received,
    Released,
    Show,
    ShutdownAsked,
    Tell,
    ToWorker,
)
from protocol.messages import (
    Alert,
    Command,
    CommandReply,
    DeviceInfo,
    FloorGranted,
    FloorRenew,
    FloorRenewed,
    Message,
    Presence,
    PresenceState,
    Telemetry,
)
from protocol.topics import Kind
from protocol.worker import Device, Hello, Ping, Pong, SoundDevice, Through, Transmit, VoiceLink


class UpkeepRig:
    """What is asked of the shell is answered at once, in `machine` and with `problem`."""

    def __init__(self, **who: Any) -> None:
        presence = Presence(state=PresenceState.ONLINE, connection_id=(0, 7, 0), presence_no=0, name="one")
        info = DeviceInfo(version="1", python="3", board="b", pins="virtual", capture="c", playback="p")
        known = Who(user="car-1", generation=0, boot=7, presence=presence, info=info, **who)
        self.vehicle = Vehicle(known, random.Random(1).random)
        self.now = 100.0
        self.machine = Machine()
        self.problem = ""
        self.acks = True
        self.all: list[tuple[float, Effect]] = []
        self._take(self.vehicle.start(self.now, 0))
        self.wait(0.0)  # it dials

    def up(self) -> UpkeepRig:
        """Worker, devices and link are there."""
        self.feed(
            FromWorker(event=Hello(pid=1, transport="mqtt")),
            FromWorker(event=SoundDevice(device=Device.CAPTURE, ok=True)),
            FromWorker(event=SoundDevice(device=Device.PLAYBACK, ok=True)),
            FromWorker(event=VoiceLink(up=True)),
            LinkUp(),
        )
        return self

    def feed(self, *events: CoreEvent) -> UpkeepRig:
        for event in events:
            self._take(self.vehicle.handle(event, self.now, int(self.now * 1000)))
        return self

    def wait(self, seconds: float) -> UpkeepRig:
        """Let time pass, ticking exactly when asked to."""
        end, turns = self.now + seconds, 0
        while (due := self.vehicle.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self._take(self.vehicle.tick(self.now, int(self.now * 1000)))
            turns += 1
            assert turns < 100_000, "it asks to be called again and again"
        self.now = end
        return self

    def ignition(self, on: bool, *, at_start: bool = False) -> UpkeepRig:
        return self.feed(InputChanged(signal="ignition", active=on, at=self.now, at_start=at_start))

    def driven(self) -> UpkeepRig:
        """Up, with an ignition that is on."""
        return self.ignition(True, at_start=True).up()

    def talk(self, press: int = 1) -> UpkeepRig:
        """Pressed, granted, transmitting."""
        self.feed(Pressed(at=self.now))
        request_id = (0, 7, 1, press)
        self.reply(FloorGranted(rev=10, request_id=request_id, burst=5, duration_s=30, lease_s=3))
        return self.reply(FloorRenewed(rev=11, burst=5, renew_no=1))

    def talk_on(self, seconds: int) -> UpkeepRig:
        """Go on talking: each second the office answers."""
        for second in range(seconds):
            self.wait(1.0)
            renewals = self.published(FloorRenew)
            self.reply(FloorRenewed(rev=12 + second, burst=5, renew_no=renewals[-1].renew_no))
        return self

    def release(self) -> UpkeepRig:
        return self.feed(Released(at=self.now))

    def reply(self, message: Message) -> UpkeepRig:
        return self.feed(Received(kind=Kind.REPLY, message=message))

    def command(self, op: str, id_: str = "", *, retained: bool = False, **params: Any) -> CommandReply | None:
        """Send a command; gives what was answered to it last, if anything."""
        before = len(self.published(CommandReply))
        command = Command(id=id_ or f"c{len(self.all)}", op=op, by="desk", params=params)
        self.feed(Received(kind=Kind.COMMAND, message=command, retained=retained))
        replies = self.published(CommandReply)[before:]
        return replies[-1] if replies else None

    @property
    def lifecycle(self) -> str:
        return self.vehicle.status().lifecycle.value

    @property
    def presence(self) -> PresenceState:
        """What was said last."""
        said: Presence = self.published(Presence)[-1]
        return said.state

    def looks(self) -> Look:
        return self.of(Show)[-1].look

    def of(self, kind: type[Any]) -> list[Any]:
        return [effect for _, effect in self.all if isinstance(effect, kind)]

    def told(self) -> list[Told]:
        return [effect.what for effect in self.of(Tell)]

    def published(self, kind: type[Message]) -> list[Any]:
        return [e.message for e in self.of(Publish) if isinstance(e.message, kind)]

    def telemetry(self) -> list[tuple[float, Telemetry]]:
        return [(at, e.message) for at, e in self.all if isinstance(e, Publish) and isinstance(e.message, Telemetry)]

    def alerts(self) -> set[str]:
        """Those that stand at the broker."""
        standing: dict[str, bool] = {}
        for effect in self.of(Publish):
            if effect.kind is Kind.ALERT:
                standing[effect.ids[1]] = isinstance(effect.message, Alert)
        return {alert for alert, stands in standing.items() if stands}

    def _take(self, effects: tuple[Effect, ...]) -> None:
        self.all += [(self.now, effect) for effect in effects]
        for effect in effects:
            answer = self._answer(effect)
            if answer is not None:
                self.feed(answer)

    def _answer(self, effect: Effect) -> CoreEvent | None:
        match effect:
            case Measure():
                return Measured(machine=self.machine)
            case Keep(flag=flag, on=on):
                return Kept(flag=flag, on=on, problem=self.problem)
            case AskShutdown(wanted=wanted):
                return ShutdownAsked(wanted=wanted, problem=self.problem)
            case Publish(token=int(token)) if self.acks:
                return Acked(token=token)
            case ToWorker(command=Ping(no=no)):
                return FromWorker(event=Pong(no=no, capture=True, playback=True, link=True))
            case ToWorker(command=Transmit(burst=burst)):
                return FromWorker(event=Through(burst=burst, seq=1, at=self.now))
        return None
