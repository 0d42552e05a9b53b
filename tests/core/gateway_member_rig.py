"""A vehicle's core that is stepped by hand, as a member of an office."""

from __future__ import annotations

from typing import Any

from gateway.core.told import Told
from gateway.core.vehicle import Vehicle
from gateway.core.who import Who
from gateway.core.words import CoreEvent, Effect, FromWorker, LinkUp, Publish, Tell, ToWorker, Welcomed
from protocol.messages import DeviceInfo, Presence, PresenceState, VoicePath
from protocol.rest import Role, Welcome
from protocol.topics import Kind
from protocol.worker import Device, Hello, SoundDevice, VoiceLink

HARDWARE = "a" * 32
WELCOME = Welcomed(welcome=Welcome(name="1", role=Role.VEHICLE_GATEWAY, voice=VoicePath.AGORA, generation=3))


class Car:
    """A vehicle's core that is stepped by hand; `out` has everything it did since the last look."""

    def __init__(self, *, foreign: bool = False, enrolled: bool = True, agora: bool = True) -> None:
        info = DeviceInfo(version="1", python="3", board="b", pins="p", capture="c", playback="p")
        presence = Presence(
            state=PresenceState.ONLINE, connection_id=(3, 1, 0), presence_no=0, name="one", hardware=HARDWARE
        )
        self.core = Vehicle(
            Who(
                user="car-1",
                generation=3,
                boot=1,
                presence=presence,
                info=info,
                lang="en",
                enrolled=enrolled,
                foreign=foreign,
                agora=agora,
            ),
            lambda: 0.5,
        )
        self.now = 100.0
        self.out: list[Effect] = list(self.core.start(self.now, 0))

    def take(self, *events: CoreEvent) -> Car:
        for event in events:
            self.out += self.core.handle(event, self.now, 1_000)
        return self

    def wait(self, seconds: float) -> Car:
        """Let time pass, every deadline in it being kept."""
        until = self.now + seconds
        while (due := self.core.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.out += self.core.tick(self.now, 1_000)
        self.now = until
        return self

    def voice(self) -> Car:
        return self.take(
            FromWorker(event=Hello(pid=1, transport="mqtt")),
            FromWorker(event=SoundDevice(device=Device.CAPTURE, ok=True)),
            FromWorker(event=VoiceLink(up=True)),
        )

    def online(self) -> Car:
        return self.wait(0.0).voice().take(LinkUp()).seen()

    def seen(self) -> Car:
        self.out.clear()
        return self

    def of(self, kind: type[Any]) -> list[Any]:
        return [effect for effect in self.out if isinstance(effect, kind)]

    def told(self) -> list[Told]:
        return [tell.what for tell in self.of(Tell)]

    def alerts(self) -> dict[str, str | None]:
        """Alert → what it says now, None where it was cleared."""
        found: dict[str, str | None] = {}
        for published in self.of(Publish):
            if published.kind is Kind.ALERT:
                found[published.ids[1]] = None if published.message is None else published.message.what
        return found

    def commands(self, kind: type[Any]) -> list[Any]:
        return [effect.command for effect in self.of(ToWorker) if isinstance(effect.command, kind)]
