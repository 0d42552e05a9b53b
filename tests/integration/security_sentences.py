"""What a role may publish and read at the broker, in sentences and literal topics; nothing else is allowed.

It is written apart from the table that makes the broker's rules (`dispatch.broker.acl`).
"""

from __future__ import annotations

import pytest

from protocol.ids import OfficeId
from protocol.rest import Role
from tests.integration.door_rig import SEOUL_1, SEOUL_10, Person

MEMBERS = ("vehicle_gateway", "call_manager", "pickup_driver")
FIELD = ("vehicle_gateway", "pickup_driver")
WATCHERS = ("monitor", "technician", "admin")
DEVICE = ("state", "info", "telemetry", "alert/microphone", "trace", "cmd/reply")

OF_THE_OFFICE = ("session", "roster", "events")
OF_A_USER = (
    *("floor/{}", "floor/{}/again", "floor/{}/reply", "presence/{}", "heartbeat/{}", "voice/{}", "device/{}/cmd"),
    *(f"device/{{}}/{name}" for name in (*DEVICE, "alert/clone")),
)
NONSENSE = ("nonsense", "session/{}", "floor", "presence/{}/x", "voice/{}/x", "device/{}", "device/{}/alert/a/b")
"""Topics that no sentence names."""
TOPICS = tuple(
    dict.fromkeys(
        [*OF_THE_OFFICE, *(kind.format(user) for kind in (*OF_A_USER, *NONSENSE) for user in ("me", "other"))]
    )
)
"""Everything tried in each office, `me` being the user that tries and `other` another of the same office."""

# (in words, whose, which connection, publish or read, topics)
SENTENCES: tuple[tuple[str, tuple[str, ...], str, str, tuple[str, ...]], ...] = (
    (
        "a member publishes only its own floor, presence, heartbeat and device topics",
        MEMBERS,
        "control",
        "publish",
        ("floor/me", "floor/me/again", "presence/me", "heartbeat/me", *(f"device/me/{name}" for name in DEVICE)),
    ),
    ("a member publishes its own voice, over its voice connection", MEMBERS, "voice", "publish", ("voice/me",)),
    ("listeners hear every member of the office", (*MEMBERS, "bridge"), "voice", "read", ("voice/me", "voice/other")),
    (
        "a member reads its office; replies and commands are its own",
        MEMBERS,
        "control",
        "read",
        ("session", "roster", "events", "presence/me", "presence/other", "floor/me/reply", "device/me/cmd"),
    ),
    (
        "a call manager commands the devices of its office",
        ("call_manager", "technician", "admin"),
        "control",
        "publish",
        ("device/me/cmd", "device/other/cmd"),
    ),
    (
        "a call manager watches the devices of its office",
        ("call_manager",),
        "control",
        "read",
        tuple(f"device/{user}/{name}" for user in ("me", "other") for name in (*DEVICE, "alert/clone")),
    ),
    (
        "monitors read their office, and nothing of theirs is published",
        WATCHERS,
        "control",
        "read",
        (
            *OF_THE_OFFICE,
            *(f"{kind}/{user}" for kind in ("presence", "heartbeat") for user in ("me", "other")),
            *(f"device/{u}/{name}" for u in ("me", "other") for name in (*DEVICE, "alert/clone", "cmd")),
        ),
    ),
    (
        "a bridge is present in its office",
        ("bridge",),
        "control",
        "publish",
        ("presence/me", "heartbeat/me", "device/me/state", "device/me/info", "device/me/alert/microphone"),
    ),
    ("and follows its session", ("bridge",), "control", "read", ("session", "presence/me", "presence/other")),
    (
        "a bridge speaks for the office's Agora members",
        ("bridge",),
        "voice",
        "publish",
        ("voice/me", "voice/other"),
    ),
)

WILDCARDS = (
    *("#", "+", "+/#", "/#", "ptt/#", "ptt/+/#", "ptt/v1/#", "ptt/v1/+/+/session", "ptt/v1/seoul/+/session"),
    *("ptt/v1/+/1/session", "ptt/v1/seoul/1/#", "ptt/v1/seoul/1/+", "ptt/v1/seoul/1/+/+", "ptt/v1/seoul/1/session/#"),
    *("ptt/v1/seoul/1/presence/#", "ptt/v1/seoul/1/voice/#", "ptt/v1/seoul/1/device/#", "ptt/v1/seoul/1/floor/#"),
    *("ptt/v1/seoul/1/floor/+", "ptt/v1/seoul/1/floor/+/reply", "ptt/v1/seoul/1/+/me/reply", "ptt/v1/seoul/10/#"),
    *("ptt/v1/seoul/10/presence/+", "ptt/v1/busan/+/presence/+", "ptt/v1/seoul/1/../10/session"),
    *("$SYS/#", "$SYS/broker/uptime", "$SYS/broker/clients/connected", "$CONTROL/#"),
    *("$CONTROL/dynamic-security/v1", "$CONTROL/dynamic-security/v1/response", "$CONTROL/dynamic-security/#"),
    *("$share/x/#", "$share/x/ptt/v1/seoul/1/session", "$share/x/ptt/v1/seoul/1/voice/+"),
    *("$share/ptt-dispatch/ptt/v1/seoul/1/floor/+", "$share/ptt-dispatch/ptt/v1/seoul/1/presence/+"),
)
"""Subscriptions that reach further than anybody's rights; nobody but the server is given one."""
CROOKED = (
    *(
        "ptt/v1/seoul/1",
        "ptt/v1/seoul/1/",
        "ptt/v2/seoul/1/session",
        "ptt/v1/seoul/1//session",
        "/ptt/v1/seoul/1/session",
    ),
    *(
        "PTT/v1/seoul/1/session",
        "ptt/v1/seoul/1/presence/me/",
        "ptt/v1/seoul/1/voice/me/",
        "ptt/v1/seoul/1/floor//again",
    ),
    *("$SYS/broker/uptime", "$SYS/broker/connection/x/state", "$CONTROL/dynamic-security/v1/response", "$share/x/y"),
)
"""Topics nobody but the server may publish on."""
TAKEOVER = b'{"commands":[{"command":"createClient","username":"thief","password":"thief"}]}'


def allowed(role: str, connection: str, act: str) -> frozenset[str]:
    """Topics of one's own office, as the sentences have them."""
    return frozenset(
        topic
        for _, roles, over, what, topics in SENTENCES
        for topic in topics
        if role in roles and connection == over and act == what
    )


def full(office: OfficeId, topic: str, me: str) -> str:
    parts = [me if part == "me" else part for part in topic.split("/")]
    return f"ptt/v1/{office}/{'/'.join(parts)}"


PEOPLE = {role.value: Person(SEOUL_1, f"u-{role.value.replace('_', '-')}", role, n) for n, role in enumerate(Role, 1)}
OTHER = Person(SEOUL_1, "other", Role.VEHICLE_GATEWAY, 100)
TWIN = Person(SEOUL_10, OTHER.user.user, Role.VEHICLE_GATEWAY, 101)
REVOKED = Person(SEOUL_1, "revoked", Role.VEHICLE_GATEWAY, 102)
EVERYBODY = (*PEOPLE.values(), OTHER, TWIN, REVOKED)
CONNECTIONS = [(role.value, "control") for role in Role] + [(role, "voice") for role in (*MEMBERS, "bridge")]
ALL = pytest.mark.parametrize(("role", "connection"), CONNECTIONS, ids=[f"{role}-{over}" for role, over in CONNECTIONS])
