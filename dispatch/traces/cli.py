"""`ptt-dispatch trace USER --at HH:MM`: why it could, or could not, talk then. Reads beside the service."""

import argparse
import re
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from dispatch.history.day import local, today
from dispatch.history_cli import TODAY, day_or_today
from dispatch.registry_cli.parsing import office_id, plain_id
from dispatch.settings import DispatchSettings
from dispatch.show import moment, printable
from dispatch.store.reader import StoreReader
from dispatch.traces.reader import TraceReader
from dispatch.traces.tell import LINK_EVENTS, Link, Told, links, tell
from dispatch.traces.words import say
from protocol.ids import OfficeId
from service.settings import load

AROUND_S = 60
EVENTS_BEHIND_MS = 60_000
"""Who heard a burst, and when a link was back, is logged after the press."""
LINKS_LOOKED_AT = 200
_TIME = re.compile(r"^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$")
Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add(command: Command) -> None:
    """Add the command to the command line."""
    made = command("trace", run, "say what became of a member's presses around some time, and why")
    made.add_argument("user", type=plain_id, metavar="USER", help="whose")
    made.add_argument(
        "--at", type=_time, metavar="HH:MM[:SS]", help="around this time in the office's time zone (default: now)"
    )
    made.add_argument("--day", type=day_or_today, default=TODAY, metavar="YYYY-MM-DD", help="of this day there")
    made.add_argument(
        "--around", type=_seconds, default=AROUND_S, metavar="S", help=f"so many seconds around it (default {AROUND_S})"
    )
    made.add_argument("--office", type=office_id, metavar="REGION/OFFICE", help="of this office")
    made.add_argument("--json", action="store_true", help="JSON Lines: one JSON object a press")


def run(options: argparse.Namespace) -> int:
    """Print the presses; exit status 0 also where there are none, 1 where nobody of that name is known."""
    settings = load(options.config, DispatchSettings)
    reader = StoreReader(settings.store.sqlalchemy_url)
    try:
        offices = [o for o in reader.offices() if options.office in (None, o)]
        if options.office and not offices:
            return _fail(say("no_office", options.lang, office=options.office))
        known = [o for o in offices if _knows(reader, o, options.user)]
        if len(known) > 1:
            names = ", ".join(map(str, known))
            return _fail(say("which_office", options.lang, user=options.user, offices=names), 2)
        if not known:
            where = options.office or ", ".join(map(str, offices)) or "-"
            return _fail(say("unknown", options.lang, user=options.user, office=where))
        _print(options, reader, known[0], settings.zone_of(known[0]))
        return 0
    finally:
        reader.close()


def _print(options: argparse.Namespace, reader: StoreReader, office: OfficeId, where: ZoneInfo) -> None:
    user, lang = options.user, options.lang
    since, until = window(options.at, options.day, options.around, where, time.time_ns() // 1_000_000)
    traces = TraceReader(reader)
    lost = links(
        reader.events(
            office, types=LINK_EVENTS, user=user, until_ms=until + EVENTS_BEHIND_MS, newest=True, limit=LINKS_LOOKED_AT
        )
    )
    # An edge and its answer may lie on both sides of the window's ends.
    nearby = [
        event for event in reader.scan(office, since - EVENTS_BEHIND_MS, until + EVENTS_BEHIND_MS) if event.user == user
    ]
    traced = traces.traces(office, since - EVENTS_BEHIND_MS, until, user)
    told = [
        one
        for one in tell(traced, nearby, lost, lang, lambda at: f"{local(at, where):%H:%M:%S}")
        if since <= one.at < until
    ]
    for one in told:
        print(msgspec.json.encode(one).decode() if options.json else "\n".join(lines(one, user, lang, where)))
    if told or options.json:
        return
    print(say("no_press", lang, user=user, since=moment(since, where)[:19], until=moment(until, where)[11:19]))
    last = traces.last(office, user, since)
    print(
        "  " + (say("never", lang) if last is None else say("last_press", lang, at=moment(last.trace.edge_at, where)))
    )
    away = _away(lost, since, until)
    if away is not None:
        print("  " + say("offline", lang, at=moment(away.since, where)[:19], why=printable(away.why)))


def window(at: timedelta | None, day: object, around_s: int, where: ZoneInfo, now_ms: int) -> tuple[int, int]:
    """Give [since, until) in Unix ms; of a time told in minutes the whole minute counts."""
    if at is None:
        return now_ms - 1000 * max(around_s, 600), now_ms + 1000 * around_s
    date = today(now_ms, where) if day == TODAY else day
    assert not isinstance(date, str)
    begins = datetime.fromisoformat(f"{date}T00:00:00").replace(tzinfo=where)
    point = begins.replace(hour=at.seconds // 3600, minute=at.seconds % 3600 // 60, second=at.seconds % 60)
    from_ms = round(point.timestamp() * 1000)
    return from_ms - 1000 * around_s, from_ms + 1000 * (around_s + (60 if at.seconds % 60 == 0 else 1))


def lines(one: Told, user: str, lang: str, where: ZoneInfo) -> list[str]:
    """Give a press for people: when and what became of it, then step by step."""
    clock = say("error", lang, ms=one.error_ms) if one.error_ms is not None else ""
    if not one.measured:
        clock = say("own_clock", lang)
    request = ".".join(map(str, one.request))
    head = f"{moment(one.at, where)} {clock}".rstrip()
    out = [printable(f"{head}  {user} {request}  {one.verdict}")]
    return out + [printable(f"  {ms:>+8} ms  {text}") for ms, text in one.steps]


def _away(lost: tuple[Link, ...], since: int, until: int) -> Link | None:
    return next((span for span in lost if span.since < until and (span.until is None or span.until > since)), None)


def _knows(reader: StoreReader, office: OfficeId, user: str) -> bool:
    found = reader.snapshot(office)
    if found is not None and any(member.user == user for member in found.members):
        return True
    return bool(reader.events(office, user=user, limit=1)) or TraceReader(reader).last(office, user, 2**53) is not None


def _time(text: str) -> timedelta:
    read = _TIME.search(text)
    if read is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write HH:MM or HH:MM:SS")
    return timedelta(hours=int(read[1]), minutes=int(read[2]), seconds=int(read[3] or 0))


def _seconds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 1 to 86400")
    return int(text)


def _fail(text: str, status: int = 1) -> int:
    print(f"ptt-dispatch: {text}", file=sys.stderr)
    return status
