"""The registry on the store's own SQL database; several processes (serve, rest, the command line) use it at once.

Reads have a connection of their own: they see one moment of the database and wait for nobody, so that the floor control
server may ask for `rev` on its loop, and a login at the REST service is checked while an enrolment is written.
"""

import contextlib
import secrets
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from msgspec.structs import replace

from dispatch.ports import StoreUnavailable
from dispatch.registry import codes, consoles, kicks, schema, users
from dispatch.registry.port import RegistryError
from dispatch.registry.rows import checked_hardware, checked_name, read_token
from dispatch.registry.words import Code, ConsoleLogin, Kick, Office, Region, SecretHash, TokenIssue, User
from dispatch.store.database import Database
from dispatch.store.errors import StoreDamaged, StoreError
from protocol.ids import OfficeId
from protocol.messages import Priority, VoicePath
from protocol.rest import Role

T = TypeVar("T")

BUSY_S = 3.0
"""How long a change waits for other processes' transactions; nobody who has the floor's loop makes changes."""
LOCK = "registry"
CLONE_NEWS_MS = 60_000
"""A clone that keeps changing its hardware is news once a minute."""
TOKENS_KEPT = 100_000
TOKENS_AT_ONCE, TOKENS_LATE_MS = 64, 1_000
"""Token issues are written together: so many, or when the oldest waits so long as the next one comes."""


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class SqlRegistry:
    """The Registry (`dispatch.registry.port`) on `url`, see `dispatch.store.database.Database`.

    An older store that has no registry is given an empty one. Raises StoreError where it cannot be opened or a newer
    version wrote it. Any thread may use it.
    """

    def __init__(
        self, url: str, *, wall_ms: Callable[[], int] = _wall_ms, draw_uid: Callable[[], int] = users.draw_uid
    ) -> None:
        self._wall_ms = wall_ms
        self._draw_uid = draw_uid
        self._tokens: list[TokenIssue] = []
        self._tokens_lock = threading.Lock()
        self._writes = Database(url, more=(schema.metadata,), busy_s=BUSY_S)
        self._reads = self._writes
        self.where = self._writes.where
        """The file or database, for messages; without its password."""
        try:
            self._writes.transact(LOCK, self._found, durable=True)
            if self._writes.file is not None or self._writes.dialect.name != "sqlite":
                self._reads = Database(url, busy_s=BUSY_S)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the database, writing what token issues wait."""
        with contextlib.suppress(StoreUnavailable):
            self._write_tokens()
        self._reads.close()
        self._writes.close()

    def rev(self) -> int:
        """Give the number that every change raises; cheap enough to ask every second."""
        row = self._reads.view(lambda c: c.exec_driver_sql("SELECT rev FROM registry WHERE id = 1").fetchone())
        if row is None:
            raise StoreDamaged(f"the registry in {self.where} has lost its head -> restore a backup")
        return int(row[0])

    # --- regions and offices ----------------------------------------------------------------------------------------

    def regions(self) -> tuple[Region, ...]:
        """Give all, by id."""
        return self._reads.view(users.regions)

    def add_region(self, region: str, name: str) -> Region:
        """Add one; raises AlreadyThere."""
        return self._change(lambda c: users.add_region(c, region, name))

    def offices(self) -> tuple[Office, ...]:
        """Give all, by id."""
        return self._reads.view(users.offices)

    def office(self, office: OfficeId) -> Office | None:
        """Give one, or None."""
        return self._reads.view(lambda c: users.office(c, office))

    def add_office(self, office: OfficeId, name: str, voice: VoicePath) -> Office:
        """Add an office to a region that is there; raises AlreadyThere, NotThere."""
        return self._change(lambda c: users.add_office(c, office, name, voice, self._wall_ms()))

    def change_office(self, office: OfficeId, *, name: str | None = None, voice: VoicePath | None = None) -> Office:
        """Change what is given; raises NotThere."""
        return self._change(lambda c: users.change_office(c, office, name, voice))

    def keep_bursts(self, office: OfficeId, keep_s: int, count: int) -> Office:
        """Say for how long, and how many, bursts of an office are kept; raises NotThere, RegistryError."""
        return self._change(lambda c: users.keep_bursts(c, office, keep_s, count))

    # --- users ------------------------------------------------------------------------------------------------------

    def users(self, office: OfficeId | None = None) -> tuple[User, ...]:
        """Give the users of one office or of all, revoked ones too, by id."""
        return self._reads.view(lambda c: users.users(c, office))

    def user(self, office: OfficeId, user: str) -> User | None:
        """Give one, or None."""
        return self._reads.view(lambda c: users.user(c, office, user))

    def add_user(
        self,
        office: OfficeId,
        user: str,
        role: Role,
        name: str,
        *,
        priority: Priority = Priority.NORMAL,
        listen_only: bool = False,
    ) -> User:
        """Add a user without a secret; raises AlreadyThere, NotThere."""
        wanted = User(
            office=office,
            user=user,
            role=role,
            name=name,
            uid=0,
            priority=priority,
            listen_only=listen_only,
            created_at=self._wall_ms(),
        )
        return self._change(lambda c: users.add_user(c, wanted, self._draw_uid))

    def change_user(
        self,
        office: OfficeId,
        user: str,
        *,
        name: str | None = None,
        priority: Priority | None = None,
        listen_only: bool | None = None,
    ) -> User:
        """Change what is given; raises NotThere."""

        def change(connection: sa.Connection) -> User:
            old = users.there(connection, office, user)
            new = replace(
                old,
                name=old.name if name is None else checked_name(name),
                priority=priority or old.priority,
                listen_only=old.listen_only if listen_only is None else listen_only,
            )
            return users.put(connection, new)

        return self._change(change)

    def set_secret(self, office: OfficeId, user: str, secret: SecretHash) -> User:
        """Give a user a (new) secret without an enrolment; raises NotThere, and RegistryError for a revoked one."""

        def change(connection: sa.Connection) -> User:
            old = users.there(connection, office, user)
            if old.revoked_at is not None:
                raise RegistryError(f"{user} is revoked -> first: ptt-dispatch user restore")
            consoles.end(connection, office, user, None, self._wall_ms())
            return users.put(connection, replace(old, secret=secret))

        return self._change(change)

    def revoke(self, office: OfficeId, user: str, why: str) -> User:
        """Shut every door: the secret is forgotten, codes are withdrawn, a Kick is noted. Idempotent."""

        def change(connection: sa.Connection) -> tuple[User, bool]:
            old = users.there(connection, office, user)
            if old.revoked_at is not None:
                return old, False
            consoles.end(connection, office, user, None, self._wall_ms())
            return users.revoke(connection, old, why, self._wall_ms()), True

        return self._change_if(change)

    def restore(self, office: OfficeId, user: str) -> User:
        """Take a revocation back; a new secret or enrolment is needed. The Kick is noted to be lifted."""

        def change(connection: sa.Connection) -> tuple[User, bool]:
            old = users.there(connection, office, user)
            if old.revoked_at is None:
                return old, False
            return users.restore(connection, old, self._wall_ms()), True

        return self._change_if(change)

    # --- broker logins of call managers' pages ----------------------------------------------------------------------

    def consoles(self) -> tuple[ConsoleLogin, ...]:
        """Give the newest of every user who ever had one, ended and expired ones too."""
        return self._reads.view(consoles.newest)

    def console(self, office: OfficeId, user: str) -> ConsoleLogin | None:
        """Give the newest of one user, or None."""
        return self._reads.view(lambda c: consoles.newest_of(c, office, user))

    def issue_console(self, office: OfficeId, user: str, secret: SecretHash) -> ConsoleLogin:
        """Give a call manager a new one for an hour, in place of the former; raises NotThere, RegistryError."""
        return self._change(lambda c: consoles.issue(c, office, user, secret, self._wall_ms()))

    def end_console(self, office: OfficeId, user: str, issue: int | None = None) -> bool:
        """End the newest, where it is of this number or none is given; gives whether there was one to be ended."""

        def change(connection: sa.Connection) -> tuple[bool, bool]:
            ended = consoles.end(connection, office, user, issue, self._wall_ms())
            return ended, ended

        return self._change_if(change)

    # --- enrolment --------------------------------------------------------------------------------------------------

    def add_code(self, office: OfficeId, user: str, digest: str, valid_s: int) -> Code:
        """Note a one-time code; an older unused one of the same user is withdrawn."""
        now = self._wall_ms()
        made = Code(digest=digest, office=office, user=user, made_at=now, expires_at=now + valid_s * 1000)
        return self._change(lambda c: codes.add(c, made))

    def codes(self, office: OfficeId | None = None) -> tuple[Code, ...]:
        """Give all codes kept (90 days), newest first."""
        return self._reads.view(lambda c: codes.kept(c, office, self._wall_ms()))

    def enrol(
        self, digest: str, hardware: str, secret: SecretHash, before_commit: Callable[[User, Office], None]
    ) -> tuple[User, Office]:
        """Use up a code (see the port). While `before_commit` runs the code is held, and nothing is locked."""
        hardware = checked_hardware(hardware)
        claim = secrets.token_hex(16)
        user, office = self._writes.transact(
            LOCK, lambda c: codes.claim(c, digest, claim, self._wall_ms()), durable=False
        )
        generation = user.generation + 1
        new = {"generation": generation, "hardware": hardware, "secret": secret, "clone": None, "clone_at": None}
        will_be = replace(user, **new)
        try:
            before_commit(will_be, office)
            return self._change(lambda c: codes.use(c, digest, claim, will_be, self._wall_ms())), office
        except BaseException:
            with contextlib.suppress(StoreUnavailable):  # the claim ends by itself after CLAIM_MS
                self._writes.transact(LOCK, lambda c: codes.release(c, digest, claim), durable=False)
            raise

    def note_clone(self, office: OfficeId, user: str, hardware: str) -> User:
        """Another unit came with this secret; raises `rev` only where that is news."""
        hardware = checked_hardware(hardware)

        def change(connection: sa.Connection) -> tuple[User, bool]:
            old, now = users.there(connection, office, user), self._wall_ms()
            known = hardware in (old.hardware, old.clone)
            if known or (old.clone_at is not None and now - old.clone_at < CLONE_NEWS_MS):
                return old, False
            return users.put(connection, replace(old, clone=hardware, clone_at=now)), True

        return self._change_if(change)

    def cure_clone(self, office: OfficeId, user: str) -> User:
        """The operator says that the clone is gone."""

        def change(connection: sa.Connection) -> tuple[User, bool]:
            old = users.there(connection, office, user)
            return users.put(connection, replace(old, clone=None, clone_at=None)), old.clone is not None

        return self._change_if(change)

    # --- kicks ------------------------------------------------------------------------------------------------------

    def kicks(self) -> tuple[Kick, ...]:
        """Give those that are not done, oldest first."""
        return self._reads.view(kicks.waiting)

    def kick_done(self, kick_id: int, rule_id: int | None) -> None:
        """The rule stands (with this id), or is lifted; raises NotThere."""
        self._change(lambda c: kicks.done(c, kick_id, rule_id, self._wall_ms()))

    def kick_failed(self, kick_id: int, error: str) -> None:
        """Count a try; raises NotThere. Does not raise `rev`."""
        self._writes.transact(LOCK, lambda c: kicks.failed(c, kick_id, error), durable=False)

    # --- token issues -----------------------------------------------------------------------------------------------

    def note_token(self, issue: TokenIssue) -> None:
        """Record one; written together with others, at the latest when the next comes a second later, or at close."""
        with self._tokens_lock:
            self._tokens.append(issue)
            due = len(self._tokens) >= TOKENS_AT_ONCE or self._wall_ms() - self._tokens[0].at >= TOKENS_LATE_MS
        if due:
            self._write_tokens()

    def token_issues(self, office: OfficeId | None, since_ms: int) -> tuple[TokenIssue, ...]:
        """Give those since then, oldest first."""
        self._write_tokens()
        table = schema.token
        chosen = sa.select(table).where(table.c.at >= since_ms)
        if office is not None:
            chosen = chosen.where(table.c.region == office.region, table.c.office == office.office)
        return self._reads.view(lambda c: tuple(map(read_token, c.execute(chosen.order_by(table.c.at, table.c.no)))))

    def _write_tokens(self) -> None:
        with self._tokens_lock:
            waiting, self._tokens = self._tokens, []
        if not waiting:
            return
        rows = [
            {"at": t.at, "region": t.office.region, "office": t.office.office, "user": t.user}
            | {"publisher": t.publisher, "took_us": t.took_us}
            for t in waiting
        ]
        table = schema.token

        def write(connection: sa.Connection) -> None:
            connection.execute(sa.insert(table), rows)
            newest = sa.select(sa.func.max(table.c.no)).scalar_subquery()
            connection.execute(sa.delete(table).where(table.c.no <= newest - TOKENS_KEPT))

        self._writes.transact("registry-tokens", write, durable=False)

    # --- transactions -----------------------------------------------------------------------------------------------

    def _change(self, fn: Callable[[sa.Connection], T]) -> T:
        return self._change_if(lambda connection: (fn(connection), True))

    def _change_if(self, fn: Callable[[sa.Connection], tuple[T, bool]]) -> T:
        """Run `fn` in a durable transaction of its own; its second result says whether anything changed."""

        def run(connection: sa.Connection) -> T:
            result, changed = fn(connection)
            if changed:
                connection.execute(sa.update(schema.head).values(rev=schema.head.c.rev + 1))
            return result

        return self._writes.transact(LOCK, run, durable=True)

    def _found(self, connection: sa.Connection) -> None:
        """Make the head of a new registry; raises StoreError for a newer version's."""
        row = connection.execute(sa.select(schema.head)).first()
        if row is None:
            connection.execute(sa.insert(schema.head).values(id=1, version=schema.REGISTRY_VERSION, rev=1))
        elif row.version != schema.REGISTRY_VERSION:
            raise StoreError(
                f"the registry in {self.where} has version {row.version}, this program works with "
                f"{schema.REGISTRY_VERSION} -> install the version that wrote it, or newer"
            )
