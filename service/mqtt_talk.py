"""What is said on one established MQTT connection, and what is remembered until its answer comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from service.mqtt_words import Acked, Filter, Subscribed

OVERHEAD_BYTES = 32
"""More than the header and properties we send ever take."""
PROPERTIES_KEPT_MAX = 64
"""Sets of properties kept ready; making them anew costs as much as the rest of a publish."""


class Talk:
    """The talk on one connection that the broker has greeted; `told` is what its greeting said. Notes answers."""

    def __init__(
        self,
        client: paho.Client,
        told: Properties | None,
        inflight_max: int,
        out_bytes_max: int,
        note: Callable[[Acked | Subscribed], None],
    ) -> None:
        limits = {} if told is None else vars(told)
        self.refused = 0
        """QoS 1 messages without a token that the broker refused."""
        self._client = client
        self._note = note
        self._out_bytes_max = out_bytes_max
        self._packet_bytes_max: int = limits.get("MaximumPacketSize", 256 << 20)
        self._alias_max: int = limits.get("TopicAliasMaximum", 0)
        self._aliases: dict[int, str] = {}
        self._tokens: dict[int, int | None] = {}
        self._filters: dict[int, Sequence[Filter]] = {}
        self._properties: dict[tuple[int | None, int | None], Properties] = {}
        # Two of paho's fields that it offers no way to set on a connection: pinging at half the keep-alive finds a dead
        # link within it instead of twice it, and the broker's own limit of unacknowledged messages is to be kept.
        client._keepalive = max(1, client.keepalive // 2)
        client._max_inflight_messages = min(inflight_max, limits.get("ReceiveMaximum", 65535))
        client.on_subscribe = self._on_subscribe

    @property
    def unfinished(self) -> bool:
        """Whether anything is unsent, or sent with QoS 1 and not acknowledged."""
        return bool(self._tokens) or self._client.want_write()

    def backlog_bytes(self) -> int:
        """Bytes that wait for the socket to take them."""
        # paho has no public count of it; this deque holds what the socket did not take yet.
        return sum(packet["to_process"] for packet in self._client._out_packet)

    def publish(
        self,
        topic: str,
        payload: bytes,
        qos: int,
        retain: bool,
        expiry_s: int | None,
        token: int | None,
        alias: int | None,
    ) -> bool:
        """Hand a message over to paho, which writes it at once if the socket takes it; see MqttLink.publish."""
        if qos not in (0, 1) or (qos == 0 and token is not None) or (qos == 1 and alias is not None):
            raise ValueError(f"qos {qos}, token {token}, alias {alias}: qos is 0 (alias) or 1 (token)")
        client = self._client
        size = len(payload) + 4 * len(topic) + OVERHEAD_BYTES
        if size > self._packet_bytes_max:
            return False
        if client.want_write() and self.backlog_bytes() + size > self._out_bytes_max:
            return False
        if alias is not None and not 1 <= alias <= self._alias_max:
            alias = None
        known = alias is not None and self._aliases.get(alias) == topic
        if qos and client.on_publish is None:  # only now: for QoS 0 paho would pay for it at every message
            client.on_publish = self._on_publish
        info = client.publish("" if known else topic, payload, qos, retain, self._props(expiry_s, alias))
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        if alias is not None:
            self._aliases[alias] = topic
        if qos:
            self._tokens[info.mid] = token
        return True

    def subscribe(self, filters: Sequence[Filter]) -> int | None:
        """Send one SUBSCRIBE; gives its number, None if the connection is just breaking."""
        if any(entry.qos not in (0, 1) for entry in filters):
            raise ValueError("subscribe with QoS 0 or 1")
        options = [
            (f.topic, SubscribeOptions(f.qos, f.no_local, f.retain_as_published, f.retain_handling)) for f in filters
        ]
        _code, mid = self._client.subscribe(options)
        if mid is not None:
            self._filters[mid] = filters
        return mid

    def unsubscribe(self, topics: Sequence[str]) -> bool:
        """Send one UNSUBSCRIBE."""
        code, _mid = self._client.unsubscribe(list(topics))
        return code == MQTTErrorCode.MQTT_ERR_SUCCESS

    def _on_publish(self, _client: paho.Client, _data: Any, mid: int, code: ReasonCode, _props: Any) -> None:
        if mid not in self._tokens:
            return  # a QoS 0 message was written
        token, ok = self._tokens.pop(mid), not code.is_failure
        if token is not None:
            self._note(Acked(token, ok, "" if ok else str(code)))
        elif not ok:
            self.refused += 1

    def _on_subscribe(self, _client: paho.Client, _data: Any, mid: int, codes: list[ReasonCode], _props: Any) -> None:
        wanted = self._filters.pop(mid, ())
        bad = [f"{f.topic}: {code}" for f, code in zip(wanted, codes, strict=False) if code.is_failure]
        if len(codes) != len(wanted):
            bad.append(f"{len(codes)} answers to {len(wanted)} filters")
        self._note(Subscribed(mid, not bad, "; ".join(bad)))

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
            if len(self._properties) >= PROPERTIES_KEPT_MAX:
                self._properties.clear()
            self._properties[expiry_s, alias] = properties
        return properties
