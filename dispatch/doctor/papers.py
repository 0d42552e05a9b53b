"""Certificates, keys and what makes Agora's tokens: whether they are there, belong together, and for how long."""

import datetime as dt
import os
import socket
import ssl
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from dispatch import credentials, pki
from dispatch.doctor.rows import Row, bad, ok, warn
from dispatch.settings import AgoraServerSettings, DispatchSettings, RestSettings
from dispatch.tokens.access_token2 import build

ENDS_SOON_DAYS = 60
SHOW_S = 3.0
"""Time for a server to show its certificate."""
SECRETS = (
    credentials.MQTT_PASSWORD,
    credentials.TLS_KEY,
    credentials.PROBE_PASSWORD,
    credentials.AGORA_CERTIFICATE,
    credentials.AGORA_CUSTOMER_SECRET,
)


def look(settings: DispatchSettings, now: dt.datetime) -> Iterator[Row]:
    """Give the rows; `settings` with their credentials, `now` aware."""
    if settings.rest is not None:
        yield from _certificates(settings, settings.rest, now)
    if settings.broker.username is not None and settings.broker.password is None:
        yield bad("secrets", "no_password", login=settings.broker.username)
    yield from _modes(settings)
    yield _agora(settings.agora)


# --- certificates -----------------------------------------------------------------------------------------------------


def _certificates(settings: DispatchSettings, rest: RestSettings, now: dt.datetime) -> Iterator[Row]:
    try:
        authority, server = pki.read_certificate(rest.ca), pki.read_certificate(rest.certificate)
    except pki.PkiError as error:
        yield bad("certificates", "said", why=str(error))
        return
    yield _lasting(rest.ca, authority, now, "ca")
    yield _lasting(rest.certificate, server, now, "server")
    if not pki.signed_by(server, authority):
        yield bad("certificates", "foreign", server=str(rest.certificate), ca=str(rest.ca))
    host = rest.url.removeprefix("https://").split("/")[0]
    host = host[1:].split("]")[0] if host.startswith("[") else host.split(":")[0]
    if host.lower() not in {name.lower() for name in pki.hosts_of(server)}:
        yield bad("certificates", "other_host", host=host, names=", ".join(pki.hosts_of(server)))
    der = server.public_bytes(serialization.Encoding.DER)
    if settings.broker.tls:
        yield shows("broker", settings.broker.host, settings.broker.port, der)
    listens = "localhost" if rest.host in ("0.0.0.0", "::") else rest.host
    yield shows("rest", listens, rest.port, der)


def _lasting(path: Path, certificate: x509.Certificate, now: dt.datetime, which: str) -> Row:
    days = pki.days_left(certificate, now)
    fields: dict[str, str | int | float] = {
        "path": str(path),
        "days": days,
        "until": certificate.not_valid_after_utc.date().isoformat(),
    }
    if now < certificate.not_valid_before_utc:
        return bad("certificates", "not_yet", path=str(path))
    if days < 0:
        return bad("certificates", f"{which}_ended", **fields)
    if days <= ENDS_SOON_DAYS:
        return warn("certificates", f"{which}_ends", **fields)
    return ok("certificates", "lasts", **fields)


def shows(who: str, host: str, port: int, wanted: bytes) -> Row:
    """What a server really shows (`wanted`: DER): after a renewal it may still be the one before.

    Without `rest` no vehicle is enrolled; without `web` the floor goes on all the same.
    """
    fields: dict[str, str | int | float] = {"at": f"{host}:{port}"}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is compared, whoever signed it
    try:
        with socket.create_connection((host, port), SHOW_S) as line, context.wrap_socket(line) as shown:
            there = shown.getpeercert(binary_form=True)
    except OSError as error:
        return (warn if who == "web" else bad)(who, f"{who}_silent", why=error.strerror or str(error), **fields)
    if there != wanted:
        return bad(who, f"{who}_older", **fields)
    return ok(who, "shows", **fields)


# --- secrets ----------------------------------------------------------------------------------------------------------


def _modes(settings: DispatchSettings) -> Iterator[Row]:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    found = [path for name in SECRETS if (path := credentials.find(settings, folder, name)) is not None]
    if settings.rest is not None and settings.rest.key is not None:
        found.append(settings.rest.key)
    for path in dict.fromkeys(found):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & (stat.S_IRWXO | stat.S_IWGRP):
            yield bad("secrets", "secret_mode", path=str(path), mode=f"{mode:04o}")
    yield ok("secrets", "secrets", count=len(dict.fromkeys(found)))


def _agora(agora: AgoraServerSettings | None) -> Row:
    if agora is None:
        return ok("tokens", "no_agora")
    if agora.certificate is None:
        return bad("tokens", "no_certificate")
    begun = time.perf_counter()
    try:
        build(agora.app_id, agora.certificate, "doctor", 1, publisher=False, expire_s=60, issued_at_s=1, salt=1)
    except ValueError as error:
        return bad("tokens", "bad_certificate", why=str(error))
    took_ms = (time.perf_counter() - begun) * 1000
    if agora.kicking is None or agora.kicking.customer_secret is None:
        return warn("tokens", "no_kicking", ms=f"{took_ms:.1f}", ttl=agora.token_ttl_s)
    return ok("tokens", "tokens", ms=f"{took_ms:.1f}", ttl=agora.token_ttl_s)
