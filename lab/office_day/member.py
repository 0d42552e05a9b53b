"""A light member of an office: it keeps the protocol as a vehicle does, and has neither pins nor loudspeaker.

Twenty whole gateways with their voice workers are too much for a laptop. This one is told of its connection, of what
comes from the office and of its button, and says what a vehicle would: presence, heartbeats, requests, renewals,
releases, reports of what it heard, alerts, traces. Time, chance and I/O are passed in, so that the same member plays a
made-up week in a minute and a live office.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from gateway.core.alerts import KNOWN
from lab.office_day.button import Button, Counts
from lab.office_day.pattern import ALERTS
from lab.office_day.people import Person
from lab.office_day.press import Press
from lab.office_day.world import Say, Voice, World
from protocol.commands import CommandOp
from protocol.ids import JSON_INT_MAX, ConnectionId
from protocol.messages import (
    Alert,
    BurstPlayed,
    Command,
    CommandReply,
    Heartbeat,
    Message,
    Presence,
    PresenceState,
    Priority,
    Session,
    Severity,
    VoiceHealth,
)
from protocol.timers import (
    HEARTBEAT_S,
    PLAYED_SPREAD_S,
)
from protocol.topics import Kind

EMERGENCY: Final = "emergency"
JOIN_S: Final = (0.05, 0.6)
"""How long it takes to join and to leave a session's channel."""


class Member:
    """One member. All calls are of one thread."""

    def __init__(self, person: Person, world: World, voice: Voice, rng: Random, boot: int) -> None:
        """`boot`: rises with every start; a larger one is the newer connection."""
        self.person = person
        self.online = False
        """Whether it has a connection."""
        self.hangs = False
        """Whether it gives no sign of life although it has one."""
        self.state = PresenceState.OFFLINE
        self.floor: Session | None = None
        self.in_channel: str | None = None
        self.reconnects = -1
        self.alerts: set[str] = set()
        self.will: Presence | None = None
        """What the broker says of it where its connection breaks."""
        self._world, self._rng, self._boot = world, rng, boot
        self._number = self._presence_no = self._beat_no = 0
        self._heard: dict[int, list[int]] = {}
        self._first: dict[int, int] = {}
        self._announced_at: float | None = None
        self._join_ms: int | None = None
        self._listening: int | None = None
        self._button = Button(world, voice, rng, self._say)
        self._away_since: float | None = None

    @property
    def absent(self) -> bool:
        """Whether it is switched off, and not merely cut off."""
        return not self.online and self._away_since is None

    @property
    def connection_id(self) -> ConnectionId:
        """Of the present connection, or of the last one."""
        return (0, self._boot, self._number)

    # --- coming and going ---------------------------------------------------------------------------------------------

    def next_will(self) -> Presence:
        """Begin a new connection: what the broker is to say of it should it break."""
        self._number += 1
        self._presence_no = self._beat_no = 0
        self.will = self._presence(PresenceState.LOST, JSON_INT_MAX, reason="connection lost")
        return self.will

    def connected(self, state: PresenceState = PresenceState.ONLINE) -> None:
        """The connection of `next_will` stands."""
        self.online, self.hangs, self.in_channel = True, False, None
        self.reconnects += 1
        self._listening = None
        self._be(state)
        for alert in sorted(self.alerts):
            self.raise_alert(alert)
        self._button.connected()

    def lost(self) -> None:
        """The connection is gone; the broker tells the will."""
        self.online, self.in_channel, self.floor = False, None, None
        self._away_since = self._world.now
        self._button.broken()

    def park(self) -> None:
        """Sleep: reached, and in no channel."""
        if self.online and self.state is PresenceState.ONLINE:
            self._button.broken()
            self._be(PresenceState.SLEEPING)

    def wake(self) -> None:
        """Drive again."""
        if self.online and self.state is PresenceState.SLEEPING:
            self._be(PresenceState.ONLINE)
            self._follow()

    def goodbye(self) -> None:
        """Switch off."""
        if self.online:
            self._button.broken()
            self._be(PresenceState.OFFLINE)
            self.online = False
            self._away_since = None

    def beat(self) -> None:
        """A heartbeat; due every HEARTBEAT_S."""
        if self.online and not self.hangs:
            self._beat_no += 1
            burst = self.floor.burst if self.floor is not None and self.floor.current_speaker else 0
            health = VoiceHealth(frames_played=sum(map(sum, self._heard.values())), buffer_ms=60)
            beat = Heartbeat(connection_id=self.connection_id, beat_no=self._beat_no, burst=burst, voice=health)
            self._say(Kind.HEARTBEAT, beat)

    def _be(self, state: PresenceState) -> None:
        self.state = state
        if state is not PresenceState.ONLINE:
            self.in_channel = None
        self._presence_no += 1
        self._say(Kind.PRESENCE, self._presence(state, self._presence_no), retain=True)

    def _presence(self, state: PresenceState, number: int, reason: str | None = None) -> Presence:
        return Presence(
            state=state,
            connection_id=self.connection_id,
            presence_no=number,
            in_channel=self.in_channel if state is PresenceState.ONLINE else None,
            app_type=self.person.app_type,
            name=self.person.name,
            device_info="practice member",
            joined_at=self._world.wall_ms,
            reason=reason,
        )

    # --- the session --------------------------------------------------------------------------------------------------

    def session(self, new: Session) -> None:
        """The office's floor has changed."""
        if not self.online or (self.floor is not None and new.rev <= self.floor.rev and new.store == self.floor.store):
            return
        if new.active and (self.floor is None or self.floor.event_id != new.event_id):
            self._announced_at = self._world.now
        self.floor = new
        if self._listening is not None and (new.burst != self._listening or new.current_speaker is None):
            burst, self._listening = self._listening, None
            self._later((0.0, PLAYED_SPREAD_S), lambda: self._report(burst))
        if new.current_speaker not in (None, self.person.user) and self.state is PresenceState.ONLINE:
            self._listening = new.burst
        self._later(JOIN_S, self._follow)

    def hear_first(self, burst: int, late_s: float = 0.0) -> None:
        """The first sample of a burst sounds, so much later than now."""
        if self.online and self.state is PresenceState.ONLINE and burst not in self._first:
            self._first = {**dict(list(self._first.items())[-8:]), burst: self._world.wall_ms + round(late_s * 1000)}

    def hear(self, burst: int, frames: int, missing: int = 0) -> None:
        """So many frames of a burst sounded, and so many had to be made up."""
        count = self._heard.setdefault(burst, [0, 0])
        count[0] += frames
        count[1] += missing
        while len(self._heard) > 8:
            del self._heard[min(self._heard)]

    def _follow(self) -> None:
        """Be in the channel of the session that runs, and in none else."""
        if not self.online or self.hangs or self.state is not PresenceState.ONLINE:
            return
        wanted = self.floor.event_id if self.floor is not None and self.floor.active else None
        if wanted != self.in_channel:
            if wanted is not None and self._announced_at is not None:
                self._join_ms, self._announced_at = round((self._world.now - self._announced_at) * 1000), None
            self.in_channel = wanted
            self._be(PresenceState.ONLINE)

    def _report(self, burst: int) -> None:
        if self.online and not self.hangs and self.in_channel is not None:
            frames, missing = self._heard.get(burst, [0, 0])
            heard_at = self._first.get(burst)
            join_ms, self._join_ms = self._join_ms, None
            report = BurstPlayed(
                connection_id=self.connection_id,
                burst=burst,
                frames=frames,
                concealed=missing,
                heard_at=heard_at,
                heard_error_ms=None if heard_at is None else self._world.clock_error_ms,
                join_ms=join_ms,
            )
            self._say(Kind.HEARTBEAT, report)

    # --- pressing -----------------------------------------------------------------------------------------------------

    @property
    def press(self) -> Press | None:
        """The one that is not over."""
        return self._button.press

    @property
    def muted(self) -> bool:
        """Whether the office has switched its transmitter off."""
        return self._button.muted

    @property
    def counts(self) -> Counts:
        """How its presses were answered."""
        return self._button.counts

    def push(self, hold_s: float, priority: Priority = Priority.NORMAL) -> None:
        """Press the button for so long. Nothing where it is pressed already."""
        reachable = self.online and not self.hangs
        away_s = None if self._away_since is None else self._world.now - self._away_since
        self._button.push(hold_s, priority, self.connection_id, reachable=reachable, away_s=away_s)

    def reply(self, message: Message) -> None:
        """The office answers."""
        self._button.reply(message)

    # --- alerts -------------------------------------------------------------------------------------------------------

    def raise_alert(self, alert: str) -> None:
        """Something is wrong, until `cure`."""
        self.alerts.add(alert)
        severity, what, mend = WRONG[alert]
        message = Alert(alert=alert, severity=severity, what=what, mend=mend, since=self._world.wall_ms)
        self._say(Kind.ALERT, message, item=alert, retain=True)

    def cure(self, alert: str) -> None:
        """It is mended."""
        self.alerts.discard(alert)
        self._say(Kind.ALERT, None, item=alert, retain=True)

    def command(self, asked: Command) -> None:
        """The office asks something: what needs a real vehicle is refused."""
        done = True
        what = "done"
        match asked.op:
            case CommandOp.MUTE_TRANSMITTER | CommandOp.UNMUTE_TRANSMITTER:
                self._button.muted = asked.op == CommandOp.MUTE_TRANSMITTER
                if self._button.muted:
                    self._button.let_go()
            case CommandOp.CLEAR_EMERGENCY if EMERGENCY in self.alerts:
                self.cure(EMERGENCY)
            case _:
                done, what = False, "a practice vehicle does not do that"
        self._say(Kind.COMMAND_REPLY, CommandReply(id=asked.id, op=asked.op, ok=done, what=what))

    # --- inside -------------------------------------------------------------------------------------------------------

    def _say(self, kind: Kind, message: Message | None, item: str = "", retain: bool = False) -> None:
        if self.online and not (self.hangs and kind is not Kind.PRESENCE):
            self._world.say(self.person.user, Say(kind=kind, message=message, item=item, retain=retain))

    def _later(self, within_s: tuple[float, float], fn: Callable[[], None]) -> None:
        self._world.at(self._world.now + self._rng.uniform(*within_s), fn)


WRONG: Final[dict[str, tuple[Severity, str, str]]] = {alert: KNOWN[alert] for alert in (*ALERTS, EMERGENCY)}
"""Alert -> how bad, what, and how to mend it."""
BEAT_EVERY_S: Final = HEARTBEAT_S
