"""The broker's listener for call managers' consoles: whether a browser would get in, by a visit as a browser's."""

import base64
import secrets
import socket
import ssl
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from msgspec import Struct

from dispatch import pki
from dispatch.doctor.rows import Row, bad, ok, warn
from dispatch.settings import DispatchSettings
from dispatch.web.websocket import PATH

SHOW_S = 3.0
WSS_PORT = 443
HEAD_BYTES_MAX = 8192


class Answer(Struct, frozen=True, kw_only=True):
    """How a visit ended."""

    certificate: bytes | None
    """DER."""
    head: str
    """First line and headers of the answer; empty where there was none."""

    @property
    def taken_in(self) -> bool:
        """Whether MQTT could be spoken now."""
        first, _, headers = self.head.partition("\r\n")
        return first.split(" ")[1:2] == ["101"] and "sec-websocket-protocol: mqtt" in headers.lower()


def look(settings: DispatchSettings) -> Iterator[Row]:
    """Give the row; none where there are no consoles."""
    web, rest = settings.web, settings.rest
    if settings.admission != "registry" or rest is None or (web.websocket_url is None and web.websocket_port == 0):
        return
    host, port, path = settings.broker.host, web.websocket_port, PATH
    if web.websocket_url is not None:
        place = urlsplit(web.websocket_url)
        host, port, path = place.hostname or "", place.port or WSS_PORT, place.path or "/"
    at = f"wss://{f'[{host}]' if ':' in host else host}:{port}"
    begun = time.perf_counter()
    try:
        answer = visit(host, port, path)
    except OSError as error:
        yield warn("console", "browsers_silent", at=at, why=error.strerror or str(error))
        return
    if not answer.taken_in:
        said = answer.head.partition("\r\n")[0][:80] or "-"
        yield warn("console", "browsers_other", at=at, said=said)
    elif web.websocket_url is None and _own(settings) not in (None, answer.certificate):
        yield bad("console", "browsers_older", at=at)
    else:
        yield ok("console", "browsers", at=at, ms=f"{(time.perf_counter() - begun) * 1000:.1f}")


def visit(host: str, port: int, path: str) -> Answer:
    """Ask for MQTT over websockets over TLS, and leave; raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is compared, whoever signed it
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    name = f"[{host}]" if ":" in host else host
    asked = (
        f"GET {path} HTTP/1.1\r\nHost: {name}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
    )
    head = b""
    with socket.create_connection((host, port), SHOW_S) as line, context.wrap_socket(line, server_hostname=host) as tls:
        certificate = tls.getpeercert(binary_form=True)
        tls.sendall(asked.encode())
        while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES_MAX:
            more = tls.recv(4096)
            if not more:
                break
            head += more
    return Answer(certificate=certificate, head=head.decode("latin-1"))


def _own(settings: DispatchSettings) -> bytes | None:
    """The certificate that it should show; None where it cannot be read, which its own rows tell."""
    if settings.rest is None:
        return None
    try:
        return pki.read_certificate(settings.rest.certificate).public_bytes(serialization.Encoding.DER)
    except pki.PkiError:
        return None
