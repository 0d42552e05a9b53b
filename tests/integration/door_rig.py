"""Clients at the broker's doors: many connections in one loop, each remembering what it was answered and sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count

from dispatch.registry.secrets import hash_secret, new_secret
from dispatch.registry.words import Office, User
from protocol.ids import OfficeId
from protocol.login import Login
from protocol.rest import Role
from service.loop import Loop
from service.mqtt import (
    Acked,
    BrokerSettings,
    Connected,
    DialFailed,
    Disconnected,
    LinkEvent,
    MqttLink,
    Received,
    Subscribed,
    Will,
)
from service.settings import Secret

SEOUL_1, SEOUL_10, BUSAN_1 = OfficeId("seoul", "1"), OfficeId("seoul", "10"), OfficeId("busan", "1")
OFFICES = tuple(
    Office(id=office, name=str(office), channel=f"c-{office.office}") for office in (SEOUL_1, SEOUL_10, BUSAN_1)
)


class Person:
    """A user with the secret in the clear, as only the user has it."""

    def __init__(self, office: OfficeId, name: str, role: Role, uid: int, revoked: bool = False) -> None:
        self.secret = new_secret()
        self.user = User(
            office=office,
            user=name,
            role=role,
            name=name,
            uid=uid,
            secret=hash_secret(self.secret),
            revoked_at=1 if revoked else None,
        )

    def login(self, voice: bool = False) -> str:
        return str(Login(self.user.office, self.user.user, voice))


class Caller:
    """One connection."""

    def __init__(self, doors: Doors, settings: BrokerSettings, client_id: str, will: Will | None) -> None:
        self.up = False
        self.gone: str | None = None
        self.answers: dict[int, bool] = {}
        self.subscribed: dict[int, tuple[bool, str]] = {}
        self.received: list[Received] = []
        self.link = MqttLink(doors.loop, settings, self._on, queued_max=5000)
        self.link.dial(client_id, will)

    def _on(self, event: LinkEvent) -> None:
        match event:
            case Connected():
                self.up = True
            case Acked(token=token, ok=ok):
                self.answers[token] = ok
            case Subscribed(mid=mid, ok=ok, detail=detail):
                self.subscribed[mid] = (ok, detail)
            case Received():
                self.received.append(event)
            case DialFailed(reason=reason) | Disconnected(reason=reason):
                self.up, self.gone = False, reason

    def payloads(self) -> set[bytes]:
        return {message.payload for message in self.received}


class Doors:
    """The loop that all callers share."""

    def __init__(self) -> None:
        self.loop = Loop()
        self._tokens = count(1)
        self._callers: list[Caller] = []

    def close(self) -> None:
        for caller in self._callers:
            caller.link.close(0.2)
        self.loop.close()

    def until(self, done: Callable[[], bool], what: str, timeout_s: float = 5.0) -> float:
        """Turn the loop until `done`; gives the seconds it took."""
        begun = time.monotonic()

        def step(now: float) -> float:
            if done() or now >= begun + timeout_s:
                self.loop.stop()
            return min(begun + timeout_s, now + 0.05)

        self.loop.run(step)
        assert done(), f"not within {timeout_s} s: {what}"
        return time.monotonic() - begun

    def knock(self, settings: BrokerSettings, client_id: str, will: Will | None = None) -> Caller:
        """Try to connect; gives the caller, `up` or not."""
        caller = Caller(self, settings, client_id, will)
        self._callers.append(caller)
        self.until(lambda: caller.up or caller.gone is not None, f"an answer to {client_id}")
        return caller

    def enter(self, settings: BrokerSettings, client_id: str, will: Will | None = None) -> Caller:
        """Connect."""
        caller = self.knock(settings, client_id, will)
        assert caller.up, caller.gone
        return caller

    def publish(self, caller: Caller, messages: dict[str, bytes], retain: bool = False) -> dict[str, bool]:
        """Publish with QoS 1; gives for each topic whether the broker took it."""
        tokens = {}
        for topic, payload in messages.items():
            tokens[topic] = next(self._tokens)
            assert caller.link.publish(topic, payload, qos=1, retain=retain, token=tokens[topic])
        self.until(lambda: caller.answers.keys() >= set(tokens.values()), "answers to what was published")
        return {topic: caller.answers[token] for topic, token in tokens.items()}

    def subscribe(self, caller: Caller, filters: list[str], qos: int = 1) -> dict[str, bool]:
        """Subscribe one by one; gives for each filter whether the broker took it."""
        mids: dict[str, int] = {}
        for name in filters:
            mid = caller.link.subscribe([(name, qos)])
            assert mid is not None
            mids[name] = mid
        self.until(lambda: caller.subscribed.keys() >= set(mids.values()), "answers to subscriptions")
        return {name: caller.subscribed[mid][0] for name, mid in mids.items()}


def nobody() -> Secret:
    """A secret that is nobody's."""
    return new_secret()
