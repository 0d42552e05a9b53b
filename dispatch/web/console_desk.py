"""Broker logins for consoles, issued and ended: registry and broker change together. Blocking."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Set
from contextlib import AbstractContextManager
from typing import Any, Protocol

from msgspec import Struct

from dispatch.broker.accounts import consoles_of
from dispatch.broker.admin import BrokerError
from dispatch.core.state import FloorRules
from dispatch.ports import StoreUnavailable
from dispatch.registry.port import NotThere, Registry, RegistryError
from dispatch.registry.secrets import hash_secret, new_secret
from dispatch.registry.words import ConsoleLogin, Office, SecretHash, User
from dispatch.rest.limits import Allowance
from dispatch.web.asking import Refusal
from protocol.ids import OfficeId
from service.settings import Secret

BURST, PER_S = 6, 0.1
"""Logins that one user gets at once, and how many more each second: two pages that fight wear nobody else out."""
SWEEP_GRACE_MS = 3000
"""The floor control server shuts what has ended within this; what is open still is shut from here."""
LOCKS = 16
"""Users are issued logins one after the other, so that broker and registry end with the same one."""


class Logins(Protocol):
    """What the desk needs of the broker (`dispatch.broker.admin.BrokerAdmin`)."""

    def put_console(self, user: User, kept: SecretHash, secret: Secret) -> None:
        """Set the logins of a user's page, cutting those with a former one; raises BrokerError."""

    def shut_console(self, user: User) -> None:
        """Shut the logins of a user's page; raises BrokerError."""

    def users(self) -> dict[str, bool]:
        """Give every login, and whether it is shut; raises BrokerError."""


class Credentials(Struct, frozen=True, kw_only=True):
    """What a page is given, once. `repr` hides the secret."""

    user: User
    office: Office
    rules: FloorRules
    login: ConsoleLogin
    secret: Secret

    def answer(self, url: str) -> dict[str, Any]:
        """Give the body of the answer, the secret in the clear; `url` is where the page reaches the broker."""
        control, voice = consoles_of(self.user)
        return {
            "url": url,
            "login": control,
            "voice_login": voice,
            "secret": self.secret.reveal(),
            "now": self.login.issued_at,
            "expires_at": self.login.expires_at,
            "issue": self.login.issue,
            "office": {
                "region": self.office.id.region,
                "office": self.office.id.office,
                "name": self.office.name,
            },
            "user": self.user.user,
            "name": self.user.name,
            "generation": self.user.generation,
            "boot": self.login.issue,
            "priority_max": self.user.priority.value,
            "listen_only": self.user.listen_only,
            "talk_limit_s": self.rules.talk_limit_s,
            "queue": self.rules.queue,
            "voice": self.office.voice.value,
            "uid": self.user.uid,
        }


class Standing(Struct, frozen=True, kw_only=True):
    """What `GET /console/state` answers: the user's newest login."""

    issue: int
    """0: there was none yet."""
    valid: bool
    """Whether the broker is to let that one in."""
    since: int | None
    """When it was issued, Unix ms."""


class ConsoleDesk:
    """Any thread. `rules` are the configuration's; `wall_ms` is Unix time, `clock` monotonic seconds."""

    def __init__(
        self,
        registry: Registry,
        broker: Callable[[], AbstractContextManager[Logins]],
        rules: Callable[[OfficeId], FloorRules],
        wall_ms: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self._registry, self._broker, self._rules = registry, broker, rules
        self._wall_ms, self._clock = wall_ms, clock
        self._asked = Allowance(BURST, PER_S)
        self._counting = threading.Lock()
        self._one_by_one = tuple(threading.Lock() for _ in range(LOCKS))
        self._swept: dict[tuple[OfficeId, str], int] = {}

    def issue(self, office: OfficeId, user: str) -> Credentials:
        """Give a call manager's page a new login; the former one's connections are cut.

        Raises Refusal (too often), RegistryError, StoreUnavailable, BrokerError; then the former one holds on, or none
        does where the broker went away in between.
        """
        self._count(office, user)
        secret = new_secret()
        kept = hash_secret(secret)
        with self._lock(office, user), self._broker() as broker:
            made = self._registry.issue_console(office, user, kept)
            holder, place = self._registry.user(office, user), self._registry.office(office)
            if holder is None or place is None:
                raise NotThere(f"there is no user {user} in {office}")
            try:
                broker.put_console(holder, kept, secret)
            except BrokerError:
                with contextlib.suppress(StoreUnavailable):
                    self._registry.end_console(office, user, made.issue)
                raise
            newest = self._registry.console(office, user)
            if newest is None or not newest.live(self._wall_ms()):  # revoked, or signed out, in between
                broker.shut_console(holder)
                raise RegistryError(f"{user} may not have a console any more")
        return Credentials(user=holder, office=place, rules=self._rules(office), login=made, secret=secret)

    def standing(self, office: OfficeId, user: str) -> Standing:
        """Say which login is the newest; raises StoreUnavailable."""
        found = self._registry.console(office, user)
        if found is None:
            return Standing(issue=0, valid=False, since=None)
        return Standing(issue=found.issue, valid=found.live(self._wall_ms()), since=found.issued_at)

    def end(self, office: OfficeId, user: str, issue: int) -> None:
        """End a login, unless a newer one has taken its place. Raises StoreUnavailable."""
        self._registry.end_console(office, user, issue)

    def cut(self, office: OfficeId, user: str) -> None:
        """Shut a login that has ended at the broker, whoever else does too. Raises StoreUnavailable, BrokerError."""
        with self._broker() as broker:
            self._cut(broker, office, user)

    def sweep(self) -> int:
        """Shut what has ended and the broker lets in still, as where no floor control server runs; gives how many.

        Each is looked at once. Raises StoreUnavailable, BrokerError; then all are looked at again.
        """
        before_ms = self._wall_ms() - SWEEP_GRACE_MS
        over = {(one.office, one.user): one.issue for one in self._registry.consoles() if not one.live(before_ms)}
        fresh = [key for key, issue in over.items() if self._swept.get(key) != issue]
        count = 0
        if fresh:
            with self._broker() as broker:
                opened = {login for login, shut in broker.users().items() if not shut}
                count = sum(self._cut(broker, *key, opened) for key in fresh)
        self._swept = over
        return count

    def _cut(self, broker: Logins, office: OfficeId, user: str, opened: Set[str] | None = None) -> bool:
        with self._lock(office, user):
            holder, newest = self._registry.user(office, user), self._registry.console(office, user)
            if holder is None or newest is None or newest.live(self._wall_ms()):
                return False
            if opened is not None and opened.isdisjoint(consoles_of(holder)):
                return False
            broker.shut_console(holder)
            return True

    def _lock(self, office: OfficeId, user: str) -> threading.Lock:
        return self._one_by_one[hash((office, user)) % LOCKS]

    def _count(self, office: OfficeId, user: str) -> None:
        key, now = f"{office}/{user}", self._clock()
        with self._counting:
            wait_s = self._asked.wait_s(key, now)
            if wait_s > 0:
                raise Refusal(429, "console_too_many", seconds=int(wait_s) + 1)
            self._asked.spend(key, now)
