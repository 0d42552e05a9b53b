"""The smaller parts of a vehicle's core in one context, driven by hand."""

from __future__ import annotations

from gateway.core.context import Context
from gateway.core.link import Link
from gateway.core.listener import Listener
from gateway.core.presence import PresenceKeeper
from gateway.core.words import Dial, Publish
from protocol.messages import Presence, PresenceState


class Parts:
    """Link, presence and listener over one context, with a chance that can be set."""

    def __init__(self) -> None:
        self.chance = 0.5
        self.ctx = Context("car-1", lambda: self.chance)
        who = Presence(state=PresenceState.ONLINE, connection_id=(3, 8, 0), presence_no=0, name="one", hardware="pi-1")
        self.presence = PresenceKeeper(self.ctx, who)
        self.link = Link(self.ctx, self.presence, 3, 8)
        self.listener = Listener(self.ctx, self.presence)

    def connected(self, now: float = 0.0) -> Parts:
        self.link.start(now)
        self.link.tick(now)
        self.link.up(now)
        self.presence.connected(now, 1000)
        self.ctx.take()
        return self

    def presences(self) -> list[Presence]:
        return [e.message for e in self.ctx.take() if isinstance(e, Publish) and isinstance(e.message, Presence)]

    def dials(self) -> list[Dial]:
        return [e for e in self.ctx.take() if isinstance(e, Dial)]
