"""What the registry holds. Times are Unix ms, for people and for expiry alone."""

from enum import StrEnum

from msgspec import Struct

from protocol.ids import OfficeId
from protocol.login import Login
from protocol.messages import Priority, VoicePath
from protocol.rest import REPLAY_COUNT, Role

CONSOLE_ROLES = (Role.CALL_MANAGER,)
"""Whose page speaks: who may have logins of a console."""
CLOCK_BACK_MS = 60_000
"""A clock that was set back by more than this ends what was issued: it would live too long."""


class SecretHash(Struct, frozen=True, kw_only=True):
    """PBKDF2-HMAC-SHA512 of a secret, in the broker's own form: base64 of salt and of 64 bytes of hash."""

    salt: str
    iterations: int
    hash: str


class Region(Struct, frozen=True, kw_only=True):
    """A region of offices."""

    region: str
    name: str


class Office(Struct, frozen=True, kw_only=True):
    """One office. `channel` is its Agora channel name, which never changes."""

    id: OfficeId
    name: str
    channel: str
    voice: VoicePath = VoicePath.MQTT
    created_at: int = 0
    replay_keep_s: int = 0
    """For how long what is said is kept for those who missed it, s; 0: it is not kept."""
    replay_keep_count: int = REPLAY_COUNT
    """How many bursts are kept at most."""


class User(Struct, frozen=True, kw_only=True):
    """One user of one office. `uid` is unique in the whole registry and never given to another, even after removal."""

    office: OfficeId
    user: str
    role: Role
    name: str
    uid: int
    priority: Priority = Priority.NORMAL
    listen_only: bool = False
    revoked_at: int | None = None
    revoked_why: str = ""
    generation: int = 0
    """Of the newest enrolment; 0 was never enrolled (its secret was made by `ptt-dispatch user add`)."""
    hardware: str | None = None
    """The unit enrolled with `generation`."""
    secret: SecretHash | None = None
    clone: str | None = None
    """Hardware of another unit that came with this user's secret; an alert stands while it is set."""
    clone_at: int | None = None
    created_at: int = 0

    @property
    def login(self) -> str:
        """What it logs in as at the broker and at REST."""
        return str(Login(self.office, self.user))

    @property
    def admitted(self) -> bool:
        """Whether any door opens to it."""
        return self.revoked_at is None and self.secret is not None


class ConsoleLogin(Struct, frozen=True, kw_only=True):
    """The newest broker login of a call manager's page; there is one at a time, good until it expires or is ended."""

    office: OfficeId
    user: str
    issue: int
    """Rises with every one of this user, also after the registry was restored from a backup."""
    secret: SecretHash | None
    issued_at: int
    expires_at: int
    ended_at: int | None = None

    def live(self, now_ms: int) -> bool:
        """Whether the broker may let it in at this moment; not on a clock that was set back before it was issued."""
        if self.ended_at is not None or self.secret is None:
            return False
        return self.issued_at - CLOCK_BACK_MS <= now_ms < self.expires_at


class Code(Struct, frozen=True, kw_only=True):
    """A one-time enrolment code; only its SHA-256 (hex, of the secret part) is kept."""

    digest: str
    office: OfficeId
    user: str
    made_at: int
    expires_at: int
    used_at: int | None = None
    used_by: str | None = None
    """Hardware that used it."""
    withdrawn_at: int | None = None


class CodeFault(StrEnum):
    """Why a code was not taken."""

    UNKNOWN = "unknown_code"
    USED = "used_code"
    EXPIRED = "expired_code"
    WITHDRAWN = "withdrawn_code"
    REVOKED = "revoked"
    """The user it is for was revoked meanwhile."""


class Kick(Struct, frozen=True, kw_only=True):
    """An Agora kicking rule that must stand (or fall) so that a revoked user leaves its channel."""

    id: int
    channel: str
    uid: int
    lift: bool = False
    """False: the rule is to be made; true: to be deleted, the user is back."""
    rule_id: int | None = None
    done_at: int | None = None
    tries: int = 0
    error: str = ""


class TokenIssue(Struct, frozen=True, kw_only=True):
    """One answered token request: `took_us` is the time the token itself took to make."""

    at: int
    office: OfficeId
    user: str
    publisher: bool
    took_us: int
