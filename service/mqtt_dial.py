"""One connection attempt with paho-mqtt: a client made ready, a short-lived thread that dials, reasons in words."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from service.mqtt_words import TAKEN_OVER, BrokerSettings, Will
from service.settings import Problem, SettingsError

PACKET_BYTES_MAX = 1 << 20
"""The broker is told not to send us larger packets than this (1 MiB)."""
RECEIVE_MAX = 1000
"""QoS 1 messages the broker may send before we acknowledge one."""

ReportDial = Callable[[paho.Client, Exception | None], None]
"""Called in the connecting thread when it is done; None means connected, CONNECT is written."""


def tls_context(settings: BrokerSettings) -> ssl.SSLContext | None:
    """Read the certificates once, at start; raises SettingsError naming the file that cannot be used."""
    if not settings.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    except OSError as error:  # ssl.SSLError is one
        raise _unusable(settings.tls_ca, error) from error
    if settings.tls_cert is not None:
        try:
            context.load_cert_chain(settings.tls_cert, settings.tls_key, password=_no_passphrase)
        except (OSError, ValueError) as error:
            raise _unusable(f"{settings.tls_cert}, {settings.tls_key}", error) from error
    return context


def _no_passphrase() -> str:
    raise ValueError("the key is locked with a passphrase")  # instead of asking at a terminal nobody sits at


def _unusable(name: str | None, error: Exception) -> SettingsError:
    what = f"is not usable ({getattr(error, 'strerror', None) or error})"
    return SettingsError((Problem(source=name or "TLS", what=what, mend="name a readable PEM file"),))


def new_client(
    settings: BrokerSettings,
    context: ssl.SSLContext | None,
    client_id: str,
    will: Will | None,
    inflight_max: int,
    queued_max: int,
) -> paho.Client:
    """Make a paho client for one connection only, so that nothing unsent survives into the next."""
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id,
        protocol=paho.MQTTv5,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.connect_timeout = settings.connect_timeout_s
    client.max_inflight_messages = inflight_max
    client.max_queued_messages = queued_max
    client.on_socket_open = _no_delay
    if settings.username is not None:
        password = None if settings.password is None else settings.password.reveal()
        client.username_pw_set(settings.username, password)
    if context is not None:
        client.tls_set_context(context)
    if will is not None:
        client.will_set(will.topic, will.payload, will.qos, will.retain)
    return client


def start_dialling(settings: BrokerSettings, client: paho.Client, name: str, report: ReportDial) -> None:
    """Look up, connect, shake hands and write CONNECT in a thread of its own, which then ends after `report`."""
    thread = threading.Thread(target=_dial, args=(settings, client, report), name=f"mqtt-dial-{name}", daemon=True)
    thread.start()


def _dial(settings: BrokerSettings, client: paho.Client, report: ReportDial) -> None:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 0
    properties.ReceiveMaximum = RECEIVE_MAX
    properties.MaximumPacketSize = PACKET_BYTES_MAX
    done = partial(report, client)
    try:
        code = client.connect(
            settings.host, settings.port, settings.keepalive_s, clean_start=True, properties=properties
        )
    except Exception as error:  # noqa: BLE001 - a thread's top; it is told
        done(error)
    else:
        done(None if code == MQTTErrorCode.MQTT_ERR_SUCCESS else ConnectionResetError(errno.ECONNRESET, "reset"))


def _no_delay(_client: paho.Client, _userdata: Any, sock: Any) -> None:
    # Without it a QoS 1 exchange waits 44 ms for Nagle and the delayed acknowledgement.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def dial_reason(settings: BrokerSettings, error: Exception) -> str:
    """Say in words why a dial failed, and what to look at."""
    at = settings.address
    match error:
        case ConnectionRefusedError():
            return f"connection refused by {at}: is the broker running?"
        case socket.gaierror():
            return f"host name {settings.host} not found ({error.strerror}): is the network up, the name right?"
        case ssl.SSLCertVerificationError():
            found = getattr(error, "verify_message", error)
            return f"certificate of {at} not accepted ({found}): check tls_ca, host and this clock"
        case ssl.SSLError():
            return f"no TLS with {at} ({getattr(error, 'reason', error)}): is it the broker's TLS port?"
        case TimeoutError():
            return no_answer(settings)
        case ConnectionError():
            return f"connection to {at} cut while dialling: is it the broker's port, TLS or not?"
        case OSError() if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN):
            return f"no route to {at}: is the network up?"
    return f"cannot connect to {at}: {error}"


def no_answer(settings: BrokerSettings) -> str:
    """Say that nobody answered in time."""
    return (
        f"no answer from {settings.address} within {settings.connect_timeout_s:g} s: network, firewall or broker stuck?"
    )


def refusal_reason(settings: BrokerSettings, code: ReasonCode) -> str:
    """Say in words why the broker refused the connection (CONNACK reason code)."""
    hint = {
        0x84: ": it does not speak MQTT 5",
        0x85: ": the client id is not allowed",
        0x86: ": check username and password",
        0x87: ": check username and password, and what the broker allows them",
    }.get(code.value, "")
    return f"refused by {settings.address} ({code}){hint}"


def no_greeting(settings: BrokerSettings) -> str:
    """Say that the connection ended before the broker's CONNACK."""
    tls = "and its TLS port?" if settings.tls else "without TLS? (8883 is a TLS port by custom)"
    return f"{settings.address} ended the greeting: is it an MQTT 5 broker, {tls}"


def garbage_reason(settings: BrokerSettings) -> str:
    """Say that the broker's bytes make no sense."""
    return f"{settings.address} sent what is no MQTT 5"


def loss_reason(settings: BrokerSettings, code: ReasonCode | None, from_broker: bool) -> str:
    """Say in words why an established connection ended (DISCONNECT reason code, or paho's own finding)."""
    at = settings.address
    value = None if code is None else code.value
    if from_broker:
        return f"closed by {at} ({code})" + (TAKEN_OVER if value == 0x8E else "")
    if value == 0x8D:
        return f"nothing heard from {at} for {settings.keepalive_s} s"
    return garbage_reason(settings) if value == 0x82 else f"connection to {at} lost"
