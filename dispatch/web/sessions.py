"""Who is signed in: sessions in memory, bounded, each with its own token against forged requests. Pure.

A session is known by the SHA-256 of its token, so that what lies in memory opens nothing. All end with the process.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict, deque
from collections.abc import Callable

from msgspec import Struct

from dispatch.broker.accounts import secret_mark
from dispatch.registry.words import CONSOLE_ROLES, User
from protocol.ids import OfficeId
from protocol.rest import Role

IDLE_S = 12 * 3600.0
"""A session that nobody used for so long is over; an open page uses it."""
LONGEST_S = 30 * 86_400.0
SESSIONS_MAX = 2000
OWN_MAX = 10
"""Sessions of one user; one more ends the one unused for longest."""

WATCHERS = (Role.ADMIN, Role.CALL_MANAGER, Role.MONITOR, Role.TECHNICIAN)
"""Roles that may sign in."""
COMMANDERS = (Role.ADMIN, Role.CALL_MANAGER, Role.TECHNICIAN)
"""Roles that may ask something of a vehicle, as at the broker."""


class Session(Struct, kw_only=True):
    """One sign-in. Times are monotonic seconds."""

    office: OfficeId
    user: str
    role: Role
    mark: str
    """Of the secret that was shown: another secret of the user ends the session."""
    csrf: str
    began_s: float
    used_s: float
    digest: str
    console_issue: int | None = None
    """Number of the console's login that this session was given last; it ends with the session."""

    @property
    def admin(self) -> bool:
        """Whether it may change the registry."""
        return self.role is Role.ADMIN

    @property
    def commands(self) -> bool:
        """Whether it may ask something of a vehicle."""
        return self.role in COMMANDERS

    @property
    def speaks(self) -> bool:
        """Whether it may have the console."""
        return self.role in CONSOLE_ROLES


class Sessions:
    """For one thread. `token` gives a new unguessable text."""

    def __init__(self, clock: Callable[[], float], token: Callable[[], str]) -> None:
        self._clock, self._token = clock, token
        self._held: OrderedDict[str, Session] = OrderedDict()  # the one used last is last
        self._ended: deque[Session] = deque(maxlen=SESSIONS_MAX)

    def __len__(self) -> int:
        return len(self._held)

    def begin(self, user: User) -> tuple[str, Session]:
        """Sign a user in; gives the token for the cookie and the session."""
        token, now = self._token(), self._clock()
        own = [each for each in self._held.values() if (each.office, each.user) == (user.office, user.user)]
        for old in own[: max(0, len(own) - OWN_MAX + 1)]:
            self.end(old)
        if len(self._held) >= SESSIONS_MAX:
            self.end(next(iter(self._held.values())))
        made = Session(
            office=user.office,
            user=user.user,
            role=user.role,
            mark=secret_mark(user.secret),
            csrf=self._token(),
            began_s=now,
            used_s=now,
            digest=_digest(token),
        )
        self._held[made.digest] = made
        return token, made

    def find(self, token: str) -> Session | None:
        """Give the session of a cookie, and note that it is used; None where there is none, or it is over."""
        found = self._held.get(_digest(token))
        if found is None or not self._fresh(found):
            return None
        self.touch(found)
        return found

    def touch(self, session: Session) -> bool:
        """Note that it is used; False where it is over."""
        if self._held.get(session.digest) is not session or not self._fresh(session):
            return False
        session.used_s = self._clock()
        self._held.move_to_end(session.digest)
        return True

    def end(self, session: Session) -> None:
        """Sign out; idempotent."""
        if self._held.pop(session.digest, None) is not None and session.console_issue is not None:
            self._ended.append(session)

    def over(self) -> list[Session]:
        """Give, once, those that have ended, however they did, with a console of theirs still to be ended."""
        for session in list(self._held.values()):
            self._fresh(session)
        ended = [session for session in self._ended if session.console_issue is not None]
        self._ended.clear()
        return ended

    def _fresh(self, session: Session) -> bool:
        now = self._clock()
        if now - session.used_s <= IDLE_S and now - session.began_s <= LONGEST_S:
            return True
        self.end(session)
        return False


def holds(session: Session, user: User | None) -> bool:
    """Whether the registry still lets this session's user in, as it did at the sign-in."""
    if user is None or not user.admitted or user.role is not session.role:
        return False
    return hmac.compare_digest(secret_mark(user.secret), session.mark)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
