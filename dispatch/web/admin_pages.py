"""The pages of an admin: users and devices, a code, a secret, a revocation. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from urllib.parse import urlencode

from dispatch.history.day import local
from dispatch.registry.codes import ENROLLED_ROLES
from dispatch.registry.words import User
from dispatch.web.desk import Shown
from dispatch.web.markup import Markup, Part, el
from dispatch.web.sessions import Session
from dispatch.web.shell import Seen, csrf, field, page, select
from protocol.rest import Role
from service.settings import Secret

FIND_MAX = 64
ROWS_MAX = 200
"""So many users stand on one page: ten thousand forms would keep every other page waiting."""


def users(
    seen: Seen, session: Session, found: Sequence[User], notice: str = "", *, find: str = "", number: int = 1
) -> bytes:
    """Give the list of users with what can be done to each, and the form for one more.

    Of more than ROWS_MAX it is the page of this number, or the nearest, of those whose id or name holds `find`.
    """
    many = len(found) > ROWS_MAX
    wanted = find.strip().casefold() if many else ""
    chosen = [user for user in found if wanted in user.user or wanted in user.name.casefold()]
    number = min(max(1, number), max(1, -(-len(chosen) // ROWS_MAX)))
    first = (number - 1) * ROWS_MAX
    shown = chosen[first : first + ROWS_MAX]
    finder: Part = None
    if many:
        finder = _finder(seen, find, number, f"{first + 1 if shown else 0}–{first + len(shown)}", len(chosen))
    columns = ("col_user", "col_name", "col_role", "col_state", "col_enrolled", "col_do")
    head = el("thead", el("tr", [el("th", seen.say(column), scope="col") for column in columns]))
    rows = [_row(seen, session, user) for user in shown]
    table = el("div", el("table", head, el("tbody", rows), aria_labelledby="h-users"), class_="scroll")
    return page(
        seen,
        seen.say("title_admin"),
        el("section", el("h2", seen.say("admin_users", office=seen.office_name), id="h-users"), finder, table),
        el("section", el("h2", seen.say("add_user")), _add_form(seen, session), class_="card"),
        notice=notice,
    )


def _finder(seen: Seen, find: str, number: int, shown: str, count: int) -> Markup:
    label = field(seen.say("users_find"), "find", type="search", value=find, maxlength=FIND_MAX, autocomplete="off")
    form = el("form", label, el("button", seen.say("find")), method="get", action="/admin", class_="row")
    turns = [
        el("a", seen.say(key), href=f"/admin?{urlencode({'find': find, 'page': to})}", rel=rel)
        for key, rel, to, there in (
            ("page_before", "prev", number - 1, number > 1),
            ("page_after", "next", number + 1, number * ROWS_MAX < count),
        )
        if there
    ]
    said = el("p", seen.say("users_shown", shown=shown, all=count), class_="count")
    return el("div", form, said, el("p", [[turn, " "] for turn in turns]))


def code(seen: Seen, shown: Shown, zone: tzinfo) -> bytes:
    """Show a code, this once."""
    until = local(shown.expires_at, zone).strftime("%Y-%m-%d %H:%M")
    return page(
        seen,
        seen.say("title_code", name=shown.user.name),
        el("p", seen.say("code_help", until=until)),
        el(
            "div",
            el("p", el("span", seen.say("code_url"), class_="dim"), " ", shown.url),
            el("p", shown.code.reveal(), class_="code", id="code"),
            el("div", Markup(shown.qr.reveal()), role="img", aria_label=seen.say("code_qr")),
            class_="card",
        ),
        _back(seen),
    )


def secret(seen: Seen, user: User, made: Secret) -> bytes:
    """Show a secret, this once."""
    return page(
        seen,
        seen.say("title_secret", name=user.name),
        el("p", seen.say("secret_once")),
        el(
            "div",
            el("p", el("span", seen.say("col_login"), class_="dim"), " ", el("span", user.login, id="login")),
            el("p", made.reveal(), class_="code", id="secret"),
            class_="card",
        ),
        _back(seen),
    )


def revoke(seen: Seen, session: Session, user: User) -> bytes:
    """Ask once more before every door is shut."""
    form = el(
        "form",
        csrf(session),
        field(seen.say("revoke_why"), "why", maxlength=200),
        el("button", seen.say("revoke"), class_="danger"),
        method="post",
        action=f"/admin/{user.user}/revoke",
        class_="card stack",
    )
    title = seen.say("title_revoke", name=user.name)
    return page(seen, title, el("p", seen.say("revoke_help")), form, _back(seen))


def _row(seen: Seen, session: Session, user: User) -> Markup:
    state: Part = seen.say("state_revoked") if user.revoked_at is not None else ""
    if user.clone is not None:
        state = [state, el("span", seen.say("clone_seen"), class_="tag bad")]
    label: Part = user.user
    if user.role.member:
        label = el("a", user.user, href=f"/vehicle/{user.user}")
    return el(
        "tr",
        el("th", label, scope="row"),
        el("td", user.name),
        el("td", seen.say(f"role_{user.role.value}")),
        el("td", state),
        el("td", _enrolled(seen, user)),
        el("td", el("div", _deeds(seen, session, user), class_="row")),
    )


def _enrolled(seen: Seen, user: User) -> str:
    if user.role in ENROLLED_ROLES and user.generation:
        return seen.say("enrolled_no", number=user.generation)
    return seen.say("enrolled_secret" if user.secret is not None else "enrolled_never")


def _deeds(seen: Seen, session: Session, user: User) -> list[Markup]:
    if user.revoked_at is not None:
        return [_deed(seen, session, user, "restore", "restore")]
    made = [_deed(seen, session, user, "code", "make_code")] if user.role in ENROLLED_ROLES else []
    if not made and user.user != session.user:
        made = [_deed(seen, session, user, "rotate", "rotate")]
    if user.user != session.user:
        label = f"{seen.say('revoke')}: {user.name}"
        made.append(el("a", seen.say("revoke"), href=f"/admin/{user.user}/revoke", aria_label=label))
    return made


def _deed(seen: Seen, session: Session, user: User, what: str, key: str) -> Markup:
    button = el("button", seen.say(key), aria_label=f"{seen.say(key)}: {user.name}", class_="quiet")
    return el("form", csrf(session), button, method="post", action=f"/admin/{user.user}/{what}")


def _add_form(seen: Seen, session: Session) -> Markup:
    return el(
        "form",
        csrf(session),
        field(
            seen.say("col_user"),
            "user",
            required=True,
            pattern=r"[a-z0-9][a-z0-9\-]{0,31}",
            maxlength=32,
            title=seen.say("id_help"),
        ),
        field(seen.say("col_name"), "name", required=True, maxlength=64),
        select(seen.say("col_role"), "role", {role.value: seen.say(f"role_{role.value}") for role in Role}),
        el("button", seen.say("add"), class_="main"),
        method="post",
        action="/admin/add",
        class_="row",
    )


def _back(seen: Seen) -> Markup:
    return el("p", el("a", seen.say("back"), href="/admin"))
