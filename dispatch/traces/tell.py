"""What became of each press of a member around some moment, and why, in plain words. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from dispatch.history.presses import Answered
from dispatch.traces.listeners import Listener, Reported, listeners_of, slowest_join
from dispatch.traces.reader import GRANTED, UNEXPLAINED, Traced, answered, crowd
from dispatch.traces.words import known, say
from protocol.messages import Event, EventType, PressTrace

LINK_EVENTS = (EventType.LINK_LOST, EventType.LINK_BACK)
_LOG = (EventType.SPEAKER_CHANGED, EventType.DENIED)
LISTENERS_TOLD = 12
"""So many listeners are steps of their own; of more the last is."""


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """The plan's five metrics (7.2) of one press. Null: not measured, or nobody knows yet."""

    session_start_ms: int | None = None
    """From the edge until its first voice frame had left."""
    token_ms: float | None = None
    """How long the office took for the speaker's last voice token."""
    join_ms: int | None = None
    """How long the slowest listener that had to took to join the channel."""
    participants: int | None = None
    """Who was in the channel, the speaker with them."""
    heartbeat_rate: float | None = None
    """Of the presser's heartbeats of the day before, the part that came, 0 to 1."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What others know of a member's presses."""

    reports: tuple[Reported, ...] = ()
    tokens: tuple[tuple[int, float], ...] = ()
    """Its voice tokens in order: when (Unix ms), and how long that took (ms)."""
    heartbeat_rate: float | None = None


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
    answered: Answered | None = None
    """None: it wanted, or could want, nothing."""
    answer_ms: int | None = None
    listeners: tuple[Listener, ...] = ()
    metrics: Metrics = Metrics()


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
    traced: Sequence[Traced],
    events: Sequence[Event],
    lost: Sequence[Link],
    lang: str,
    clock: Callable[[int], str],
    evidence: Evidence = Evidence(),  # noqa: B008 -- frozen
) -> tuple[Told, ...]:
    """Give one member's presses in order of time.

    `events`: those of the member of about the same time, in which grants and denials without a trace are found; `clock`
    writes a time (Unix ms) for people.
    """
    requests = {tuple(one.trace.request_id) for one in traced}
    found = [_traced(one, events, lost, lang, clock, evidence) for one in traced]
    for event in events:
        request = _request(event)
        if event.event in _LOG and request not in requests:
            found.append(
                Told(
                    at=event.at,
                    verdict=_logged(event, lang),
                    request=request,
                    measured=True,
                    answered=_answered(event),
                    metrics=_metrics(event.at, _crowd(events, event.metadata.get("burst")), evidence),
                )
            )
    return tuple(sorted(found, key=lambda each: each.at))


def _traced(
    one: Traced,
    events: Sequence[Event],
    lost: Sequence[Link],
    lang: str,
    clock: Callable[[int], str],
    evidence: Evidence,
) -> Told:
    trace = one.trace
    listeners = listeners_of(trace, one.received_at, evidence.reports)
    metrics = _metrics(trace.edge_at, _crowd(events, trace.burst), evidence)
    if trace.burst:
        metrics = msgspec.structs.replace(metrics, session_start_ms=trace.through_ms, join_ms=slowest_join(listeners))
    marks = [
        (trace.handled_ms, say("s_handled", lang)),
        (trace.asked_ms, say("s_asked", lang)),
        *((word.ms, say("s_told", lang, what=word.what)) for word in trace.told),
        (trace.permitted_ms, say("s_permitted", lang)),
        (trace.through_ms, say("s_through", lang)),
        (trace.key_up_ms, say("s_key_up", lang)),
        (trace.released_ms, say("s_released", lang)),
        *_heard(listeners, lang),
    ]
    steps = tuple(sorted(((ms, text) for ms, text in marks if ms is not None), key=lambda mark: mark[0]))
    return Told(
        at=trace.edge_at,
        error_ms=trace.edge_error_ms,
        measured=trace.edge_error_ms is not None,
        request=tuple(trace.request_id),
        verdict=_verdict(trace, events, lost, lang, clock),
        steps=steps,
        trace=trace,
        answered=answered(trace),
        answer_ms=trace.told[0].ms if trace.told else None,
        listeners=listeners,
        metrics=metrics,
    )


def _heard(listeners: Sequence[Listener], lang: str) -> list[tuple[int, str]]:
    """Say when each listener heard it; of many the first ones and the last."""
    timed = [(one, one.heard_ms) for one in listeners if one.heard_ms is not None]
    shown = timed if len(timed) <= LISTENERS_TOLD else [*timed[: LISTENERS_TOLD - 1], timed[-1]]
    found = []
    for one, heard_ms in shown:
        joined = "" if one.join_ms is None else ", " + say("s_joined", lang, ms=one.join_ms)
        found.append((heard_ms, say("s_heard", lang, user=one.user, error=one.error_ms) + joined))
    return found


def _metrics(at: int, participants: int | None, evidence: Evidence) -> Metrics:
    token_ms = next((took_ms for made, took_ms in reversed(evidence.tokens) if made <= at), None)
    return Metrics(token_ms=token_ms, participants=participants, heartbeat_rate=evidence.heartbeat_rate)


def _crowd(events: Sequence[Event], burst: object) -> int | None:
    heard = (e for e in events if e.event is EventType.BURST_HEARD and burst and e.metadata.get("burst") == burst)
    return next((crowd(event) for event in heard), None)


def _answered(event: Event) -> Answered:
    if event.event is EventType.SPEAKER_CHANGED:
        return Answered.GRANTED
    return Answered.FAILED if event.metadata.get("cause") in UNEXPLAINED else Answered.EXPLAINED


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
