"""What every page has around its content; the sign-in page and pages of errors. Pure."""

from __future__ import annotations

from msgspec import Struct

from dispatch.web.markup import Markup, Part, el
from dispatch.web.sessions import Session
from dispatch.web.words import say


class Seen(Struct, frozen=True, kw_only=True):
    """Who looks at a page, and how."""

    lang: str
    session: Session | None = None
    office_name: str = ""
    path: str = "/"

    def say(self, key: str, **fields: object) -> str:
        """Give a sentence in the page's language."""
        return say(key, self.lang, **fields)


_NAV = (
    ("/", "nav_office"),
    ("/console", "nav_console"),
    ("/kpi", "nav_kpi"),
    ("/history", "nav_history"),
    ("/admin", "nav_admin"),
)

LOGIN_MAX = 120


def page(seen: Seen, title: str, *content: Part, script: str | None = None, notice: str = "") -> bytes:
    """Give a whole page. `script`: a file of ours; `notice` stands above the content and is read aloud."""
    head = [
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="dark"),
        el("title", f"{title} · {seen.office_name or seen.say('brand')}"),
        el("link", rel="stylesheet", href="/static/web.css"),
        el("link", rel="icon", href="/static/icon.svg", type="image/svg+xml"),
        el("script", src=f"/static/{script}", type="module") if script else None,
    ]
    main = el("main", el("h1", title), el("p", notice, role="status", class_="notice") if notice else None, *content,
              id="main", tabindex="-1")  # fmt: skip
    skip = el("a", seen.say("skip"), href="#main", class_="skip")
    body = el("body", skip, _header(seen), main)
    whole = el("html", el("head", *head), body, lang=seen.lang)
    return f"<!doctype html>{whole}".encode()


def csrf(session: Session) -> Markup:
    """Give the hidden field that every form of a session has."""
    return el("input", type="hidden", name="csrf", value=session.csrf)


def field(label: str, name: str, **attributes: str | int | bool | None) -> Markup:
    """Give a labelled input."""
    return el("label", el("span", label), el("input", name=name, **attributes))


def select(label: str, name: str, options: dict[str, str]) -> Markup:
    """Give a labelled choice."""
    choices = [el("option", said, value=key) for key, said in options.items()]
    return el("label", el("span", label), el("select", choices, name=name))


def sign_in(seen: Seen, notice: str = "", login: str = "") -> bytes:
    """Give the sign-in page; `login`: what was typed, so that only the secret is to be typed again."""
    form = el(
        "form",
        field(seen.say("login"), "login", autocomplete="username", required=True, maxlength=LOGIN_MAX,
              autocapitalize="none", spellcheck="false", value=login[:LOGIN_MAX] or None, autofocus=not login),
        field(seen.say("secret"), "secret", type="password", autocomplete="current-password", required=True,
              maxlength=256, autofocus=bool(login)),
        el("button", seen.say("sign_in"), class_="main"),
        method="post",
        action="/signin",
        class_="card stack",
    )  # fmt: skip
    return page(seen, seen.say("title_sign_in"), form, notice=notice)


def error(seen: Seen, what: str) -> bytes:
    """Give a page that says what is wrong."""
    back = el("p", el("a", seen.say("back"), href="/"))
    return page(seen, seen.say("title_error"), el("p", what, class_="problem", role="alert"), back)


def _header(seen: Seen) -> Markup:
    session = seen.session
    tools: list[Part] = []
    other = "en" if seen.lang == "ko" else "ko"
    button = el("button", seen.say("other_language"), lang=other, class_="quiet")
    hidden = [
        el("input", type="hidden", name=name, value=value) for name, value in (("lang", other), ("to", seen.path))
    ]
    tools.append(el("form", hidden, button, method="post", action="/lang"))
    links: list[Part] = []
    if session is not None:
        may = {"/admin": session.admin, "/console": session.speaks}
        shown = [(href, key) for href, key in _NAV if may.get(href, True)]
        links = [
            el("a", seen.say(key), href=href, aria_current="page" if href == seen.path else None) for href, key in shown
        ]
        who = el("span", session.user, class_="who")
        leave = el("button", seen.say("sign_out"), class_="quiet")
        tools += [who, el("form", csrf(session), leave, method="post", action="/signout")]
    brand = el("span", seen.office_name or seen.say("brand"), class_="brand")
    nav = el("nav", links, aria_label=seen.say("nav")) if links else None
    return el("header", brand, nav, el("div", tools, class_="tools"))
