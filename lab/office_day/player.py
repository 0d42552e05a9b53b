"""A planned day, played by members: the same for a made-up past and for a live office. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Final, Protocol

from lab.office_day.member import EMERGENCY, Member
from lab.office_day.pattern import DAY_S, Day, Incident, Talk, Trouble, Turn
from protocol.messages import PresenceState, Priority

RIVAL_AFTER: Final = 0.4
"""Of a turn, when somebody presses into it."""
RIVAL_HOLD_S: Final = 1.5
EMERGENCY_HOLD_S: Final = 5.0
LEAST_S: Final = 8.0
"""No trouble is over sooner, however fast the day goes: it is to be seen."""


class Stage(Protocol):
    """What becomes of members' connections."""

    @property
    def now(self) -> float:
        """Seconds of a clock that only goes on."""

    def at(self, when_s: float, fn: Callable[[], None]) -> None:
        """Call `fn` then."""

    def connect(self, member: Member) -> None:
        """Give it a connection."""

    def part(self, member: Member) -> None:
        """Close its connection in an orderly way: it has said goodbye."""

    def cut(self, member: Member) -> None:
        """Break its connection: the broker tells the will."""

    def hang(self, member: Member) -> None:
        """Have it say nothing any more, and keep its connection."""

    def stall(self) -> None:
        """Have the office's server judge nothing for a while, where that is ours."""


class Player:
    """Plays one day after the other on members that stay; the day's second `s` is `speed` times as fast."""

    def __init__(self, stage: Stage, members: Mapping[str, Member], rng: Random, speed: float = 1.0) -> None:
        self.skipped = 0
        """Talks that were to begin while another one went on."""
        self._stage, self._members, self._rng, self._speed = stage, members, rng, speed
        self._talking_until = 0.0

    def play(self, day: Day, from_s: float = 0.0, until_s: float = DAY_S) -> None:
        """Arrange for what the day has in [from_s, until_s), beginning now; who is there already stays or goes."""
        begin = self._stage.now
        there = {*day.there(from_s), *(user for user, m in self._members.items() if not m.person.vehicle)}
        for user, member in self._members.items():
            wanted = user in there
            if wanted and not member.online:
                self._stage.at(begin + self._rng.uniform(0.0, 1.0), partial(self._come, member))
            elif not wanted and member.online:
                self._stage.at(begin + self._rng.uniform(0.0, 1.0), partial(self._go, member))

        def at(day_s: float, fn: Callable[[], None]) -> None:
            self._stage.at(begin + (day_s - from_s) / self._speed, fn)

        for shift in day.shifts:
            member = self._members[shift.user]
            if from_s < shift.from_s < until_s:
                at(shift.from_s, partial(self._come, member))
            if from_s < shift.until_s < until_s:
                at(shift.until_s, partial(self._go, member))
        for talk in day.talks:
            if from_s <= talk.at_s and talk.at_s + talk.length_s + 10 < until_s:
                at(talk.at_s, partial(self._talk, talk))
        for incident in day.incidents:
            if from_s <= incident.at_s and incident.at_s + incident.length_s + 60 < until_s:
                at(incident.at_s, partial(self._wrong, incident))

    def _come(self, member: Member) -> None:
        if not member.online:
            self._stage.connect(member)

    def _go(self, member: Member) -> None:
        if member.online:
            member.goodbye()
            self._stage.part(member)

    # --- talks --------------------------------------------------------------------------------------------------------

    def _talk(self, talk: Talk) -> None:
        now = self._stage.now
        if now < self._talking_until:
            self.skipped += 1
            return
        self._talking_until = now + talk.length_s + 1.0
        at_s = now
        for turn in talk.turns:
            at_s += turn.pause_s
            self._stage.at(at_s, partial(self._turn, turn))
            at_s += turn.hold_s

    def _turn(self, turn: Turn) -> None:
        self._push(turn.user, turn.hold_s)
        if turn.rival is not None:
            after_s = turn.hold_s * RIVAL_AFTER
            self._stage.at(self._stage.now + after_s, partial(self._push, turn.rival, RIVAL_HOLD_S))

    def _push(self, user: str, hold_s: float) -> None:
        """A driver presses; not one who sleeps, or went home."""
        member = self._members[user]
        if member.state is not PresenceState.SLEEPING and not member.absent:
            member.push(hold_s)

    # --- troubles -----------------------------------------------------------------------------------------------------

    def _wrong(self, incident: Incident) -> None:
        member = self._members[incident.user]
        until = self._stage.now + max(LEAST_S, incident.length_s / self._speed)
        if not member.online or member.hangs or member.state is not PresenceState.ONLINE:
            return
        match incident.trouble:
            case Trouble.LINK_LOST:
                self._stage.cut(member)
                self._stage.at(until, partial(self._come_back, member))
            case Trouble.SILENT:
                self._stage.hang(member)
                self._stage.at(until, partial(self._start_anew, member))
            case Trouble.ASLEEP:
                member.park()
                self._stage.at(until, member.wake)
            case Trouble.ALERT:
                member.raise_alert(incident.alert)
                self._stage.at(until, partial(member.cure, incident.alert))
            case Trouble.EMERGENCY:
                member.raise_alert(EMERGENCY)
                member.push(EMERGENCY_HOLD_S, Priority.EMERGENCY)
                self._stage.at(until, partial(member.cure, EMERGENCY))
            case Trouble.STUCK:
                self._stage.stall()

    def _come_back(self, member: Member) -> None:
        if not member.online and not member.absent:
            self._stage.connect(member)

    def _start_anew(self, member: Member) -> None:
        """Whoever watches over it has noticed, and starts it again."""
        if member.online and member.hangs:
            self._stage.cut(member)
            self._stage.connect(member)
