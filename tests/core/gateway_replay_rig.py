"""A vehicle whose worker answers its pings, and whose bursts are replayed."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from gateway.core.words import CoreEvent, FromWorker, InputChanged, LinkDown, LinkUp, Received, Show
from protocol.messages import Ended
from protocol.topics import Kind
from protocol.worker import Ping, PlayedOut, Pong, Replay, Replayed, ReplayEnd
from tests.core.gateway_bench import session
from tests.core.gateway_member_rig import WELCOME, Car

KEEPS = replace(WELCOME, welcome=replace(WELCOME.welcome, replay_keep_s=3600))


class Cab(Car):
    """A vehicle whose worker answers its pings, and whose office is the test's."""

    def __init__(self) -> None:
        super().__init__(agora=False)
        self.rev = 10
        self.no = 0

    def take(self, *events: CoreEvent) -> Cab:
        super().take(*events)
        return self

    def wait(self, seconds: float) -> Cab:
        until = self.now + seconds
        while (due := self.core.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            before = len(self.out)
            self.out += self.core.tick(self.now, 1_000)
            for effect in self.out[before:]:
                command = getattr(effect, "command", None)
                if isinstance(command, Ping):
                    self.say(Pong(no=command.no, link=True, capture=True, playback=True))
        self.now = until
        return self

    def say(self, *events: Any) -> Cab:
        self.take(*(FromWorker(event=event) for event in events))
        return self

    def session(self, burst: int, speaker: str | None, **fields: Any) -> Cab:
        self.rev += 1
        self.take(Received(kind=Kind.SESSION, message=session(self.rev, burst, speaker, **fields)))
        return self

    def burst(self, number: int, speaker: str = "car-2", name: str = "Lee", frames: int = 50) -> Cab:
        """Somebody speaks and is heard to the end."""
        self.session(number, speaker, speaker_name=name).wait(1.0)
        self.session(number, None, ended=Ended.RELEASED)
        return self.say(PlayedOut(burst=number, user=speaker, frames=frames, concealed=0, late=0, delay_ms=20))

    def press(self, for_s: float = 0.2) -> Cab:
        self.take(InputChanged(signal="replay", active=True, at=self.now)).wait(for_s)
        self.take(InputChanged(signal="replay", active=False, at=self.now))
        return self

    def ended(self, end: ReplayEnd = ReplayEnd.WHOLE) -> Cab:
        """What was asked for last has been played."""
        word = self.commands(Replay)[-1]
        return self.say(Replayed(no=word.no, burst=word.burst, end=end))

    def replayed(self) -> list[int]:
        return [word.burst for word in self.commands(Replay)]

    def look(self) -> Show:
        found: Show = self.of(Show)[-1]
        return found

    def cut_off(self, for_s: float = 1.0) -> Cab:
        self.take(LinkDown(reason="test")).wait(for_s)
        return self

    def back(self) -> Cab:
        self.take(LinkUp())
        return self
