"""The pages of a vehicle's presses: a day's list with its latencies, and one press as `ptt-dispatch trace` tells it.
Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, tzinfo
from urllib.parse import urlencode

from dispatch.history.day import local
from dispatch.history.kpi import TARGETS, Kpi, Target
from dispatch.history.kpi_words import target_text
from dispatch.history.presses import Answered, ranks
from dispatch.show import moment, printable
from dispatch.traces.listeners import Listener
from dispatch.traces.store import dotted
from dispatch.traces.tell import Told
from dispatch.traces.text import lines
from dispatch.web.markup import Markup, Part, el
from dispatch.web.past_pages import day_choice
from dispatch.web.shell import Seen, page

SHOWN_MAX = 500
LISTENERS_MAX = 100
FILTERS: dict[str, Callable[[Told], bool]] = {
    "all": lambda one: True,
    "refused": lambda one: one.answered is not None and one.answered is not Answered.GRANTED,
    "failed": lambda one: one.answered is Answered.FAILED,
}
"""`?only=` -> which presses are shown."""
_OUTCOMES = {
    Answered.GRANTED: ("press_granted", "good"),
    Answered.EXPLAINED: ("press_explained", "warn"),
    Answered.FAILED: ("press_failure", "bad"),
    None: ("press_no_wish", "dim"),
}
_FIGURES: tuple[tuple[str, Target | None, Callable[[Told], float | None]], ...] = (
    ("press_answer", TARGETS[Kpi.RESPONSE], lambda one: one.answer_ms if _explained(one) else None),
    ("press_start", None, lambda one: one.metrics.session_start_ms),
    ("press_heard", TARGETS[Kpi.RESPONSE], lambda one: _first(one).heard_ms),
    ("press_join", TARGETS[Kpi.JOIN], lambda one: one.metrics.join_ms),
    ("press_token", TARGETS[Kpi.TOKEN], lambda one: one.metrics.token_ms),
)


def presses(
    seen: Seen, user: str, name: str, day: date, today: date, where: tzinfo, told: Sequence[Told], only: str
) -> bytes:
    """Give the presses of a day, newest first; `only`: one of FILTERS."""
    counts = {key: sum(map(wanted, told)) for key, wanted in FILTERS.items()}
    path = f"/vehicle/{user}/presses"
    links = [
        el(
            "a",
            seen.say(f"press_{key}", count=count),
            href=f"{path}?{urlencode({'day': day.isoformat(), 'only': key})}",
            aria_current="page" if key == only else None,
        )
        for key, count in counts.items()
    ]
    shown = [one for one in reversed(told) if FILTERS[only](one)][:SHOWN_MAX]
    columns = ("press_time", "press_outcome", "press_answer", "press_start", "press_heard")
    rows = [_row(seen, user, one, where) for one in shown]
    table: Part = el("p", seen.say("press_none"), class_="none")
    if rows:
        table = _table(seen, "h-presses", columns, rows)
    many = el("p", seen.say("press_more", shown=len(shown), count=counts[only])) if len(shown) < counts[only] else None
    return page(
        seen,
        seen.say("press_title", name=name),
        el("p", el("a", seen.say("back"), href=f"/vehicle/{user}")),
        day_choice(seen, path, day, today),
        _figures(seen, told) if told else None,
        el(
            "section",
            el("h2", seen.say("press_presses"), id="h-presses"),
            el("nav", links, aria_label=seen.say("press_filter"), class_="row"),
            many,
            table,
        ),
    )


def press(seen: Seen, user: str, name: str, day: date, where: tzinfo, one: Told) -> bytes:
    """Give one press: why it could talk or could not, step by step."""
    at = local(one.at, where)
    command = f"ptt-dispatch trace {user} --day {at:%Y-%m-%d} --at {at:%H:%M:%S} --around 1"
    _, look = _OUTCOMES[one.answered]
    text = "\n".join(lines(one, user, seen.lang, where))
    metrics = one.metrics
    rate = metrics.heartbeat_rate
    facts: list[tuple[str, Part]] = [
        ("press_start", _ms(seen, metrics.session_start_ms)),
        ("press_token", _ms(seen, metrics.token_ms, TARGETS[Kpi.TOKEN])),
        ("press_join", _ms(seen, metrics.join_ms, TARGETS[Kpi.JOIN])),
        ("press_participants", seen.say("not_known") if metrics.participants is None else metrics.participants),
        ("press_heartbeat", seen.say("not_known") if rate is None else f"{rate:.1%}"),
    ]
    listed = el("dl", [(el("dt", seen.say(key)), el("dd", value)) for key, value in facts], class_="facts")
    back = f"/vehicle/{user}/presses?{urlencode({'day': day.isoformat()})}"
    return page(
        seen,
        seen.say("press_title_one", name=name),
        el("p", el("a", seen.say("press_back"), href=back)),
        el("p", printable(one.verdict), class_=f"speaker {look}", id="verdict"),
        el("p", el("span", _outcome(seen, one), class_=f"tag {look}"), " ", moment(one.at, where)),
        el("section", el("h2", seen.say("press_steps")), el("pre", text, id="trace", class_="log", tabindex="0")),
        el("section", el("h2", seen.say("press_metrics")), listed, class_="card"),
        _listeners(seen, one.listeners) if one.listeners else None,
        el("p", seen.say("press_command"), " ", el("code", command)),
    )


def _figures(seen: Seen, told: Sequence[Told]) -> Markup:
    columns = ("press_figure", "press_target", "press_p50", "press_p95", "press_count")
    rows = []
    for key, target, value in _FIGURES:
        known = [each for each in map(value, told) if each is not None]
        p50, p95 = ranks(known, (50, 95))
        rows.append(
            el(
                "tr",
                el("th", seen.say(key), scope="row"),
                el(
                    "td",
                    seen.say("press_no_target") if target is None else target_text(target, seen.lang),
                    class_="number",
                ),
                el("td", _ms(seen, p50, target), class_="number"),
                el("td", _ms(seen, p95, target), class_="number"),
                el("td", len(known), class_="number"),
                data_figure=key,
            )
        )
    return el("section", el("h2", seen.say("press_figures"), id="h-figures"), _table(seen, "h-figures", columns, rows))


def _row(seen: Seen, user: str, one: Told, where: tzinfo) -> Markup:
    to = f"/press/{user}?{urlencode({'at': one.at, 'request': dotted(one.request)})}"
    _, look = _OUTCOMES[one.answered]
    first = _first(one)
    heard: Part = _ms(seen, first.heard_ms, TARGETS[Kpi.RESPONSE])
    if first.error_ms is not None:
        heard = [heard, " ", el("span", f"±{first.error_ms}", class_="dim")]
    return el(
        "tr",
        el("td", el("a", f"{local(one.at, where):%H:%M:%S}", href=to), class_="number"),
        el("td", el("span", _outcome(seen, one), class_=f"tag {look}"), " ", printable(one.verdict), class_="words"),
        el("td", _ms(seen, one.answer_ms, TARGETS[Kpi.RESPONSE] if _explained(one) else None), class_="number"),
        el("td", _ms(seen, one.metrics.session_start_ms), class_="number"),
        el("td", heard, class_="number"),
        data_answered=one.answered.value if one.answered else "",
    )


def _listeners(seen: Seen, listeners: Sequence[Listener]) -> Markup:
    columns = ("press_listener", "press_after", "press_error", "press_joined", "press_frames", "press_concealed")
    rows = [
        el(
            "tr",
            el("th", el("a", each.user, href=f"/vehicle/{each.user}"), scope="row"),
            el("td", _ms(seen, each.heard_ms, TARGETS[Kpi.RESPONSE]), class_="number"),
            el("td", _ms(seen, each.error_ms), class_="number"),
            el("td", _ms(seen, each.join_ms, TARGETS[Kpi.JOIN]), class_="number"),
            el("td", each.frames, class_="number"),
            el("td", each.concealed, class_="number"),
        )
        for each in listeners[:LISTENERS_MAX]
    ]
    count = len(listeners)
    more = el("p", seen.say("press_more", shown=len(rows), count=count)) if len(rows) < count else None
    table = _table(seen, "h-listeners", columns, rows)
    note = el("p", seen.say("press_clocks"), class_="dim")
    return el("section", el("h2", seen.say("press_listeners"), id="h-listeners"), note, more, table)


def _table(seen: Seen, label: str, columns: Sequence[str], rows: Sequence[Markup]) -> Markup:
    head = el("thead", el("tr", [el("th", seen.say(column), scope="col") for column in columns]))
    return el("div", el("table", head, el("tbody", rows), aria_labelledby=label), class_="scroll")


def _ms(seen: Seen, value: float | None, target: Target | None = None) -> Part:
    """Give a duration; against its target also as a word, since colour alone says nothing to some."""
    if value is None:
        return "–"
    said = f"{value:.4g} ms"
    if target is None:
        return said
    met = target.met(value)
    return el("span", f"{said}, {seen.say('press_within' if met else 'press_over')}", class_="good" if met else "bad")


def _outcome(seen: Seen, one: Told) -> str:
    return seen.say(_OUTCOMES[one.answered][0])


def _explained(one: Told) -> bool:
    """Whether the office answered: that a unit says at once that it has no connection is no fast answer."""
    return one.answered in (Answered.GRANTED, Answered.EXPLAINED)


def _first(one: Told) -> Listener:
    return one.listeners[0] if one.listeners else Listener(user="")
