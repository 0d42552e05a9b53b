"""The registry's interface. `dispatch.registry.sql.SqlRegistry` stands on the store's own database."""

from collections.abc import Callable
from typing import Protocol

from dispatch.registry.words import Code, CodeFault, ConsoleLogin, Kick, Office, Region, SecretHash, TokenIssue, User
from protocol.ids import OfficeId
from protocol.messages import Priority, VoicePath
from protocol.rest import Role


class RegistryError(Exception):
    """A change the registry refuses: says what, and how to mend it."""


class AlreadyThere(RegistryError):
    """A region, office or user of this id exists."""


class NotThere(RegistryError):
    """There is no such region, office or user."""


class CodeRefused(RegistryError):
    """An enrolment code that does not open the door."""

    def __init__(self, fault: CodeFault, code: Code | None) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.code = code
        """The code's own row, where there is one: whose it was."""


class Registry(Protocol):
    """Who belongs. Every change is one durable transaction and raises `rev`. Any method may raise StoreUnavailable."""

    def rev(self) -> int:
        """Give the number that every change raises; cheap enough to ask every second."""

    # --- regions and offices
    def regions(self) -> tuple[Region, ...]:
        """Give all, by id."""

    def add_region(self, region: str, name: str) -> Region:
        """Add one; raises AlreadyThere."""

    def offices(self) -> tuple[Office, ...]:
        """Give all, by id."""

    def office(self, office: OfficeId) -> Office | None:
        """Give one, or None."""

    def add_office(self, office: OfficeId, name: str, voice: VoicePath) -> Office:
        """Add an office to a region that is there; its channel name is made once. Raises AlreadyThere, NotThere."""

    def change_office(self, office: OfficeId, *, name: str | None = None, voice: VoicePath | None = None) -> Office:
        """Change what is given; raises NotThere."""

    def keep_bursts(self, office: OfficeId, keep_s: int, count: int) -> Office:
        """Keep what is said for `keep_s` seconds (0: not at all), `count` bursts at most; raises NotThere."""

    # --- users
    def users(self, office: OfficeId | None = None) -> tuple[User, ...]:
        """Give the users of one office or of all, revoked ones too, by id."""

    def user(self, office: OfficeId, user: str) -> User | None:
        """Give one, or None."""

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
        """Add a user without a secret; its uid is drawn here and is nobody else's, ever."""

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

    def set_secret(self, office: OfficeId, user: str, secret: SecretHash) -> User:
        """Give a user a (new) secret without an enrolment: people, bridges, servers. Refused for a revoked one."""

    def revoke(self, office: OfficeId, user: str, why: str) -> User:
        """Shut every door: the secret is forgotten, codes are withdrawn, a Kick is noted (for roles that may be in an
        Agora channel). Idempotent."""

    def restore(self, office: OfficeId, user: str) -> User:
        """Take a revocation back; a new secret or enrolment is needed. The Kick is noted to be lifted."""

    # --- broker logins of call managers' pages
    def consoles(self) -> tuple[ConsoleLogin, ...]:
        """Give the newest of every user who ever had one, ended and expired ones too."""

    def console(self, office: OfficeId, user: str) -> ConsoleLogin | None:
        """Give the newest of one user, or None."""

    def issue_console(self, office: OfficeId, user: str, secret: SecretHash) -> ConsoleLogin:
        """Give a call manager a new one for an hour, in place of the former; raises NotThere, RegistryError."""

    def end_console(self, office: OfficeId, user: str, issue: int | None = None) -> bool:
        """End the newest, where it is of this number or none is given; gives whether there was one to be ended.

        A revocation and a new secret of the user end it too.
        """

    # --- enrolment
    def add_code(self, office: OfficeId, user: str, digest: str, valid_s: int) -> Code:
        """Note a one-time code; an older unused one of the same user is withdrawn."""

    def codes(self, office: OfficeId | None = None) -> tuple[Code, ...]:
        """Give all codes kept (90 days), newest first."""

    def enrol(
        self, digest: str, hardware: str, secret: SecretHash, before_commit: Callable[[User, Office], None]
    ) -> tuple[User, Office]:
        """Use up a code: in one transaction the user gets the next generation, this hardware and this secret; a clone
        noted is cured. Before it `before_commit` runs with what will be: it gives the broker the new secret, and what
        it raises leaves the code good. Meanwhile the code is held for this unit (another is told that it is used) and
        no transaction is open, so that a slow broker delays no grant. Raises CodeRefused."""

    def note_clone(self, office: OfficeId, user: str, hardware: str) -> User:
        """Another unit came with this secret; raises `rev` only where that is news."""

    def cure_clone(self, office: OfficeId, user: str) -> User:
        """The operator says that the clone is gone."""

    # --- Agora's kicking rules still to be made or lifted
    def kicks(self) -> tuple[Kick, ...]:
        """Give those that are not done, oldest first."""

    def kick_done(self, kick_id: int, rule_id: int | None) -> None:
        """The rule stands (with this id), or is lifted."""

    def kick_failed(self, kick_id: int, error: str) -> None:
        """Count a try; does not raise `rev`."""

    # --- token issues (bounded: the newest 100,000)
    def note_token(self, issue: TokenIssue) -> None:
        """Record one; may be batched and lost in a power cut; does not raise `rev`."""

    def token_issues(self, office: OfficeId | None, since_ms: int) -> tuple[TokenIssue, ...]:
        """Give those since then, oldest first."""

    def close(self) -> None:
        """Let go of the database."""
