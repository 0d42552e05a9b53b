"""`ptt-dispatch minutes`: what Agora is paid for, against members that are always joined."""

import argparse
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

import msgspec

from dispatch.minutes import (
    MONTH_DAYS,
    NEEDED,
    USD_PER_1000_MIN,
    OfficeMinutes,
    Stay,
    UserMinutes,
    cost_usd,
    count,
    per_month,
)
from dispatch.offices import misspelt
from dispatch.probing.place import real
from dispatch.registry.sql import SqlRegistry
from dispatch.registry_cli.parsing import office_id
from dispatch.settings import DispatchSettings
from dispatch.show import ZoneOf, csv_line, moment
from dispatch.store.reader import StoreReader
from dispatch.words import say
from protocol.ids import OfficeId
from service.settings import load

CSV_HEAD = ("office", "user", "name", "joins", "joined_min", "always_joined_min", "saving_percent", "cost_usd")
BEFORE_MS = 86_400_000
"""The log is read from a day before the period: who joined then may still be joined."""
Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add(command: Command) -> None:
    """Add the command to the command line."""
    made = command("minutes", run, "count the minutes joined to Agora, against members always joined")
    made.add_argument("--office", type=office_id, metavar="REGION/OFFICE", help="of this office only")
    period = made.add_mutually_exclusive_group()
    period.add_argument("--day", type=_day, metavar="YYYY-MM-DD", help="of this day (default: today)")
    period.add_argument("--since", type=_moment, metavar="TIME", help="from YYYY-MM-DD[THH:MM] until now")
    made.add_argument(
        "--price", type=price, default=USD_PER_1000_MIN, metavar="USD",
        help="US$ for 1000 minutes (default: %(default)s, an assumption: see your contract)",
    )  # fmt: skip
    form = made.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object")
    form.add_argument("--csv", action="store_true", help="CSV with a head line, one line a user")


def run(options: argparse.Namespace) -> int:
    """Count and print."""
    settings = load(options.config, DispatchSettings)
    now_ms = time.time_ns() // 1_000_000
    stays = _stays(settings)
    reader = StoreReader(settings.store.sqlalchemy_url)
    try:
        if misspelt(options.office, settings, reader, options.lang):
            return 2
        chosen = (options.office,) if options.office else real(sorted({*reader.offices(), *stays}))
        found = []
        for office in chosen:
            since, until = _period(options, now_ms, settings.zone_of(office))
            events = reader.events(office, types=NEEDED, since_ms=max(1, since - BEFORE_MS))
            found.append(count(office, events, stays.get(office, {}), since, until))
    finally:
        reader.close()
    if options.json:
        print(as_json(found, options.price))
    elif options.csv:
        print("\n".join(as_csv(found, options.price)))
    else:
        print("\n".join(as_lines(found, options.price, options.lang, settings.zone_of)))
    return 0


def _stays(settings: DispatchSettings) -> Mapping[OfficeId, dict[str, Stay]]:
    """Everybody of the registry who could be joined; without a registry the log alone tells who there is."""
    found: dict[OfficeId, dict[str, Stay]] = {}
    if settings.admission != "registry":
        return found
    registry = SqlRegistry(settings.store.sqlalchemy_url)
    try:
        for user in registry.users():
            if user.role.member:
                stay = Stay(user=user.user, name=user.name, since=user.created_at, until=user.revoked_at)
                found.setdefault(user.office, {})[user.user] = stay
    finally:
        registry.close()
    return found


# --- forms ----------------------------------------------------------------------------------------------------------


def as_lines(found: Iterable[OfficeMinutes], price: float, lang: str, zone_of: ZoneOf) -> Iterable[str]:
    """Give it for people."""
    for office in found:
        where = zone_of(office.office)
        yield f"{office.office}  {moment(office.since, where)[:16]} - {moment(office.until, where)[:16]}"
        yield say("minutes_head", lang)
        for user in office.users:
            yield f"  {user.user:<32} {_figures(user, office)}  {user.name}".rstrip()
        total = office.total
        yield f"  {say('minutes_total', lang):<32} {_figures(total, office)}"
        if not office.on_agora:
            would = office.channel_saving
            yield "  " + say("minutes_no_agora", lang, saving="-" if would is None else f"{would:.1%}")
            yield ""
            continue
        yield "  " + say(
            "minutes_cost",
            lang,
            cost=f"{cost_usd(total.joined_min, price):.2f}",
            always=f"{cost_usd(total.always_min, price):.2f}",
        )
        joined, always = (per_month(m, office.since, office.until) for m in (total.joined_min, total.always_min))
        if joined is not None and always is not None:
            yield "  " + say(
                "minutes_month",
                lang,
                days=f"{MONTH_DAYS:g}",
                cost=f"{cost_usd(joined, price):.2f}",
                always=f"{cost_usd(always, price):.2f}",
            )
        yield ""
    yield say("minutes_assumed", lang, price=f"{price:g}")


def _saving(user: UserMinutes, office: OfficeMinutes) -> float | None:
    """What was saved by joining on demand; nothing can be told where nobody was joined at all."""
    return user.saving if office.on_agora else None


def _figures(user: UserMinutes, office: OfficeMinutes) -> str:
    part = _saving(user, office)
    saving = "-" if part is None else f"{part:.1%}"
    return f"{user.joins:>7} {user.joined_min:>10.1f} {user.always_min:>12.1f} {saving:>8}"


def as_csv(found: Iterable[OfficeMinutes], price: float) -> Iterable[str]:
    """Give a line a user, behind CSV_HEAD."""
    yield csv_line(CSV_HEAD)
    for office in found:
        for user in office.users:
            part = _saving(user, office)
            saving = "" if part is None else f"{part * 100:.2f}"
            figures = (user.joins, f"{user.joined_min:.2f}", f"{user.always_min:.2f}", saving)
            yield csv_line(
                (str(office.office), user.user, user.name, *figures, f"{cost_usd(user.joined_min, price):.4f}")
            )


def as_json(found: Iterable[OfficeMinutes], price: float) -> str:
    """Give one JSON object."""

    def figures(user: UserMinutes, office: OfficeMinutes) -> dict[str, Any]:
        month = per_month(user.joined_min, office.since, office.until)
        return {
            "joins": user.joins,
            "joined_min": user.joined_min,
            "always_joined_min": user.always_min,
            "saving": _saving(user, office),
            "cost_usd": cost_usd(user.joined_min, price),
            "always_joined_cost_usd": cost_usd(user.always_min, price),
            "month_cost_usd": None if month is None else cost_usd(month, price),
        }

    built = {
        "usd_per_1000_min": price,
        "always_joined_means": "joined for the whole period, from being made in the registry until being revoked",
        "offices": [
            {
                "office": str(office.office),
                "since": office.since,
                "until": office.until,
                "total": figures(office.total, office),
                "users": [{"user": u.user, "name": u.name, **figures(u, office)} for u in office.users],
            }
            for office in found
        ],
    }
    return msgspec.json.encode(built).decode()


# --- arguments ------------------------------------------------------------------------------------------------------


def _period(options: argparse.Namespace, now_ms: int, where: tzinfo) -> tuple[int, int]:
    if options.since is not None:
        return min(_ms(options.since, where), now_ms), now_ms
    today = datetime.fromtimestamp(now_ms / 1000, where).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    day = options.day or today
    since = min(_ms(day, where), now_ms)
    return since, max(since, min(_ms(day + timedelta(days=1), where), now_ms))


def _ms(told: datetime, where: tzinfo) -> int:
    at = told if told.tzinfo is not None else told.replace(tzinfo=where)
    return round(at.timestamp() * 1000)


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: write YYYY-MM-DD") from None


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write YYYY-MM-DD or YYYY-MM-DDTHH:MM") from None


def price(text: str) -> float:
    """Read US$ for 1000 minutes."""
    try:
        read = float(text)
    except ValueError:
        read = -1.0
    if not 0 <= read <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no price: US$ for 1000 minutes, 0 to 1000")
    return read
