"""What became of each press of a member around some moment, and why, in plain words. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from dispatch.traces.reader import GRANTED, Traced
from dispatch.traces.words import known, say
from protocol.messages import Event, EventType, PressTrace

LINK_EVENTS = (EventType.LINK_LOST, EventType.LINK_BACK)
_LOG = (EventType.SPEAKER_CHANGED, EventType.DENIED)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One press, told."""

    at: int
    """Its edge, Unix ms; of one without a trace, when it was answered."""
    verdict: str
    error_ms: int | None = None
    measured: bool = False
    """Whether `at` is by the office's clock."""
    request: tuple[int, ...] = ()
    steps: tuple[tuple[int, str], ...] = ()
    """ms since the edge, and what happened."""
    trace: PressTrace | None = None


class Link(msgspec.Struct, frozen=True):
    """A time without connection, as the server noticed it: Unix ms, and why."""

    since: int
    until: int | None
    why: str


def links(events: Iterable[Event]) -> tuple[Link, ...]:
    """Give when a member's link was lost, oldest first, out of its events in order."""
    found: list[Link] = []
    for event in events:
        if event.event is EventType.LINK_LOST and (not found or found[-1].until is not None):
            found.append(Link(event.at, None, str(event.metadata.get("reason") or "-")))
        elif event.event is EventType.LINK_BACK and found and found[-1].until is None:
            found[-1] = msgspec.structs.replace(found[-1], until=event.at)
    return tuple(found)


def tell(
    traced: Sequence[Traced], events: Sequence[Event], lost: Sequence[Link], lang: str, clock: Callable[[int], str]
) -> tuple[Told, ...]:
    """Give one member's presses in order of time.

    `events`: those of the member of about the same time, in which grants and denials without a trace are found; `clock`
    writes a time (Unix ms) for people.
    """
    requests = {tuple(one.trace.request_id) for one in traced}
    found = [_traced(one.trace, events, lost, lang, clock) for one in traced]
    for event in events:
        request = _request(event)
        if event.event in _LOG and request not in requests:
            found.append(Told(at=event.at, verdict=_logged(event, lang), request=request, measured=True))
    return tuple(sorted(found, key=lambda each: each.at))


def _traced(
    trace: PressTrace, events: Sequence[Event], lost: Sequence[Link], lang: str, clock: Callable[[int], str]
) -> Told:
    verdict = _verdict(trace, events, lost, lang, clock)
    marks = [
        (trace.handled_ms, say("s_handled", lang)),
        (trace.asked_ms, say("s_asked", lang)),
        *((word.ms, say("s_told", lang, what=word.what)) for word in trace.told),
        (trace.permitted_ms, say("s_permitted", lang)),
        (trace.through_ms, say("s_through", lang)),
        (trace.key_up_ms, say("s_key_up", lang)),
        (trace.released_ms, say("s_released", lang)),
    ]
    steps = tuple(sorted(((ms, text) for ms, text in marks if ms is not None), key=lambda mark: mark[0]))
    return Told(
        at=trace.edge_at,
        error_ms=trace.edge_error_ms,
        measured=trace.edge_error_ms is not None,
        request=tuple(trace.request_id),
        verdict=verdict,
        steps=steps,
        trace=trace,
    )


def _verdict(
    trace: PressTrace, events: Sequence[Event], lost: Sequence[Link], lang: str, clock: Callable[[int], str]
) -> str:
    if not trace.told:
        return say("untold", lang)
    what = trace.told[0].what
    if what in GRANTED or trace.permitted_ms is not None:
        return _granted(trace, events, lang)
    if what == "denied":
        verdict = say("denied", lang, speaker=trace.speaker or say("someone", lang))
        left = "" if trace.remaining_s is None else ", " + say("left", lang, s=trace.remaining_s)
        return verdict + left
    if not known(what):
        return say("other", lang, what=what)
    return say(what, lang, link=_link(trace, lost, lang, clock))


def _granted(trace: PressTrace, events: Sequence[Event], lang: str) -> str:
    parts = [say("granted", lang, burst=trace.burst or "-")]
    for event in events:
        if event.event is EventType.BURST_HEARD and trace.burst and event.metadata.get("burst") == trace.burst:
            parts.append(say("heard", lang, by=event.metadata.get("heard_by"), of=event.metadata.get("heard_of")))
    if trace.told[-1].what not in (*GRANTED, "talk ended", "emergency ended"):
        parts.append(trace.told[-1].what)
    return ", ".join(parts)


def _link(trace: PressTrace, lost: Sequence[Link], lang: str, clock: Callable[[int], str]) -> str:
    """Say how long the link was away: by the server's log where it noticed, else by what the unit says."""
    for span in lost:
        if span.since <= trace.edge_at and (span.until is None or trace.edge_at < span.until):
            if span.until is None:
                return say("link_still", lang, since=clock(span.since))
            return say("link_span", lang, since=clock(span.since), until=clock(span.until))
    if trace.link_down_s is None:
        return say("link_cut", lang)
    return say("link_away", lang, s=trace.link_down_s)


def _logged(event: Event, lang: str) -> str:
    meta: dict[str, Any] = event.metadata
    if event.event is EventType.SPEAKER_CHANGED:
        return say("log_granted", lang, burst=meta.get("burst"))
    if meta.get("speaker"):
        return say("log_denied", lang, speaker=meta["speaker"])
    return say("log_refused", lang, cause=meta.get("cause"))


def _request(event: Event) -> tuple[int, ...]:
    return tuple(event.metadata.get("request_id") or ())
