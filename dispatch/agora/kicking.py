"""Agora's kicking rules: a revoked user is put out of its channel at once, before its token runs out.

Blocking calls of Agora's channel management REST interface (`/dev/v1/kicking-rule`), for a thread that may wait.
Source: https://docs.agora.io/en/api-reference/api-ref/rtc/create-ban-rule, .../delete-ban-rule, .../get-ban-rule-list
and .../response-status-codes. Nothing here was tried against Agora's own servers: the tests use `lab.agora_rest`.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec
import requests
from msgspec import Meta, Struct
from requests.auth import HTTPBasicAuth

from dispatch.settings import AgoraServerSettings

PATH = "/dev/v1/kicking-rule"
JOIN_CHANNEL = "join_channel"
"""The privilege that is taken away: who is in the channel is put out, and cannot come back while the rule stands."""
MINUTES_MAX = 1440
"""Agora's longest rule, and its longest token."""
CONNECT_S, ANSWER_S = 5.0, 20.0
"""Agora asks callers to wait 20 s for a rule to be made, and never less than 5 s."""
CALLS_MAX, CALLS_WITHIN_S = 10, 1.0
"""Agora's limit of calls for a whole account; more are answered with 429."""
ANSWER_BYTES_MAX = 4 << 20
"""A longer answer (a list of some 10,000 rules) is not read."""

T = TypeVar("T")


class KickingError(Exception):
    """Agora's REST interface did not do what it was asked; says why, and how to mend it."""


class KickingUnreachable(KickingError):
    """No answer, or one that is no answer: try again later."""


class KickingBusy(KickingError):
    """Too many calls of this account (429): try again after `retry_s`."""

    def __init__(self, text: str, retry_s: float) -> None:
        super().__init__(text)
        self.retry_s = retry_s


class KickingRefused(KickingError):
    """Agora refuses: the credentials or the app id are wrong, or the request is."""


class Rule(Struct, frozen=True):
    """One rule as Agora lists it; fields that we do not need are left out."""

    id: Annotated[int, Meta(ge=0)]
    cname: str | None = None
    uid: int | str | None = None
    privileges: tuple[str, ...] = ()


class _Rules(Struct, frozen=True):
    rules: tuple[Rule, ...] = ()


class _Done(Struct, frozen=True):
    status: str
    id: Annotated[int, Meta(ge=0)]


def minutes_for(token_ttl_s: int) -> int:
    """How long a rule must stand until the last token of a user revoked now has run out: one minute more than that."""
    return min(MINUTES_MAX, -(-token_ttl_s // 60) + 1)


class KickingClient:
    """Makes and lifts kicking rules of one Agora project. Any thread may use it; calls block, see `ANSWER_S`.

    Raises ValueError at construction where kicking is not configured (`configured` tells beforehand).
    """

    def __init__(
        self,
        settings: AgoraServerSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        answer_s: float = ANSWER_S,
    ) -> None:
        kicking = settings.kicking
        if kicking is None or kicking.customer_secret is None:
            raise ValueError("[agora.kicking] needs customer_key and the secret agora-customer-secret")
        self._app_id = settings.app_id
        self._url = kicking.base_url.rstrip("/") + PATH
        self._auth = HTTPBasicAuth(kicking.customer_key.encode(), kicking.customer_secret.reveal().encode())
        self._timeout = (CONNECT_S, answer_s)
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._called: deque[float] = deque(maxlen=CALLS_MAX)

    @staticmethod
    def configured(settings: AgoraServerSettings | None) -> bool:
        """Whether `settings` are enough for a client."""
        kicking = None if settings is None else settings.kicking
        return kicking is not None and kicking.customer_secret is not None

    def make(self, channel: str, uid: int, minutes: int) -> int:
        """Put `uid` (1 to 2**32-1) out of `channel` for so many minutes (1 to 1440); gives the rule's id.

        Where no answer comes, the list of rules is asked whether the rule was made all the same. Raises KickingError;
        ValueError for a uid or time out of range, as uid 0 would shut out the whole channel.
        """
        if not 1 <= uid < 2**32 or not 1 <= minutes <= MINUTES_MAX or not channel:
            raise ValueError(f"no kicking rule for channel {channel!r}, uid {uid}, {minutes} min")
        rule = {"cname": channel, "uid": uid, "time": minutes, "privileges": [JOIN_CHANNEL]}
        try:
            return self._done(self._call("POST", json={"appid": self._app_id, **rule}))
        except KickingUnreachable as error:
            found = self._standing(channel, uid)
            if found is None:
                raise error
            return found

    def lift(self, rule_id: int) -> None:
        """Delete a rule. One that is not there any more is lifted: time has run out, or somebody was faster."""
        try:
            self._done(self._call("DELETE", json={"appid": self._app_id, "id": rule_id}))
        except (KickingRefused, KickingUnreachable):
            if any(rule.id == rule_id for rule in self.rules()):
                raise

    def rules(self) -> tuple[Rule, ...]:
        """Give the rules that stand; some may be missing where Agora's network is bad. Raises KickingError."""
        return _read(self._call("GET", params={"appid": self._app_id}), _Rules).rules

    def _standing(self, channel: str, uid: int) -> int | None:
        try:
            rules = self.rules()
        except KickingError:
            return None
        for rule in rules:
            if rule.cname == channel and str(rule.uid) == str(uid) and JOIN_CHANNEL in rule.privileges:
                return rule.id
        return None

    def _done(self, body: bytes) -> int:
        answer = _read(body, _Done)
        if answer.status != "success":
            raise KickingRefused(f"Agora answers {answer.status[:80]!r} -> try again, then ask Agora's support")
        return answer.id

    def _call(self, method: str, **more: Any) -> bytes:
        self._wait_for_turn()
        try:
            with requests.request(
                method,
                self._url,
                auth=self._auth,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
                headers={"Accept": "application/json", "Content-Type": "application/json"},
                **more,
            ) as answer:
                body = _bounded(answer)
                status, wait = answer.status_code, answer.headers.get("Retry-After", "")
        except requests.RequestException as error:
            raise KickingUnreachable(
                f"Agora's REST interface does not answer ({type(error).__name__}) -> check this machine's network"
            ) from None  # the exception's text and request carry the credentials' header
        _judge(status, wait, body)
        return body

    def _wait_for_turn(self) -> None:
        with self._lock:
            now = self._clock()
            due = self._called[0] + CALLS_WITHIN_S if len(self._called) == CALLS_MAX else now
            if due > now:
                self._sleep(due - now)
            self._called.append(max(due, now))


def _bounded(answer: requests.Response) -> bytes:
    body = bytearray()
    for piece in answer.iter_content(65_536):
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            raise KickingUnreachable(f"Agora's answer is over {ANSWER_BYTES_MAX} bytes -> check base_url")
    return bytes(body)


def _judge(status: int, retry_after: str, body: bytes) -> None:
    if status == 200:
        return
    said = _message(body)
    if status == 429:
        wait_s = float(retry_after) if retry_after.isdecimal() and len(retry_after) < 6 else CALLS_WITHIN_S
        raise KickingBusy("Agora has had too many calls of this account (429) -> it is tried again", wait_s)
    if status in (401, 403):
        raise KickingRefused(
            f"Agora refuses the credentials ({status}{said}) -> check app_id, customer_key and agora-customer-secret"
        )
    if 400 <= status < 500:
        raise KickingRefused(f"Agora refuses the request ({status}{said}) -> check app_id and base_url")
    raise KickingUnreachable(f"Agora's REST interface is out of order ({status}{said}) -> it is tried again")


def _message(body: bytes) -> str:
    try:
        said = msgspec.json.decode(body, type=dict[str, object]).get("message")
    except msgspec.MsgspecError:
        return ""
    return f", {said[:100]!r}" if isinstance(said, str) else ""


def _read(body: bytes, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise KickingUnreachable("what answers is not Agora's REST interface -> check base_url") from None
