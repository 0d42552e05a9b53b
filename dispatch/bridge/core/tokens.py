"""The bridge's Agora token: fetched ahead, renewed well before it runs out, asked for again with back-off."""

from dispatch.bridge.core.context import Context
from dispatch.bridge.core.words import FetchToken
from protocol.rest import TokenGrant
from protocol.worker import Token

RENEW_FROM, RENEW_SPREAD = 0.6, 0.2
"""A token is renewed at 60 to 80 % of its life, at random."""
WAIT_S, WAIT_S_MAX = 1.0, 60.0
WANTED_EVERY_S = 1.0
"""The worker's wish for a new token is followed no more often."""


class TokenKeeper:
    """Keeps one token; at most one request is under way."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._grant: TokenGrant | None = None
        self._until = 0.0
        self._fetch_at: float | None = None
        self._asked_at = float("-inf")
        self._under_way = False
        self._failures = 0
        self.problem = ""
        """Why the last request failed; empty where it did not."""

    @property
    def uid(self) -> int:
        """The bridge's own Agora uid; 0 until the first token came."""
        return 0 if self._grant is None else self._grant.uid

    def start(self, now: float) -> None:
        """Fetch the first."""
        self._fetch_at = now

    def came(self, grant: TokenGrant, now: float) -> None:
        """Take a token. Its life is counted from its arrival here."""
        self._under_way = False
        self._failures = 0
        self.problem = ""
        if not grant.publisher:
            self.problem = "the token only lets it listen: give this user the role bridge"
            self._ctx.note("the token cannot publish", warning=True, mend="give this user the role bridge")
        self._grant = grant
        self._until = now + grant.expires_in_s
        self._fetch_at = now + grant.expires_in_s * (RENEW_FROM + RENEW_SPREAD * self._ctx.chance())

    def failed(self, reason: str, retry_after_s: float, now: float) -> None:
        """Try again later; what is held stays valid for as long as it is."""
        self._under_way = False
        if reason != self.problem:
            self._ctx.note("no token", warning=True, reason=reason)
        self.problem = reason
        wait_s = min(WAIT_S_MAX, WAIT_S * 2 ** min(self._failures, 8)) * (0.5 + self._ctx.chance() / 2)
        self._failures += 1
        self._fetch_at = now + max(wait_s, min(retry_after_s, 3600.0))

    def wanted(self, now: float) -> None:
        """The worker needs another one: Agora says that this one runs out, or does not take it."""
        if not self._under_way and not self._failures:
            self._fetch_at = max(now, self._asked_at + WANTED_EVERY_S)

    def current(self, now: float) -> Token | None:
        """Give what the worker is to be told; None where no valid token is held."""
        grant = self._grant
        if grant is None or self._until <= now:
            return None
        return Token(
            channel=grant.channel,
            app_id=grant.app_id,
            uid=grant.uid,
            token=grant.token,
            publisher=grant.publisher,
            expires_in_s=self._until - now,
        )

    def tick(self, now: float) -> None:
        """Ask when due."""
        if self._fetch_at is not None and now >= self._fetch_at and not self._under_way:
            self._fetch_at = None
            self._under_way = True
            self._asked_at = now
            self._ctx.emit(FetchToken())

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        return None if self._under_way else self._fetch_at
