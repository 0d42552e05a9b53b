"""The probe's thread, with a connection of its own as the probe's user: what it measures waits for nothing of ours."""

import random
import threading
import time
from collections import deque

from msgspec.structs import replace

from dispatch.probing.place import PROBE_LOGIN, PROBE_OFFICE, PROBE_USER
from dispatch.probing.pressing import Message, Pressing, Result
from dispatch.probing.settings import ProbeSettings
from protocol.codec import Malformed, decode, encode
from protocol.topics import BadTopic, Kind, parse, topic
from service.logs import Log
from service.loop import Loop
from service.mqtt import (
    Backoff,
    BrokerSettings,
    Connected,
    DialFailed,
    Disconnected,
    LinkEvent,
    MqttLink,
    Received,
    Will,
)
from service.settings import Secret

REDIAL_MIN_S, REDIAL_MAX_S = 0.5, 10.0
EXPIRY_S = 2
"""The broker throws a request away that the server has not taken within this."""
WAITING_MAX = 20_000
"""Results that wait for the store: two weeks of one a minute."""
CLOSE_S = 3.0

_log = Log(__name__)


class Prober:
    """`start`, then read `waiting` from the left, in any thread; `close` ends it. Raises SettingsError (TLS files)."""

    def __init__(self, broker: BrokerSettings, secret: Secret | None, rules: ProbeSettings) -> None:
        """`broker`: as the server reaches it; `secret` None: a broker without logins."""
        self.waiting: deque[Result] = deque(maxlen=WAITING_MAX)
        """What came of presses, oldest first, until somebody takes it out."""
        self._loop = Loop()
        own = replace(broker, username=None if secret is None else PROBE_LOGIN, password=secret)
        self._backoff = Backoff(REDIAL_MIN_S, REDIAL_MAX_S, random.Random())
        self._pressing = Pressing(
            self._send, self.waiting.append, boot=int(time.time()), every_s=rules.every_s, answer_s=rules.answer_s
        )
        self._ending = False
        try:
            self._link = MqttLink(self._loop, own, self._on_link)
        except BaseException:
            self._loop.close()
            raise
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End it; a press under way is not told."""
        self._ending = True
        self._loop.stop()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    # --- the thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._dial()
        self._loop.run(self._step)
        if self._link.connected:
            self._pressing.leaving()
        self._link.close()
        self._loop.close()

    def _step(self, now: float) -> float:
        if self._pressing.outdone and self._link.connected:
            self._link.drop("an earlier probe's connection is newer by its clock: connected anew above it")
        return self._pressing.tick(now, time.time_ns() // 1_000_000)

    def _dial(self) -> None:
        if not self._ending:
            place = topic(PROBE_OFFICE, Kind.PRESENCE, PROBE_USER)
            will = Will(topic=place, payload=encode(self._pressing.will))
            self._link.dial(PROBE_LOGIN, will)

    def _on_link(self, event: LinkEvent) -> None:
        match event:
            case Connected():
                self._backoff.reset()
                heard = (Kind.REPLY, Kind.PRESENCE)
                self._link.subscribe([(topic(PROBE_OFFICE, kind, PROBE_USER), 1) for kind in heard])
                self._pressing.connected(time.monotonic())
                _log.info("probe connected", login=PROBE_LOGIN)
            case Received(topic=name, payload=payload) if payload:
                self._received(name, payload)
            case DialFailed(reason=reason) | Disconnected(reason=reason):
                self._pressing.lost(f"no broker: {reason}")
                self._loop.call_at(time.monotonic() + self._backoff.next_delay(), self._dial)
            case _:
                pass

    def _received(self, name: str, payload: bytes) -> None:
        try:
            where = parse(name)
            message = decode(payload, where.kind)
        except (BadTopic, Malformed):
            return  # the floor control server counts and logs them
        self._pressing.received(message, time.monotonic())

    def _send(self, kind: Kind, message: Message) -> bool:
        place, retain = topic(PROBE_OFFICE, kind, PROBE_USER), kind is Kind.PRESENCE
        expiry_s = EXPIRY_S if kind is Kind.FLOOR else None
        return self._link.publish(place, encode(message), qos=1, retain=retain, expiry_s=expiry_s)
