"""Tokens for the console of somebody who is signed in, and Agora's Web SDK: what the routes stand on. Blocking."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from msgspec import Struct

from dispatch.registry.port import Registry
from dispatch.registry.words import User
from dispatch.rest.limits import Allowance
from dispatch.rest.problems import Refused
from dispatch.rest.tokens import TokenMaker
from dispatch.web.agora_sdk import SDK_PATH, VERSION, StagedSdk
from dispatch.web.asking import Refusal
from protocol.ids import OfficeId
from protocol.messages import AgoraUid, ChannelName, VoicePath
from protocol.rest import TokenGrant

BURST, PER_S = 10, 0.1
"""Tokens that one user gets at once, and how many more each second: a page needs one in half an hour."""


class ConsoleToken(Struct, frozen=True, kw_only=True):
    """Answers `POST /console/token`: what `POST /v1/token` gives, and where the SDK is. `repr` hides the token."""

    app_id: str
    channel: ChannelName
    uid: AgoraUid
    token: str
    publisher: bool
    expires_in_s: int
    sdk: str
    sdk_version: str

    def __repr__(self) -> str:
        """Show everything but the token."""
        return f"ConsoleToken(channel={self.channel!r}, uid={self.uid}, token=***)"


class AgoraDesk:
    """Any thread. `clock` gives monotonic seconds."""

    def __init__(
        self,
        registry: Registry,
        maker: TokenMaker,
        sdk: StagedSdk,
        hosts: Sequence[str],
        clock: Callable[[], float],
    ) -> None:
        self._registry, self._maker, self.sdk, self._hosts, self._clock = registry, maker, sdk, hosts, clock
        self._asked = Allowance(BURST, PER_S)
        self._lock = threading.Lock()

    def hosts(self, office: OfficeId) -> Sequence[str]:
        """Give whom an office's console may reach for Agora: nobody where it is not used. Raises StoreUnavailable."""
        found = self._registry.office(office)
        used = found is not None and found.voice is VoicePath.AGORA and self.sdk.content() is not None
        return self._hosts if used else ()

    def token(self, user: User) -> ConsoleToken:
        """Give a token for the user's own uid and office, as REST gives its units. Raises Refusal, StoreUnavailable."""
        self._count(user)
        try:
            office = self._maker.office(user)
            if office.voice is not VoicePath.AGORA:
                raise Refusal(409, "agora_not_used")
            if self.sdk.content() is None:
                raise Refusal(503, "agora_not_staged")
            grant: TokenGrant = self._maker.give(user, office)
        except Refused as refused:
            if refused.code == "not_configured":
                raise Refusal(503, "agora_not_configured") from None
            raise Refusal(refused.kind.status, "error_bad", why=refused.problem.detail) from None
        return ConsoleToken(
            app_id=grant.app_id,
            channel=grant.channel,
            uid=grant.uid,
            token=grant.token,
            publisher=grant.publisher,
            expires_in_s=grant.expires_in_s,
            sdk=SDK_PATH,
            sdk_version=VERSION,
        )

    def _count(self, user: User) -> None:
        key, now = f"{user.office}/{user.user}", self._clock()
        with self._lock:
            wait_s = self._asked.wait_s(key, now)
            if wait_s > 0:
                raise Refusal(429, "agora_too_many", seconds=int(wait_s) + 1)
            self._asked.spend(key, now)
