"""Presses of a period as their traces tell them, from the button's edge: answered how, how fast, noticed when. Pure."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct


class Answered(StrEnum):
    """What became of a press."""

    GRANTED = "granted"
    EXPLAINED = "explained"
    """Denied, with who speaks or why not."""
    FAILED = "failed"
    """Neither."""


class Press(Struct, frozen=True, kw_only=True):
    """One press, as figures need it. Durations in ms from the button's edge; None: not known."""

    user: str
    at: int
    answered: Answered
    answer_ms: float | None = None
    """Until the vehicle had its answer."""
    notice_ms: float | None = None
    """Until the first other member heard or saw it."""
    join_ms: float | None = None
    """How long the slowest listener took to join the voice channel, where one had to."""
    notice_error_ms: float | None = None
    """How wrong `notice_ms` can be: two machines' clocks were compared for it."""
    start_ms: float | None = None
    """Until its first voice frame had left: the start of the session, where it opened one."""
    participants: int | None = None
    """Who was in the channel: those who could hear it, and the speaker."""


class Durations(Struct, frozen=True, kw_only=True):
    """Some durations, ms."""

    count: int = 0
    average_ms: float | None = None
    p95_ms: float | None = None


class PressFigures(Struct, frozen=True, kw_only=True):
    """All presses of a period."""

    presses: int = 0
    granted: int = 0
    explained: int = 0
    failed: int = 0
    answer: Durations = Durations()
    notice: Durations = Durations()
    join: Durations = Durations()
    start: Durations = Durations()
    notice_error_ms: float | None = None
    """The worst of `notice`'s errors."""
    participants_average: float | None = None
    """Members in the channel, of the bursts of which that is known."""
    participants_known: int = 0
    """How many bursts those are."""

    @property
    def error_rate(self) -> float | None:
        """Part of the presses with neither grant nor explained denial, 0 to 1; None where there are none."""
        return self.failed / self.presses if self.presses else None


def durations(found: Iterable[float | None]) -> Durations:
    """Average and 95th percentile (the nearest rank) of what is known."""
    known = sorted(each for each in found if each is not None)
    if not known:
        return Durations()
    return Durations(count=len(known), average_ms=sum(known) / len(known), p95_ms=known[-(-len(known) * 95 // 100) - 1])


def ranks(found: Iterable[float], parts: Sequence[int]) -> tuple[float | None, ...]:
    """Give the nearest ranks, `parts` of a hundred; None each where there is nothing."""
    known = sorted(found)
    return tuple(known[max(0, -(-len(known) * part // 100) - 1)] if known else None for part in parts)


def count_presses(presses: Sequence[Press]) -> PressFigures:
    """Count the presses of a period."""
    kinds = [press.answered for press in presses]
    crowds = [press.participants for press in presses if press.participants is not None]
    return PressFigures(
        presses=len(presses),
        granted=kinds.count(Answered.GRANTED),
        explained=kinds.count(Answered.EXPLAINED),
        failed=kinds.count(Answered.FAILED),
        answer=durations(press.answer_ms for press in presses),
        notice=durations(press.notice_ms for press in presses),
        join=durations(press.join_ms for press in presses),
        start=durations(press.start_ms for press in presses),
        notice_error_ms=max((p.notice_error_ms for p in presses if p.notice_error_ms is not None), default=None),
        participants_average=sum(crowds) / len(crowds) if crowds else None,
        participants_known=len(crowds),
    )
