"""Who heard a burst: listeners report what they played, the server counts them, tells the speaker and logs it.

A burst that ended is entered in the floor's row (`Floor.uncounted`) and leaves it when it is counted, so that of many
replicas one counts it, and a restart loses none. Who was there and who has answered each process knows by itself: all
of them see every presence and every report.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from dispatch.core.audience import takes_part
from dispatch.core.judge import ROUNDING_S, Clock
from dispatch.core.state import Floor, Heard, Member, OfficeRules, Over
from dispatch.core.turn import Turn
from protocol.messages import BurstPlayed, Ended, EventType, FloorHeard
from protocol.timers import HEARD_EARLIEST_S, HEARD_WAIT_S

SHORT_FRAMES: Final = 10
"""A released burst of fewer frames (0.2 s of 20 ms each) is a slip of the finger: nobody is asked who heard it."""
UNCOUNTED_MAX: Final = 4
"""Bursts that wait to be counted; beyond, the oldest is never told of. More need bursts of under a second in a row."""
MISSING_MAX: Final = 20
"""Who did not hear it is logged by name up to so many."""


class Verdict(Struct, frozen=True, kw_only=True):
    """A burst to be counted: who played it, and who was there and did not."""

    burst: int
    heard: frozenset[str]
    missing: tuple[str, ...]


def burst_over(turn: Turn, ended: Ended, last_seq: int | None) -> None:
    """Enter the burst that ends now among those to be counted, unless it had no voice worth the name."""
    floor = turn.floor
    released = ended is Ended.RELEASED
    frames = None if last_seq is None else last_seq + 1
    silent = (frames or 0) < SHORT_FRAMES if released else floor.renew_no == 0
    if floor.holder is None or silent:
        return
    over = Over(burst=floor.burst, user=floor.holder, name=floor.holder_name, event_id=floor.event_id, frames=frames)
    turn.note(uncounted=(*floor.uncounted, over)[-UNCOUNTED_MAX:])


def note_played(turn: Turn, user: str, report: BurstPlayed) -> bool:
    """Take a listener's report; False where it is of no burst that waits to be counted, or of no member's here.

    A burst counts as heard where at least half of its frames were played as they were sent. How many it had the
    speaker's release says; of one that was cut off, what the listener played and what it had to make up.
    """
    over = next((over for over in turn.floor.uncounted if over.burst == report.burst), None)
    member = turn.member(user)
    listener = user != (over.user if over is not None else user) and takes_part(turn.rules, member)
    if over is None or not listener or not member.present or report.connection_id != member.connection_id:
        return False
    heard = report.frames > 0 and 2 * report.frames >= (over.frames or report.frames + report.concealed)
    turn.played.append((user, over.burst, heard))
    if heard:
        turn.put_member(member, played=max(member.played, over.burst))
    return True


def count(turn: Turn, verdict: Verdict) -> None:
    """Tell the speaker and the log, once, whichever replica is first.

    Of a burst that was cut off and of which nobody reports anything nothing is told: it may have had no voice.
    """
    over = next((over for over in turn.floor.uncounted if over.burst == verdict.burst), None)
    if over is None:
        return
    turn.note(uncounted=tuple(other for other in turn.floor.uncounted if other is not over))
    by, of = len(verdict.heard), len(verdict.heard) + len(verdict.missing)
    if over.frames is None and by == 0:
        return
    turn.reply(over.user, FloorHeard(burst=over.burst, heard_by=by, heard_of=of))
    if of:
        turn.event(
            EventType.BURST_HEARD,
            over.user,
            over.name,
            event_id=over.event_id,
            burst=over.burst,
            heard_by=by,
            heard_of=of,
            missing=list(verdict.missing[:MISSING_MAX]),
        )
    floor = turn.floor
    if over.burst != floor.burst or over.event_id != floor.event_id:
        return
    turn.note(heard=Heard(burst=over.burst, by=by, of=of))
    if of and not floor.active:  # the session did not wait for this
        turn.change(heard_by=by, heard_of=of)


class _Count:
    """One burst's answers so far."""

    __slots__ = ("answered", "heard", "listeners", "looked", "over", "since")

    def __init__(self, over: Over, since: float, listeners: set[str], heard: set[str]) -> None:
        self.over = over
        self.since = since
        self.listeners = listeners
        self.heard = heard
        self.answered = set(heard)
        self.looked = False


class Hearing:
    """What one process knows of the bursts of an office that wait to be counted. Times are the judge's clock's."""

    def __init__(self, clock: Clock) -> None:
        """`clock` runs while broker and store are there."""
        self._clock = clock
        self._counts: dict[int, _Count] = {}

    def begin(self, floor: Floor, rules: OfficeRules, members: Mapping[str, Member]) -> None:
        """Take notice of an office as it is opened: only now it is known who is there."""
        self._counts.clear()
        self.see_floor(floor, rules, members)

    def see_floor(self, floor: Floor, rules: OfficeRules, members: Mapping[str, Member]) -> None:
        """Take notice of the floor as committed: what has ended meanwhile is counted from now on."""
        waiting = {over.burst: over for over in floor.uncounted}
        for burst in self._counts.keys() - waiting.keys():
            del self._counts[burst]
        for burst, over in waiting.items():
            if burst in self._counts:
                continue
            heard = {user for user, m in members.items() if m.played == burst and user != over.user}
            there = {u for u, m in members.items() if _hears(rules, m, over) and m.in_channel == over.event_id}
            listeners = there | heard
            self._counts[burst] = _Count(over, self._clock.time_s, listeners, heard)

    def see_played(self, played: Iterable[tuple[str, int, bool]]) -> None:
        """Take reports as committed: user, burst, whether it counts as heard."""
        for user, burst, heard in played:
            found = self._counts.get(burst)
            if found is not None:
                found.looked = False
                found.answered.add(user)
                found.listeners.add(user)  # who played some of it was there, in the channel at its end or not
                if heard:
                    found.heard.add(user)

    def due(self, rules: OfficeRules, members: Mapping[str, Member], behind_s: float) -> tuple[Verdict, ...]:
        """Give what can be counted: all have answered, or the time for it is over as of `behind_s` ago.

        A member tells that it is in the channel up to JOIN_SPREAD_S late; until it is known who was there, only the
        answers of all who are online are enough. What is given comes again while it is not counted.
        """
        now = self._clock.time_s - behind_s + ROUNDING_S
        found = []
        for burst, one in self._counts.items():
            age_s = now - one.since
            if age_s < HEARD_WAIT_S:
                if one.looked and age_s < HEARD_EARLIEST_S:
                    continue
                one.looked = True
                early = age_s < HEARD_EARLIEST_S
                online = (user for user, m in members.items() if early and _hears(rules, m, one.over))
                if not one.answered.issuperset(one.listeners) or not one.answered.issuperset(online):
                    continue
            missing = tuple(sorted(one.listeners - one.heard))
            found.append(Verdict(burst=burst, heard=frozenset(one.heard), missing=missing))
        return tuple(found)

    def next_s(self) -> float | None:
        """When, on the clock, `due` has something to give although nobody answers any more."""
        times = [
            one.since + (HEARD_EARLIEST_S if one.answered.issuperset(one.listeners) else HEARD_WAIT_S)
            for one in self._counts.values()
        ]
        return min(times, default=None)


def _hears(rules: OfficeRules, member: Member, over: Over) -> bool:
    return member.present and member.user != over.user and takes_part(rules, member)
