"""`ptt-dispatch report`: a day, a week or a month of one office or of all, on demand or whatever is due."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from dispatch.history.day import Period, Span, period, today
from dispatch.history.office_log import OfficeLog
from dispatch.history_cli import TODAY, day_or_today
from dispatch.minutes_cli import price
from dispatch.registry_cli.parsing import office_id
from dispatch.report.files import is_complete, write
from dispatch.report.words import say
from dispatch.settings import DispatchSettings
from dispatch.store.reader import StoreReader
from dispatch.traces.reader import TraceReader
from protocol.ids import OfficeId
from service.settings import load

DUE_DAYS = 7
"""Days that ended up to so long ago are made up for by --due: the machine may have been off."""
Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add(command: Command) -> None:
    """Add the command to the command line."""
    made = command("report", run, "write the report of a day, a week or a month: HTML, CSV, JSON")
    made.add_argument("--office", type=office_id, metavar="REGION/OFFICE", help="of this office only")
    made.add_argument(
        "--day", type=day_or_today, metavar="YYYY-MM-DD",
        help="of this day in the office's time zone, or `today` (default: yesterday)",
    )  # fmt: skip
    span = made.add_mutually_exclusive_group()
    span.add_argument("--week", action="store_true", help="of the week (from Monday) that this day is in")
    span.add_argument("--month", action="store_true", help="of the month that this day is in")
    span.add_argument(
        "--due", action="store_true",
        help=f"the days of the last {DUE_DAYS}, the week and the month that are over and not reported yet",
    )  # fmt: skip
    made.add_argument("--out", type=Path, metavar="DIR", help="write there (default: [report] dir)")
    made.add_argument("--price", type=price, metavar="USD", help="US$ for 1000 minutes (default: [report])")


def run(options: argparse.Namespace) -> int:
    """Write the reports, and print where each page is."""
    settings = load(options.config, DispatchSettings)
    lang: str = settings.report.language if options.due else options.lang
    if options.due and options.day:
        return _refuse("--due finds the days by itself -> leave out --day, or --due")
    folder = options.out or settings.report_dir
    usd = settings.report.usd_per_1000_min if options.price is None else options.price
    now_ms = time.time_ns() // 1_000_000
    reader = StoreReader(settings.store.sqlalchemy_url)
    try:
        log = OfficeLog(reader, TraceReader(reader))
        known = log.offices()
        if options.office and options.office not in known:
            return _refuse(say("no_office", lang, office=options.office))
        if not known:
            print(say("no_offices", lang), file=sys.stderr)
            return 0 if options.due else 1
        chosen = (options.office,) if options.office else known
        try:
            wanted = list(_wanted(options, settings, chosen, folder, now_ms))
        except ValueError as error:
            return _refuse(str(error))
        for office, each in wanted:
            if not each.begun(now_ms):
                latest = today(now_ms, settings.zone_of(office))
                return _refuse(say("future", lang, day=each.first, today=latest))
        for office, each in wanted:
            found = log.read(office, each, settings.zone_of(office), now_ms)
            print(write(found, folder, now_ms, usd, lang))
        if not wanted:
            print(say("up_to_date", lang), file=sys.stderr)
        return 0
    finally:
        reader.close()


def _wanted(
    options: argparse.Namespace,
    settings: DispatchSettings,
    offices: tuple[OfficeId, ...],
    folder: Path,
    now_ms: int,
) -> Iterator[tuple[OfficeId, Period]]:
    for office in offices:
        where = settings.zone_of(office)
        here = today(now_ms, where)
        if options.due:
            yield from ((office, one) for one in due(here, where) if not is_complete(folder, office, one))
        else:
            day = here if options.day == TODAY else options.day or here - timedelta(days=1)
            span = Span.WEEK if options.week else Span.MONTH if options.month else Span.DAY
            yield office, period(span, day, where)


def due(here: date, where: ZoneInfo) -> Iterator[Period]:
    """Give what is over as of the day `here`, oldest first: days, the last whole week, the last whole month."""
    for back in range(DUE_DAYS, 0, -1):
        yield period(Span.DAY, here - timedelta(days=back), where)
    yield period(Span.WEEK, here - timedelta(days=here.weekday() + 1), where)
    yield period(Span.MONTH, here.replace(day=1) - timedelta(days=1), where)


def _refuse(text: str) -> int:
    print(f"ptt-dispatch: {text}", file=sys.stderr)
    return 2
