"""The pages that fill and change by themselves: the office, and one vehicle. Pure: frames, which live.js fills."""

from __future__ import annotations

from typing import Any

from dispatch.web.markup import Markup, Part, data, el
from dispatch.web.shell import Seen, csrf, page
from dispatch.web.words import LIVE_WORDS, raw

ANSWER_TARGET_MS = 100
"""The plan's target for an answer to a press (9.1)."""


def office(seen: Seen, snapshot: dict[str, Any], zone: str) -> bytes:
    """Give the office's page."""
    cards = [("card_sessions", "sessions"), ("card_participants", "participants"), ("card_usage", "usage")]
    cards.append(("card_average", "average"))
    figures = el("dl", [_card(seen, key, name) for key, name in cards], class_="cards")
    return page(
        seen,
        seen.say("title_office"),
        _lines(seen),
        figures,
        _section(seen, "sessions", el("div", id="session", class_="card", aria_live="polite")),
        _section(seen, "alerts", el("ul", id="alerts", class_="alerts", aria_live="polite")),
        _section(
            seen,
            "members",
            el("p", id="members-count", class_="count"),
            el(
                "div",
                el("label", seen.say("members_find"), for_="members-find"),
                el("input", id="members-find", type="search", autocomplete="off", maxlength=64),
                el("p", id="members-more", role="status", class_="count"),
                hidden=True,
                class_="find",
            ),
            _table(seen, "members", ("col_name", "col_state", "col_channel", "col_health", "col_floor", "col_since")),
        ),
        _section(
            seen,
            "bursts",
            _table(seen, "bursts", ("col_time", "col_name", "col_length", "col_ended", "col_heard")),
        ),
        _data(seen, snapshot, zone, None),
        script="live.js",
    )


def vehicle(
    seen: Seen, user: str, name: str, snapshot: dict[str, Any], zone: str, log: Part, *, notice: str = ""
) -> bytes:
    """Give a vehicle's page; `log` is its part of the office's log."""
    session = seen.session
    commands: Part = None
    if session is not None and session.commands:
        buttons = [_command(seen, user, op) for op in ("mute", "unmute")]
        commands = _section(seen, "vehicle_commands", el("div", buttons, class_="row"))
    blocks = [
        el("section", el("h2", seen.say(f"vehicle_{part}")), el("dl", id=f"v-{part}", class_="facts"), class_="card")
        for part in ("state", "presses", "telemetry", "info")
    ]
    return page(
        seen,
        seen.say("title_vehicle", name=name),
        _lines(seen),
        _section(seen, "alerts", el("ul", id="alerts", class_="alerts", aria_live="polite")),
        el("div", blocks, class_="blocks"),
        el("p", el("a", seen.say("press_link"), href=f"/vehicle/{user}/presses")),
        commands,
        _section(
            seen,
            "bursts",
            _table(seen, "bursts", ("col_time", "col_name", "col_length", "col_ended", "col_heard")),
            title="vehicle_bursts",
        ),
        _section(seen, "vehicle_log", log),
        _data(seen, snapshot, zone, user),
        script="live.js",
        notice=notice,
    )


def _card(seen: Seen, key: str, name: str) -> Markup:
    return el("div", el("dt", seen.say(key)), el("dd", "–", id=f"card-{name}"), class_="card figure")


def _section(seen: Seen, name: str, *content: Part, title: str | None = None) -> Markup:
    return el("section", el("h2", seen.say(title or name), id=f"h-{name}"), *content, aria_labelledby=f"h-{name}")


def _table(seen: Seen, name: str, columns: tuple[str, ...]) -> Markup:
    head = el("thead", el("tr", [el("th", seen.say(column), scope="col") for column in columns]))
    table = el("table", head, el("tbody", id=name), aria_labelledby=f"h-{name}")
    return el("div", table, el("p", id=f"{name}-none", hidden=True, class_="none"), class_="scroll")


def _lines(seen: Seen) -> Markup:
    no_script = el("noscript", el("p", seen.say("no_script"), class_="problem"))
    return el("div", el("p", id="line", role="status", class_="line"), no_script)


def _command(seen: Seen, user: str, op: str) -> Markup:
    fields = [] if seen.session is None else [csrf(seen.session)]
    button = el("button", seen.say(op), name="op", value=op, class_="danger" if op == "mute" else None)
    return el("form", fields, button, method="post", action=f"/vehicle/{user}/command")


def _data(seen: Seen, snapshot: dict[str, Any], zone: str, vehicle: str | None) -> Markup:
    said = {"lang": seen.lang, "zone": zone, "vehicle": vehicle, "words": raw(LIVE_WORDS, seen.lang)}
    return data("start", said | snapshot | {"target_ms": ANSWER_TARGET_MS})
