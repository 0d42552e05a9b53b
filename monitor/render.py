"""The live view as lines of text: pure, from the model and the times given."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from enum import StrEnum

from msgspec import Struct

from monitor import devices
from monitor.bursts import Burst
from monitor.model import Kept, Member, Model, Office, Raised
from monitor.text import cells, clean, clock, duration, fit
from monitor.words import Words
from protocol.ids import epoch_of
from protocol.messages import PresenceState, Priority, Severity

BURSTS_SHOWN = 5
EMERGENCY = "emergency"
"""Id of the alert that stands above everything."""
EMERGENCIES_SHOWN = 5
RESET = "\x1b[0m"


class Style(StrEnum):
    """How a line looks on a terminal with colours; the value is its SGR sequence."""

    PLAIN = ""
    TITLE = "\x1b[1m"
    DIM = "\x1b[2m"
    STALE = "\x1b[90m"
    TALK = "\x1b[1;32m"
    WARN = "\x1b[33m"
    ALARM = "\x1b[1;31m"


class View(Struct, frozen=True, kw_only=True):
    """How to show: columns, rows (0: as many as it takes), language, colours, scrolled lines, time zone."""

    width: int
    height: int = 0
    words: Words
    colour: bool = False
    scroll: int = 0
    zone: tzinfo | None = None


class Line(Struct, frozen=True):
    """One line and its look."""

    text: str
    style: Style = Style.PLAIN


def render(model: Model, view: View, broker: str, now: float, wall_ms: int) -> list[str]:
    """Draw the model into at most `height` lines of just `width` columns.

    Without a connection everything below the head is grey and the head says that it is stale.
    """
    head = list(_head(model, view, broker, now, wall_ms))
    if not model.link.up:
        now = model.link.since_s  # nothing is known to go on since then
    body = [line for id_ in sorted(model.offices) for line in _office(model.offices[id_], view, now)]
    if not body:
        body = [Line(view.words("nothing"), Style.DIM)]
    if view.height:
        body = _window(body, max(1, view.height - len(head)), view)
    if not model.link.up:
        body = [Line(line.text, Style.STALE) for line in body]
    return [_paint(line, view) for line in head + body]


def _window(body: list[Line], rows: int, view: View) -> list[Line]:
    if len(body) <= rows:
        return body
    first = min(view.scroll, len(body) - rows + 1)
    shown = body[first : first + rows - 1]
    return [*shown, Line(view.words("more", len(body) - first - len(shown)), Style.DIM)]


def _paint(line: Line, view: View) -> str:
    text = fit(clean(line.text), view.width)
    return f"{line.style.value}{text}{RESET}" if view.colour and line.style else text


def _head(model: Model, view: View, broker: str, now: float, wall_ms: int) -> Iterator[Line]:
    words, link = view.words, model.link
    time = clock(wall_ms, view.zone)
    if link.up:
        state, style = words("connected"), Style.TITLE
    elif not link.ever and not link.reason:
        state, style = words("connecting"), Style.WARN
    else:
        state, style = words("not_connected", duration(now - link.since_s)), Style.ALARM
    left = f"ptt watch  {broker}  {state}"
    yield Line(_ends(left, time, view.width), style)
    if not link.up and link.reason:
        yield Line(f"{words('stale')}: {link.reason}" if link.ever else link.reason, Style.ALARM)
    yield from _emergencies(model, view)
    offices = model.offices.values()
    parts = [
        words(
            "summary",
            len(offices),
            sum(office.online() for office in offices),
            sum(len(office.members) for office in offices),
            sum(len(office.alerts) for office in offices),
        )
    ]
    if model.bad:
        parts.append(words("bad", model.bad))
    keys = words("keys") if view.height else ""
    yield Line(_ends("  ".join(parts), keys, view.width), Style.WARN if model.bad else Style.DIM)
    if model.bad:
        yield Line(f"  {model.last_bad}", Style.WARN)


def _emergencies(model: Model, view: View) -> Iterator[Line]:
    """Who calls for help, of all offices, the oldest first: it is never scrolled out of sight."""
    raised = sorted(
        (
            (kept.alert.since, str(office.id), user, office)
            for office in model.offices.values()
            for (user, item), kept in office.alerts.items()
            if item == EMERGENCY
        ),
        key=lambda found: found[:3],
    )
    for since, _, user, office in raised[:EMERGENCIES_SHOWN]:
        member = office.members.get(user)
        name = member.presence.name if member is not None else None
        who = _who(user, name or "")
        yield Line(f"!! {view.words(EMERGENCY)}  {clock(since, view.zone)}  {office.id}  {who}", Style.ALARM)
    if len(raised) > EMERGENCIES_SHOWN:
        yield Line(f"!! {view.words('emergencies_more', len(raised) - EMERGENCIES_SHOWN)}", Style.ALARM)


def _ends(left: str, right: str, width: int) -> str:
    return fit(left, max(0, width - cells(right) - 1)) + " " + right if right else left


def _office(office: Office, view: View, now: float) -> Iterator[Line]:
    yield Line("-" * view.width, Style.DIM)
    yield _session_line(office, view, now)
    yield from _alerts(office, view)
    yield from _members(office, view, now)
    yield from _bursts(office, view)


def _session_line(office: Office, view: View, now: float) -> Line:
    words, floor = view.words, office.floor
    if floor is None:
        return Line(f"{office.id}  {words('no_session')}", Style.DIM)
    session, burst = floor.session, office.burst()
    parts = [str(office.id)]
    style = Style.TITLE
    if session.current_speaker is not None:
        style = Style.ALARM if session.priority is Priority.EMERGENCY else Style.TALK
        speaker = _who(session.current_speaker, session.speaker_name or "")
        parts += [words("speaking"), speaker, words("for", _ago(floor, now))]
        parts.append(words(session.priority.value))
        parts.append(words("burst", number(session.burst)))
    else:
        parts.append(words("open") if session.active else words("idle"))
        parts.append(words("for", _ago(floor, now)))
        if session.burst:
            how = words(session.ended.value) if session.ended else "?"
            who = _who(burst.user, burst.name) + " " if burst is not None and burst.user else ""
            parts.append(words("last", f"{number(session.burst)} {who}{how}"))
    if session.active and session.started_at is not None:
        parts.append(words("session", clock(session.started_at, view.zone)))
    if office.roster is not None:
        parts.append(words("participants", f"{office.roster.participants}/{len(office.roster.members)}"))
    return Line("  ".join(parts), style)


def _rank(entry: tuple[tuple[str, str], Raised]) -> tuple[bool, bool, tuple[str, str]]:
    """Emergencies first, then what is critical."""
    key, raised = entry
    return key[1] != EMERGENCY, raised.alert.severity is not Severity.CRITICAL, key


def _alerts(office: Office, view: View) -> Iterator[Line]:
    ranked = sorted(office.alerts.items(), key=_rank)
    for (user, item), raised in ranked:
        alert, words = raised.alert, view.words
        style = Style.ALARM if alert.severity is Severity.CRITICAL else Style.WARN
        since = clock(alert.since, view.zone)
        yield Line(f"  ! {since} {words(alert.severity.value)}  {user} {item}: {alert.what}", style)
        yield Line(f"      {words('mend', alert.mend)}", style)


def _members(office: Office, view: View, now: float) -> Iterator[Line]:
    if not office.members:
        return
    words = view.words
    wide = min(20, max(8, view.width // 6))

    def row(mark: str, user: str, name: str, state: str, channel: str, since: str, device: str) -> str:
        left = f"{mark} {fit(user, wide)} {fit(name, wide)} {fit(state, 9)} {fit(channel, 8)}"
        return f"{left} {fit(since, 8, right=True)}  {device}"

    yield Line(row(" ", *(words(w) for w in ("members", "name", "state", "channel", "since", "device"))), Style.DIM)
    floor = office.floor
    speaker = floor.session.current_speaker if floor is not None else None
    event_id = floor.session.event_id if floor is not None and floor.session.active else None
    for user, member in sorted(office.members.items()):
        said = member.presence
        joined = said.in_channel is not None and said.in_channel == event_id
        there = said.state in (PresenceState.ONLINE, PresenceState.SLEEPING)
        device, measured = office.devices.get(user) if there else None, office.measured.get(user)
        trouble = devices.trouble(device, measured if there else None, words)
        doing = devices.doing(device, words) if there else devices.last_seen(measured, words, now, view.zone)
        told = "  ".join(part for part in (*trouble, *doing, said.device_info, said.reason) if part)
        text = row(
            ">" if user == speaker else " ",
            user,
            said.name or "",
            words(said.state.value),
            words("in") if joined else "-",
            _member_since(member, view, now),
            told,
        )
        yield Line(text, Style.WARN if trouble else _member_style(said.state, user == speaker))


def _member_since(member: Member, view: View, now: float) -> str:
    joined_at = member.presence.joined_at
    if not member.exact and joined_at is not None and member.presence.state is PresenceState.ONLINE:
        return clock(joined_at, view.zone)
    return _ago(member, now)


def _member_style(state: PresenceState, speaks: bool) -> Style:
    if state is PresenceState.ONLINE:
        return Style.TALK if speaks else Style.PLAIN
    return Style.ALARM if state is PresenceState.LOST else Style.DIM


def _bursts(office: Office, view: View) -> Iterator[Line]:
    newest = office.bursts.newest(BURSTS_SHOWN)
    if not newest:
        return
    words = view.words

    def row(no: str, start: str, length: str, who: str, how: str) -> str:
        return f"  {fit(no, 10)} {fit(start, 10)} {fit(length, 7, right=True)}  {fit(who, 28)} {how}"

    yield Line(row(*(words(w) for w in ("bursts", "start", "length", "who", "how"))), Style.DIM)
    speaking = office.floor is not None and office.floor.session.current_speaker is not None
    current = office.floor.session.burst if office.floor is not None and speaking else None
    for burst in newest:
        start_ms, length_s = burst.start_ms(), burst.length_s()
        how = words("going_on") if burst.number == current else words(burst.ended) if burst.ended else "?"
        extra = f"  {words(burst.priority)}" if burst.priority not in ("", Priority.NORMAL.value) else ""
        if burst.heard_by is not None:
            extra += "  " + words("heard", burst.heard_by, burst.heard_of)
        yield Line(
            row(
                number(burst.number),
                "?" if start_ms is None else _start(burst, start_ms, view),
                "" if length_s is None else duration(length_s),
                _who(burst.user, burst.name) or "?",
                how + extra,
            )
        )


def _start(burst: Burst, start_ms: int, view: View) -> str:
    known = burst.started_ms is not None or burst.exact
    return clock(start_ms, view.zone, tenths=True) if known else f"<{clock(start_ms, view.zone)}"


def _ago(kept: Kept, now: float) -> str:
    """How long ago something changed; with `>` where it was so already when we first looked."""
    return ("" if kept.exact else ">") + duration(now - kept.since_s)


def _who(user: str, name: str) -> str:
    return f"{name} ({user})" if name and name != user else user


def number(burst: int) -> str:
    """Write a burst's number as people can read it: the store's epoch and the count within, `1.42`."""
    return f"{epoch_of(burst)}.{burst & 0xFFFFFFFF}"
