"""What the broker's users should be, held against what they are. Pure."""

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from dispatch.broker.accounts import both, role_of, secret_mark
from dispatch.broker.acl import Connection, console_logins, entries, logins, server_entries, web_entries
from dispatch.broker.dynsec import AclEntry, ClientWords, Command, CreateRole, ModifyClient, ModifyRole
from dispatch.registry.words import ConsoleLogin, User
from protocol.login import SERVER_LOGIN, WEB_LOGIN, Login

Rules = tuple[AclEntry, ...]


class Verdict(Struct, frozen=True, kw_only=True):
    """What is wrong at the broker. Logins, sorted."""

    revoked: tuple[str, ...] = ()
    """Open, although the user is revoked, or the page's hour is over."""
    unproven: tuple[str, ...] = ()
    """Open, although the registry does not know the user, or that login of it, or holds no or another secret of it."""
    unknown: tuple[str, ...] = ()
    """Open or shut, and of nobody the registry knows."""
    missing: tuple[str, ...] = ()
    """Of admitted users, and not there, shut, or with another secret than the registry's."""
    mend: tuple[Command, ...] = ()
    """What sets wrong client ids, roles and rules right, in order."""


class Wanted(Struct, frozen=True):
    """The registry's users by login."""

    known: dict[str, tuple[User, Connection]]
    """Every login that a user of the registry may have, whether admitted or not."""
    admitted: frozenset[str]
    revoked: frozenset[str]
    """Logins of revoked users, also those that their role would not have."""
    ended: frozenset[str]
    """Logins of users' pages that had them until they expired or were ended."""
    consoles: frozenset[str]
    """Those of `admitted` that are a page's: one that the broker lacks is the page's to ask for."""
    marks: dict[str, str]
    """Of each admitted login, which secret it must have."""


def wanted(users: Sequence[User], pages: Sequence[ConsoleLogin] = (), now_ms: int = 0) -> Wanted:
    """Sort the registry's users by what the broker should make of them. Some 5 ms for 1000 users.

    `pages`: the newest login of each call manager's page; `now_ms` (Unix) decides which are live.
    """
    issued = {(page.office, page.user): page for page in pages}
    ended: set[str] = set()
    consoles: set[str] = set()
    known: dict[str, tuple[User, Connection]] = {}
    marks: dict[str, str] = {}
    revoked: set[str] = set()
    for user in users:
        who = Login(user.office, user.user)
        made = {login: (user, connection) for login, connection in logins(who, user.role)}
        known.update(made)
        page = dict(console_logins(who, user.role))
        known.update((login, (user, connection)) for login, connection in page.items())
        if user.revoked_at is not None:
            revoked.update((*both(user), *page))
            continue
        if user.admitted:
            marks.update(dict.fromkeys(made, secret_mark(user.secret)))
        newest = issued.get((user.office, user.user)) if page else None
        if newest is not None and user.admitted and newest.live(now_ms):
            marks.update(dict.fromkeys(page, secret_mark(newest.secret)))
            consoles.update(page)
        elif newest is not None:
            ended.update(page)
    return Wanted(known, frozenset(marks), frozenset(revoked), frozenset(ended), frozenset(consoles), marks)


def judge(want: Wanted, clients: Mapping[str, ClientWords], rules: Mapping[str, Rules] | None) -> Verdict:
    """Compare. `rules` are those of the broker's roles, by role name, or None where they were not asked for."""
    ours = {login for login in clients if login == SERVER_LOGIN or login.startswith(WEB_LOGIN)}
    there = {login: client for login, client in clients.items() if login not in ours}
    opened = {login for login, client in there.items() if not client.disabled}
    stale = {login for login in opened & want.admitted if there[login].textname != want.marks[login]}
    mend = [] if rules is None else _rules(want, there, ours, rules)
    for login in sorted(there.keys() & want.admitted):
        if there[login].clientid != login or there[login].roles != role_of(login):
            mend.append(ModifyClient(username=login, clientid=login, roles=role_of(login)))
    return Verdict(
        revoked=tuple(sorted(opened & (want.revoked | want.ended))),
        unproven=tuple(sorted(opened - want.revoked - want.ended - want.admitted | stale)),
        unknown=tuple(sorted(there.keys() - want.known.keys() - want.revoked)),
        missing=tuple(sorted((want.admitted - opened | stale) - want.consoles)),
        mend=tuple(mend),
    )


def _rules(
    want: Wanted, there: Mapping[str, ClientWords], ours: Collection[str], rules: Mapping[str, Rules]
) -> list[Command]:
    due = {SERVER_LOGIN: server_entries()} | dict.fromkeys(sorted({*ours} - {SERVER_LOGIN}), web_entries())
    for login in sorted(there.keys() & want.admitted):
        user, connection = want.known[login]
        due[login] = entries(Login(user.office, user.user), user.role, connection)
    made: list[Command] = []
    for role, acls in due.items():
        if role not in rules:
            made.append(CreateRole(rolename=role, acls=acls))
        elif sorted(rules[role]) != sorted(acls):
            made.append(ModifyRole(rolename=role, acls=acls))
    return made
