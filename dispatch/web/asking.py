"""Who asks for a page, and what is wrong with it: sign-in, the session behind a cookie, forms, refusals."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from litestar import Request
from litestar.datastructures import State
from msgspec import Struct

from dispatch.registry.port import Registry
from dispatch.registry.words import User
from dispatch.rest.door import Door
from dispatch.rest.hearing import REFUSAL_S, address_of
from dispatch.rest.problems import Refused
from dispatch.rest.work import Work
from dispatch.web.sessions import WATCHERS, Session, Sessions, holds
from dispatch.web.shell import Seen
from dispatch.web.words import LANGUAGES, language, say

COOKIE = "__Host-ptt-session"
"""The prefix has browsers take it over TLS alone, for this very host and every path."""
LANGUAGE_COOKIE = "__Host-ptt-lang"
FORM_FIELDS_MAX = 20

Asked: TypeAlias = Request[Any, Any, State]


class Away(Exception):
    """Nobody is signed in: to the sign-in page. `over`: somebody was."""

    def __init__(self, *, over: bool = False) -> None:
        super().__init__()
        self.over = over


class Refusal(Exception):
    """What was asked for is not done; `key` is the sentence that says why."""

    def __init__(self, status: int, key: str, **fields: object) -> None:
        super().__init__(key)
        self.status, self.key, self.fields = status, key, fields


class SignInFailed(Exception):
    """The sign-in page again, and why."""

    def __init__(self, status: int, key: str, **fields: object) -> None:
        super().__init__(key)
        self.status, self.key, self.fields = status, key, fields
        self.login = ""
        """What was typed, for the page to show again."""


class Reception(Struct, frozen=True, kw_only=True):
    """What admits people to pages."""

    registry: Registry
    door: Door
    sessions: Sessions
    work: Work
    """Reads of the registry."""
    doubt_work: Work
    """Sign-ins of logins that failed too often, so that they hold up nobody else."""
    office_names: dict[str, str]
    """Filled by whoever reads the registry."""

    async def session(self, request: Asked) -> Session:
        """Give the session of a request, its user admitted still; raises Away, Refusal, StoreUnavailable."""
        token = request.cookies.get(COOKIE)
        if not token:
            raise Away
        session = self.sessions.find(token)
        if session is None or not await self.still(session):
            raise Away(over=True)
        return session

    async def still(self, session: Session) -> bool:
        """Whether a session's user may look on; raises StoreUnavailable, Refused (busy)."""
        if not self.sessions.touch(session):
            return False
        user = await self.work.do(lambda: self.registry.user(session.office, session.user))
        if holds(session, user):
            return True
        self.sessions.end(session)
        return False

    def seen(self, request: Asked, session: Session | None) -> Seen:
        """Give how a page is to be shown."""
        lang = language(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""))
        name = "" if session is None else self.office_names.get(str(session.office), str(session.office))
        return Seen(lang=lang, session=session, office_name=name, path=request.url.path)

    async def sign_in(self, request: Asked, fields: dict[str, str]) -> tuple[str, Session]:
        """Begin a session; raises SignInFailed. It takes as long for a login that does not exist."""
        login = fields.get("login", "").strip().lower().replace("/", ".")
        encoded = base64.b64encode(f"{login}:{fields.get('secret', '').strip()}".encode()).decode()
        began = time.monotonic()
        try:
            claim = self.door.claim(f"Basic {encoded}", address_of(request))
            work = self.work if claim.wait_s <= 0 else self.doubt_work
            user: User = await work.do(lambda: self.door.user(claim))
        except Refused as refused:
            await asyncio.sleep(REFUSAL_S - (time.monotonic() - began) % REFUSAL_S)
            if refused.code in ("too_many", "busy"):
                seconds = int(refused.headers.get("Retry-After", "1"))
                raise SignInFailed(429, "sign_in_wait", seconds=seconds) from None
            raise SignInFailed(403, "sign_in_wrong") from None
        if user.role not in WATCHERS:
            raise SignInFailed(403, "sign_in_role")
        old = self.sessions.find(request.cookies.get(COOKIE, ""))
        if old is not None:
            self.sessions.end(old)
        return self.sessions.begin(user)


def same_origin(request: Asked) -> None:
    """Raise Refusal for a form that another site's page sent."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    host = request.headers.get("host", "")
    if (origin is not None and origin != f"https://{host}") or site not in (None, "same-origin", "none"):
        raise Refusal(403, "error_csrf")


async def form(request: Asked, session: Session | None, compare: Callable[[str, str], bool]) -> dict[str, str]:
    """Read a form, which must be of this session; raises Refusal."""
    same_origin(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Refusal(415, "error_bad", why="Content-Type")
    try:
        text = (await request.body()).decode()
        fields = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX, errors="strict"))
    except ValueError:
        raise Refusal(400, "error_bad", why="form") from None
    if session is not None and not compare(fields.get("csrf", "").encode().hex(), session.csrf.encode().hex()):
        raise Refusal(403, "error_csrf")
    return fields


def local_path(text: str) -> str:
    """Give a path of our own pages to go back to, whatever was sent."""
    plain = text.startswith("/") and not text.startswith("//") and text.isascii() and text.isprintable()
    return text if plain and "\\" not in text and len(text) <= 200 else "/"


def chosen_language(text: str) -> str:
    """Give a language of ours; raises Refusal."""
    if text not in LANGUAGES:
        raise Refusal(400, "error_bad", why="lang")
    return text


def sentence(error: Refusal | SignInFailed, lang: str) -> str:
    """Say why."""
    return say(error.key, lang, **error.fields)
