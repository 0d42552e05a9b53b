"""An office's REST service that answers what the test says, over real TLS with a private authority of its own."""

from __future__ import annotations

import datetime as dt
import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from protocol.enrol_code import new_code

SECRET = "s3cret-of-car-17-0123456789"
HARDWARE = "a" * 32

_MAY_SIGN = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
"""Python 3.13 checks strictly: an authority must say that it is one."""


class Authority:
    """A private CA that signs server certificates; `issue` gives the path of one with its key."""

    def __init__(self, folder: Path, name: str = "office CA") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        self.certificate = (
            self._builder(self._name, self._key, now - dt.timedelta(days=400), now + dt.timedelta(days=400))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_MAY_SIGN, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.der = self.certificate.public_bytes(serialization.Encoding.DER)

    def issue(self, host: str = "localhost", begins_days: float = -1, ends_days: float = 30) -> Path:
        """A certificate for `host` that is valid from and until so many days from now."""
        now = dt.datetime.now(dt.UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            self._builder(
                x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]),
                key,
                now + dt.timedelta(days=begins_days),
                now + dt.timedelta(days=ends_days),
            )
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        path = self._folder / f"{host}-{begins_days}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return path

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, begins: dt.datetime, ends: dt.datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
        )


Answer = tuple[int, dict[str, Any] | bytes, dict[str, str]]


class OfficeRest:
    """Serves until `close`. `asked` has (method, path, body, authorization) of every request in order."""

    def __init__(self, authority: Authority, certificate: Path, *, broker_port: int = 8883) -> None:
        self.authority = authority
        self.asked: list[tuple[str, str, dict[str, Any], str]] = []
        self.answers: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "/v1/ca": lambda _: (200, authority.pem.encode(), {}),
            "/v1/enrol": lambda body: (201, self.enrolment(hardware=body["hardware"]), {}),
            "/v1/hello": lambda _: (200, self.welcome(), {}),
            "/v1/token": lambda _: (200, self.grant(), {}),
        }
        self._broker_port = broker_port
        office = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                office.answer(self, "GET")

            def do_POST(self) -> None:
                office.answer(self, "POST")

            def log_message(self, *_: object) -> None:
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        self.url = f"https://localhost:{self.port}"
        self.code = new_code(bytes(range(10)), authority.der)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="office-rest")
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler, method: str) -> None:
        length = int(request.headers.get("Content-Length", 0))
        body = json.loads(request.rfile.read(length)) if length else {}
        self.asked.append((method, request.path, body, request.headers.get("Authorization", "")))
        status, data, headers = self.answers[request.path](body)
        payload = data if isinstance(data, bytes) else json.dumps(data).encode()
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(payload))}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(payload)

    def asked_for(self, path: str) -> list[dict[str, Any]]:
        """Bodies of the requests for one path."""
        return [body for _, asked, body, _ in list(self.asked) if asked == path]

    def enrolment(self, **fields: Any) -> dict[str, Any]:
        return {
            "region": "seoul",
            "office": "hq",
            "user": "car-17",
            "role": "vehicle_gateway",
            "name": "17호차",
            "generation": 3,
            "hardware": HARDWARE,
            "secret": SECRET,
            "broker": {"host": "localhost", "port": self._broker_port},
            "rest_url": self.url,
            "voice": "agora",
            "ca_pem": self.authority.pem,
            **fields,
        }

    def welcome(self, **fields: Any) -> dict[str, Any]:
        return {"name": "17호차", "role": "vehicle_gateway", "voice": "agora", "generation": 3, **fields}

    def grant(self, **fields: Any) -> dict[str, Any]:
        return {
            "app_id": "app",
            "channel": "ptt-seoul-hq-1",
            "uid": 17,
            "token": "007token",
            "publisher": True,
            "expires_in_s": 3600,
            **fields,
        }


def problem(status: int, code: str, **headers: str) -> Answer:
    """An answer in the shape of RFC 9457."""
    body = {"type": f"urn:ptt:problem:{code}", "title": code, "status": status, "mend": f"mend {code}"}
    return status, body, {name.replace("_", "-"): value for name, value in headers.items()}
