"""A vehicle with an emergency button, and what its office, its disk and its driver see of it."""

from __future__ import annotations

from msgspec.structs import replace

from gateway.core.emergency import EmergencySettings
from gateway.core.told import Told
from gateway.core.vehicle import Vehicle
from gateway.core.words import (
    Effect,
    FromWorker,
    InputChanged,
    KeepEmergency,
    Publish,
    Tell,
    ToWorker,
)
from protocol.messages import (
    FloorRenew,
    FloorRenewed,
    FloorRequest,
    Priority,
)
from protocol.topics import Kind
from protocol.worker import Drained, Through
from tests.core.gateway_vehicle_rig import Rig


class Cab(Rig):
    """A vehicle with an emergency button, up and ready; `office` answers its renewals while it waits."""

    def __init__(self, rules: EmergencySettings | None = None, *, since: int | None = None) -> None:
        super().__init__()
        who = replace(self.vehicle._who, emergency=rules or EmergencySettings(), emergency_since=since)
        self.vehicle = Vehicle(who, lambda: 0.5)
        self.all = []
        self._keep(self.vehicle.start(self.now, 0))
        self.tick()
        self.feed(InputChanged(signal="emergency", active=False, at=self.now, at_start=True))
        self.up()
        self.all = []

    def down(self, at: float | None = None) -> tuple[Effect, ...]:
        return self.feed(InputChanged(signal="emergency", active=True, at=self.now if at is None else at))

    def let_go(self, at: float | None = None) -> tuple[Effect, ...]:
        return self.feed(InputChanged(signal="emergency", active=False, at=self.now if at is None else at))

    def hold(self, seconds: float = 1.1) -> Cab:
        self.down()
        self.wait(seconds)
        self.let_go()
        return self

    def talk_on(self, seconds: float, burst: int = 5) -> None:
        """Speak so long, with every renewal answered and voice getting through."""
        for _ in range(round(seconds / 0.25)):
            mark = len(self.all)
            self.wait(0.25)
            self.feed_through(burst)
            for _, effect in self.all[mark:]:
                if isinstance(effect, Publish) and isinstance(effect.message, FloorRenew):
                    self.reply(FloorRenewed(rev=11, burst=burst, renew_no=effect.message.renew_no))

    def feed_through(self, burst: int) -> None:
        self.feed(FromWorker(event=Through(burst=burst, seq=1, at=self.now)))

    def drained(self, press: int = 1, burst: int = 5) -> None:
        self.feed(FromWorker(event=Drained(request_id=(0, 7, 1, press), burst=burst, last_seq=9)))

    def told(self) -> list[Told]:
        return [effect.what for _, effect in self.all if isinstance(effect, Tell)]

    def requests(self) -> list[Priority]:
        found = [e.message for e in self.published_on(Kind.FLOOR) if isinstance(e.message, FloorRequest)]
        return [request.priority for request in found]

    def published_on(self, kind: Kind) -> list[Publish]:
        return [e for _, e in self.all if isinstance(e, Publish) and e.kind is kind]

    def alert(self, name: str = "emergency") -> bool | None:
        """What was published last of an alert; None: nothing."""
        said = [e for e in self.published_on(Kind.ALERT) if e.ids[-1] == name]
        return None if not said else said[-1].message is not None

    def kept(self) -> list[int | None]:
        return [e.since for _, e in self.all if isinstance(e, KeepEmergency)]

    def commands(self, kind: type) -> list[object]:
        return [e.command for _, e in self.all if isinstance(e, ToWorker) and isinstance(e.command, kind)]
