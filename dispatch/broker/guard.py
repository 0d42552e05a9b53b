"""Keeps the broker's users equal to the registry: driven by the floor control server over its own connection."""

from collections.abc import Callable, Sequence

from dispatch.registry.words import User

RESPONSE_TOPIC = "$CONTROL/dynamic-security/v1/response"
"""To be subscribed to (QoS 0) by whoever drives the guard."""


class BrokerGuard:
    """`publish(topic, payload)` sends one message (QoS 1, not retained). All times are monotonic seconds."""

    def __init__(self, publish: Callable[[str, bytes], object], name: str) -> None:
        """`name` tells this process's commands from those of others, e.g. the replica's."""
        self.missing: tuple[str, ...] = ()
        """Logins that the registry admits and the broker lacks or has disabled: enrol or rotate them."""
        self.unknown: tuple[str, ...] = ()
        """Logins that the registry does not know, found enabled at the broker and disabled."""
        self.fault = ""
        """Why the broker's users cannot be kept, else empty."""

    def connected(self, now: float) -> None:
        """The broker is connected and RESPONSE_TOPIC subscribed to."""

    def lost(self) -> None:
        """The connection is gone."""

    def want(self, users: Sequence[User]) -> None:
        """All users of the registry, revoked ones too, as they are now. Who is newly revoked is cut at the next tick."""

    def received(self, topic: str, payload: bytes) -> None:
        """A message on RESPONSE_TOPIC; others are ignored."""

    def tick(self, now: float) -> None:
        """Do what is due."""

    def next_deadline(self) -> float | None:
        """When to be ticked again; None without a connection."""
        return None
