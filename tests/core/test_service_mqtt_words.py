"""What the MQTT link is told and tells, without any network: settings, back-off, reasons, certificates."""

from __future__ import annotations

import errno
import random
import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from service.mqtt import Backoff, BrokerSettings
from service.mqtt_dial import dial_reason, loss_reason, no_greeting, refusal_reason, tls_context
from service.settings import Secret, SettingsError, parse, redacted

AT = BrokerSettings(host="127.0.0.1")


def test_settings_have_defaults_for_a_plain_broker_on_this_machine():
    settings = parse("", BrokerSettings, "broker.toml")
    assert (settings.host, settings.port, settings.keepalive_s, settings.tls) == ("localhost", 1883, 10, False)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("port = 0", "port"),
        ("port = 65536", "port"),
        ("keepalive_s = 1", "keepalive_s"),
        ('host = "two words"', "host"),
        ('host = "mqtt://office"', "name or address alone"),
        ('host = "office:1883"', "name or address alone"),
        ("connect_timeout_s = 0", "connect_timeout_s"),
        ('password = "x"', "username"),
        ('tls = true\ntls_cert = "c.pem"', "tls_key"),
        ('tls_ca = "ca.pem"', "tls"),
        ('hots = "broker"', "hots"),
    ],
)
def test_a_mistake_in_the_settings_is_named_by_its_field(text, word):
    with pytest.raises(SettingsError, match=word):
        parse(text, BrokerSettings, "broker.toml")


def test_a_password_is_shown_nowhere():
    settings = BrokerSettings(username="car-1", password=Secret("hunter2"))
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(redacted(settings))


def test_an_ipv6_address_is_bracketed_for_people():
    assert BrokerSettings(host="::1", port=8883).address == "[::1]:8883"


@given(seed=st.integers(), tries=st.integers(1, 60), min_s=st.floats(0.01, 5), factor=st.floats(1, 100))
def test_back_off_never_ends_and_never_exceeds_its_ceiling(seed, tries, min_s, factor):
    # given
    backoff = Backoff(min_s, min_s * factor, random.Random(seed))
    # when
    delays = [backoff.next_delay() for _ in range(tries)]
    # then
    assert all(0 <= d <= min(min_s * factor, min_s * 2**n) for n, d in enumerate(delays))


def test_back_off_begins_anew_after_a_reset():
    # given
    backoff = Backoff(1.0, 60.0, random.Random(1))
    for _ in range(20):
        backoff.next_delay()
    # when
    backoff.reset()
    # then
    assert backoff.next_delay() <= 1.0


def test_two_vehicles_do_not_come_back_at_the_same_time():
    first, second = Backoff(1.0, 60.0, random.Random(1)), Backoff(1.0, 60.0, random.Random(2))
    assert [first.next_delay() for _ in range(5)] != [second.next_delay() for _ in range(5)]


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (2.0, 1.0), (-1.0, 1.0)])
def test_back_off_refuses_bounds_that_make_no_sense(bounds):
    with pytest.raises(ValueError, match="back-off"):
        Backoff(*bounds, random.Random(0))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionRefusedError(), "connection refused by 127.0.0.1:1883: is the broker running?"),
        (socket.gaierror(-2, "Name or service not known"), "name right?"),
        (TimeoutError(), "no answer from 127.0.0.1:1883 within 5 s"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "no route to 127.0.0.1:1883"),
        (ssl.SSLCertVerificationError(1, "verify failed"), "tls_ca"),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), "TLS port"),
        (ConnectionResetError(), "cut while dialling"),
        (ValueError("odd"), "cannot connect to 127.0.0.1:1883: odd"),
    ],
)
def test_a_failed_dial_is_explained_to_a_technician(error, text):
    assert text in dial_reason(AT, error)


@pytest.mark.parametrize(
    ("name", "from_broker", "text"),
    [
        ("Session taken over", True, "another client uses this client id"),
        ("Server shutting down", True, "closed by 127.0.0.1:1883 (Server shutting down)"),
        ("Keep alive timeout", False, "nothing heard from 127.0.0.1:1883 for 10 s"),
        ("Protocol error", False, "no MQTT 5"),
        ("Unspecified error", False, "connection to 127.0.0.1:1883 lost"),
    ],
)
def test_a_lost_connection_is_explained_to_a_technician(name, from_broker, text):
    assert text in loss_reason(AT, ReasonCode(PacketTypes.DISCONNECT, name), from_broker)


def test_a_refused_login_points_at_username_and_password():
    reason = refusal_reason(AT, ReasonCode(PacketTypes.CONNACK, "Not authorized"))
    assert reason.startswith("refused by 127.0.0.1:1883 (Not authorized): check username and password")


@pytest.mark.parametrize("content", [None, "no certificate\n"])
def test_a_missing_or_unusable_certificate_is_a_start_up_error_that_names_the_file(tmp_path, content):
    # given
    path = tmp_path / "ca.pem"
    _ = content is not None and path.write_text(content)
    # when, then
    with pytest.raises(SettingsError, match=r"ca\.pem"):
        tls_context(BrokerSettings(tls=True, tls_ca=str(path)))


def test_a_greeting_that_ends_is_told_to_want_tls_only_where_there_is_none() -> None:
    plain, shut = BrokerSettings(host="office", port=8883), BrokerSettings(host="office", port=8883, tls=True)

    assert "without TLS?" in no_greeting(plain)
    assert "its TLS port?" in no_greeting(shut) and "without TLS?" not in no_greeting(shut)
