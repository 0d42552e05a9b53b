"""The pages of what was: the plan's KPIs of a day, charts of days and hours. Pure; numbers are `dispatch.history`'s."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from dispatch.history import kpi_words
from dispatch.history import plan_metrics_words as metric_words
from dispatch.history.kpi import TARGETS, Kpi, Measured, Verdict
from dispatch.history.office_log import OfficeDays, OfficePeriod
from dispatch.history.plan_metrics import MetricValue
from dispatch.web.markup import Markup, Part, el
from dispatch.web.shell import Seen, page

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 220, 44, 26, 14


def kpi(seen: Seen, day: date, today: date, found: OfficePeriod) -> bytes:
    """Give the table of one day."""
    columns = ("kpi_row", "kpi_target", "kpi_value", "kpi_verdict", "kpi_samples", "kpi_method")
    head = el("thead", el("tr", [el("th", seen.say(column), scope="col") for column in columns]))
    rows = [_kpi_row(seen, row) for row in found.kpis]
    table = el("div", el("table", head, el("tbody", rows), aria_labelledby="h-kpi"), class_="scroll")
    nothing = el("p", seen.say("day_empty"), class_="none") if found.empty else None
    return page(
        seen,
        seen.say("title_kpi"),
        day_choice(seen, "/kpi", day, today),
        nothing,
        el("section", el("h2", day.isoformat(), id="h-kpi"), table),
        _metrics(seen, found.metrics),
    )


def history(seen: Seen, day: date, today: date, found: OfficeDays, span_days: int) -> bytes:
    """Give charts of the days up to `day`, with the numbers as a table below each."""
    figures = found.figures
    by_day = {each.day: each for each in figures.days}
    days = [day - timedelta(days=back) for back in range(span_days - 1, -1, -1)]
    names = [f"{each.month}/{each.day}" for each in days]
    talk = [round(by_day[each].talk_s / 60, 1) if each in by_day else 0.0 for each in days]
    sessions = [float(by_day[each].sessions) if each in by_day else 0.0 for each in days]
    denied = [float(by_day[each].denied) if each in by_day else 0.0 for each in days]
    pressed = [found.presses.get(each) for each in days]
    errors = [None if each is None or each.error_rate is None else round(each.error_rate * 100, 2) for each in pressed]
    heard = [None if each is None or each.notice.average_ms is None else round(each.notice.average_ms, 1) for each in pressed]  # noqa: E501  # fmt: skip
    hours = [f"{hour}" for hour in range(24)]
    by_hour = [round(hour.talk_s / 60, 1) for hour in figures.hours]
    users = sorted(figures.users, key=lambda user: (-user.talk_s, user.user))[:20]
    return page(
        seen,
        seen.say("title_history"),
        day_choice(seen, "/history", day, today),
        el("p", seen.say("day_empty"), class_="none") if figures.events == 0 else None,
        _chart(seen, "chart_talk", names, talk),
        _chart(seen, "chart_sessions", names, sessions),
        _chart(seen, "chart_denied", names, denied),
        _chart(seen, "chart_errors", names, errors, Kpi.ERROR_RATE, least=0.2),
        _chart(seen, "chart_response", names, heard, Kpi.RESPONSE, least=100),
        _chart(seen, "chart_hours", hours, by_hour),
        _usage(seen, [(user.name or user.user, user.bursts, user.talk_s, user.denied) for user in users]),
    )


def _kpi_row(seen: Seen, row: Measured) -> Markup:
    look = {Verdict.PASS: "pass", Verdict.FAIL: "fail", Verdict.NOT_MEASURED: "dim"}[row.verdict]
    return el(
        "tr",
        el("th", kpi_words.name(row.kpi, seen.lang), scope="row"),
        el("td", kpi_words.target_text(row.target, seen.lang), class_="number"),
        el("td", kpi_words.measured_text(row, seen.lang), class_="number"),
        el("td", kpi_words.verdict_text(row.verdict, seen.lang), class_=look, data_verdict=row.verdict.value),
        el("td", row.samples or "", class_="number"),
        el("td", kpi_words.method(row.kpi, seen.lang), class_="words"),
        data_kpi=row.kpi.value,
    )


def _metrics(seen: Seen, metrics: Sequence[MetricValue]) -> Markup:
    lang = seen.lang
    head = el("thead", el("tr", [el("th", column, scope="col") for column in metric_words.head(lang)]))
    rows = [
        el(
            "tr",
            el("th", metric_words.name(one.metric, lang), scope="row"),
            el("td", metric_words.value(one, lang), class_="number"),
            el("td", one.samples or "", class_="number"),
            el("td", metric_words.method(one.metric, lang), class_="words"),
            data_metric=one.metric.value,
        )
        for one in metrics
    ]
    table = el("div", el("table", head, el("tbody", rows), aria_labelledby="h-metrics"), class_="scroll")
    return el("section", el("h2", metric_words.title(lang), id="h-metrics"), table)


def day_choice(seen: Seen, path: str, day: date, today: date) -> Markup:
    """Give the choice of a day: the one before, the next, any."""
    links: list[Part] = [el("a", f"← {day - timedelta(days=1)}", href=f"{path}?day={day - timedelta(days=1)}")]
    if day < today:
        links.append(el("a", f"{day + timedelta(days=1)} →", href=f"{path}?day={day + timedelta(days=1)}"))
        links.append(el("a", seen.say("today"), href=path))
    chosen = el("label", el("span", seen.say("day")), el("input", type="date", name="day", value=day.isoformat(),
                max=today.isoformat(), required=True))  # fmt: skip
    form = el("form", chosen, el("button", seen.say("show")), method="get", action=path, class_="row")
    return el("div", form, el("nav", links, aria_label=seen.say("day"), class_="row"), class_="row")


def _chart(
    seen: Seen,
    key: str,
    names: Sequence[str],
    values: Sequence[float | None],
    kpi: Kpi | None = None,
    *,
    least: float = 1.0,
) -> Markup:
    """Draw bars; None: not measured, which is no bar and said in the table. `least`: what the axis reaches at least."""
    title = seen.say(key) if kpi is None else seen.say(key, target=kpi_words.target_text(TARGETS[kpi], seen.lang))
    unknown = kpi_words.verdict_text(Verdict.NOT_MEASURED, seen.lang)
    most = max([least, *(value for value in values if value is not None)])
    wide = (WIDTH - LEFT) / max(1, len(values))
    floor = HEIGHT - BOTTOM
    parts: list[Part] = [
        el("line", x1=LEFT, y1=floor, x2=WIDTH, y2=floor, class_="axis"),
        el("text", f"{most:g}", x=LEFT - 6, y=TOP + 4, text_anchor="end"),
        el("text", "0", x=LEFT - 6, y=floor, text_anchor="end"),
    ]
    every = -(-len(values) // 10)
    for place, (name, value) in enumerate(zip(names, values, strict=True)):
        tall = None if value is None else round((floor - TOP) * value / most, 1)
        x = round(LEFT + place * wide + wide * 0.15, 1)
        if tall is not None:
            bar = el("rect", x=x, y=round(floor - tall, 1), width=round(wide * 0.7, 1), height=tall, class_="bar")
            parts.append(bar)
        if place % every == 0:
            parts.append(el("text", name, x=round(x + wide * 0.35, 1), y=HEIGHT - 8, text_anchor="middle"))
    picture = el("svg", parts, class_="chart", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=title)
    rows = [
        el("tr", el("th", name, scope="row"), el("td", unknown if value is None else f"{value:g}"))
        for name, value in zip(names, values, strict=True)
    ]
    nothing = el("p", unknown, class_="none") if all(value is None for value in values) else None
    numbers = el("details", el("summary", seen.say("as_table")), el("table", el("tbody", rows), aria_label=title))
    return el("section", el("h2", title), nothing, picture, numbers)


def _usage(seen: Seen, rows: Sequence[tuple[str, int, float, int]]) -> Markup | None:
    if not rows:
        return None
    columns = ("col_name", "use_bursts", "use_minutes", "use_denied")
    head = el("thead", el("tr", [el("th", seen.say(column), scope="col") for column in columns]))
    body = [
        el("tr", el("th", name, scope="row"), el("td", bursts), el("td", f"{talk_s / 60:.1f}"), el("td", denied))
        for name, bursts, talk_s, denied in rows
    ]
    table = el("table", head, el("tbody", body), aria_labelledby="h-usage")
    return el("section", el("h2", seen.say("use_title"), id="h-usage"), el("div", table, class_="scroll"))
