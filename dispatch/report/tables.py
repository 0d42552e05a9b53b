"""The report as CSV and as JSON: every figure under a name that does not change with the language. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec

from dispatch.history.day import local, zone
from dispatch.history.heartbeats import Beats
from dispatch.history.office_log import OfficePeriod
from dispatch.minutes import UserMinutes, cost_usd
from dispatch.show import csv_line

FORMAT = 1
"""Rises when a name goes or changes its meaning."""
USERS_HEAD = (
    "user",
    "name",
    "bursts",
    "talk_s",
    "denied",
    "joins",
    "emergencies",
    "heartbeats_lost",
    "links_lost",
    "agora_joined_min",
    "agora_always_min",
    "heartbeats_expected",
    "heartbeats_came",
    "channel_min",
)


def as_builtins(found: OfficePeriod, made_ms: int, price: float) -> dict[str, Any]:
    """Give everything as plain values; parts are 0 to 1, durations in the unit their name ends in."""
    figures, period = found.figures, found.figures.period
    where, total = zone(period.zone), found.minutes.total
    plain = msgspec.to_builtins(figures)
    for key in ("office", "period", "users"):
        del plain[key]
    return {
        "format": FORMAT,
        "office": str(found.office),
        "office_name": found.name,
        "span": period.span.value,
        "period": period.name,
        "first_day": period.first.isoformat(),
        "last_day": period.last.isoformat(),
        "time_zone": period.zone,
        "since": local(period.since, where).isoformat(),
        "until": local(found.until, where).isoformat(),
        "complete": found.until >= period.until,
        "made": local(made_ms, where).isoformat(timespec="seconds"),
        "figures": {
            **plain,
            "session_average_s": figures.session_average_s,
            "active_users": figures.active_users,
            "active_drivers": found.active,
            "registered_drivers": found.registered,
        },
        "presses": None if found.presses is None else msgspec.to_builtins(found.presses),
        "kpis": [
            {
                "kpi": row.kpi.value,
                "value": row.value,
                "unit": row.target.unit.value,
                "target": row.target.value,
                "verdict": row.verdict.value,
                "samples": row.samples,
                "p95": row.p95,
                "basis": row.basis,
                "unprobed_min": row.unprobed_min,
            }
            for row in found.kpis
        ],
        "metrics": {
            one.metric.value: {"value": one.value, "p95": one.p95, "samples": one.samples} for one in found.metrics
        },
        "agora": {
            "usd_per_1000_min": price,
            "joined_min": total.joined_min,
            "always_joined_min": total.always_min,
            "saving": total.saving if total.joined_min > 0 else None,
            "cost_usd": cost_usd(total.joined_min, price),
            "always_joined_cost_usd": cost_usd(total.always_min, price),
            "channel_min": found.minutes.channel_min,
            "channel_cost_usd": cost_usd(found.minutes.channel_min, price),
        },
        "users": [dict(zip(USERS_HEAD, row, strict=True)) for row in user_rows(found)],
    }


def user_rows(found: OfficePeriod) -> Iterator[tuple[str | int | float, ...]]:
    """Give every user in order, also those of the registry that did nothing, as USERS_HEAD names the columns."""
    figures = {user.user: user for user in found.figures.users}
    minutes = {user.user: user for user in found.minutes.users}
    channel = found.minutes.channel
    for user in sorted({*figures, *minutes, *channel}):
        one = figures.get(user)
        spent = minutes.get(user) or UserMinutes(user=user, name="", joins=0, joined_min=0.0, always_min=0.0)
        name = (one.name if one else "") or spent.name
        did: tuple[int | float, ...] = (0, 0.0, 0, 0, 0, 0, 0)
        if one is not None:
            did = (
                one.bursts,
                round(one.talk_s, 3),
                one.denied,
                one.joins,
                one.emergencies,
                one.heartbeats_lost,
                one.links_lost,
            )
        beats = found.beats.get(user, Beats())
        minutes_of = (round(spent.joined_min, 3), round(spent.always_min, 3))
        yield (user, name, *did, *minutes_of, beats.expected, beats.came, round(channel.get(user, 0.0), 3))


def as_json(built: dict[str, Any]) -> str:
    """Give the JSON file."""
    return msgspec.json.format(msgspec.json.encode(built), indent=2).decode() + "\n"


def figures_csv(built: dict[str, Any]) -> str:
    """Give one figure a line: `figure,value`, nested names joined by dots; lists stand in the JSON alone."""
    lines = [csv_line(("figure", "value"))]
    kpis = {row["kpi"]: {key: row[key] for key in ("value", "verdict", "samples")} for row in built["kpis"]}
    flat = {**built, "kpis": kpis}
    del flat["users"]
    lines += [csv_line((name, "" if value is None else value)) for name, value in _flat(flat, "")]
    return "\n".join(lines) + "\n"


def users_csv(found: OfficePeriod) -> str:
    """Give one user a line."""
    return "\n".join([csv_line(USERS_HEAD), *(csv_line(row) for row in user_rows(found))]) + "\n"


def _flat(value: dict[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        name = f"{before}{key}"
        if isinstance(inner, dict):
            yield from _flat(inner, f"{name}.")
        elif not isinstance(inner, list | tuple):
            yield name, inner
