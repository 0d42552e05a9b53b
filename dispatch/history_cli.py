"""`ptt-dispatch events`: the office's log, by type, user, session and time; read beside the service."""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from heapq import merge

from dispatch.history.day import Span, period, read_day, read_moment, today
from dispatch.offices import misspelt
from dispatch.registry_cli.parsing import office_id, plain_id
from dispatch.settings import DispatchSettings
from dispatch.show import CSV_HEAD, csv_line, event_csv, event_json, event_line
from dispatch.store.reader import StoreReader
from dispatch.words import say
from protocol.ids import OfficeId
from protocol.messages import Event, EventType
from service.settings import load

FOLLOW_EVERY_S = 0.5
EVENTS_SHOWN = 50
EVENTS_AT_ONCE = 1000
LAST_MS = 2**53
"""Later than any event, Unix ms."""
Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]
Bounds = tuple[int, int | None]


def add(command: Command) -> None:
    """Add the command to the command line."""
    events = command("events", run, "show the log of events")
    events.add_argument("--office", type=office_id, metavar="REGION/OFFICE", help="of this office only")
    events.add_argument("--since", type=_count, metavar="N", help="those numbered above N, oldest first")
    events.add_argument("--type", type=_event_type, action="append", default=[], help="of this type (may be repeated)")
    events.add_argument("--user", type=plain_id, metavar="USER", help="of this user")
    events.add_argument("--session", metavar="ID", help="of this session, by its event_id")
    when = "YYYY-MM-DD[THH:MM[:SS]], in the office's time zone"
    events.add_argument("--day", type=day_or_today, metavar="YYYY-MM-DD", help="of this day there, or `today`")
    events.add_argument("--from", dest="since_time", metavar="TIME", help=f"logged at this time or later, {when}")
    events.add_argument("--to", dest="until_time", metavar="TIME", help="logged before this time")
    events.add_argument(
        "--limit", type=_count, metavar="N",
        help=f"at most N, 0: all (default: the newest {EVENTS_SHOWN}; all of a day, a time or a session)",
    )  # fmt: skip
    events.add_argument("--follow", action="store_true", help="then go on with new ones until interrupted")
    form = events.add_mutually_exclusive_group()
    form.add_argument("--json", "--jsonl", action="store_true", help="JSON Lines: one JSON object a line")
    form.add_argument("--csv", action="store_true", help="CSV with a head line")


def run(options: argparse.Namespace) -> int:
    """Print what was asked for; with --follow until interrupted."""
    settings = load(options.config, DispatchSettings)
    reader = StoreReader(settings.store.sqlalchemy_url)
    try:
        if misspelt(options.office, settings, reader, options.lang):
            return 2
        offices = (options.office,) if options.office else reader.offices()
        if options.since is not None and len(offices) > 1:
            return _usage("--since counts in one office -> add --office REGION/OFFICE")
        if options.day and (options.since_time or options.until_time):
            return _usage("--day is from midnight to midnight -> leave out --from and --to, or --day")
        if options.follow and (options.until_time or options.day not in (None, TODAY)):
            return _usage("--follow goes on with what is new -> leave out --to and --day")
        try:
            log = _Log(options, settings, reader)
            for office in offices:
                log.bounds(office)
        except ValueError as error:
            return _usage(str(error))
        return _print(options, log, offices, _writer(options, settings, with_office=len(offices) > 1))
    finally:
        reader.close()


class _Log:
    """The log as the options choose of it."""

    def __init__(self, options: argparse.Namespace, settings: DispatchSettings, reader: StoreReader) -> None:
        self.reader = reader
        self._options = options
        self._settings = settings
        self._whole = any((options.day, options.since_time, options.until_time, options.session))
        self._now_ms = time.time_ns() // 1_000_000

    def bounds(self, office: OfficeId) -> Bounds:
        """Give [since, until) in Unix ms, by the office's own clock; raises ValueError."""
        options, where = self._options, self._settings.zone_of(office)
        if options.day:
            day = today(self._now_ms, where) if options.day == TODAY else options.day
            chosen = period(Span.DAY, day, where)
            return chosen.since, None if options.follow else chosen.until
        since = read_moment(options.since_time, where) if options.since_time else 0
        until = read_moment(options.until_time, where) if options.until_time else None
        if until is not None and until <= since:
            raise ValueError("--to is not later than --from -> exchange them")
        return since, until

    @property
    def newest(self) -> int:
        """How many of the newest are wanted; 0: the first ones, or all."""
        options = self._options
        if options.since is not None:
            return 0
        if options.limit is not None:
            return int(options.limit)
        return 0 if self._whole else EVENTS_SHOWN

    def read(self, office: OfficeId, first_no: int, last_no: int) -> Iterator[Event]:
        """Give what is chosen of these numbers."""
        since, until = self.bounds(office)
        if since or until is not None:  # found by the log's index of times: it may be years long
            span = self.reader.span(office, since, LAST_MS if until is None else until)
            first_no, last_no = (max(first_no, span[0]), min(last_no, span[1])) if span else (1, 0)
        if first_no > last_no:
            return
        newest = self.newest
        limit = newest or self._options.limit or None
        if newest:
            yield from self._page(office, first_no, last_no, newest, newest=True)
            return
        left = limit
        while first_no <= last_no and left != 0:
            at_once = EVENTS_AT_ONCE if left is None else min(left, EVENTS_AT_ONCE)
            page = self._page(office, first_no, last_no, at_once, newest=False)
            yield from page
            if len(page) < at_once:
                return
            first_no, left = page[-1].no + 1, None if left is None else left - len(page)

    def new(self, office: OfficeId, first_no: int, last_no: int) -> Iterator[Event]:
        """Give what is chosen of these numbers, all of it."""
        while first_no <= last_no:
            page = self._page(office, first_no, last_no, EVENTS_AT_ONCE, newest=False)
            yield from page
            if len(page) < EVENTS_AT_ONCE:
                return
            first_no = page[-1].no + 1

    def _page(self, office: OfficeId, first_no: int, last_no: int, limit: int, *, newest: bool) -> tuple[Event, ...]:
        since, until = self.bounds(office)
        options = self._options
        return self.reader.events(
            office,
            first_no=first_no,
            last_no=last_no,
            limit=limit,
            newest=newest,
            types=options.type,
            user=options.user,
            session=options.session,
            since_ms=since,
            until_ms=until,
        )


def _print(
    options: argparse.Namespace, log: _Log, offices: Iterable[OfficeId], write: Callable[[OfficeId, Event], None]
) -> int:
    since = options.since or 0
    seen = {office: max(since, log.reader.last_no(office)) for office in offices}

    def chosen(office: OfficeId) -> Iterator[tuple[OfficeId, Event]]:
        return ((office, event) for event in log.read(office, since + 1, seen[office]))

    # By time across offices, in each in its own log's order: two replicas' clocks need not agree.
    found: Iterable[tuple[OfficeId, Event]] = merge(*map(chosen, seen), key=lambda pair: pair[1].at)
    if log.newest:
        found = list(found)[-log.newest :]
    any_found = False
    for office, event in found:
        any_found = True
        write(office, event)
    sys.stdout.flush()
    if not options.follow:
        if not any_found and not (options.json or options.csv):
            print(say("no_events", options.lang), file=sys.stderr)
        return 0
    tails = {office: _Tail(log, office, no) for office, no in seen.items()}
    while True:
        time.sleep(FOLLOW_EVERY_S)
        for office in seen if options.office else log.reader.offices():
            tail = tails.setdefault(office, _Tail(log, office, 0))
            for event in tail.news():
                write(office, event)
            if tail.restored:
                print(say("restored", options.lang, office=office), file=sys.stderr)
        sys.stdout.flush()


class _Tail:
    """One office's log as it grows, also where its numbers come again: the store was restored from a backup."""

    def __init__(self, log: _Log, office: OfficeId, shown_no: int) -> None:
        """`shown_no`: everything up to there is shown, or not wanted."""
        self.restored = False
        """Whether that was so since the last look: what was the newest event is not there any more."""
        self._log, self._office, self._shown_no = log, office, shown_no
        self._last_no, self._last_at = self._newest()

    def news(self) -> list[Event]:
        """Give what is new since the last look."""
        last_no, last_at = self._newest()
        self.restored = self._at(self._last_no) != self._last_at
        first_no = self._shown_no + 1
        if self.restored:  # what was logged since then has numbers that were shown already, on other events
            span = self._log.reader.span(self._office, self._last_at + 1, LAST_MS)
            first_no = span[0] if span else last_no + 1
        found = list(self._log.new(self._office, first_no, last_no))
        self._shown_no = last_no if self.restored else max(self._shown_no, last_no)
        self._last_no, self._last_at = last_no, last_at
        return found

    def _newest(self) -> tuple[int, int]:
        last_no = self._log.reader.last_no(self._office)
        return last_no, self._at(last_no)

    def _at(self, number: int) -> int:
        """When the event of this number was logged (Unix ms); 0 where there is none."""
        found = self._log.reader.events(self._office, first_no=number, last_no=number) if number else ()
        return found[0].at if found else 0


def _writer(
    options: argparse.Namespace, settings: DispatchSettings, *, with_office: bool
) -> Callable[[OfficeId, Event], None]:
    if options.json:
        return lambda office, event: print(event_json(office, event))
    if options.csv:
        print(csv_line(CSV_HEAD))
        return lambda office, event: print(event_csv(office, event))
    return lambda office, event: print(
        event_line(office, event, with_office=with_office, where=settings.zone_of(office))
    )


# --- arguments ------------------------------------------------------------------------------------------------------

TODAY = "today"


def day_or_today(text: str) -> date | str:
    """Read `YYYY-MM-DD`, or `today`: which day that is depends on where."""
    if text == TODAY:
        return TODAY
    try:
        return read_day(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _usage(text: str) -> int:
    print(f"ptt-dispatch: {text}", file=sys.stderr)
    return 2


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 16:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0")
    return int(text)


def _event_type(text: str) -> EventType:
    try:
        return EventType(text.upper())
    except ValueError:
        known = ", ".join(EventType)
        raise argparse.ArgumentTypeError(f"{text!r} is no event type; known: {known}") from None
