"""A link to a broker under test, with what it was told; brokers that misbehave as a script says."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from service.loop import Loop
from service.mqtt import (
    BrokerSettings,
    Connected,
    MqttLink,
    Received,
    Subscribed,
    Will,
)


class Party:
    """One link on a loop that it may share with others, and all it was told."""

    def __init__(self, loop: Loop, port: int, **settings) -> None:
        self.loop = loop
        self.told = []
        self.settings = BrokerSettings(**{"host": "127.0.0.1", "port": port, **settings})
        self.on_event = self.told.append
        self.link = MqttLink(loop, self.settings, lambda event: self.on_event(event))

    def all(self, kind) -> list:
        return [event for event in self.told if isinstance(event, kind)]

    def wait(self, kind, count: int = 1, timeout_s: float = 5.0) -> list:
        """Turn the loop until `count` events of a kind were told, and give them."""
        turn_until(self.loop, lambda: len(self.all(kind)) >= count, timeout_s, lambda: f"{kind.__name__}: {self.told}")
        return self.all(kind)

    def up(self, name: str = "party", filters=(), will: Will | None = None) -> Party:
        self.link.dial(name, will)
        self.wait(Connected)
        if filters:
            self.link.subscribe(filters)
            assert self.wait(Subscribed)[-1].ok
        return self

    def payloads(self) -> list[bytes]:
        return [event.payload for event in self.all(Received)]


def turn_until(loop: Loop, done, timeout_s: float = 5.0, what=lambda: "") -> float:
    """Turn the loop until `done()`; gives how long it took."""
    begin = time.monotonic()

    def step(now: float) -> float:
        if done() or now - begin > timeout_s:
            loop.stop()
        return begin + timeout_s

    loop.run(step)
    assert done(), f"not within {timeout_s} s: {what()}"
    return time.monotonic() - begin


def turn_for(loop: Loop, time_s: float) -> None:
    """Give what should not come the time to come."""
    loop.call_at(time.monotonic() + time_s, loop.stop)
    loop.run(lambda _now: None)


@contextlib.contextmanager
def fake_broker(serve):
    """A listener whose only connection is handed to `serve` in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            with contextlib.suppress(OSError):
                connection, _address = listener.accept()
                with connection:
                    serve(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


CONNACK = bytes([0x20, 3, 0, 0, 0])
