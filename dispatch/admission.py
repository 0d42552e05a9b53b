"""Who belongs, from the registry to the floor and to the broker's doors, while the floor control server runs.

The registry is asked for its number once a second and read where that has risen: its users become the offices' rules,
the broker's users are kept equal to it, and what needs waiting goes to `dispatch.chores`.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from dispatch.agora.kicking import KickingClient, minutes_for
from dispatch.broker.guard import RESPONSE_TOPIC, BrokerGuard
from dispatch.chores import Chores
from dispatch.core.state import Entry, FloorRules, OfficeRules
from dispatch.ports import StoreUnavailable
from dispatch.probing.place import PROBE_OFFICE, real
from dispatch.registry.port import Registry
from dispatch.registry.words import ConsoleLogin, Office, User
from dispatch.settings import AgoraServerSettings, DispatchSettings
from protocol.ids import OfficeId
from protocol.messages import Priority
from protocol.timers import ADMISSION_POLL_S
from service.logs import Log
from service.settings import Problem, SettingsError

LATE_S = 1.0
"""The registry is asked although floor messages wait, once the question is so late."""
TOKEN_TTL_S = 86_400
"""The longest a token of Agora lives."""
LISTED_MAX = 50
_log = Log(__name__)


class LiveAdmission(Struct, frozen=True, kw_only=True):
    """What `status` says of admission. Lists have at most LISTED_MAX entries."""

    rev: int
    error: str | None
    """Why the registry cannot be read; what was read last holds."""
    offices: int
    admitted: int
    revoked: int
    clones: tuple[str, ...]
    """`region/office/user` of those whose identity another unit uses."""
    broker_missing: tuple[str, ...]
    """Logins that the registry admits and the broker lacks."""
    broker_unknown: tuple[str, ...]
    """Logins that the broker had and the registry does not know; they were disabled."""
    broker_fault: str
    """Why the broker's users cannot be kept; empty: they are."""
    kicks: int
    """Agora kicking rules still to be made or lifted."""
    kick_error: str
    """What the last try of the oldest of them ended in."""
    kicking: bool
    """Whether Agora's REST interface is configured."""
    token_ttl_s: int
    """How long a token of a revoked user works at most, where there is no kicking rule; 0: Agora is not used."""


def rules_from(
    offices: Iterable[Office], users: Iterable[User], configured: Mapping[OfficeId, FloorRules], rev: int = 0
) -> dict[OfficeId, OfficeRules]:
    """Give the rules of every office of the registry: its users, and what the configuration says of its floor.

    `rev`: the registry's number, asked for before it was read.
    """
    mine: dict[OfficeId, list[User]] = {}
    for user in users:
        mine.setdefault(user.office, []).append(user)
    return {office.id: _rules(office, mine.get(office.id, []), configured.get(office.id), rev) for office in offices}


def _rules(office: Office, users: list[User], configured: FloorRules | None, rev: int) -> OfficeRules:
    floor = configured or FloorRules()
    return OfficeRules(
        talk_limit_s=floor.talk_limit_s,
        hang_s=floor.hang_s,
        queue=floor.queue,
        queue_max=floor.queue_max,
        emergency=floor.emergency,
        names={u.user: u.name for u in users if u.name},
        priorities={u.user: u.priority for u in users if u.priority is not Priority.NORMAL},
        listen_only=tuple(u.user for u in users if u.listen_only),
        channel=office.channel,
        voice=office.voice,
        roll={u.user: _entry(u) for u in users},
        rev=rev,
    )


def _entry(user: User) -> Entry:
    return Entry(
        role=user.role,
        admitted=user.admitted,
        uid=user.uid,
        generation=user.generation,
        hardware=user.hardware,
        revoked_at=user.revoked_at,
        revoked_why=user.revoked_why,
        clone=user.clone,
        clone_at=user.clone_at,
    )


class Floor(Protocol):
    """What admission drives: the floor control server's shell."""

    @property
    def quiet(self) -> bool:
        """Whether nothing read or to be read waits."""

    def change_rules(self, office: OfficeId, rules: OfficeRules) -> None:
        """Judge an office by these rules, or begin to serve it."""

    def send(self, topic: str, payload: bytes) -> None:
        """Publish a message that is none of an office's; lost where the broker is away."""


class Admission:
    """Keeps one process's floor and the broker equal to the registry. Raises StoreUnavailable, SettingsError (an office
    that the configuration has and the registry lacks) at construction; all runs in the loop's thread."""

    topics = (RESPONSE_TOPIC,)

    def __init__(
        self,
        settings: DispatchSettings,
        registry: Registry,
        clock: Callable[[], float],
        told: Callable[[], None] = lambda: None,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """`clock` is the loop's, `wall_ms` Unix time, by which logins of pages expire.

        `told` is called in another thread when what `describe` says may have changed.
        """
        self._configured: Mapping[OfficeId, FloorRules] = {office.id: office for office in settings.office}
        self._registry = registry
        self._clock = clock
        self._wall_ms = wall_ms
        self._floor: Floor | None = None
        self._error: str | None = None
        self._poll_at = clock() + ADMISSION_POLL_S
        self._kicking = KickingClient.configured(settings.agora)
        self._agora = settings.agora is not None
        self._token_ttl_s = settings.agora.token_ttl_s if settings.agora is not None else TOKEN_TTL_S
        self._rev = registry.rev()
        self._users = registry.users()
        self._pages = registry.consoles()
        self.rules = rules_from(registry.offices(), self._users, self._configured, self._rev)
        """The offices' rules as of the last reading."""
        _check(self._configured, self.rules)
        self._guard = BrokerGuard(self._send, settings.replica)
        self._want()
        client = _client(settings.agora) if self._kicking else None
        self._chores = Chores(registry, client, minutes_for(self._token_ttl_s), told)

    def start(self, floor: Floor) -> None:
        """Drive this floor from now on."""
        self._floor = floor
        self._chores.start()

    def close(self) -> None:
        """End the thread and let go of the registry."""
        self._chores.close()
        self._registry.close()

    # --- the registry -----------------------------------------------------------------------------------------------

    def step(self, now: float) -> float:
        """Ask the registry where it is time, and no floor message waits; drive the guard. Gives when to come again."""
        if self._floor is not None and now >= self._poll_at and (self._floor.quiet or now >= self._poll_at + LATE_S):
            self._poll_at = now + ADMISSION_POLL_S
            self._poll(self._floor)
            if self._live() != self._lives:
                self._want()
        self._guard.tick(now)
        due = self._guard.next_deadline()
        return self._poll_at if due is None else min(due, self._poll_at)

    def _poll(self, floor: Floor) -> None:
        try:
            rev = self._registry.rev()
            if rev == self._rev:
                self._well()
                return
            users, offices, pages = self._registry.users(), self._registry.offices(), self._registry.consoles()
        except StoreUnavailable as error:
            if self._error is None:
                _log.error("registry cannot be read, its last state holds", why=error)
            self._error = str(error)
            return
        self._well()
        self._rev, self._users, self._pages = rev, users, pages
        before, found = self.rules, rules_from(offices, users, self._configured, rev)
        self.rules = {office: _news(before.get(office), rules) for office, rules in found.items()}
        self._want()
        for office, rules in self.rules.items():
            if rules is not before.get(office):
                _log.info("registry changed", office=office, rev=rev)
                floor.change_rules(office, rules)
        self._chores.look()

    def _live(self) -> tuple[ConsoleLogin, ...]:
        now_ms = self._wall_ms()
        return tuple(page for page in self._pages if page.live(now_ms))

    def _want(self) -> None:
        """Tell the guard; also when a page's login expires, whether the registry can be read or not."""
        self._lives = self._live()
        self._guard.want(self._users, self._pages, self._wall_ms())

    def _well(self) -> None:
        if self._error is not None:
            _log.info("registry is back")
            self._error = None

    # --- the broker (called by the shell) ---------------------------------------------------------------------------

    def connected(self, now: float) -> None:
        """The broker is there and answers on `topics`."""
        self._guard.connected(now)

    def lost(self) -> None:
        """The broker is gone."""
        self._guard.lost()

    def received(self, topic: str, payload: bytes) -> None:
        """A message on one of `topics`."""
        self._guard.received(topic, payload)

    def clone(self, office: OfficeId, user: str, hardware: str) -> None:
        """The floor found another unit under this user."""
        self._chores.clone(office, user, hardware)

    def _send(self, topic: str, payload: bytes) -> None:
        if self._floor is not None:
            self._floor.send(topic, payload)

    # --- status -----------------------------------------------------------------------------------------------------

    def describe(self) -> LiveAdmission:
        """Give the state of this moment."""
        kicks = self._chores.kicks
        clones = (f"{u.office}/{u.user}" for u in self._users if u.clone is not None)
        return LiveAdmission(
            rev=self._rev,
            error=self._error,
            offices=len(real(self.rules)),
            admitted=sum(u.admitted for u in self._users if u.office != PROBE_OFFICE),
            revoked=sum(u.revoked_at is not None for u in self._users),
            clones=tuple(clones)[:LISTED_MAX],
            broker_missing=self._guard.missing[:LISTED_MAX],
            broker_unknown=self._guard.unknown[:LISTED_MAX],
            broker_fault=self._guard.fault,
            kicks=len(kicks),
            kick_error=kicks[0].error if kicks else "",
            kicking=self._kicking,
            token_ttl_s=self._token_ttl_s if self._agora else 0,
        )


def _news(known: OfficeRules | None, found: OfficeRules) -> OfficeRules:
    """Give the rules as they were known where nothing but the registry's number has changed."""
    return known if known is not None and replace(known, rev=found.rev) == found else found


def _client(agora: AgoraServerSettings | None) -> KickingClient | None:
    return None if agora is None else KickingClient(agora)


def _check(configured: Mapping[OfficeId, FloorRules], rules: Mapping[OfficeId, OfficeRules]) -> None:
    problems = tuple(
        Problem(
            source="[[office]]",
            what=f"{office} is not in the registry",
            mend=f"ptt-dispatch office add {office}, or take it out of the configuration",
        )
        for office in configured
        if office not in rules
    )
    if problems:
        raise SettingsError(problems)
