"""The OpenAPI document of the REST interface, made of the wire's own structs and the table of problems."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from dispatch.rest.problems import KINDS, MEDIA_TYPE, PREFIX
from protocol.burst_file import MEDIA_TYPE as BURST_MEDIA_TYPE
from protocol.ids import JSON_INT_MAX
from protocol.rest import (
    BURST_PATH,
    BURSTS_PATH,
    CA_PATH,
    ENROL_PATH,
    HEALTH_PATH,
    HELLO_PATH,
    TOKEN_PATH,
    BurstTaken,
    Enrolment,
    EnrolRequest,
    Hello,
    KeptBursts,
    Problem,
    TokenGrant,
    TokenRequest,
    Welcome,
)

OPENAPI_PATH = "/v1/openapi.json"
BODIES = (EnrolRequest, Enrolment, Hello, Welcome, TokenRequest, TokenGrant, KeptBursts, BurstTaken, Problem)
ALWAYS = ("too_many", "internal", "busy", "store")
"""Codes that any call with a body may be answered with; those of reading it come on top."""
READING = ("bad_request", "too_large", "media_type")
_EXAMPLE_UNIT = "b6f3c1d09a7e4f52"
_JSON = "application/json"

Json = dict[str, Any]
_HARDWARE = (
    "hardware",
    {"type": "string", "minLength": 8, "maxLength": 64, "pattern": "^[0-9a-z-]+$"},
    "an enrolled unit's own, which it must name",
)
_AFTER = (
    "after",
    {"type": "integer", "minimum": 0, "maximum": JSON_INT_MAX, "default": 0},
    "only bursts with higher numbers",
)


class Operation(Struct, frozen=True, kw_only=True):
    """One call: what goes in, what comes out, and every code it may be refused with."""

    path: str
    method: str
    summary: str
    description: str
    query: tuple[tuple[str, Json, str], ...] = ()
    """Name, schema and meaning of each parameter behind the path; none is required."""
    asks: type[Struct] | None = None
    asks_bytes: str = ""
    """Media type of a body that is no JSON."""
    example: Json | None = None
    gives: type[Struct] | None = None
    given: Json | None = None
    media_type: str = _JSON
    status: int = 200
    also: int | None = None
    """Another status with the same answer."""
    login: bool = False
    refusals: tuple[str, ...] = ()


OPERATIONS: Sequence[Operation] = (
    Operation(
        path=TOKEN_PATH,
        method="post",
        summary="An Agora token for the caller's own uid and its own office's channel",
        description="Fetch it ahead: a token lets its bearer join, and speak where the role allows; whoever has not "
        "the floor is not heard, as listeners play the announced speaker alone.",
        asks=TokenRequest,
        example={"channel": "seoul_hq_ptt", "hardware": _EXAMPLE_UNIT},
        gives=TokenGrant,
        given={
            "app_id": "970ca35de60c44645bbae8a215061b33",
            "channel": "seoul_hq_ptt",
            "uid": 2882341273,
            "token": "007eJxTYBBb...",
            "publisher": True,
            "expires_in_s": 3600,
            "priority": "normal",
        },
        login=True,
        refusals=(*READING, "unauthorised", "other_office", "role", "clone", "not_configured", *ALWAYS),
    ),
    Operation(
        path=HELLO_PATH,
        method="post",
        summary="A unit says at its start who it is, and learns what the registry holds of it",
        description="409 tells a unit that it is a clone, or that a newer enrolment has replaced it.",
        asks=Hello,
        example={"generation": 3, "hardware": _EXAMPLE_UNIT, "version": "0.1.0"},
        gives=Welcome,
        given={
            "name": "17호차",
            "role": "vehicle_gateway",
            "voice": "agora",
            "generation": 3,
            "replay_keep_s": 0,
        },
        login=True,
        refusals=(*READING, "unauthorised", "clone", "replaced", *ALWAYS),
    ),
    Operation(
        path=ENROL_PATH,
        method="post",
        summary="Exchange a one-time code for an identity",
        description="The code is the first 16 characters of what `ptt-dispatch device code` prints; the next 20 are "
        "the beginning of the CA certificate's SHA-256, with which a unit recognises this server before it sends "
        "anything. Whatever unit had this identity before is shut out with this answer.",
        asks=EnrolRequest,
        example={"code": "7ZK4M9QDT2XW8RB5", "hardware": _EXAMPLE_UNIT, "version": "0.1.0", "model": "Pi 4"},
        gives=Enrolment,
        given={
            "region": "seoul",
            "office": "hq",
            "user": "car-17",
            "role": "vehicle_gateway",
            "name": "17호차",
            "generation": 3,
            "hardware": _EXAMPLE_UNIT,
            "secret": "(43 characters, given this once)",
            "broker": {"host": "office.example.com", "port": 8883},
            "rest_url": "https://office.example.com:8443",
            "voice": "agora",
            "ca_pem": "-----BEGIN CERTIFICATE-----\n...",
        },
        status=201,
        refusals=(
            *READING,
            *("unknown_code", "used_code", "expired_code", "withdrawn_code", "revoked", "broker"),
            *ALWAYS,
        ),
    ),
    Operation(
        path=BURSTS_PATH,
        method="get",
        summary="What others of the caller's office said and is still kept, oldest first",
        description="For a vehicle that had no link: what it missed, and can hear again. Empty where the office keeps "
        "nothing (`replay_keep_s` 0 in the answer to a greeting). Members of the floor alone may ask.",
        query=(_AFTER, _HARDWARE),
        gives=KeptBursts,
        given={
            "bursts": [
                {"burst": 4294967301, "user": "car-17", "name": "17호차", "ago_s": 62.5, "seconds": 4.2},
            ]
        },
        login=True,
        refusals=("bad_request", "unauthorised", "no_member", "clone", *ALWAYS),
    ),
    Operation(
        path=BURST_PATH,
        method="get",
        summary="What was said in one burst",
        description="A burst file: see docs/protocol.md.",
        query=(_HARDWARE,),
        media_type=BURST_MEDIA_TYPE,
        login=True,
        refusals=("bad_request", "unauthorised", "no_member", "not_found", "clone", *ALWAYS),
    ),
    Operation(
        path=BURST_PATH,
        method="post",
        summary="The speaker gives the office what it said in a burst",
        description="After the release, and only where the office keeps bursts. It is taken from the burst's own "
        "speaker alone, once: a repetition is answered with 200 and changes nothing. `not_spoken` means that the log "
        "does not know its end (yet).",
        query=(_HARDWARE,),
        asks_bytes=BURST_MEDIA_TYPE,
        gives=BurstTaken,
        given={"burst": 4294967301, "seconds": 4.2},
        status=201,
        also=200,
        login=True,
        refusals=(
            *READING,
            *("unauthorised", "no_member", "replay_off", "not_yours", "not_found", "not_spoken", "clone"),
            *ALWAYS,
        ),
    ),
    Operation(
        path=CA_PATH,
        method="get",
        summary="The certificate of the office's private authority",
        description="Not to be believed by itself: compare it with the enrolment code.",
        media_type="application/x-pem-file",
        refusals=("internal",),
    ),
    Operation(
        path=HEALTH_PATH,
        method="get",
        summary="Whether the service can answer: its store can be read",
        description="For monitoring; says nothing of the broker.",
        given={"status": "ok"},
        refusals=("store", "busy", "internal"),
    ),
    Operation(
        path=OPENAPI_PATH,
        method="get",
        summary="This document",
        description="OpenAPI 3.1.",
        refusals=("internal",),
    ),
)


def document(url: str) -> Json:
    """Give the document; `url` is where vehicles reach the service."""
    _, components = msgspec.json.schema_components(BODIES, ref_template="#/components/schemas/{name}")
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PTT office: tokens and enrolment",
            "version": "1",
            "description": "Durations travel, never deadlines. Unknown fields are ignored.",
        },
        "servers": [{"url": url}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "login": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "user: region.office.user; password: the user's secret",
                }
            },
        },
    }


def _operation(operation: Operation) -> Json:
    made: Json = {
        "operationId": _name(operation),
        "summary": operation.summary,
        "description": operation.description,
        "responses": {str(operation.status): _success(operation)} | _refusals(operation.refusals),
    }
    if operation.also is not None:
        made["responses"][str(operation.also)] = _success(operation)
    parameters = [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": meaning}
        for name, schema, meaning in operation.query
    ]
    if "{burst}" in operation.path:
        schema = {"type": "integer", "minimum": 0, "maximum": JSON_INT_MAX}
        parameters.insert(0, {"name": "burst", "in": "path", "required": True, "schema": schema})
    if parameters:
        made["parameters"] = parameters
    if operation.asks_bytes:
        content = {operation.asks_bytes: {"schema": {"type": "string", "format": "binary"}}}
        made["requestBody"] = {"required": True, "content": content}
    if operation.login:
        made["security"] = [{"login": []}]
    if operation.asks is not None:
        body: Json = {"schema": _ref(operation.asks), "examples": {"usual": {"value": operation.example}}}
        made["requestBody"] = {"required": True, "content": {_JSON: body}}
    return made


def _name(operation: Operation) -> str:
    """Name a call by its path; by its method too where a path has several."""
    name = operation.path.removesuffix(".json").translate(str.maketrans("/", "_", "{}")).strip("_")
    several = sum(other.path == operation.path for other in OPERATIONS) > 1
    return f"{operation.method}_{name}" if several else name


def _success(operation: Operation) -> Json:
    schema: Json = {"type": "string"} if operation.media_type != _JSON else {"type": "object"}
    content: Json = {"schema": schema if operation.gives is None else _ref(operation.gives)}
    if operation.given is not None:
        content["examples"] = {"usual": {"value": operation.given}}
    headers = {"Cache-Control": {"schema": {"type": "string"}, "description": "no-store"}}
    return {"description": operation.summary, "headers": headers, "content": {operation.media_type: content}}


def _refusals(codes: Sequence[str]) -> Json:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(KINDS[code].status, []).append(code)
    return {str(status): _refusal(status, by_status[status]) for status in sorted(by_status)}


def _refusal(status: int, codes: Sequence[str]) -> Json:
    examples = {code: {"value": _example(code)} for code in codes}
    made: Json = {
        "description": "; ".join(f"{code}: {KINDS[code].title}" for code in codes),
        "content": {MEDIA_TYPE: {"schema": _ref(Problem), "examples": examples}},
    }
    if status == 429:
        wait = {"schema": {"type": "integer", "minimum": 1}, "description": "seconds to wait", "required": True}
        made["headers"] = {"Retry-After": wait}
    if status == 401:
        made["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}}
    return made


def _example(code: str) -> Mapping[str, object]:
    kind = KINDS[code]
    return {"type": PREFIX + code, "title": kind.title, "status": kind.status, "detail": "", "mend": kind.mend}


def _ref(type_: type[Struct]) -> Json:
    return {"$ref": f"#/components/schemas/{type_.__name__}"}
