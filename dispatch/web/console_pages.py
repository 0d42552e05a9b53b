"""The call manager's console: its page. Pure: a frame, which `console/page.js` fills."""

from __future__ import annotations

from typing import Final

from dispatch.web.console_words import console_text, console_words
from dispatch.web.markup import Markup, Part, data, el
from dispatch.web.shell import Seen, csrf, page

KEYS: Final = ("Space", "ControlRight", "ShiftRight", "F8", "F9", "F13", "F14", "Pause", "ScrollLock", "")
"""What may be held to talk, by KeyboardEvent.code; foot pedals and headsets send one of them. "" is none."""
_KEY_NAMES: Final = {"": "key_none", "Space": "key_space", "ControlRight": "key_control", "ShiftRight": "key_shift"}
_COLUMNS: Final = ("col_time", "col_name", "col_length", "col_heard")


def console(seen: Seen, *, zone: str) -> bytes:
    """Give the console's page; `zone` is the office's time zone."""
    session = seen.session
    start = {
        "lang": seen.lang,
        "zone": zone,
        "user": "" if session is None else session.user,
        "words": console_words(seen.lang),
    }
    return page(
        seen,
        seen.say("title_console"),
        el("link", rel="stylesheet", href="/static/console/console.css"),
        el("noscript", el("p", seen.say("no_script"), class_="problem")),
        el("form", csrf(session), id="console-csrf", hidden=True) if session is not None else None,
        el("p", id="line", role="status", class_="line"),
        el("ul", id="troubles", class_="alerts", aria_live="assertive"),
        _emergencies(seen),
        el("div", _talk(seen), _sound(seen), class_="console"),
        el("div", _members(seen), _bursts(seen), class_="console"),
        data("start", start),
        script="console/page.js",
    )


def _said(seen: Seen, key: str) -> str:
    return console_text(key, seen.lang)


def _talk(seen: Seen) -> Markup:
    begin = el(
        "div",
        el("button", _said(seen, "begin"), id="begin", type="button", class_="main begin"),
        el("p", _said(seen, "begin_help"), class_="dim"),
        id="off",
    )
    priorities = [
        el("label", el("input", type="radio", name="priority", value=name, checked=name == "normal"),
           el("span", _said(seen, f"priority_{name}")), class_="choice")
        for name in ("normal", "high")
    ]  # fmt: skip
    on = el(
        "div",
        el("p", id="speaker", role="status", class_="speaker"),
        el("p", id="since", class_="elapsed"),
        el(
            "button",
            el("span", _said(seen, "ptt_off"), id="ptt-state"),
            el("span", id="ptt-time", class_="ptt-time"),
            id="ptt",
            type="button",
            class_="ptt",
            aria_pressed="false",
            aria_describedby="ptt-key",
        ),
        el("p", id="ptt-key", class_="dim"),
        el("p", id="told", role="status", aria_live="assertive", class_="told"),
        el("p", id="heard", role="status", class_="count"),
        el("fieldset", el("legend", _said(seen, "priority")), priorities, id="priorities", class_="row"),
        id="on",
        hidden=True,
    )
    return _section(seen, "talk", begin, on)


def _sound(seen: Seen) -> Markup:
    keys = [el("option", _key(seen, code), value=code, selected=code == "Space") for code in KEYS]
    rows = [
        _row(seen, "level", el("meter", id="level", min=0, max=1, low=0.3, high=0.95, optimum=0.6, value=0)),
        _row(
            seen,
            "volume",
            el("input", id="volume", type="range", min=0, max=100, value=100),
            el("span", id="volume-said", class_="dim"),
        ),
        _row(seen, "key", el("select", keys, id="key")),
        *(
            el("label", el("input", id=name, type="checkbox"), el("span", _said(seen, name)), class_="choice")
            for name in ("headset", "clean")
        ),
    ]
    return _section(seen, "sound", el("div", rows, class_="stack"))


def _key(seen: Seen, code: str) -> str:
    return _said(seen, _KEY_NAMES[code]) if code in _KEY_NAMES else code


def _row(seen: Seen, key: str, *parts: Part) -> Markup:
    return el("label", el("span", _said(seen, key)), *parts)


def _emergencies(seen: Seen) -> Markup:
    question = el(
        "dialog",
        el("p", id="sure-what"),
        el(
            "div",
            el("button", _said(seen, "emergency_no"), id="sure-no", type="button"),
            el("button", _said(seen, "emergency_yes"), id="sure-yes", type="button", class_="danger"),
            class_="row",
        ),
        id="sure",
        aria_labelledby="sure-what",
    )
    told = el("p", id="cleared", role="status", class_="count")
    rows = el("ul", id="emergencies", class_="alerts", aria_live="assertive")
    return el("section", el("h2", _said(seen, "emergencies"), id="h-emergencies"), rows, told, question,
              id="emergency", aria_labelledby="h-emergencies")  # fmt: skip


def _members(seen: Seen) -> Markup:
    return _section(seen, "members", el("ul", id="members", class_="people"), el("p", id="members-none", class_="none"))


def _bursts(seen: Seen) -> Markup:
    head = el("thead", el("tr", [el("th", _said(seen, column), scope="col") for column in _COLUMNS]))
    table = el("table", head, el("tbody", id="bursts"), aria_labelledby="h-bursts")
    return _section(seen, "bursts", el("div", table, class_="scroll"), el("p", id="bursts-none", class_="none"))


def _section(seen: Seen, name: str, *content: Part) -> Markup:
    heading = el("h2", _said(seen, name), id=f"h-{name}")
    return el("section", heading, *content, class_="card", aria_labelledby=f"h-{name}")
