"""The office's REST interface as a unit calls it: TLS against its own authority, bounded answers, typed errors."""

from __future__ import annotations

import socket
import ssl
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import msgspec
import requests

from protocol.rest import Problem

CONNECT_S, READ_S = 5.0, 10.0
ANSWER_BYTES_MAX = 256 << 10
WHY_CHARS_MAX = 400
T = TypeVar("T")


class Failure(StrEnum):
    """Why the office could not be asked, or did not answer as it should."""

    NO_HOST = "no_host"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    WRONG_NAME = "wrong_name"
    WRONG_CA = "wrong_ca"
    TLS = "tls"
    NONSENSE = "nonsense"
    PROBLEM = "problem"


class RestError(Exception):
    """No usable answer. `code` is the office's own, where it gave a reason (`failure` PROBLEM), else empty."""

    def __init__(self, failure: Failure, why: str, code: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(why)
        self.failure = failure
        self.why = why
        self.code = code
        self.retry_after_s = retry_after_s


_VERIFY = {
    9: (Failure.NOT_YET_VALID, "the office's certificate is not valid yet: is this unit's clock right?"),
    10: (Failure.EXPIRED, "the office's certificate has expired: is this unit's clock right?"),
    62: (Failure.WRONG_NAME, "the office's certificate is for another host name"),
    64: (Failure.WRONG_NAME, "the office's certificate is for another address"),
}
"""OpenSSL's X509_V_ERR_ numbers that people can do something about; all others are an authority that is not ours."""


class RestClient:
    """A session with the office, for one thread. No proxy, netrc or redirect: a secret goes to the office alone."""

    def __init__(self, base_url: str, ca: Path | None, login: tuple[str, str] | None = None) -> None:
        """`ca`: the authority's PEM file; None checks nothing, for what is checked by other means."""
        self._base = base_url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = login
        self._verify: bool | str = False if ca is None else str(ca)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get(self, path: str) -> bytes:
        """Fetch a resource; raises RestError."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: msgspec.Struct, answer: type[T]) -> T:
        """Send a body and read the answer; raises RestError."""
        data = self._ask("POST", path, msgspec.json.encode(body))
        try:
            return msgspec.json.decode(data, type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise RestError(Failure.NONSENSE, f"{self._base}{path} answered what is no {answer.__name__}") from None

    def _ask(self, method: str, path: str, body: bytes | None) -> bytes:
        url = self._base + path
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Unverified HTTPS request")  # what comes so is checked by us
                answer = self._session.request(
                    method,
                    url,
                    data=body,
                    headers={} if body is None else {"Content-Type": "application/json"},
                    timeout=(CONNECT_S, READ_S),
                    verify=self._verify,
                    allow_redirects=False,
                    stream=True,
                )
            with answer:
                data = _bounded(answer)
        except (requests.RequestException, OSError, ValueError) as error:
            # Its text may hold what was sent nowhere else; only what we say ourselves goes on.
            raise _named(error, url) from None
        if len(data) > ANSWER_BYTES_MAX:
            raise RestError(Failure.NONSENSE, f"{url} answered more than {ANSWER_BYTES_MAX} bytes")
        if answer.status_code not in (200, 201):
            raise _refusal(answer, data, url)
        return data


def _bounded(answer: requests.Response) -> bytes:
    """The body, or just over ANSWER_BYTES_MAX of it."""
    data = b""
    for piece in answer.iter_content(16384):
        data += piece
        if len(data) > ANSWER_BYTES_MAX:
            break
    return data


def _refusal(answer: requests.Response, data: bytes, url: str) -> RestError:
    retry = answer.headers.get("Retry-After", "")
    retry_after_s = float(retry) if retry.isdigit() and len(retry) < 7 else None
    try:
        problem = msgspec.json.decode(data, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        why = f"{url} answered {answer.status_code}: is it the office's REST service?"
        return RestError(Failure.NONSENSE, why, retry_after_s=retry_after_s)
    again = problem.detail.casefold() == problem.title.casefold()
    said = ". ".join(part for part in (problem.title, "" if again else problem.detail) if part)
    why = _plain(f"{said} -> {problem.mend}" if problem.mend else said)
    return RestError(Failure.PROBLEM, why, problem.code, retry_after_s)


def _plain(text: str) -> str:
    """What a server says, which need not be the office's, without what a terminal would obey; at most WHY_CHARS_MAX."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:WHY_CHARS_MAX])


def _named(error: BaseException, url: str) -> RestError:
    """Say in our words what kept the office from being asked."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            failure, why = _VERIFY.get(
                cause.verify_code, (Failure.WRONG_CA, "the office's certificate is not of the authority known here")
            )
            return RestError(failure, f"{url}: {why}")
        if isinstance(cause, socket.gaierror):
            return RestError(Failure.NO_HOST, f"{url}: the host name is not known: is there a network?")
    if isinstance(error, requests.exceptions.SSLError | ssl.SSLError):
        return RestError(Failure.TLS, f"{url}: no TLS connection: is it the office's REST service?")
    if isinstance(error, requests.Timeout | TimeoutError):
        return RestError(Failure.TIMEOUT, f"{url} does not answer in time")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema | ValueError):
        return RestError(Failure.NO_HOST, f"{url} is no URL of an office")
    return RestError(Failure.UNREACHABLE, f"{url} cannot be reached: is there a network, and does the service run?")


def _causes(error: BaseException) -> list[BaseException]:
    """The error and all it was made of: requests and urllib3 wrap each other's in `args` and `reason`."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(found) < 20:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return found
