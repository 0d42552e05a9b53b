"""What the MQTT link is told and tells: settings, last will, subscriptions, events, and reconnect back-off."""

from __future__ import annotations

from typing import Annotated, NamedTuple, Protocol

from msgspec import Meta, Struct

from service.settings import Fault, Invalid, Secret

Host = Annotated[
    str, Meta(min_length=1, max_length=255, pattern=r"^\S+$", description="Broker's host name or address.")
]
FilePath = Annotated[str, Meta(min_length=1, max_length=4096)]


class BrokerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach the MQTT broker. Raises Invalid where fields contradict each other."""

    host: Host = "localhost"
    port: Annotated[int, Meta(ge=1, le=65535, description="1883 is plain, 8883 with TLS by custom.")] = 1883
    keepalive_s: Annotated[
        int, Meta(ge=2, le=600, description="A broker silent for so long is taken for lost; pinged at half of it.")
    ] = 10
    connect_timeout_s: Annotated[
        float, Meta(ge=0.1, le=60, description="Time for one address to answer, and again for the MQTT greeting.")
    ] = 5.0
    username: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    password: Secret | None = None
    tls: Annotated[bool, Meta(description="Encrypt, and check the broker's certificate.")] = False
    tls_ca: FilePath | None = None
    """PEM file of the authority that signed the broker's certificate; the system's where it is not given."""
    tls_cert: FilePath | None = None
    """PEM file of this client's own certificate, where the broker asks for one."""
    tls_key: FilePath | None = None

    def __post_init__(self) -> None:
        """Check the rules that join fields."""
        faults = []
        if "/" in self.host or self.host.count(":") == 1:  # two colons or more: an IPv6 address
            mend = "give the name or address alone; `port` and `tls` are keys of their own"
            faults.append(Fault("host", f'is "{self.host}"', mend))
        if self.password is not None and self.username is None:
            faults.append(Fault("username", "is missing, but there is a password", "set both or neither"))
        if (self.tls_cert is None) != (self.tls_key is None):
            faults.append(Fault("tls_cert", "and tls_key belong together", "set both or neither"))
        if not self.tls and (self.tls_ca or self.tls_cert or self.tls_key):
            faults.append(Fault("tls", "is false, but certificates are named", "set tls = true"))
        if faults:
            raise Invalid(*faults)

    @property
    def address(self) -> str:
        """`host:port`, for messages to people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Will(Struct, frozen=True, kw_only=True):
    """What the broker publishes when the connection ends without a clean close."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True


class Filter(NamedTuple):
    """One subscription with all its options (MQTT 5, 3.8.3.1); a plain (topic, qos) serves where they do not matter."""

    topic: str
    qos: int = 1
    no_local: bool = False
    """Do not send this connection's own messages back."""
    retain_as_published: bool = False
    """Keep the retain flag of live messages too; otherwise it marks only what was retained before subscribing."""
    retain_handling: int = 0
    """0: send retained messages; 1: only if the subscription is new; 2: do not."""


class Connected(Struct, frozen=True):
    """The broker greeted us: subscribe and publish now. A clean session without anything of former connections."""


class Disconnected(Struct, frozen=True):
    """An established connection is gone; `reason` is for a technician. Once per Connected, unless closed by us."""

    reason: str

    @property
    def taken_over(self) -> bool:
        """Whether another connection under the same client id took this one's place (reason code 0x8E)."""
        return self.reason.endswith(TAKEN_OVER)


TAKEN_OVER = ": another client uses this client id"


class DialFailed(Struct, frozen=True):
    """A dial came to nothing; `reason` says why and what to look at. `refused`: the broker does not let us in."""

    reason: str
    refused: bool = False


UNWELCOME = frozenset({0x85, 0x86, 0x87, 0x8A})
"""CONNACK reason codes (MQTT 5, 3.2.2.2) that are about who we are: client id, password, authorisation, ban."""


class Received(Struct, frozen=True, gc=False):
    """A message; `at_s` is the monotonic time it was read. A QoS 1 message is acknowledged after it was handled."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    at_s: float


class Acked(Struct, frozen=True):
    """The broker answered the QoS 1 message published with `token`; `ok` is false where it refused it."""

    token: int
    ok: bool = True
    detail: str = ""


class Subscribed(Struct, frozen=True):
    """The broker answered a subscription; `ok` is false where it refused any filter, `detail` names them and why."""

    mid: int
    ok: bool
    detail: str = ""


LinkEvent = Connected | Disconnected | DialFailed | Received | Acked | Subscribed
"""Everything the link tells."""


class Uniform(Protocol):
    """A source of chance, such as random.Random."""

    def uniform(self, a: float, b: float, /) -> float:
        """Give a number from a to b."""


class Backoff:
    """Endless waiting times with full jitter: from 0 to a ceiling that doubles from `min_s` up to `max_s`.

    Pure. Call `reset` only once a connection has lasted, or two clients with one id take turns at full speed.
    """

    def __init__(self, min_s: float, max_s: float, rng: Uniform) -> None:
        if not 0 < min_s <= max_s:
            raise ValueError(f"back-off from {min_s} s to {max_s} s: 0 < min_s <= max_s")
        self._min_s = min_s
        self._max_s = max_s
        self._ceiling_s = min_s
        self._rng = rng

    def next_delay(self) -> float:
        """Give the time to wait before the next try, in seconds, and double the ceiling."""
        delay_s = self._rng.uniform(0.0, self._ceiling_s)
        self._ceiling_s = min(self._max_s, self._ceiling_s * 2)
        return delay_s

    def reset(self) -> None:
        """Begin again at `min_s`."""
        self._ceiling_s = self._min_s
