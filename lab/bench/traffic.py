"""What keeps a vehicle's loop at work beside a colleague's voice: its session said again, commands answered."""

from __future__ import annotations

import itertools
import threading
import time
from types import TracebackType

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from lab.bench.parts import START_S, BenchFailed
from lab.bench.round_trip import client
from protocol.codec import encode
from protocol.commands import COMMAND_EXPIRY_S, CommandOp
from protocol.ids import OfficeId
from protocol.messages import Command
from protocol.topics import Kind, topic

SESSION_EVERY_S = 0.1
COMMAND_EVERY = 3
"""With every third announcement: under the 5 commands a second that a vehicle answers."""


class Traffic:
    """Entering begins it, leaving ends it; `said` counts announcements."""

    def __init__(self, port: int, office: OfficeId, user: str) -> None:
        """`user` is the vehicle that is asked for its telemetry."""
        self.said = 0
        self._office = office
        self._port = port
        self._commands = topic(office, Kind.COMMAND, user)
        self._session = b""
        self._known = threading.Event()
        self._over = threading.Event()
        self._client = client("bench-traffic")
        self._thread = threading.Thread(target=self._say, name="traffic", daemon=True)

    def __enter__(self) -> Traffic:
        name = topic(self._office, Kind.SESSION)
        self._client.on_connect = lambda connected, *_: connected.subscribe(name, qos=1)
        self._client.on_message = self._heard
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        if not self._known.wait(START_S):
            raise BenchFailed(f"{name}: nobody says anything")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(START_S)
        self._client.disconnect()
        self._client.loop_stop()

    def _heard(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        self._session = bytes(message.payload)
        self._known.set()

    def _say(self) -> None:
        expiry = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        expiry.MessageExpiryInterval = COMMAND_EXPIRY_S
        began = time.monotonic()
        for number in itertools.count():
            if self._over.wait(max(0.0, began + number * SESSION_EVERY_S - time.monotonic())):
                return
            self._client.publish(topic(self._office, Kind.SESSION), self._session, qos=1, retain=True)
            self.said += 1
            if number % COMMAND_EVERY == 0:
                asked = Command(id=f"bench-{number}-{round(began * 1000)}", op=CommandOp.TELEMETRY.value, by="bench")
                self._client.publish(self._commands, encode(asked), qos=1, properties=expiry)
