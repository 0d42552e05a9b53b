"""The raw QoS 1 request→reply round trip: two plain paho clients, the echo in a process of its own.

`python -m lab.bench.round_trip --port P` is the echo; it prints `ready` once it is subscribed. At a broker with doors
both clients use the same login over TLS.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from msgspec import Struct
from paho.mqtt.enums import CallbackAPIVersion

from lab.bench.parts import START_S, BenchFailed, python
from service.settings import read_secret

REQUEST, REPLY = "ptt/v1/bench-echo/request", "ptt/v1/bench-echo/reply"
"""Topics that the server's own login may use, and nobody listens to."""
PAYLOAD = b"x" * 60
ANSWER_S = 2.0


class Access(Struct, frozen=True):
    """How a broker with doors is entered: `ca` and `secret` are files."""

    ca: Path
    user: str
    secret: Path


def client(name: str, access: Access | None = None) -> paho.Client:
    """Give a paho client as the facts say one should be: MQTT 5, TCP_NODELAY."""
    made = paho.Client(CallbackAPIVersion.VERSION2, f"{name}-{os.getpid()}", protocol=paho.MQTTv5)

    def no_delay(_client: paho.Client, _data: object, sock: Any) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    made.on_socket_open = no_delay
    if access is not None:
        made.tls_set(str(access.ca))
        made.username_pw_set(access.user, read_secret(access.secret).reveal())
    return made


def echo(port: int, access: Access | None) -> None:
    """Answer every request with its payload, for ever."""
    server = client("bench-echo", access)
    server.on_connect = lambda connected, *_: connected.subscribe(REQUEST, qos=1)
    server.on_message = _answer
    server.on_subscribe = lambda *_: print("ready", flush=True)
    server.connect("127.0.0.1", port)
    server.loop_forever()


def _answer(server: paho.Client, _data: object, request: paho.MQTTMessage) -> None:
    server.publish(REPLY, request.payload, qos=1)


class RoundTrip:
    """The asking end, in this process with paho's own network thread."""

    def __init__(self, port: int, access: Access | None = None) -> None:
        """Connect and subscribe; raises BenchFailed."""
        self._answered = threading.Event()
        self._at = 0.0
        self._client = client("bench-ask", access)
        subscribed = threading.Event()
        self._client.on_message = self._on_message
        self._client.on_connect = lambda connected, *_: connected.subscribe(REPLY, qos=1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        if not subscribed.wait(START_S):
            raise BenchFailed("the round trip's client cannot subscribe")

    def once_ms(self) -> float:
        """Make one round trip; gives its length. Raises BenchFailed where no answer comes."""
        self._answered.clear()
        began = time.monotonic()
        self._client.publish(REQUEST, PAYLOAD, qos=1)
        if not self._answered.wait(ANSWER_S):
            raise BenchFailed(f"no echo within {ANSWER_S:g} s")
        return (self._at - began) * 1000

    def close(self) -> None:
        """Part from the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: object, _data: object, _message: paho.MQTTMessage) -> None:
        self._at = time.monotonic()
        self._answered.set()


@contextlib.contextmanager
def round_trip(folder: Path, port: int, access: Access | None = None) -> Iterator[RoundTrip]:
    """Start an echo and give the asking end; both end on leaving."""
    doors: list[str | Path] = (
        [] if access is None else ["--ca", access.ca, "--user", access.user, "--secret-file", access.secret]
    )
    with python("echo", folder, "-m", "lab.bench.round_trip", "--port", str(port), *doors) as process:
        deadline = time.monotonic() + START_S
        while "ready" not in process.log:
            process.require_running()
            if time.monotonic() > deadline:
                raise BenchFailed("the echo does not come up")
            time.sleep(0.02)
        asking = RoundTrip(port, access)
        try:
            yield asking
        finally:
            asking.close()


def main(argv: list[str]) -> int:
    """Run the echo."""
    parser = argparse.ArgumentParser(prog="python -m lab.bench.round_trip", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca", type=Path)
    parser.add_argument("--user")
    parser.add_argument("--secret-file", type=Path)
    given = parser.parse_args(argv)
    echo(given.port, Access(given.ca, given.user, given.secret_file) if given.ca else None)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
