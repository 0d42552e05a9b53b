"""The broker, by its own doors: the server's login, its rights, and whether strangers stay outside."""

import secrets
import time
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from dispatch.broker.admin import BrokerAdmin, BrokerError
from dispatch.doctor.rows import Row, bad, ok, warn
from dispatch.settings import DispatchSettings
from protocol.login import SERVER_LOGIN
from protocol.topics import ROOT
from service.loop import Loop
from service.mqtt import BrokerSettings, Connected, DialFailed, Disconnected, LinkEvent, MqttLink, Received, Subscribed
from service.settings import SettingsError

PROBE_S = 8.0
"""Time for connecting and one message there and back."""
SLOW_MS = 100.0
"""A message to the broker and back; a grant waits for it twice."""


class Answer(Struct, frozen=True, kw_only=True):
    """How a visit ended. `reason`: why not, where it did not come to its end."""

    connected: bool = False
    refused: bool = False
    round_ms: float | None = None
    reason: str = ""


class Visit:
    """Connects once, subscribes to a topic below ptt/v1 that nobody uses, sends itself a message, and leaves."""

    def __init__(self, broker: BrokerSettings) -> None:
        """Raises SettingsError (TLS files)."""
        self._loop = Loop()
        self._where = f"{ROOT}/doctor/{secrets.token_hex(6)}"
        self._sent_at = 0.0
        self._answer = Answer()
        self._done = False
        try:
            self._link = MqttLink(self._loop, broker, self._on_link)
        except SettingsError:
            self._loop.close()
            raise

    def run(self) -> Answer:
        """Go there; takes at most PROBE_S."""
        deadline = time.monotonic() + PROBE_S

        def step(now: float) -> float:
            if self._done or now >= deadline:
                self._loop.stop()
            return deadline

        try:
            self._link.dial(f"{SERVER_LOGIN}-doctor-{secrets.token_hex(6)}", None)
            self._loop.run(step)
            self._link.close(0.3)
        finally:
            self._loop.close()
        if not self._done:
            self._end(reason=f"no answer within {PROBE_S:g} s")
        return self._answer

    def _on_link(self, event: LinkEvent) -> None:
        if self._done:
            return
        match event:
            case Connected():
                self._answer = replace(self._answer, connected=True)
                self._link.subscribe([(self._where, 0)])
            case Subscribed(ok=True):
                self._sent_at = time.monotonic()
                self._link.publish(self._where, b"doctor", qos=0, retain=False)
            case Subscribed(detail=detail):
                self._end(refused=True, reason=detail)
            case Received():
                self._end(round_ms=(time.monotonic() - self._sent_at) * 1000)
            case DialFailed(reason=reason, refused=refused):
                self._end(refused=refused, reason=reason)
            case Disconnected(reason=reason):
                self._end(reason=reason)
            case _:
                pass

    def _end(self, *, refused: bool = False, round_ms: float | None = None, reason: str = "") -> None:
        self._answer = replace(self._answer, refused=refused, round_ms=round_ms, reason=reason)
        self._done = True


class Found(Struct, kw_only=True):
    """What was learned besides the rows."""

    logins: dict[str, bool] | None = None
    """Every login that the broker knows, and whether it is shut; None: they could not be read, or there are none."""


def look(settings: DispatchSettings, found: Found) -> Iterator[Row]:
    """Give the rows, and fill in `found`. Takes some 10 s where nobody answers."""
    broker = settings.broker
    try:
        own = Visit(broker).run()
    except SettingsError as error:
        yield bad("broker", "said", why=" ".join(str(error).split()))
        return
    fields = {"broker": broker.address, "login": broker.username or "-"}
    if own.round_ms is None:
        what = "broker_rights" if own.connected else "broker_refused" if own.refused else "broker_away"
        yield bad("broker", what, why=own.reason, **fields)
    elif own.round_ms > SLOW_MS:
        yield warn("broker", "broker_slow", ms=f"{own.round_ms:.0f}", **fields)
    else:
        yield ok("broker", "broker", ms=f"{own.round_ms:.1f}", **fields)
    if not own.connected and not own.refused:
        return
    yield from _strangers(settings)
    if settings.admission == "registry" and own.connected:
        yield _users(broker, found)


def _strangers(settings: DispatchSettings) -> Iterator[Row]:
    """Somebody who names no user must not be let in where there are logins."""
    stranger = Visit(replace(settings.broker, username=None, password=None)).run()
    if not stranger.connected:
        yield ok("logins", "strangers_out")
    elif settings.admission == "registry":
        yield bad("logins", "strangers_in", broker=settings.broker.address)
    else:
        yield warn("logins", "open", broker=settings.broker.address)


def _users(broker: BrokerSettings, found: Found) -> Row:
    try:
        with BrokerAdmin(broker) as admin:
            users = found.logins = admin.users()
    except (BrokerError, SettingsError) as error:
        return bad("logins", "said", why=" ".join(str(error).split()))
    return ok("logins", "users", count=len(users), shut=sum(users.values()))
