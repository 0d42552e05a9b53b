"""Whom the stand-in's hub lets into a channel, and who may speak there: tokens and kicking rules."""

import re
from collections.abc import Callable

from msgspec import Struct

from dispatch.tokens.access_token2 import JOIN, PUBLISH_AUDIO, AccessToken2, BadToken, parse, verify
from lab.agora_stub.wire import Join
from service.settings import Secret

JOINED, BANNED, BAD_APP_ID, BAD_CHANNEL, BAD_TOKEN, EXPIRED = 1, 3, 6, 7, 8, 9
"""CONNECTION_CHANGED_REASON_TYPE of Agora's public headers."""
JOIN_CHANNEL, PUBLISH = "join_channel", "publish_audio"
"""Privileges that a kicking rule may take."""

_CHANNEL = re.compile(r"[a-zA-Z0-9 !#$%&()+\-:;<=.>?@\[\]^_{}|~,]{1,63}\Z")


class Rule(Struct, frozen=True):
    """A kicking rule; None stands for every channel or uid. `until_s` is Unix time."""

    no: int
    channel: str | None
    uid: int | None
    privilege: str
    until_s: float


class Gatekeeper:
    """Judges with the app's own id and certificate; `wall` gives Unix time."""

    def __init__(self, app_id: str, certificate: str, wall: Callable[[], float]) -> None:
        self._app_id = app_id
        self._certificate = Secret(certificate)
        self._wall = wall
        self.rules: dict[int, Rule] = {}
        self._rules_made = 0

    def judge(self, join: Join) -> int:
        """JOINED, or why not."""
        if join.app_id != self._app_id:
            return BAD_APP_ID
        if not _CHANNEL.match(join.channel):
            return BAD_CHANNEL
        reason = self.judge_token(join.token, join.channel, join.uid)
        if reason == JOINED and self.banned(join.channel, join.uid, JOIN_CHANNEL):
            return BANNED
        return reason

    def judge_token(self, text: str, channel: str, uid: int) -> int:
        """JOINED, BAD_TOKEN or EXPIRED, for a token given at a join or a renewal."""
        try:
            token = parse(text)
        except BadToken:
            return BAD_TOKEN
        right = token.app_id == self._app_id and token.channel == channel and token.uid in (0, uid)
        if not right or JOIN not in token.privileges or not verify(text, self._certificate):
            return BAD_TOKEN
        return JOINED if self.left_s(text) > 0 else EXPIRED

    def left_s(self, text: str, privilege: int = JOIN) -> float:
        """How long a token that was judged good still gives `privilege`; 0 where it never did."""
        token = parse(text)
        if privilege not in token.privileges:
            return 0.0
        return _ends_s(token, privilege) - self._wall()

    def may_speak(self, text: str, channel: str, uid: int, cohost: bool) -> bool:
        """Whether this token publishes; without co-host authentication any does."""
        allowed = not cohost or self.left_s(text, PUBLISH_AUDIO) > 0
        return allowed and not self.banned(channel, uid, PUBLISH)

    def rule(self, channel: str | None, uid: int | None, seconds: float, privilege: str) -> Rule:
        """Add a kicking rule."""
        self._rules_made += 1
        rule = Rule(self._rules_made, channel, uid, privilege, self._wall() + seconds)
        self.rules[rule.no] = rule
        return rule

    def banned(self, channel: str, uid: int, privilege: str) -> bool:
        """Whether a rule holds against this uid there."""
        return any(
            rule.privilege == privilege and rule.channel in (None, channel) and rule.uid in (None, uid)
            for rule in self.rules.values()
            if rule.until_s > self._wall()
        )


def _ends_s(token: AccessToken2, privilege: int) -> float:
    lasts_s = token.privileges[privilege] or token.expire_s
    return token.issued_at_s + min(lasts_s, token.expire_s)
