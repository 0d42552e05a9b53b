"""What an MQTT link makes of handlers that act or fail, of bytes that are no MQTT, and of TLS."""

from __future__ import annotations

import select
import socket
import ssl
import subprocess
import time

import pytest

from service.loop import Loop
from service.mqtt import (
    Connected,
    DialFailed,
    Disconnected,
    Received,
    Subscribed,
)
from tests.integration.mqtt_link_rig import CONNACK, Party, fake_broker, turn_until
from tests.support.broker import Broker, free_port
from tests.support.procs import eventually


@pytest.fixture
def loop():
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture(scope="module")
def shared_broker():
    with Broker() as broker:
        yield broker


@pytest.fixture
def port(shared_broker):
    shared_broker.start()
    return shared_broker.port


# --- handlers and bad bytes -------------------------------------------------------------------------------------------


def test_a_handler_may_publish_drop_and_dial_from_within_an_event(loop, port):
    # given
    party = Party(loop, port)

    def on_event(event) -> None:
        party.told.append(event)
        match event:
            case Connected() if len(party.all(Connected)) == 1:
                party.link.subscribe([("echo", 1)])
            case Subscribed():
                party.link.publish("echo", b"one", 1)
                party.link.publish("echo", b"two", 1)
            case Received():
                party.link.drop("enough")
            case Disconnected():
                party.link.dial("again", None)

    party.on_event = on_event
    # when
    party.link.dial("once", None)
    party.wait(Connected, 2)
    # then only the first message was told: the drop ended that connection
    kinds = [type(event) for event in party.told]
    assert kinds == [Connected, Subscribed, Received, Disconnected, Connected]


def test_an_exception_in_a_handler_leaves_the_loop_instead_of_wedging_the_link(loop, port):
    def on_event(_event) -> None:
        raise ZeroDivisionError("a programmer's error")

    party = Party(loop, port)
    party.on_event = on_event
    party.link.dial("car-1", None)
    with pytest.raises(ZeroDivisionError):
        loop.run(lambda _now: None)


def test_a_message_is_acknowledged_only_after_it_was_handled(loop):
    # given a broker that sends one QoS 1 message, and a handler that looks whether it was acknowledged yet
    lines = []
    acks = []

    def serve(connection: socket.socket) -> None:
        lines.append(connection)
        connection.recv(4096)
        connection.sendall(CONNACK + bytes([0x32, 7, 0, 1]) + b"t" + bytes([0, 9, 0]) + b"x")
        acks.append((connection.recv(1, socket.MSG_PEEK), acknowledged_early))
        acks.append(connection.recv(4096))

    acknowledged_early = []

    def on_event(event) -> None:
        if isinstance(event, Received):
            acknowledged_early.extend(select.select(lines, [], [], 0.05)[0])

    with fake_broker(serve) as port:
        party = Party(loop, port)
        party.on_event = on_event
        party.link.dial("car-1", None)
        # when
        turn_until(loop, lambda: len(acks) == 2)
        party.link.drop("done")
    # then
    assert acks == [(b"\x40", []), bytes([0x40, 2, 0, 9])]


def test_what_was_read_together_with_the_message_that_made_us_drop_is_not_told(loop):
    # given a broker that sends two messages at once while two of ours are unacknowledged, so that both are read at once
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(CONNACK)
        for _ in range(2):
            connection.recv(9, socket.MSG_WAITALL)
        connection.sendall((bytes([0x30, 5, 0, 1]) + b"t" + b"\0x") * 2)
        connection.recv(4096)

    with fake_broker(serve) as port:
        party = Party(loop, port)

        def on_event(event) -> None:
            party.told.append(event)
            if isinstance(event, Connected):
                party.link.publish("u", b"y", 1)
                party.link.publish("u", b"y", 1)
            if isinstance(event, Received):
                party.link.drop("enough")

        party.on_event = on_event
        # when
        party.link.dial("car-1", None)
        party.wait(Disconnected)
        # then
        assert len(party.all(Received)) == 1


def test_a_close_ends_with_a_goodbye_and_an_orderly_end_of_the_stream(loop):
    # given a broker that notes how the stream ends
    ends = []

    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(CONNACK)
        connection.settimeout(5)
        data = b""
        while not data.endswith(b"\xe0\x00"):
            data += connection.recv(1)
        time.sleep(0.05)  # long enough for a reset to arrive
        ends.append(connection.recv(1))

    with fake_broker(serve) as port:
        party = Party(loop, port)
        party.link.dial("car-1", None)
        party.wait(Connected)
        # when, then
        assert party.link.close()
        eventually(lambda: ends == [b""])


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"<p>no broker</p>" * 5,
        bytes([0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        bytes([0x30, 2, 0xFF, 0xFF]),
        bytes([0x90, 3, 0, 1, 0xFF]),
        bytes([0xF0, 0]),
        bytes([0x40, 1, 0]),
    ],
)
def test_bytes_that_are_no_mqtt_end_the_connection_with_a_reason_and_nothing_else(loop, garbage):
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(CONNACK)
        time.sleep(0.02)  # so that it is read as a packet of its own
        connection.sendall(garbage)
        connection.recv(4096)

    with fake_broker(serve) as port:
        party = Party(loop, port)
        party.link.dial("car-1", None)
        party.wait(Disconnected)
        assert party.told == [Connected(), Disconnected(f"127.0.0.1:{port} sent what is no MQTT 5")]


def test_a_service_that_is_no_broker_is_a_failed_dial(loop):
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with fake_broker(serve) as port:
        party = Party(loop, port)
        party.link.dial("car-1", None)
        assert "is it an MQTT 5 broker" in party.wait(DialFailed)[0].reason


def test_a_topic_that_is_not_utf8_is_dropped_and_counted(loop):
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(CONNACK + bytes([0x30, 4, 0, 1, 0xFF, 0]) + bytes([0x30, 5, 0, 1]) + b"t" + b"\0x")
        connection.recv(4096)

    with fake_broker(serve) as port:
        party = Party(loop, port)
        party.link.dial("car-1", None)
        party.wait(Received)
        assert (party.link.unreadable, party.payloads()) == (1, [b"x"])
        party.link.drop("done")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority of our own and a certificate for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    # What RFC 5280 asks of an authority and of a server, and Python 3.13 of both (VERIFY_X509_STRICT).
    (folder / "ca.conf").write_text(
        "[req]\ndistinguished_name = name\nx509_extensions = ca\nprompt = no\n[name]\nCN = test\n"
        "[ca]\nbasicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign\n"
        "subjectKeyIdentifier = hash\n"
    )
    (folder / "server").write_text(
        "basicConstraints = critical,CA:FALSE\nkeyUsage = critical,digitalSignature\nextendedKeyUsage = serverAuth\n"
        "subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\nsubjectAltName = IP:127.0.0.1\n"
    )
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-config", "ca.conf", "-days", "30")
    openssl("req", *key, "-keyout", "broker.key", "-out", "broker.csr", "-subj", "/CN=broker")
    signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "server", "-days", "30"]
    openssl("x509", "-req", "-in", "broker.csr", *signing, "-out", "broker.pem")
    return folder


@pytest.fixture
def tls_broker(certificates):
    port = free_port()
    lines = [f"listener {port} 127.0.0.1", f"certfile {certificates}/broker.pem", f"keyfile {certificates}/broker.key"]
    with Broker(port=port, lines=lines) as broker:
        yield broker


# --- TLS --------------------------------------------------------------------------------------------------------------


def test_the_tests_own_certificates_stand_pythons_strictest_check(tls_broker, certificates):
    # given what Python 3.13 asks for by default, and 3.11 only when told
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    # when
    line = socket.create_connection(("127.0.0.1", tls_broker.port), 5)
    with context.wrap_socket(line, server_hostname="127.0.0.1") as secured:
        # then
        assert secured.version() in ("TLSv1.2", "TLSv1.3")


def test_over_tls_a_burst_of_messages_arrives_whole_and_in_order(loop, tls_broker, certificates):
    party = Party(loop, tls_broker.port, tls=True, tls_ca=str(certificates / "ca.pem"))
    party.up("party", [("t", 0)])
    for number in range(500):
        assert party.link.publish("t", b"%d" % number)
    party.wait(Received, 500)
    assert party.payloads() == [b"%d" % number for number in range(500)]
    assert party.link.close()


def test_a_certificate_of_an_unknown_authority_is_refused_with_a_hint(loop, tls_broker):
    party = Party(loop, tls_broker.port, tls=True)
    party.link.dial("car-1", None)
    assert "check tls_ca, host and this clock" in party.wait(DialFailed)[0].reason


def test_tls_to_a_plain_port_is_told_as_such(loop, port):
    party = Party(loop, port, tls=True, connect_timeout_s=1.0)
    party.link.dial("car-1", None)
    assert "TLS" in party.wait(DialFailed)[0].reason


def test_what_is_decrypted_together_is_read_together(loop, certificates):
    # given a broker that puts a hundred messages into one TLS record and then says no more
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "broker.pem", certificates / "broker.key")

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(4096)
            secure.sendall(CONNACK + (bytes([0x30, 5, 0, 1]) + b"t" + b"\0x") * 100)
            secure.recv(4096)

    with fake_broker(serve) as port:
        party = Party(loop, port, tls=True, tls_ca=str(certificates / "ca.pem"))
        party.link.dial("car-1", None)
        # then
        took_s = turn_until(loop, lambda: len(party.all(Received)) == 100, 3.0, lambda: str(len(party.told)))
        assert took_s < 0.5
        party.link.drop("done")
