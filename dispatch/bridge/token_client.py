"""Asks the REST service for the bridge's token, in a thread of its own, so that the loop never waits on HTTP."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from functools import partial

import msgspec
import requests

from dispatch.bridge.core.words import TokenCame, TokenFailed
from protocol.login import Login
from protocol.rest import TOKEN_PATH, Problem, TokenGrant, TokenRequest
from service.logs import Log
from service.loop import Loop
from service.settings import Secret

CONNECT_S, READ_S = 5.0, 10.0
ANSWER_BYTES_MAX = 64 << 10
_log = Log(__name__)


class TokenClient:
    """`fetch` asks once; the answer is told in the loop's thread. At most one request is under way."""

    def __init__(
        self,
        loop: Loop,
        url: str,
        ca: str | None,
        login: Login,
        secret: Secret,
        tell: Callable[[TokenCame | TokenFailed], None],
    ) -> None:
        """`ca`: PEM file of the authority that must have signed the service's certificate; None: the system's."""
        self._loop = loop
        self._url = url.rstrip("/") + TOKEN_PATH
        self._verify: str | bool = True if ca is None else ca
        self._login = login
        self._secret = secret
        self._tell = tell
        self._wishes: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="bridge-tokens", daemon=True)

    def start(self) -> None:
        """Begin; call once."""
        self._thread.start()

    def fetch(self) -> None:
        """Ask; TokenCame or TokenFailed follows."""
        self._wishes.put(True)

    def close(self) -> None:
        """Ask no more; a request under way is left alone, and what comes of it is not told."""
        self._wishes.put(False)

    # --- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False  # neither a proxy nor a .netrc of the environment has a say in this
            while self._wishes.get():
                self._loop.call_soon_threadsafe(partial(self._tell, self._ask(session)))

    def _ask(self, session: requests.Session) -> TokenCame | TokenFailed:
        try:
            with session.post(
                self._url,
                data=msgspec.json.encode(TokenRequest()),
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                auth=(str(self._login), self._secret.reveal()),
                verify=self._verify,
                timeout=(CONNECT_S, READ_S),
                allow_redirects=False,
                stream=True,
            ) as answer:
                body = answer.raw.read(ANSWER_BYTES_MAX, decode_content=True)
                return _read(answer, body)
        except requests.exceptions.SSLError as error:
            return TokenFailed(reason=f"no TLS with {self._url} ({_cause(error)}): check ca, its host name, this clock")
        except (requests.RequestException, OSError) as error:
            return TokenFailed(reason=f"{self._url} is not reached ({_cause(error)}): does `ptt-dispatch rest` run?")
        except Exception as error:  # noqa: BLE001 - the top of what the thread does; told, and tried again
            _log.exception("token request failed")
            return TokenFailed(reason=f"token request failed ({type(error).__name__})")


def _read(answer: requests.Response, body: bytes) -> TokenCame | TokenFailed:
    try:
        if answer.status_code == 200:
            return TokenCame(grant=msgspec.json.decode(body, type=TokenGrant))
        problem = msgspec.json.decode(body, type=Problem)
    except msgspec.MsgspecError:
        return TokenFailed(
            reason=f"the token service answered {answer.status_code} with none of its answers: is the URL right?",
            retry_after_s=_retry_after_s(answer),
        )
    said = problem.detail or problem.title
    return TokenFailed(
        reason=f"refused ({problem.code}): {said}"[:300] + (f" -> {problem.mend}"[:200] if problem.mend else ""),
        retry_after_s=_retry_after_s(answer),
    )


def _retry_after_s(answer: requests.Response) -> float:
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() and len(text) < 8 else 0.0


def _cause(error: BaseException) -> str:
    """Say the innermost reason, which is the one that helps."""
    inner: BaseException = error
    while (deeper := inner.__cause__ or inner.__context__) is not None:
        inner = deeper
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return str(inner)[:120] or type(inner).__name__
