"""Alerts told to other people's servers: a thread that may wait, with retry, and a signature for each message.

Each webhook has a queue of its own, so that one that is away keeps no other waiting. What cannot be delivered within
KEEP_S, or does not fit into the queue, is dropped, counted and logged. The secret is in no message and no log.
"""

import hashlib
import hmac
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable

import msgspec
import requests
from msgspec import Struct

from dispatch.alerting.settings import WebhookSettings
from service.logs import Log

RETRY_MIN_S, RETRY_MAX_S = 1.0, 300.0
KEEP_S = 86_400.0
QUEUE_MAX = 1000
CONNECT_S, ANSWER_S = 5.0, 10.0
CLOSE_S = 3.0
SIGNATURE, STAMP, DELIVERY = "X-PTT-Signature", "X-PTT-Timestamp", "X-PTT-Delivery"
GONE = frozenset({400, 401, 403, 404, 405, 410, 413, 415, 422})
"""Answers that another try would not change."""

_log = Log(__name__)


class Told(Struct, frozen=True, kw_only=True):
    """The body of a message. `state`: `raised` or `cleared`; `since` and `at` are Unix ms."""

    region: str
    office: str
    alert: str
    state: str
    severity: str
    what: str
    mend: str
    since: int
    at: int


class _Waiting(Struct, kw_only=True):
    """One message on its way."""

    id: str
    body: bytes
    until: float


def signature(secret: str, stamp: str, body: bytes) -> str:
    """Give `sha256=` and the HMAC-SHA256 of `<stamp>.<body>`, hex: what a receiver compares."""
    return "sha256=" + hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class Webhook:
    """One receiver. `tell` may be called from any thread and never waits."""

    def __init__(
        self,
        settings: WebhookSettings,
        *,
        wall_s: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        retry_min_s: float = RETRY_MIN_S,
        answer_s: float = ANSWER_S,
    ) -> None:
        self.delivered = self.dropped = self.failed = 0
        """Messages delivered, given up, and tries that failed."""
        self._settings, self._wall_s, self._clock = settings, wall_s, clock
        self._retry_min_s, self._answer_s = retry_min_s, answer_s
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name=f"webhook-{settings.name}", daemon=True)

    @property
    def name(self) -> str:
        """What it is called in logs and metrics."""
        return self._settings.name

    @property
    def waiting(self) -> int:
        """Messages that are not delivered yet."""
        return len(self._waiting)

    def start(self) -> None:
        """Begin."""
        # The library logs whole URLs, for a receiver's odd header even as a warning; a URL may hold a secret.
        logging.getLogger("urllib3").setLevel(logging.CRITICAL)
        self._thread.start()

    def close(self) -> None:
        """End after the call under way, at most CLOSE_S later; what waits then is lost, and said."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(CLOSE_S)
        if self._waiting:
            _log.warning("webhook left with messages not delivered", webhook=self.name, count=len(self._waiting))

    def tell(self, told: Told) -> None:
        """Deliver this, after what was told before."""
        waiting = _Waiting(id=uuid.uuid4().hex, body=msgspec.json.encode(told), until=self._clock() + KEEP_S)
        with self._changed:
            if len(self._waiting) >= QUEUE_MAX:
                del self._waiting[1]  # the first is on its way
                self.dropped += 1
                _log.warning("webhook's queue is full, the oldest message is dropped", webhook=self.name)
            self._waiting.append(waiting)
            self._changed.notify()

    # --- the thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        retry_s = 0.0
        with requests.Session() as session:
            session.trust_env = False
            while True:
                with self._changed:
                    if retry_s:
                        self._changed.wait_for(lambda: self._ending, retry_s)
                    else:
                        self._changed.wait_for(lambda: self._ending or bool(self._waiting))
                    if self._ending:
                        return
                    if not self._waiting:  # dropped meanwhile
                        retry_s = 0.0
                        continue
                    first = self._waiting[0]
                why, again = self._send(session, first)
                if why:
                    self.failed += 1
                if why and again and self._clock() < first.until:
                    retry_s = min(max(self._retry_min_s, retry_s * 2), RETRY_MAX_S)
                    _log.warning("webhook not delivered, tried again", webhook=self.name, why=why, in_s=round(retry_s))
                    continue
                retry_s = 0.0
                self._done(first, why)

    def _done(self, message: _Waiting, why: str) -> None:
        with self._changed:
            if self._waiting and self._waiting[0] is message:
                self._waiting.popleft()
        if why:
            self.dropped += 1
            _log.error("webhook given up for this message", webhook=self.name, why=why)
        else:
            self.delivered += 1

    def _send(self, session: requests.Session, message: _Waiting) -> tuple[str, bool]:
        """Try once; gives why it failed (empty: it did not), and whether another try is worth it."""
        stamp = str(int(self._wall_s()))
        headers = {"Content-Type": "application/json", STAMP: stamp, DELIVERY: message.id}
        if self._settings.secret is not None:
            headers[SIGNATURE] = signature(self._settings.secret.reveal(), stamp, message.body)
        try:
            with session.post(
                self._settings.url,
                data=message.body,
                headers=headers,
                timeout=(CONNECT_S, self._answer_s),
                allow_redirects=False,
                stream=True,
            ) as answer:
                status = answer.status_code
        except requests.RequestException as error:
            return type(error).__name__, True  # its text may hold the URL, which may hold a secret
        if 200 <= status < 300:
            return "", False
        return f"status {status}", status not in GONE
