"""Enrolment: a one-time code becomes this unit's credentials, authority and configuration.

The code says which authority the office has. So the authority's certificate may be fetched over a connection that is
not checked yet; only if it is the code's does the code go out, over a connection checked against it.
"""

from __future__ import annotations

import ssl
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from gateway.enrolment import EnrolmentStore, StoreError
from gateway.rest import Failure, RestClient, RestError
from protocol.enrol_code import BadCode, EnrolCode, ca_mark, parse_code
from protocol.rest import CA_PATH, ENROL_PATH, Enrolment, EnrolRequest

TEXT_CHARS_MAX = 256


class Why(StrEnum):
    """Why a unit could not be enrolled; each has its sentences in `enrol_texts`."""

    BAD_CODE = "bad code"
    BAD_URL = "bad url"
    CONFIG = "config"
    DISK = "disk"
    OFFLINE = "offline"
    CLOCK = "clock"
    WRONG_NAME = "wrong name"
    WRONG_OFFICE = "wrong office"
    NO_OFFICE = "no office"
    UNKNOWN_CODE = "unknown code"
    USED_CODE = "used code"
    EXPIRED_CODE = "expired code"
    WITHDRAWN_CODE = "withdrawn code"
    REVOKED = "revoked"
    TOO_MANY = "too many"
    LATER = "later"
    LOST = "lost"
    ROLE = "role"
    REFUSED = "refused"

    @property
    def dead(self) -> bool:
        """Whether this code will never open the door: another one is needed."""
        return self in _DEAD

    @property
    def passes(self) -> bool:
        """Whether the same may well work in a minute."""
        return self in _PASSING


_DEAD = frozenset({Why.UNKNOWN_CODE, Why.USED_CODE, Why.EXPIRED_CODE, Why.WITHDRAWN_CODE, Why.REVOKED, Why.ROLE})
_PASSING = frozenset({Why.OFFLINE, Why.CLOCK, Why.LATER})
_BY_CODE = {
    "unknown_code": Why.UNKNOWN_CODE,
    "used_code": Why.USED_CODE,
    "expired_code": Why.EXPIRED_CODE,
    "withdrawn_code": Why.WITHDRAWN_CODE,
    "revoked": Why.REVOKED,
    "too_many": Why.TOO_MANY,
    "busy": Why.LATER,
    "store": Why.LATER,
    "broker": Why.LATER,
}
_BY_FAILURE = {
    Failure.NO_HOST: Why.OFFLINE,
    Failure.UNREACHABLE: Why.OFFLINE,
    Failure.TIMEOUT: Why.OFFLINE,
    Failure.NOT_YET_VALID: Why.CLOCK,
    Failure.EXPIRED: Why.CLOCK,
    Failure.WRONG_NAME: Why.WRONG_NAME,
    Failure.WRONG_CA: Why.WRONG_OFFICE,
    Failure.TLS: Why.NO_OFFICE,
    Failure.NONSENSE: Why.NO_OFFICE,
}


class EnrolFailed(Exception):
    """The unit is what it was before. `detail` is for a technician; it never holds the code."""

    def __init__(self, why: Why, detail: str) -> None:
        super().__init__(detail)
        self.why = why
        self.detail = detail


def enrol(url: str, code_text: str, store: EnrolmentStore, hardware: str, version: str, model: str) -> Enrolment:
    """Exchange the code and keep what it gives; raises EnrolFailed. Blocks for at most half a minute.

    Everything that can fail on this side is tried before the code is used up.
    """
    try:
        code = parse_code(code_text)
    except BadCode as error:
        raise EnrolFailed(Why.BAD_CODE, str(error)) from None
    base = base_url(url)
    try:
        store.try_out()
    except StoreError as error:
        raise EnrolFailed(Why.DISK, str(error)) from None
    ca_pem = _authority(base, code)
    request = EnrolRequest(
        code=code.secret, hardware=hardware, version=version[:TEXT_CHARS_MAX], model=model[:TEXT_CHARS_MAX]
    )
    enrolment = _exchange(base, ca_pem, request)
    if not _is_of(enrolment.ca_pem, code):
        raise EnrolFailed(Why.WRONG_OFFICE, f"{base} gave another authority than the code's")
    if not enrolment.role.member:
        raise EnrolFailed(Why.ROLE, f"{enrolment.user} is a {enrolment.role.value}, and no unit's identity")
    try:
        store.write(enrolment)
    except StoreError as error:
        raise EnrolFailed(Why.DISK, str(error)) from None
    return enrolment


def base_url(text: str) -> str:
    """Give `https://host[:port]` of what somebody typed; raises EnrolFailed for anything that is no such URL."""
    typed = text.strip()
    whole = typed if "://" in typed else f"https://{typed}"
    try:
        parts = urlsplit(whole)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or parts.scheme != "https" or parts.username or parts.query or parts.path not in ("", "/"):
        raise EnrolFailed(Why.BAD_URL, f"{typed[:100]!r} is not like https://ptt.example:8443")
    shown = f"[{host}]" if ":" in host else host
    return f"https://{shown}" if port is None else f"https://{shown}:{port}"


def _authority(base: str, code: EnrolCode) -> str:
    client = RestClient(base, None)
    try:
        pem = client.get(CA_PATH).decode("ascii")
    except RestError as error:
        raise _failed(error) from None
    except UnicodeDecodeError:
        raise EnrolFailed(Why.NO_OFFICE, f"{base}{CA_PATH} is no certificate") from None
    finally:
        client.close()
    if not _is_of(pem, code):
        raise EnrolFailed(Why.WRONG_OFFICE, f"{base} is not the office that made this code")
    return pem


def _is_of(pem: str, code: EnrolCode) -> bool:
    try:
        return ca_mark(ssl.PEM_cert_to_DER_cert(pem.strip())) == code.ca
    except ValueError:
        return False


def _exchange(base: str, ca_pem: str, request: EnrolRequest) -> Enrolment:
    with TemporaryDirectory(prefix="ptt-enrol-") as folder:
        ca = Path(folder, "ca.pem")
        ca.write_text(ca_pem, "ascii")
        client = RestClient(base, ca)
        try:
            return client.post(ENROL_PATH, request, Enrolment)
        except RestError as error:
            if error.failure is Failure.TIMEOUT:  # it was sent: the office may have used it up
                raise EnrolFailed(Why.LOST, error.why) from None
            raise _failed(error) from None
        finally:
            client.close()


def _failed(error: RestError) -> EnrolFailed:
    if error.failure is Failure.PROBLEM:
        return EnrolFailed(_BY_CODE.get(error.code, Why.REFUSED), error.why)
    return EnrolFailed(_BY_FAILURE[error.failure], error.why)
