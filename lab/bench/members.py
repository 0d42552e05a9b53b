"""Light members of one office: plain MQTT clients that press in turn, join, beat, and tell what they heard.

They stand for vehicles where an office's side is measured: each costs a thread, and no sound is made.
"""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from lab.bench.parts import START_S, BenchFailed
from lab.bench.round_trip import client
from protocol.codec import decode, encode
from protocol.ids import ConnectionId, OfficeId
from protocol.messages import (
    BurstPlayed,
    FloorDeny,
    FloorGranted,
    FloorRelease,
    FloorRenew,
    FloorRequest,
    Heartbeat,
    Message,
    Presence,
    PresenceState,
    PressTrace,
    Session,
)
from protocol.timers import FLOOR_MESSAGE_EXPIRY_S, HEARTBEAT_S
from protocol.topics import Kind, parse, topic

HOST = "127.0.0.1"
RENEW_EVERY_S = 0.5
ANSWER_S = 5.0
FRAMES = 100


class Member:
    """One of them. Entering comes online and waits for it, leaving says goodbye."""

    def __init__(self, port: int, office: OfficeId, user: str) -> None:
        self.user = user
        self._port, self._office = port, office
        self._connection: ConnectionId = (1, 1, 1)
        self._presence_no = 0
        self._joined: str | None = None
        self._press = self._beat = 0
        self._answer: FloorGranted | FloorDeny | None = None
        self._answered = threading.Event()
        self._subscribed = threading.Event()
        self._client = client(f"member-{user}")
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message

    def __enter__(self) -> Member:
        self._client.connect(HOST, self._port, keepalive=30)
        self._client.loop_start()
        if not self._subscribed.wait(START_S):
            raise BenchFailed(f"{self.user} cannot subscribe")
        self._tell(PresenceState.ONLINE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tell(PresenceState.OFFLINE)
        self._client.disconnect()
        self._client.loop_stop()

    def beat(self) -> None:
        """Send a heartbeat."""
        self._beat += 1
        self._send(Kind.HEARTBEAT, Heartbeat(connection_id=self._connection, beat_no=self._beat))

    def talk(self, hold_s: float, over: threading.Event) -> bool:
        """Press, hold for so long or until `over`, release; whether it was granted. Raises BenchFailed."""
        self._press += 1
        request = (*self._connection, self._press)
        self._answered.clear()
        edge_at, began = time.time_ns() // 1_000_000, time.monotonic()
        self._send(Kind.FLOOR, FloorRequest(request_id=request), FLOOR_MESSAGE_EXPIRY_S)
        if not self._answered.wait(ANSWER_S):
            raise BenchFailed(f"{self.user}: no answer to a press within {ANSWER_S:g} s")
        answer, answered_s = self._answer, time.monotonic() - began
        if not isinstance(answer, FloorGranted):
            return False
        number = 0
        while time.monotonic() < began + hold_s and not over.is_set():
            number += 1
            self._send(Kind.FLOOR, FloorRenew(burst=answer.burst, renew_no=number), FLOOR_MESSAGE_EXPIRY_S)
            over.wait(min(RENEW_EVERY_S, max(0.0, began + hold_s - time.monotonic())))
        self._send(Kind.FLOOR, FloorRelease(request_id=request, burst=answer.burst, last_seq=FRAMES - 1))
        released_ms = round((time.monotonic() - began) * 1000)
        traced = PressTrace(
            request_id=request,
            edge_at=edge_at,
            asked_ms=0,
            permitted_ms=round(answered_s * 1000),
            key_up_ms=released_ms,
            released_ms=released_ms,
            burst=answer.burst,
        )
        self._send(Kind.DEVICE_TRACE, traced)
        return True

    def _on_connect(self, connected: paho.Client, *_: Any) -> None:
        places = (topic(self._office, Kind.REPLY, self.user), topic(self._office, Kind.SESSION))
        connected.subscribe([(place, 1) for place in places])

    def _on_message(self, _client: object, _data: object, received: paho.MQTTMessage) -> None:
        message = decode(bytes(received.payload), parse(received.topic).kind) if received.payload else None
        if isinstance(message, FloorGranted | FloorDeny):
            self._answer = message
            self._answered.set()
        elif isinstance(message, Session):
            self._follow(message)

    def _follow(self, session: Session) -> None:
        joined = session.event_id if session.active else None
        if joined != self._joined:
            self._joined = joined
            self._tell(PresenceState.ONLINE)
        if session.active and session.ended is not None and session.current_speaker is None and session.burst:
            heard = BurstPlayed(connection_id=self._connection, burst=session.burst, frames=FRAMES, concealed=0)
            self._send(Kind.HEARTBEAT, heard)

    def _tell(self, state: PresenceState) -> None:
        self._presence_no += 1
        said = Presence(
            state=state,
            connection_id=self._connection,
            presence_no=self._presence_no,
            in_channel=self._joined if state is PresenceState.ONLINE else None,
            name=self.user,
        )
        self._send(Kind.PRESENCE, said, retain=True)

    def _send(self, kind: Kind, message: Message, expiry_s: int | None = None, *, retain: bool = False) -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        where = topic(self._office, kind, self.user)
        self._client.publish(where, encode(message), qos=1, retain=retain, properties=properties)


class Turns:
    """Lets members talk one after the other and beat when it is time, until `stop` is called. A thread."""

    def __init__(self, members: list[Member], hold_s: float, pause_s: float) -> None:
        """`pause_s`: from a release to the next press."""
        self.granted = self.denied = 0
        self.failed: BenchFailed | None = None
        self._members, self._hold_s, self._pause_s = members, hold_s, pause_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="turns", daemon=True)

    def __enter__(self) -> Turns:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(START_S)

    def _run(self) -> None:
        turn, beaten_at = 0, time.monotonic()
        while not self._over.is_set():
            try:
                granted = self._members[turn % len(self._members)].talk(self._hold_s, self._over)
            except BenchFailed as error:
                self.failed = error
                return
            self.granted, self.denied = self.granted + granted, self.denied + (not granted)
            turn += 1
            if time.monotonic() - beaten_at >= HEARTBEAT_S / 2:
                beaten_at = time.monotonic()
                for member in self._members:
                    member.beat()
            self._over.wait(self._pause_s)
