"""The one MQTT link: paho-mqtt 2 (MQTT 5) driven by its owner's Loop; no thread but the short-lived one that dials.

Every dial is a new paho client and a clean session: nothing queued survives into the next connection, and nothing is
accepted while there is none. Events are told synchronously in the loop's thread, outside of paho's own callbacks, so
that a handler may publish, drop or dial at once. This module is the whole public surface; parts are in `mqtt_*`.
"""

from __future__ import annotations

import array
import enum
import fcntl
import os
import select
import socket
import ssl
import struct
import termios
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt import MQTTException
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from service.loop import EVENT_READ, EVENT_WRITE, Loop, Timer
from service.mqtt_dial import (
    dial_reason,
    loss_reason,
    new_client,
    no_answer,
    refusal_reason,
    start_dialling,
    tls_context,
)
from service.mqtt_words import (
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
PUBLISH_OVERHEAD_BYTES = 32
"""More than the header and properties we send ever take."""

_BAD_BYTES = (MQTTException, ValueError, LookupError, AssertionError, struct.error)
# What paho lets through when a broker's bytes make no sense; no code of ours runs inside of it that could raise them.


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
        self.refused = 0
        """QoS 1 messages without a token that the broker refused, since start: see its access rules."""
        self.unreadable = 0
        """Messages dropped because their topic is not UTF-8, since start."""
        self._loop = loop
        self._settings = settings
        self._on_event = on_event
        self._inflight_max = inflight_max
        self._queued_max = queued_max
        self._out_bytes_max = out_bytes_max
        self._context = tls_context(settings)
        self._state = _State.DOWN
        self._number = 0
        self._dials = 0
        self._client: paho.Client | None = None
        self._sock: Any = None  # socket.socket or ssl.SSLSocket, while it is registered with the loop
        self._writing = False
        self._timer: Timer | None = None
        self._events: deque[tuple[LinkEvent | None, int]] = deque()  # with the packet id to acknowledge afterwards
        self._delivering = False
        self._tokens: dict[int, int | None] = {}
        self._filters: dict[int, Sequence[Filter]] = {}
        self._aliases: dict[int, str] = {}
        self._alias_max = 0
        self._packet_bytes_max = 0
        self._refusal: str | None = None
        self._properties: dict[tuple[int | None, int | None], Properties] = {}

    # --- connecting --------------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether a publish would be accepted."""
        return self._state is _State.UP

    def dial(self, client_id: str, will: Will | None) -> None:
        """Begin one connection attempt. A former attempt or connection is dropped, and nothing more of it is told."""
        self._discard()
        self._number += 1
        if self._dials >= DIALS_AT_ONCE_MAX:
            self._tell_soon(DialFailed(f"looking up {self._settings.host} hangs: check the name server"))
            return
        client = new_client(self._settings, self._context, client_id, will, self._inflight_max, self._queued_max)
        self._client, self._state = client, _State.DIALLING
        self._dials += 1
        self._set_timer(DIAL_FACTOR * self._settings.connect_timeout_s, self._no_answer)
        start_dialling(self._settings, client, self._number, self._report)

    def drop(self, reason: str) -> None:
        """Close at once, without DISCONNECT: the will is published, what is unsent is thrown away.

        `Disconnected(reason)` (or DialFailed) follows; messages read but not yet told are not told. Nothing when down.
        """
        if self._state is _State.DOWN:
            return
        event = Disconnected(reason) if self._state is _State.UP else DialFailed(reason)
        self._discard()
        self._tell_soon(event)

    def close(self, timeout_s: float = 1.0) -> bool:
        """Send what is queued, wait for its acknowledgements, say DISCONNECT (no will), close. Blocks ≤ `timeout_s`.

        True when the broker got all of it. False when it could not be sent in time or there was no connection: then
        the will speaks. No event follows.
        """
        client, sock, up = self._client, self._sock, self._state is _State.UP
        if client is None or sock is None or not up:
            self._discard()
            return False
        deadline = time.monotonic() + timeout_s
        self._state = _State.DOWN  # from here on nothing is told
        while (self._tokens or client.want_write()) and self._client is client and time.monotonic() < deadline:
            wait_s = max(0.0, deadline - time.monotonic())
            ready = select.select([sock], [sock] if client.want_write() else [], [], wait_s)
            self._paho(client.loop_read if ready[0] else client.loop_write)
        clean = not self._tokens and not client.want_write() and self._client is client
        if clean:
            self._part(client, sock, deadline)
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
        if qos not in (0, 1) or (qos == 0 and token is not None) or (qos == 1 and alias is not None):
            raise ValueError(f"qos {qos}, token {token}, alias {alias}: qos is 0 (alias) or 1 (token)")
        client = self._client
        if self._state is not _State.UP or client is None:
            return False
        size = len(payload) + 4 * len(topic) + PUBLISH_OVERHEAD_BYTES
        if size > self._packet_bytes_max or (client.want_write() and self._backlog() + size > self._out_bytes_max):
            return False
        if alias is not None and alias > self._alias_max:
            alias = None
        wire_topic = "" if alias is not None and self._aliases.get(alias) == topic else topic
        if qos and client.on_publish is None:  # only now: for QoS 0 paho would pay for it at every message
            client.on_publish = self._on_publish
        info = client.publish(wire_topic, payload, qos, retain, self._props(expiry_s, alias))
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        if alias is not None:
            self._aliases[alias] = topic
        if qos:
            self._tokens[info.mid] = token
        self._watch_writing()
        return True

    def subscribe(self, filters: Sequence[tuple[str, int] | tuple[str, int, bool] | Filter]) -> int | None:
        """Subscribe to (topic, qos), (topic, qos, no_local) or Filters, QoS 0 or 1. None without a connection.

        Otherwise the number that `Subscribed(mid, ok, detail)` will carry. Raises ValueError for a bad filter.
        """
        wanted = [Filter(*entry) for entry in filters]
        if any(entry.qos not in (0, 1) for entry in wanted):
            raise ValueError("subscribe with QoS 0 or 1")
        if self._state is not _State.UP or self._client is None:
            return None
        options = [
            (f.topic, SubscribeOptions(f.qos, f.no_local, f.retain_as_published, f.retain_handling)) for f in wanted
        ]
        _code, mid = self._client.subscribe(options)
        self._watch_writing()
        if mid is not None:
            self._filters[mid] = wanted
        return mid

    def unsubscribe(self, topics: Sequence[str]) -> bool:
        """Unsubscribe; False without a connection. What is on its way may still be received."""
        if self._state is not _State.UP or self._client is None:
            return False
        code, _mid = self._client.unsubscribe(list(topics))
        self._watch_writing()
        return code == MQTTErrorCode.MQTT_ERR_SUCCESS

    @property
    def pending_write(self) -> bool:
        """Whether something waits for the socket to take it."""
        return self._client is not None and self._state is _State.UP and self._client.want_write()

    def outq_bytes(self) -> int:
        """Bytes that the broker's machine has not acknowledged yet: those waiting here and those in the kernel."""
        if self._sock is None or self._state is not _State.UP:
            return 0
        return self._backlog() + _ioctl_int(self._sock, termios.TIOCOUTQ)  # SIOCOUTQ has the same number

    # --- inside: the dialling thread's report and the loop's calls ---------------------------------------------------

    def _report(self, client: paho.Client, error: Exception | None) -> None:
        """Runs in the dialling thread: hand over, and again while the inbox is full, as long as anybody waits."""
        patience_s = DIAL_FACTOR * self._settings.connect_timeout_s
        until = time.monotonic() + patience_s
        while not self._loop.call_soon_threadsafe(partial(self._dialled, client, error)):
            if time.monotonic() > until:
                _slam(client)
                return
            time.sleep(REPORT_RETRY_S)

    def _dialled(self, client: paho.Client, error: Exception | None) -> None:
        self._dials -= 1
        if client is not self._client:
            _slam(client)
            return
        sock: Any = client.socket()
        if error is not None or sock is None:
            self._fail(dial_reason(self._settings, error or ConnectionResetError()))
            return
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_socket_close = self._on_socket_close
        self._sock, self._state, self._writing = sock, _State.GREETING, client.want_write()
        self._loop.add(sock, EVENT_READ | EVENT_WRITE if self._writing else EVENT_READ, self._ready)
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
                if self._client is not client or not _more(sock):
                    break
            else:
                if isinstance(sock, ssl.SSLSocket):  # the selector does not see what is decrypted already
                    self._loop.call_at(0.0, partial(self._read_on, client))
        if ready & EVENT_WRITE and self._client is client:
            self._paho(client.loop_write)
            self._deliver()
        self._watch_writing()

    def _read_on(self, client: paho.Client) -> None:
        if client is self._client:
            self._ready(EVENT_READ)

    def _tick(self) -> None:
        client = self._client
        if client is not None and self._state is _State.UP:
            self._arm_tick(client)
            self._paho(client.loop_misc)
            self._watch_writing()

    def _arm_tick(self, client: paho.Client) -> None:
        self._set_timer(min(1.0, client.keepalive / 4), self._tick)

    def _paho(self, call: Callable[[], object]) -> None:
        client = self._client
        try:
            call()
        except _BAD_BYTES:
            if client is self._client:
                self._lost(loss_reason(self._settings, ReasonCode(PacketTypes.DISCONNECT, "Protocol error"), False))

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
        self,
        client: paho.Client,
        _data: Any,
        _flags: Any,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if client is not self._client or self._state is not _State.GREETING:
            return
        if code.is_failure:
            self._refusal = refusal_reason(self._settings, code)
            return
        told = vars(properties) if properties is not None else {}
        self._alias_max = told.get("TopicAliasMaximum", 0)
        self._packet_bytes_max = told.get("MaximumPacketSize", 256 << 20)
        # Two of paho's fields that it offers no way to set on a connection: pinging at half the keep-alive finds a dead
        # link within it instead of twice it, and the broker's own limit of unacknowledged messages is to be kept.
        client._keepalive = max(1, client.keepalive // 2)
        client._max_inflight_messages = min(self._inflight_max, told.get("ReceiveMaximum", 65535))
        self._state = _State.UP
        self._arm_tick(client)
        self._events.append((Connected(), 0))

    def _on_disconnect(
        self, client: paho.Client, _data: Any, flags: paho.DisconnectFlags, code: ReasonCode | None, _props: Any
    ) -> None:
        if client is self._client:
            self._lost(loss_reason(self._settings, code, flags.is_disconnect_packet_from_server))

    def _on_message(self, client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if client is not self._client:
            return
        event = None
        try:
            event = Received(message.topic, bytes(message.payload), message.qos, message.retain, time.monotonic())
        except UnicodeDecodeError:
            self.unreadable += 1
        self._events.append((event, message.mid if message.qos else 0))

    def _on_publish(self, client: paho.Client, _data: Any, mid: int, code: ReasonCode, _props: Any) -> None:
        if client is not self._client or mid not in self._tokens:
            return  # a QoS 0 message was written
        token, ok = self._tokens.pop(mid), not code.is_failure
        if token is not None:
            self._events.append((Acked(token, ok, "" if ok else str(code)), 0))
        elif not ok:
            self.refused += 1

    def _on_subscribe(self, client: paho.Client, _data: Any, mid: int, codes: list[ReasonCode], _props: Any) -> None:
        if client is not self._client:
            return
        wanted = self._filters.pop(mid, ())
        bad = [f"{f.topic}: {code}" for f, code in zip(wanted, codes, strict=False) if code.is_failure]
        if len(codes) != len(wanted):
            bad.append(f"{len(codes)} answers to {len(wanted)} filters")
        self._events.append((Subscribed(mid, not bad, "; ".join(bad)), 0))

    def _on_socket_close(self, _client: paho.Client, _data: Any, sock: Any) -> None:
        if sock is self._sock:
            self._loop.remove(sock)
            self._sock = None

    # --- inside: the ends of a connection, and telling ---------------------------------------------------------------

    def _lost(self, reason: str) -> None:
        """The current connection has ended by itself; what was read before it is still told."""
        state, refusal, told = self._state, self._refusal, self._events
        self._events = deque()
        self._discard()
        self._events = told
        match state:
            case _State.UP:
                self._tell_soon(Disconnected(reason))
            case _State.GREETING:
                no_greeting = f"{self._settings.address} ended the greeting: is it an MQTT 5 broker, and its TLS port?"
                self._tell_soon(DialFailed(refusal or no_greeting))
            case _State.DOWN | _State.DIALLING:
                pass  # closing by our own wish

    def _discard(self) -> None:
        """Forget the connection and all that belongs to it, telling nothing."""
        client, sock, state = self._client, self._sock, self._state
        self._client = self._sock = self._timer = self._cancelled(self._timer)
        self._state, self._writing, self._refusal = _State.DOWN, False, None
        self._alias_max = self._packet_bytes_max = 0
        for memory in (self._events, self._tokens, self._filters, self._aliases):
            memory.clear()
        if sock is not None:
            self._loop.remove(sock)
        if client is not None and state is not _State.DIALLING:  # a client that still dials belongs to its thread
            _slam(client)

    @staticmethod
    def _cancelled(timer: Timer | None) -> None:
        if timer is not None:
            timer.cancel()

    def _part(self, client: paho.Client, sock: Any, deadline: float) -> None:
        """Say DISCONNECT and wait for the broker's end: closing with bytes unread would reset it away."""
        with socket.socket(fileno=os.dup(sock.fileno())) as line:
            self._paho(client.disconnect)
            try:
                line.shutdown(socket.SHUT_WR)
                line.settimeout(max(0.05, deadline - time.monotonic()))
                while time.monotonic() < deadline and line.recv(65536):
                    pass
            except OSError:
                pass  # reset or too slow: DISCONNECT is written, more cannot be done

    def _tell_soon(self, event: LinkEvent) -> None:
        self._events.append((event, 0))
        self._loop.call_at(0.0, self._deliver)

    def _deliver(self) -> None:
        if self._delivering:
            return  # the outer call goes on with it
        self._delivering = True
        try:
            while self._events:
                event, mid = self._events.popleft()
                if event is not None:
                    client = self._client
                    self._on_event(event)
                if mid and self._client is not None and (event is None or client is self._client):
                    self._paho(partial(self._client.ack, mid, 1))
        finally:
            self._delivering = False

    def _backlog(self) -> int:
        # paho has no public count of it; this deque holds what the socket did not take yet.
        return 0 if self._client is None else sum(packet["to_process"] for packet in self._client._out_packet)

    def _props(self, expiry_s: int | None, alias: int | None) -> Properties | None:
        if expiry_s is None and alias is None:
            return None
        properties = self._properties.get((expiry_s, alias))
        if properties is None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            if expiry_s is not None:
                properties.MessageExpiryInterval = expiry_s
            if alias is not None:
                properties.TopicAlias = alias
            if len(self._properties) >= 64:
                self._properties.clear()
            self._properties[expiry_s, alias] = properties
        return properties


def _more(sock: Any) -> bool:
    """Whether a further read would find bytes now."""
    if isinstance(sock, ssl.SSLSocket):
        return sock.pending() > 0
    return _ioctl_int(sock, termios.FIONREAD) > 0


def _ioctl_int(sock: Any, request: int) -> int:
    number = array.array("i", [0])
    fcntl.ioctl(sock.fileno(), request, number)
    return number[0]


def _slam(client: paho.Client) -> None:
    """Close a client's socket so that nothing unsent leaves any more."""
    sock: Any = client.socket()
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
