"""The one MQTT link: paho-mqtt 2 (MQTT 5) driven by its owner's Loop; no thread but the short-lived one that dials.

Every dial is a new paho client and a clean session: nothing queued survives into the next connection, and nothing is
accepted while there is none. Events are told synchronously in the loop's thread, outside of paho's own callbacks, so
that a handler may publish, drop or dial at once. This module is the whole public surface; parts are in `mqtt_*`.
"""

from __future__ import annotations

import enum
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt import MQTTException
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from service.loop import EVENT_READ, EVENT_WRITE, Loop, Timer
from service.mqtt_dial import (
    dial_reason,
    garbage_reason,
    loss_reason,
    new_client,
    no_answer,
    no_greeting,
    refusal_reason,
    start_dialling,
    tls_context,
)
from service.mqtt_socket import part, readable, slam, unacknowledged_bytes, unread_bytes, wait
from service.mqtt_talk import Talk
from service.mqtt_words import (
    UNWELCOME,
    Acked,
    Backoff,
    BrokerSettings,
    Connected,
    DialFailed,
    Disconnected,
    Filter,
    LinkEvent,
    Received,
    Subscribed,
    Will,
)

__all__ = [
    "Acked",
    "Backoff",
    "BrokerSettings",
    "Connected",
    "DialFailed",
    "Disconnected",
    "Filter",
    "LinkEvent",
    "MqttLink",
    "Received",
    "Subscribed",
    "Will",
]

READS_PER_TURN_MAX = 32
"""Packets read before other descriptors and the owner's step get their turn."""
DIALS_AT_ONCE_MAX = 4
"""A name look-up can hang for half a minute in the system's resolver; beyond so many no further one is begun."""
DIAL_FACTOR = 3.0
"""A whole dial (look-up, several addresses, TLS) is given up after so many times connect_timeout_s."""
REPORT_RETRY_S = 0.05

# What paho lets through when a broker's bytes make no sense; no code of ours runs inside of it that could raise them.
_BAD_BYTES = (MQTTException, ValueError, LookupError, AssertionError, struct.error)


class _State(enum.Enum):
    DOWN = enum.auto()
    DIALLING = enum.auto()
    GREETING = enum.auto()
    UP = enum.auto()


class MqttLink:
    """One connection to the broker at a time. All methods belong to the loop's thread.

    After `dial` comes either `Connected` or `DialFailed`; after `Connected`, in the end, `Disconnected`. The link never
    dials by itself. `inflight_max` QoS 1 messages may be unacknowledged at once (fewer where the broker says so),
    `queued_max` in all; `out_bytes_max` may wait for the socket. Raises SettingsError where TLS files are not usable.
    """

    def __init__(
        self,
        loop: Loop,
        settings: BrokerSettings,
        on_event: Callable[[LinkEvent], None],
        *,
        inflight_max: int = 100,
        queued_max: int = 1000,
        out_bytes_max: int = 1 << 20,
    ) -> None:
        self.unreadable = 0
        """Messages dropped because their topic is not UTF-8, since start."""
        self._refused = 0
        self._loop = loop
        self._settings = settings
        self._on_event = on_event
        self._inflight_max = inflight_max
        self._queued_max = queued_max
        self._out_bytes_max = out_bytes_max
        self._context = tls_context(settings)
        self._state = _State.DOWN
        self._dials = 0
        self._client: paho.Client | None = None
        self._talk: Talk | None = None  # exactly while UP
        self._sock: Any = None  # socket.socket or ssl.SSLSocket, while it is registered with the loop
        self._writing = False
        self._timer: Timer | None = None
        self._refusal: DialFailed | None = None
        self._events: deque[tuple[LinkEvent | None, int]] = deque()  # with the packet id to acknowledge afterwards
        self._delivering = False

    @property
    def connected(self) -> bool:
        """Whether there is a connection to publish on."""
        return self._talk is not None

    @property
    def refused(self) -> int:
        """QoS 1 messages without a token that the broker refused, since start: see its access rules."""
        return self._refused + (0 if self._talk is None else self._talk.refused)

    # --- connecting --------------------------------------------------------------------------------------------------

    def dial(self, client_id: str, will: Will | None) -> None:
        """Begin one connection attempt. A former attempt or connection is dropped, and nothing more of it is told."""
        self._discard()
        if self._dials >= DIALS_AT_ONCE_MAX:
            self._tell_soon(DialFailed(f"looking up {self._settings.host} hangs: check the name server"))
            return
        client = new_client(self._settings, self._context, client_id, will, self._inflight_max, self._queued_max)
        self._client, self._state = client, _State.DIALLING
        self._dials += 1
        self._set_timer(DIAL_FACTOR * self._settings.connect_timeout_s, self._no_answer)
        start_dialling(self._settings, client, client_id, self._report)

    def drop(self, reason: str) -> None:
        """Close at once, without DISCONNECT: the will is published, what is unsent is thrown away.

        `Disconnected(reason)` (or DialFailed) follows; messages read but not yet told are not told. Nothing when down.
        """
        if self._state is _State.DOWN:
            return
        event = DialFailed(reason) if self._talk is None else Disconnected(reason)
        self._discard()
        self._tell_soon(event)

    def close(self, timeout_s: float = 1.0) -> bool:
        """Send what is queued, wait for its acknowledgements, say DISCONNECT (no will), close. Blocks ≤ `timeout_s`.

        True when the broker got all of it. False when it could not be sent in time or there was no connection: then
        the will speaks. No event follows.
        """
        client, sock, talk = self._client, self._sock, self._talk
        clean = False
        if client is not None and sock is not None and talk is not None:
            deadline = time.monotonic() + timeout_s
            while talk.unfinished and self._talk is talk and (left_s := deadline - time.monotonic()) > 0:
                self._paho(client.loop_read if wait(sock, client.want_write(), left_s) else client.loop_write)
            if not talk.unfinished and self._talk is talk:
                client.on_disconnect = None  # it is no loss
                self._paho(partial(part, client, sock, deadline))
                clean = client.socket() is None
        self._discard()
        return clean

    # --- talking -----------------------------------------------------------------------------------------------------

    def publish(
        self,
        topic: str,
        payload: bytes,
        qos: int = 0,
        retain: bool = False,
        expiry_s: int | None = None,
        token: int | None = None,
        alias: int | None = None,
    ) -> bool:
        """Hand a message over, written to the socket at once where it takes it. False: not accepted, and not kept.

        It is not accepted without a connection, when a bound is reached, or when the broker takes no packet so large.
        `expiry_s`: the broker throws it away when undelivered so long. `token`: `Acked(token)` follows (QoS 1 only).
        `alias`: topic alias number from 1, QoS 0 only, the topic then travels once; ignored beyond the broker's limit.
        Raises ValueError for wildcards, other QoS, or token and alias with the wrong QoS.
        """
        if self._talk is None:
            return False
        accepted = self._talk.publish(topic, payload, qos, retain, expiry_s, token, alias)
        self._watch_writing()
        return accepted

    def subscribe(self, filters: Sequence[tuple[str, int] | tuple[str, int, bool] | Filter]) -> int | None:
        """Subscribe to (topic, qos), (topic, qos, no_local) or Filters, QoS 0 or 1. None without a connection.

        Otherwise the number that `Subscribed(mid, ok, detail)` will carry. Raises ValueError for a bad filter.
        """
        if self._talk is None:
            return None
        mid = self._talk.subscribe([Filter(*entry) for entry in filters])
        self._watch_writing()
        return mid

    def unsubscribe(self, topics: Sequence[str]) -> bool:
        """Unsubscribe; False without a connection. What is on its way may still be received."""
        if self._talk is None:
            return False
        sent = self._talk.unsubscribe(topics)
        self._watch_writing()
        return sent

    @property
    def pending_write(self) -> bool:
        """Whether something waits for the socket to take it."""
        return self._talk is not None and self._client is not None and self._client.want_write()

    @property
    def unread_bytes(self) -> int:
        """What of the broker's waits to be read, in bytes, and one for each event to be told; 0: nothing waits."""
        return len(self._events) + (0 if self._sock is None else unread_bytes(self._sock))

    def outq_bytes(self) -> int:
        """Bytes that the broker's machine has not acknowledged yet, here and in the kernel; 0 without a connection."""
        if self._talk is None or self._sock is None:
            return 0
        return self._talk.backlog_bytes() + unacknowledged_bytes(self._sock)

    # --- inside: the dialling thread's report and the loop's calls ---------------------------------------------------

    def _report(self, client: paho.Client, error: Exception | None) -> None:
        """Runs in the dialling thread: hand over, and again while the inbox is full, as long as anybody waits."""
        until = time.monotonic() + DIAL_FACTOR * self._settings.connect_timeout_s
        while not self._loop.call_soon_threadsafe(partial(self._dialled, client, error)):
            if time.monotonic() > until:
                slam(client)
                return
            time.sleep(REPORT_RETRY_S)

    def _dialled(self, client: paho.Client, error: Exception | None) -> None:
        self._dials -= 1
        if client is not self._client:
            slam(client)  # superseded meanwhile
            return
        sock: Any = client.socket()
        if error is not None or sock is None:
            self._fail(dial_reason(self._settings, error or ConnectionResetError()))
            return
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_socket_close = self._on_socket_close
        self._sock, self._state, self._writing = sock, _State.GREETING, False
        self._loop.add(sock, EVENT_READ, self._ready)
        self._watch_writing()
        self._set_timer(self._settings.connect_timeout_s, self._no_answer)

    def _no_answer(self) -> None:
        self._fail(no_answer(self._settings))

    def _fail(self, reason: str) -> None:
        self._discard()
        self._tell_soon(DialFailed(reason))

    def _ready(self, ready: int) -> None:
        client, sock = self._client, self._sock
        if client is None:
            return
        if ready & EVENT_READ:
            for _ in range(READS_PER_TURN_MAX):
                self._paho(client.loop_read)
                self._deliver()
                if self._client is not client or not readable(sock):
                    break
            else:
                if isinstance(sock, ssl.SSLSocket):  # the selector does not see what is decrypted already
                    self._loop.call_at(0.0, partial(self._read_on, client))
        if ready & EVENT_WRITE and self._client is client:
            self._paho(client.loop_write)
        self._watch_writing()

    def _read_on(self, client: paho.Client) -> None:
        if client is self._client:
            self._ready(EVENT_READ)

    def _tick(self) -> None:
        if self._client is not None and self._talk is not None:
            self._arm_tick(self._client)
            self._paho(self._client.loop_misc)
            self._watch_writing()

    def _arm_tick(self, client: paho.Client) -> None:
        self._set_timer(min(1.0, client.keepalive / 4), self._tick)

    def _paho(self, call: Callable[[], object]) -> None:
        client = self._client
        try:
            call()
        except _BAD_BYTES:
            if client is self._client:
                self._lost(garbage_reason(self._settings))

    def _watch_writing(self) -> None:
        client, sock = self._client, self._sock
        if client is None or sock is None or client.want_write() is self._writing:
            return
        self._writing = not self._writing
        self._loop.modify(sock, EVENT_READ | EVENT_WRITE if self._writing else EVENT_READ)

    def _set_timer(self, delay_s: float, fn: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(time.monotonic() + delay_s, fn)

    # --- inside: paho's callbacks, which only note -------------------------------------------------------------------

    def _on_connect(
        self, client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, told: Properties | None
    ) -> None:
        if code.is_failure:
            self._refusal = DialFailed(refusal_reason(self._settings, code), code.value in UNWELCOME)
            return
        self._talk = Talk(client, told, self._inflight_max, self._out_bytes_max, self._note)
        self._state = _State.UP
        self._arm_tick(client)
        self._note(Connected())

    def _on_disconnect(self, client: paho.Client, _data: Any, flags: Any, code: ReasonCode | None, _props: Any) -> None:
        if client is self._client:
            self._lost(loss_reason(self._settings, code, flags.is_disconnect_packet_from_server))

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        event, payload = None, bytes(message.payload)
        try:
            event = Received(message.topic, payload, message.qos, message.retain, time.monotonic())
        except UnicodeDecodeError:
            self.unreadable += 1
        self._events.append((event, message.mid if message.qos else 0))

    def _on_socket_close(self, _client: paho.Client, _data: Any, sock: Any) -> None:
        if sock is self._sock:
            self._loop.remove(sock)
            self._sock = None

    # --- inside: the ends of a connection, and telling ---------------------------------------------------------------

    def _lost(self, reason: str) -> None:
        """The current connection has ended by itself; what was read before it is still told."""
        up, refusal, read = self._talk is not None, self._refusal, self._events
        self._events = deque()
        self._discard()
        self._events = read
        self._tell_soon(Disconnected(reason) if up else refusal or DialFailed(no_greeting(self._settings)))

    def _discard(self) -> None:
        """Forget the connection and all that belongs to it, telling nothing."""
        client, sock, state = self._client, self._sock, self._state
        self._refused = self.refused
        if self._timer is not None:
            self._timer.cancel()
        self._client = self._talk = self._sock = self._timer = self._refusal = None
        self._state, self._writing = _State.DOWN, False
        self._events.clear()
        if sock is not None:
            self._loop.remove(sock)
        if client is not None and state is not _State.DIALLING:  # one that still dials belongs to its thread
            slam(client)

    def _note(self, event: LinkEvent) -> None:
        self._events.append((event, 0))

    def _tell_soon(self, event: LinkEvent) -> None:
        self._note(event)
        self._loop.call_at(0.0, self._deliver)

    def _deliver(self) -> None:
        if self._delivering:
            return  # the outer call goes on with it
        self._delivering = True
        try:
            while self._events:
                client = self._client
                event, mid = self._events.popleft()
                if event is not None:
                    self._on_event(event)
                if mid and client is not None and client is self._client:
                    self._paho(partial(client.ack, mid, 1))
        finally:
            self._delivering = False
