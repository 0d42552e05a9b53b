"""The report as one HTML page without anything from elsewhere: good on a screen, better on A4 paper. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from html import escape

from dispatch.history import plan_metrics_words as words
from dispatch.history.day import Span, local, zone
from dispatch.history.kpi import Kpi, Measured, Verdict
from dispatch.history.kpi_words import measured_text, method, name, target_text, value_text, verdict_text
from dispatch.history.office_log import OfficePeriod
from dispatch.history.plan_metrics import Metric, MetricValue
from dispatch.minutes import cost_usd
from dispatch.report.chart import columns, rows
from dispatch.report.style import STYLE
from dispatch.report.tables import user_rows
from dispatch.report.words import CHECKS, cause, length, say

USERS_CHARTED = 20


def page(found: OfficePeriod, made_ms: int, price: float, lang: str) -> str:
    """Give the page in `lang` (ko or en). Whatever a member calls itself is text in it, never markup."""
    title = f"{say(f'title_{found.figures.period.span.value}', lang)} {found.figures.period.name}"
    body = "\n".join(_sections(found, made_ms, price, lang, title))
    return (
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} - {escape(found.name)}</title><style>{STYLE}</style></head>\n"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def _sections(found: OfficePeriod, made_ms: int, price: float, lang: str, title: str) -> Iterator[str]:
    period = found.figures.period
    where = zone(period.zone)
    days = f"{period.first}" if period.days == 1 else f"{period.first} - {period.last}"
    made = say("made", lang, at=f"{local(made_ms, where):%Y-%m-%d %H:%M}")
    office = escape(f"{found.name} ({found.office})") if found.name != str(found.office) else escape(found.name)
    yield f"<header><h1>{escape(title)}</h1><p>{office} · {days} · {escape(period.zone)} · {made}</p></header>"
    if found.until < period.until:
        yield f'<p class="notice">{say("running", lang, at=f"{local(found.until, where):%Y-%m-%d %H:%M}")}</p>'
    if found.empty:
        yield f'<p class="notice">{say("empty", lang)}</p>'
    yield _cards(found, lang)
    yield _kpis(found.kpis, lang)
    yield _metrics(found.metrics, lang)
    yield _charts(found, lang)
    yield _counts(found, lang)
    yield _usage(found, lang)
    yield _cost(found, price, lang)
    if found.figures.integrity.shown:
        yield _unsound(found, lang)
    yield _checklist(found, lang)


def _kpi(found: OfficePeriod, kpi: Kpi) -> Measured:
    return next(row for row in found.kpis if row.kpi is kpi)


def _cards(found: OfficePeriod, lang: str) -> str:
    figures = found.figures
    cards = (
        ("sessions", str(figures.sessions)),
        ("session_average", length(figures.session_average_s, lang)),
        ("most_at_once", str(figures.most_at_once)),
        ("talk", length(figures.talk_s, lang)),
        ("bursts", str(figures.bursts)),
        ("session_longest", length(figures.session_longest_s if figures.sessions else None, lang)),
        ("error_rate", measured_text(_kpi(found, Kpi.ERROR_RATE), lang)),
        ("response", measured_text(_kpi(found, Kpi.RESPONSE), lang)),
    )
    inner = "".join(f"<div><b>{escape(value)}</b><span>{say(key, lang)}</span></div>" for key, value in cards)
    return f'<section class="cards">{inner}</section>'


def _kpis(kpis: Iterable[Measured], lang: str) -> str:
    lines = []
    for row in kpis:
        how = method(row.kpi, lang)
        if row.basis:
            how += f" ({say(f'basis_{row.basis}', lang)})"
        mark = {Verdict.PASS: "pass", Verdict.FAIL: "fail", Verdict.NOT_MEASURED: "none"}[row.verdict]
        cells = (
            name(row.kpi, lang),
            target_text(row.target, lang),
            "-" if row.value is None else measured_text(row, lang),
        )
        lines.append(
            f"<tr>{_cells(cells)}<td class={mark}>{verdict_text(row.verdict, lang)}</td>"
            f"<td class=count>{row.samples if row.value is not None else '-'}</td><td class=how>{escape(how)}</td></tr>"
        )
    head = ("kpi_row", "kpi_target", "kpi_value", "kpi_verdict", "kpi_samples", "kpi_method")
    return _section("kpi", _table([say(key, lang) for key in head], lines), lang)


def _metrics(metrics: Iterable[MetricValue], lang: str) -> str:
    lines = [
        f"<tr>{_cells((words.name(one.metric, lang), words.value(one, lang), str(one.samples or '-')))}"
        f"<td class=how>{escape(words.method(one.metric, lang))}</td></tr>"
        for one in metrics
    ]
    inner = _table(words.head(lang), lines)
    return f'<section class="metrics"><h2>{escape(words.title(lang))}</h2>{inner}</section>'


def _charts(found: OfficePeriod, lang: str) -> str:
    figures, period = found.figures, found.figures.period
    charts = []
    if period.span is not Span.DAY:
        days = [period.first + timedelta(days=n) for n in range(period.days)]
        by_day = {day.day: day for day in figures.days}
        names = [f"{day.day}" if period.span is Span.MONTH else f"{day.month}/{day.day}" for day in days]
        talk = [round(by_day[day].talk_s / 60, 1) if day in by_day else 0.0 for day in days]
        sessions = [float(by_day[day].sessions) if day in by_day else 0.0 for day in days]
        charts += [columns(say("chart_days", lang), names, talk), columns(say("chart_sessions", lang), names, sessions)]
    hours = [round(hour.talk_s / 60, 1) for hour in figures.hours]
    charts.append(columns(say("chart_hours", lang), [str(hour) for hour in range(24)], hours))
    most = sorted((u for u in figures.users if u.talk_s), key=lambda u: (-u.talk_s, u.user))[:USERS_CHARTED]
    if most:
        users = [user.name or user.user for user in most]
        charts.append(rows(say("chart_users", lang), users, [round(user.talk_s / 60, 1) for user in most]))
    return f'<section class="charts">{"".join(charts)}</section>'


def _counts(found: OfficePeriod, lang: str) -> str:
    figures = found.figures
    lines = [_count(say("granted", lang), figures.granted)]
    for key in ("denied", "revoked", "ended", "cleaned", "heartbeats_lost", "alerts"):
        counts: dict[str, int] = getattr(figures, key)
        lines.append(_count(say(key, lang), sum(counts.values())))
        lines += [
            _count(cause(what, lang), count, part=True)
            for what, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        ]
    lines += [_count(say(key, lang), getattr(figures, key)) for key in ("links_lost", "emergencies")]
    lines += [_count(say(key, lang), getattr(figures, key)) for key in ("enrolled", "shut_out")]
    return _section("counts", _table([say("what", lang), say("count", lang)], lines, narrow=True), lang)


def _count(what: str, count: int, *, part: bool = False) -> str:
    return f"<tr{' class=part' if part else ''}><td>{escape(what)}</td><td>{count}</td></tr>"


def _usage(found: OfficePeriod, lang: str) -> str:
    keys = ("user", "name", "user_bursts", "user_talk", "user_denied", "user_joins", "user_emergencies")
    head = [say(key, lang) for key in (*keys, "user_heartbeats", "user_links", "user_channel", "user_joined")]
    lines = []
    for user, name_, bursts, talk_s, denied, joins, emergencies, beats, links, joined, *_, channel in user_rows(found):
        cells = (
            str(user),
            str(name_) if name_ != user else "",
            str(bursts),
            length(float(talk_s), lang) if talk_s else "-",
            *map(str, (denied, joins, emergencies, beats, links)),
            *(f"{float(minutes):.1f}" for minutes in (channel, joined)),
        )
        lines.append(f"<tr>{_cells(cells)}</tr>")
    return _section("usage", _table(head, lines), lang)


def _cost(found: OfficePeriod, price: float, lang: str) -> str:
    total = found.minutes.total
    head = ["", say("cost_minutes", lang), "US$"]
    spent = (("cost_channel", found.minutes.channel_min), ("cost_joined", total.joined_min))
    lines = [
        f"<tr>{_cells((say(key, lang), f'{minutes:.1f}', f'{cost_usd(minutes, price):.2f}'))}</tr>"
        for key, minutes in (*spent, ("cost_always", total.always_min))
    ]
    said = f"{_saved(found, lang)}. {say('cost_assumed', lang, price=f'{price:g}')}"
    return _section("cost", f"{_table(head, lines, narrow=True)}<p>{escape(said)}</p>", lang)


def _saved(found: OfficePeriod, lang: str) -> str:
    """What was saved on Agora; where nobody was joined to it, what would have been if all voice were Agora's."""
    if found.minutes.on_agora:
        total = found.minutes.total
        return say("cost_saving", lang, saving="-" if total.saving is None else f"{total.saving:.1%}")
    would = found.minutes.channel_saving
    return say("cost_no_agora", lang, saving="-" if would is None else f"{would:.1%}")


def _unsound(found: OfficePeriod, lang: str) -> str:
    where = zone(found.figures.period.zone)
    lines = [
        f"<tr>{_cells((f'{local(one.at, where):%Y-%m-%d %H:%M:%S}', str(one.burst), one.user or '-'))}"
        f"<td>{say(f'why_{one.why}', lang)}</td></tr>"
        for one in found.figures.integrity.shown
    ]
    head = [say("when", lang), say("burst", lang), say("user", lang), say("what", lang)]
    return _section("unsound", _table(head, lines), lang)


def _checklist(found: OfficePeriod, lang: str) -> str:
    figures = found.figures
    met = sum(row.verdict is Verdict.PASS for row in found.kpis)
    judged = sum(row.verdict is not Verdict.NOT_MEASURED for row in found.kpis)
    values = {
        "check_sessions": str(figures.sessions),
        "check_errors": measured_text(_kpi(found, Kpi.ERROR_RATE), lang),
        "check_response": measured_text(_kpi(found, Kpi.RESPONSE), lang),
        "check_cleaner": str(sum(figures.cleaned.values())),
        "check_heartbeats": _heartbeats(found, lang),
        "check_cost": f"{found.minutes.total.joined_min:.1f} {say('cost_minutes', lang)}, {_saved(found, lang)}",
        "check_performance": f"{met} / {judged}",
        "check_feedback": value_text(None, _kpi(found, Kpi.SATISFACTION).target.unit, lang),
        "check_security": f"{say('enrolled', lang)} {figures.enrolled}, {say('shut_out', lang)} {figures.shut_out}",
    }
    head = [say("check_done", lang), say("what", lang), say("kpi_value", lang), say("check_note", lang)]
    lines = [
        f"<tr><td class=box>☐</td>{_cells((say(key, lang), values[key]))}<td class=note></td></tr>"
        for key in CHECKS[figures.period.span]
    ]
    return _section("checklist", f"{_table(head, lines)}<p class=sign>{say('check_by', lang)}</p>", lang)


def _heartbeats(found: OfficePeriod, lang: str) -> str:
    """The part that did not come, and how often somebody was given up for it."""
    lost = f"{say('heartbeats_lost', lang)} {sum(found.figures.heartbeats_lost.values())}"
    [came] = [one for one in found.metrics if one.metric is Metric.HEARTBEATS]
    if came.value is None:
        return f"{words.value(came, lang)}; {lost}"
    return f"{say('beats_missing', lang, part=f'{1 - came.value:.2%}', due=came.samples)}; {lost}"


def _cells(cells: Iterable[str]) -> str:
    return "".join(f"<td>{escape(cell)}</td>" for cell in cells)


def _table(head: Sequence[str], lines: Sequence[str], *, narrow: bool = False) -> str:
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    shape = ' class="narrow"' if narrow else ""
    return f'<div class="wide"><table{shape}><thead><tr>{top}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _section(key: str, inner: str, lang: str) -> str:
    return f'<section class="{key}"><h2>{escape(say(key, lang))}</h2>{inner}</section>'
