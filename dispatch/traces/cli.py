"""`ptt-dispatch trace USER --at HH:MM`: why it could, or could not, talk then. Reads beside the service."""

import argparse
import re
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from dispatch.history.day import today
from dispatch.history_cli import TODAY, day_or_today
from dispatch.registry_cli.parsing import office_id, plain_id
from dispatch.settings import DispatchSettings
from dispatch.show import moment, printable
from dispatch.store.reader import StoreReader
from dispatch.traces.gather import Gatherer
from dispatch.traces.reader import TraceReader
from dispatch.traces.tell import Link, Told
from dispatch.traces.text import lines
from dispatch.traces.words import say
from protocol.ids import JSON_INT_MAX, OfficeId
from service.settings import load

AROUND_S = 60
_TIME = re.compile(r"^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$")
Zone = Callable[[OfficeId], ZoneInfo]
Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add(command: Command) -> None:
    """Add the command to the command line."""
    made = command("trace", run, "say what became of a member's presses around some time, and why")
    made.add_argument("user", type=plain_id, metavar="USER", nargs="?", help="whose")
    made.add_argument(
        "--burst", type=_burst, metavar="N", help="the press that was granted as this burst, instead of USER"
    )
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
    """Print the presses; exit status 0 also where there are none, 1 where no such member or burst is known."""
    if (options.user is None) == (options.burst is None):
        return _fail("say whose presses, USER, or which burst, --burst N", 2)
    settings = load(options.config, DispatchSettings)
    reader = StoreReader(settings.store.sqlalchemy_url)
    try:
        offices = [o for o in reader.offices() if options.office in (None, o)]
        if options.office and not offices:
            return _fail(say("no_office", options.lang, office=options.office))
        if options.burst is not None:
            return _print_burst(options, Gatherer(reader), offices, settings.zone_of)
        known = [o for o in offices if _knows(reader, o, options.user)]
        if len(known) > 1:
            names = ", ".join(map(str, known))
            return _fail(say("which_office", options.lang, user=options.user, offices=names), 2)
        if not known:
            where = options.office or ", ".join(map(str, offices)) or "-"
            return _fail(say("unknown", options.lang, user=options.user, office=where))
        _print(options, Gatherer(reader), known[0], settings.zone_of(known[0]))
        return 0
    finally:
        reader.close()


def _print(options: argparse.Namespace, gatherer: Gatherer, office: OfficeId, where: ZoneInfo) -> None:
    user, lang = options.user, options.lang
    since, until = window(options.at, options.day, options.around, where, time.time_ns() // 1_000_000)
    told = gatherer.told(office, user, since, until, lang, where)
    for one in told:
        _print_one(options, one, user, where)
    if told or options.json:
        return
    print(say("no_press", lang, user=user, since=moment(since, where)[:19], until=moment(until, where)[11:19]))
    last = gatherer.traces.last(office, user, since)
    print(
        "  " + (say("never", lang) if last is None else say("last_press", lang, at=moment(last.trace.edge_at, where)))
    )
    away = _away(gatherer.links(office, user, until), since, until)
    if away is not None:
        print("  " + say("offline", lang, at=moment(away.since, where)[:19], why=printable(away.why)))


def _print_burst(options: argparse.Namespace, gatherer: Gatherer, offices: list[OfficeId], zone: Zone) -> int:
    found = [(o, one) for o in offices if (one := gatherer.of_burst(o, options.burst, options.lang, zone(o)))]
    if not found:
        where = ", ".join(map(str, offices)) or "-"
        return _fail(say("no_burst", options.lang, burst=options.burst, office=where))
    for office, (user, press) in found:
        _print_one(options, press, user, zone(office))
    return 0


def _print_one(options: argparse.Namespace, one: Told, user: str, where: ZoneInfo) -> None:
    print(msgspec.json.encode(one).decode() if options.json else "\n".join(lines(one, user, options.lang, where)))


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


def _burst(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= JSON_INT_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of a burst")
    return int(text)


def _seconds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 1 to 86400")
    return int(text)


def _fail(text: str, status: int = 1) -> int:
    print(f"ptt-dispatch: {text}", file=sys.stderr)
    return status
