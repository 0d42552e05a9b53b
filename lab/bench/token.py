"""Tokens from the real service: how many a second, and how long one takes, over TLS with a registry on a file."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from dispatch.broker.files import CERT, KEY
from dispatch.registry.secrets import hash_secret, new_secret
from dispatch.registry.sql import SqlRegistry
from lab.bench.figure import Figure, bounded, quantile, ratio, summary, write_samples
from lab.bench.parts import REGION, BenchFailed, Process, await_ready, listen, python
from lab.bench.progress import Say
from lab.bench.size import Size
from lab.broker import free_port
from lab.secure_broker import SecureBroker
from protocol.ids import OfficeId
from protocol.messages import VoicePath
from protocol.rest import CA_PATH, TOKEN_PATH, Role
from service.settings import Secret

OFFICE = OfficeId(REGION, "office")
USERS = 500
"""Users in the registry, who ask in turn."""
CONNECTIONS = 8
FRESH_CONNECTIONS = 4
WARM_UP = 50
_CONFIG = """\
admission = "registry"
log_level = "warning"
[store]
path = "{folder}/office.db"
[rest]
url = "https://127.0.0.1:{port}"
host = "127.0.0.1"
port = {port}
certificate = "{doors}/{cert}"
key = "{doors}/{key}"
ca = "{ca}"
[agora]
app_id = "970CA35de60c44645bbae8a215061b33"
certificate = "5CFd2fd1755d40ecb72977518be15d3b"
"""


def tokens(out: Path, work: Path, say: Say, size: Size) -> list[Figure]:
    """Ask for tokens over connections that stay open, then over a new one each; beside it for a text of like length."""
    with ExitStack() as stack:
        port, broker = free_port(), SecureBroker(folder=work / "doors")
        stack.callback(broker.close)  # never started: its certificates serve here
        requests = _fill(work)
        context = ssl.create_default_context(cafile=str(broker.ca))
        stack.enter_context(_start(work, port, broker))
        load = _Load(port, context)
        bare = [f"GET {CA_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()]
        load.run(requests[:WARM_UP], WARM_UP, CONNECTIONS, fresh=False)
        kept, kept_s = load.run(requests, size.tokens, CONNECTIONS, fresh=False)
        bare_ms, bare_s = load.run(bare, size.tokens, CONNECTIONS, fresh=False)
        fresh, fresh_s = load.run(requests, size.fresh_tokens, FRESH_CONNECTIONS, fresh=True)
        one, _ = load.run(requests, size.fresh_tokens, 1, fresh=False)
    took_us = _took(work)
    rate, bare_rate, fresh_rate = len(kept) / kept_s, len(bare_ms) / bare_s, len(fresh) / fresh_s
    say(f"tokens: {rate:.0f}/s, p99 {quantile(kept, 0.99):.1f} ms; new connections {fresh_rate:.0f}/s")
    detail: dict[str, Any] = {
        "connections": CONNECTIONS,
        "users": USERS,
        "token_itself_us": summary(took_us),
        "one_connection_ms": summary(one),
        "counts": "real uvicorn, TLS 1.3, SQLite; whoever asks runs on the same two cores",
    }
    against = f"GET {CA_PATH} of the same process, same connections: HTTP and TLS alone"
    files = write_samples(out / "token.csv", ("kept_ms",), [(ms,) for ms in kept])
    fresh_files = write_samples(out / "token_fresh.csv", ("fresh_ms",), [(ms,) for ms in fresh])
    return [
        ratio("token_rate", rate, "/s", against, bare_rate, None, n=len(kept), samples=(files,), detail=detail),
        ratio(
            "token_p99",
            quantile(kept, 0.99),
            "ms",
            against,
            quantile(bare_ms, 0.99),
            None,
            n=len(kept),
            samples=(files,),
            detail={"ms": summary(kept), "against_ms": summary(bare_ms)},
        ),
        bounded(
            "token_fresh_p99",
            quantile(fresh, 0.99),
            "ms",
            None,
            against="nothing: a new TLS connection for each token, as vehicles make them",
            n=len(fresh),
            samples=(fresh_files,),
            detail={"ms": summary(fresh), "per_s": round(fresh_rate, 1), "connections_at_once": FRESH_CONNECTIONS},
        ),
    ]


def _fill(work: Path) -> list[bytes]:
    """Make the registry; gives each user's request."""
    registry = SqlRegistry(f"sqlite:///{work}/office.db")
    try:
        registry.add_region(REGION, "bench")
        registry.add_office(OFFICE, "bench", VoicePath.AGORA)
        return [_member(registry, f"car-{number}") for number in range(USERS)]
    finally:
        registry.close()


def _member(registry: SqlRegistry, user: str) -> bytes:
    secret = new_secret()
    login = registry.add_user(OFFICE, user, Role.VEHICLE_GATEWAY, user).login
    registry.set_secret(OFFICE, user, hash_secret(secret))
    return _request(login, secret)


def _request(login: str, secret: Secret) -> bytes:
    basic = base64.b64encode(f"{login}:{secret.reveal()}".encode()).decode()
    return (
        f"POST {TOKEN_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {basic}\r\n"
        f"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    ).encode()


def _start(work: Path, port: int, broker: SecureBroker) -> Process:
    config = work / "dispatch.toml"
    config.touch(0o600)
    config.write_text(
        _CONFIG.format(folder=work, port=port, doors=broker.doors, cert=CERT, key=KEY, ca=broker.ca), "utf-8"
    )
    with listen(work / "rest.notify") as heard:
        env = {"NOTIFY_SOCKET": str(heard.getsockname())}
        process = python("rest", work, "-m", "dispatch", "rest", "--config", config, env=env)
        try:
            await_ready(heard, process)
        except BenchFailed:
            process.end()
            raise
    return process


def _took(work: Path) -> list[float]:
    registry = SqlRegistry(f"sqlite:///{work}/office.db")
    try:
        return [float(issue.took_us) for issue in registry.token_issues(None, 0)]
    finally:
        registry.close()


class _Load:
    """Asks over several connections at once, each with a thread of its own."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._port, self._context = port, context

    def run(self, requests: Sequence[bytes], count: int, connections: int, *, fresh: bool) -> tuple[list[float], float]:
        """Ask `count` times in all; gives each answer's time in ms, and how long all took in s. Raises BenchFailed."""
        times: list[float] = []
        faults: list[str] = []
        each = max(1, count // connections)

        def ask(first: int) -> None:
            try:
                times.extend(self._ask(requests, first, each, fresh))
            except (OSError, BenchFailed) as error:
                faults.append(str(error))

        threads = [threading.Thread(target=ask, args=(number,), name=f"load-{number}") for number in range(connections)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lasted_s = time.perf_counter() - began
        if faults:
            raise BenchFailed(f"{len(faults)} of {connections} connections failed: {faults[0]}")
        return times, lasted_s

    def _ask(self, requests: Sequence[bytes], first: int, count: int, fresh: bool) -> list[float]:
        times: list[float] = []
        connection = None if fresh else self._connect()
        for number in range(count):
            request = requests[(first + number * 7) % len(requests)]
            began = time.perf_counter()
            asked = self._connect() if connection is None else connection
            asked.sendall(request)
            _read_answer(asked)
            times.append((time.perf_counter() - began) * 1000)
            if connection is None:
                asked.close()
        if connection is not None:
            connection.close()
        return times

    def _connect(self) -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", self._port), 10)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._context.wrap_socket(raw, server_hostname="127.0.0.1")


def _read_answer(connection: ssl.SSLSocket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise BenchFailed(f"answered {head[:60]!r} {json.dumps(body[:200].decode(errors='replace'))}")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(body) < int(fields[b"content-length"]):
        body += _more(connection)


def _more(connection: ssl.SSLSocket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise BenchFailed("the connection was closed")
    return data
