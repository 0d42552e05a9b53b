"""Tokens and greetings: what a user that was let in gets, and which units are turned away. Blocking; any thread."""

import time
from collections.abc import Callable

from dispatch.core import notices
from dispatch.ports import StoreUnavailable
from dispatch.registry.port import Registry
from dispatch.registry.words import Office, TokenIssue, User
from dispatch.rest.problems import Refused
from dispatch.rest.telling import Telling
from dispatch.settings import AgoraServerSettings
from dispatch.tokens.access_token2 import build
from protocol.rest import Hello, Role, TokenGrant, TokenRequest, Welcome
from service.logs import Log

_log = Log(__name__)


class TokenMaker:
    """Makes tokens for users that were let in, whichever door they came by. `wall_s` is Unix time, `salt` a random
    number of 1 to 2**32-1."""

    def __init__(
        self,
        registry: Registry,
        agora: AgoraServerSettings | None,
        *,
        wall_s: Callable[[], float],
        salt: Callable[[], int],
    ) -> None:
        self._registry, self._agora, self._wall_s, self._salt = registry, agora, wall_s, salt
        self.issued = 0
        """Tokens given since the start."""

    def office(self, user: User, channel: str | None = None) -> Office:
        """Give the user's office, whose channel may be `channel` alone (None: whatever it is). Raises Refused,
        StoreUnavailable."""
        office = self._registry.office(user.office)
        if office is None:
            raise Refused("store", "the registry holds no such office", mend="restore a backup of the store")
        if channel is not None and channel != office.channel:
            raise Refused("other_office", "the channel asked for is not that of your office")
        if not user.role.member and user.role is not Role.BRIDGE:
            raise Refused("role", f"the role {user.role.value} takes no part in voice")
        return office

    def give(self, user: User, office: Office) -> TokenGrant:
        """Give a token for the user's own uid and this office's channel. Raises Refused."""
        agora = self._agora
        if agora is None or agora.certificate is None:
            missing = "[agora] is missing" if agora is None else "the app certificate is missing"
            raise Refused("not_configured", f"tokens cannot be made: {missing}")
        publisher = not user.listen_only
        now_s = self._wall_s()
        began = time.perf_counter_ns()
        token = build(
            agora.app_id,
            agora.certificate,
            office.channel,
            user.uid,
            publisher=publisher,
            expire_s=agora.token_ttl_s,
            issued_at_s=int(now_s),
            salt=self._salt(),
        )
        took_us = (time.perf_counter_ns() - began) // 1000
        issue = TokenIssue(
            at=int(now_s * 1000), office=user.office, user=user.user, publisher=publisher, took_us=took_us
        )
        try:
            self._registry.note_token(issue)
        except StoreUnavailable as error:  # a figure for people; nobody stays without voice for it
            _log.warning("token issues could not be recorded", why=error)
        self.issued += 1
        return TokenGrant(
            app_id=agora.app_id,
            channel=office.channel,
            uid=user.uid,
            token=token,
            publisher=publisher,
            expires_in_s=agora.token_ttl_s,
            priority=user.priority,
        )


class TokenDesk:
    """Answers `POST /v1/token` and `POST /v1/hello`. `wall_s` is Unix time, `salt` a random number of 1 to 2**32-1."""

    def __init__(
        self,
        registry: Registry,
        telling: Telling,
        agora: AgoraServerSettings | None,
        *,
        wall_s: Callable[[], float],
        salt: Callable[[], int],
    ) -> None:
        self._registry, self._telling = registry, telling
        self._maker = TokenMaker(registry, agora, wall_s=wall_s, salt=salt)

    @property
    def issued(self) -> int:
        """Tokens given since the start."""
        return self._maker.issued

    def token(self, user: User, asked: TokenRequest) -> TokenGrant:
        """Give a token for the user's own uid and its own office's channel. Raises Refused, StoreUnavailable."""
        office = self._maker.office(user, asked.channel)
        self.check_unit(user, asked.hardware)
        return self._maker.give(user, office)

    def hello(self, user: User, hello: Hello) -> Welcome:
        """Say what the registry holds of the user. Raises Refused (409) for a unit that is not the one enrolled."""
        if hello.generation != user.generation:
            raise Refused("replaced", f"this unit is of enrolment {hello.generation}, the newest is {user.generation}")
        self.check_unit(user, hello.hardware)
        office = self._registry.office(user.office)
        if office is None:
            raise Refused("store", "the registry holds no such office", mend="restore a backup of the store")
        keep_s = office.replay_keep_s if user.role.member else 0
        return Welcome(
            name=user.name, role=user.role, voice=office.voice, generation=user.generation, replay_keep_s=keep_s
        )

    def check_unit(self, user: User, hardware: str | None) -> None:
        """Raise Refused for a unit that is not the one enrolled under this identity, and note a clone."""
        if user.hardware is None or hardware == user.hardware:
            return
        if hardware is None:  # a copy of its card must at least lie to get a token
            raise Refused("bad_request", "an enrolled unit names its hardware", mend="send the field hardware")
        if user.clone != hardware:
            noted = self._registry.note_clone(user.office, user.user, hardware)
            if noted.clone == hardware:  # otherwise it changes its hardware all the time, and was told of already
                rev = self._registry.rev()
                self._telling.tell(user.office, notices.clone_found(user.user, user.name, hardware, rev))
        raise Refused("clone", "this unit is not the one that is enrolled under this identity")
