"""Everything that can be answered instead of what was asked for: one table, one shape (RFC 9457)."""

import math
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from protocol.rest import Problem

MEDIA_TYPE = "application/problem+json"
PREFIX = "urn:ptt:problem:"


class Kind(Struct, frozen=True):
    """A kind of problem: its HTTP status, and its title and remedy for people."""

    status: int
    title: str
    mend: str


KINDS: Mapping[str, Kind] = {
    "bad_request": Kind(400, "The request cannot be read", "send what the OpenAPI document describes"),
    "unauthorised": Kind(401, "The login or its secret is not right", "enrol the unit anew, or rotate the secret"),
    "other_office": Kind(403, "The channel is another office's", "ask for the channel of your own office, or for none"),
    "role": Kind(403, "Users of this role do not speak", "nothing: monitors, technicians and admins get no token"),
    "no_member": Kind(
        403, "Only members of the office's floor hear again what was said", "nothing: least rights are meant"
    ),
    "replay_off": Kind(
        403, "The office keeps nothing of what is said", "turn it on with `ptt-dispatch office replay`, if it is wanted"
    ),
    "not_yours": Kind(403, "The burst was another's", "upload what you said yourself"),
    "not_found": Kind(404, "There is no such resource", "see /v1/openapi.json"),
    "unknown_code": Kind(404, "No such enrolment code", "make a new one with `ptt-dispatch device code`"),
    "method_not_allowed": Kind(405, "The resource knows no such method", "see /v1/openapi.json"),
    "clone": Kind(
        409, "Another unit is enrolled under this identity", "enrol this unit under its own, or cure the clone"
    ),
    "replaced": Kind(409, "A newer enrolment replaced this unit", "enrol it anew with a code of its own"),
    "not_spoken": Kind(409, "No such burst has ended", "try again shortly after the release"),
    "used_code": Kind(410, "The enrolment code was used", "make a new one with `ptt-dispatch device code`"),
    "expired_code": Kind(410, "The enrolment code has expired", "make a new one with `ptt-dispatch device code`"),
    "withdrawn_code": Kind(
        410, "The enrolment code was withdrawn", "use the newest one, or make one with `ptt-dispatch device code`"
    ),
    "revoked": Kind(410, "The user of this code was revoked", "restore the user, then make a new code"),
    "too_large": Kind(413, "The request is too large", "send at most 16 KiB"),
    "media_type": Kind(415, "The body is of another type", "send it with the Content-Type that the document names"),
    "too_many": Kind(429, "Too many failed tries", "wait as long as Retry-After says"),
    "internal": Kind(500, "The service failed", "see the log of ptt-dispatch-rest"),
    "not_configured": Kind(
        503, "No Agora project is configured", "set [agora] app_id and the secret agora-certificate"
    ),
    "store": Kind(503, "The office's store is not available", "see `ptt-dispatch status`"),
    "broker": Kind(503, "The office's broker is not available", "try again; see `ptt-dispatch status`"),
    "busy": Kind(503, "Too many requests at once", "try again"),
}
"""Kinds by code, the last part of a problem's `type`."""


class Refused(Exception):
    """Answer this problem. `detail` says what was wrong here; it holds no secret and nothing of other users."""

    def __init__(self, code: str, detail: str = "", *, retry_s: float | None = None, mend: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.kind = KINDS[code]
        self.problem = Problem(
            type=PREFIX + code,
            title=self.kind.title,
            status=self.kind.status,
            detail=detail,
            mend=self.kind.mend if mend is None else mend,
        )
        self.headers: dict[str, str] = {}
        if retry_s is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_s)))
        if self.kind.status == 401:
            self.headers["WWW-Authenticate"] = 'Basic realm="ptt", charset="UTF-8"'

    @property
    def body(self) -> bytes:
        """The problem as JSON."""
        return msgspec.json.encode(self.problem)
