"""The thread that asks the office over REST: tokens and hellos. The loop hands a wish over and is told what came of it.

`requests` is loaded here, not before: neither the first press nor READY waits for it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from gateway.core.words import CoreEvent, HelloFailed, TokenCame, TokenFailed, Welcomed
from gateway.enrolment import EnrolmentStore, StoreError, login
from protocol.rest import HELLO_PATH, TOKEN_PATH, Enrolment, Hello, TokenGrant, TokenRequest, Welcome
from service.logs import Log

if TYPE_CHECKING:
    from gateway.rest import RestClient

WISHES_MAX = 8
_log = Log("gateway.rest")

Wish = Hello | TokenRequest


class TokenClient:
    """Asks one thing after the other. `feed` is called in the loop's thread, through `call_soon`."""

    def __init__(
        self,
        store: EnrolmentStore,
        enrolment: Enrolment,
        hardware: str,
        version: str,
        call_soon: Callable[[Callable[[], None]], object],
        feed: Callable[[CoreEvent], None],
    ) -> None:
        """`hardware` is this machine's, not always the enrolled one's; `call_soon` may be called by any thread."""
        self._store = store
        self._enrolment = enrolment
        self._hardware = hardware
        self._version = version
        self._call_soon = call_soon
        self._feed = feed
        self._wishes: queue.Queue[Wish | None] = queue.Queue(WISHES_MAX)
        self._thread = threading.Thread(target=self._run, name="ptt-rest", daemon=True)
        self.asked = 0
        """Requests sent since start."""

    def fetch(self, channel: str | None) -> None:
        """Ask for a token; TokenCame or TokenFailed follows."""
        self._wish(TokenRequest(channel=channel, hardware=self._hardware))

    def hello(self) -> None:
        """Say which unit this is; Welcomed or HelloFailed follows."""
        self._wish(Hello(generation=self._enrolment.generation, hardware=self._hardware, version=self._version))

    def close(self) -> None:
        """Ask no more; what is under way is left to itself, and nothing of it is told."""
        self._call_soon = lambda _fn: None
        try:
            self._wishes.put_nowait(None)
        except queue.Full:
            return  # the thread ends with the process

    # --- the loop's thread --------------------------------------------------------------------------------------------

    def _wish(self, wish: Wish) -> None:
        if self._thread.ident is None:
            self._thread.start()
        try:
            self._wishes.put_nowait(wish)
        except queue.Full:  # the core asks one of each at a time: this cannot be, and must not hang it if it is
            self._tell(_failed(wish, "", "too much is being asked already", None))

    # --- our thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        from gateway.rest import RestClient

        identity = str(login(self._enrolment)), self._enrolment.secret
        client = RestClient(self._enrolment.rest_url, self._store.ca_path, identity)
        while (wish := self._wishes.get()) is not None:
            self.asked += 1
            self._tell(self._ask(client, wish))
        client.close()

    def _ask(self, client: RestClient, wish: Wish) -> CoreEvent:
        from gateway.rest import RestError

        try:
            if isinstance(wish, TokenRequest):
                return TokenCame(grant=client.post(TOKEN_PATH, wish, TokenGrant))
            welcome = client.post(HELLO_PATH, wish, Welcome)
        except RestError as error:
            return _failed(wish, error.code, error.why, error.retry_after_s)
        self._keep(welcome)
        return Welcomed(welcome=welcome)

    def _keep(self, welcome: Welcome) -> None:
        """What the office changed of this user holds from the next start on."""
        known = self._enrolment
        changed = replace(known, name=welcome.name, role=welcome.role, voice=welcome.voice)
        if changed == known or not welcome.role.member:
            return
        try:
            self._store.write(changed)
        except StoreError as error:
            _log.warning("what the office changed cannot be kept", why=str(error))
            return
        self._enrolment = changed
        _log.info("the office changed this unit, from the next start on", name=welcome.name, voice=welcome.voice.value)

    def _tell(self, event: CoreEvent) -> None:
        self._call_soon(lambda: self._feed(event))


def _failed(wish: Wish, code: str, why: str, retry_after_s: float | None) -> CoreEvent:
    made = TokenFailed if isinstance(wish, TokenRequest) else HelloFailed
    return made(code=code, why=why, retry_after_s=retry_after_s)
