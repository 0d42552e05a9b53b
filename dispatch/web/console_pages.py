"""The call manager's console: its page. Pure: a frame, which `console/page.js` fills."""

from __future__ import annotations

from dispatch.web.markup import data, el
from dispatch.web.shell import Seen, csrf, page


def console(seen: Seen, *, zone: str) -> bytes:
    """Give the console's page; `zone` is the office's time zone."""
    session = seen.session
    no_script = el("noscript", el("p", seen.say("no_script"), class_="problem"))
    token = el("form", csrf(session), id="console-csrf", hidden=True) if session is not None else None
    start = {"lang": seen.lang, "zone": zone, "user": "" if session is None else session.user}
    return page(
        seen,
        seen.say("title_console"),
        no_script,
        token,
        el("div", id="console", class_="card"),
        data("start", start),
    )
